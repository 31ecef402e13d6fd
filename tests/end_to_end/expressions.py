"""Random PromQL, over the series of L{samples}."""

from __future__ import annotations

from hypothesis import strategies as st

_NAMES = ("requests_total", "temperature", "odd", "latency_seconds_bucket", "missing")
_MATCHERS = (
    "", '{job="api"}', '{job=~"a.*|db"}', '{room!="r1"}', '{name=~"brackets\\\\[.*"}',
    '{name="a\\"b"}', "{name='back\\\\slash'}", "{name=~`.*[<&#].*`}", '{le="0.5"}',
    '{instance=~"i[01]"}', '{name="ünïcode"}', '{__name__=~"temp.*"}',
)
_WINDOWS = ("1m", "5m", "90s", "1m30s", "1h")
_OFFSETS = ("", "", "", " offset 5m", " offset 90s", " offset -5m", " offset -1h")
_RANGED = ("rate", "increase", "delta", "max_over_time", "avg_over_time", "count_over_time",
           "last_over_time", "changes", "resets", "present_over_time", "irate", "deriv",
           "absent_over_time", "stddev_over_time")
_INSTANT = ("abs", "ceil", "sgn", "exp", "ln", "timestamp", "sort", "sort_desc", "absent",
            "scalar", "hour", "day_of_week")
_AGGREGATES = ("sum", "avg", "min", "max", "count", "group", "stddev")
_GROUPINGS = ("", " by (job)", " without (instance)", " by (room, name)", " by (le)")
_OPERATORS = ("+", "-", "*", "/", "%", "^", "==", "!=", "> bool", "<", "and", "or", "unless",
              "+ on (job)", "and ignoring (room)")
_CONSTANTS = ("1", "0", "NaN", "Inf", "-1.5e3", "time()", "vector(1)", "vector(time())", "pi()")
_BROKEN = (
    "sum(", "requests_total{", "rate(temperature)", "temperature[5m]", "foo bar", "1 +", '"x',
    "nosuchfunction(temperature)", "temperature offset", "temperature{job=1}", "{}", '"text"',
    "sum by (job) temperature", "topk(temperature)",
)
_RANGE_DEPENDENT = (
    "temperature @ start()", "temperature @ end()", "rate(requests_total[5m] @ end())",
    "temperature - temperature @ start()", "sum(temperature @ end() offset 5m)",
    "max_over_time(temperature[10m:1m] @ start())",
)

_selectors = st.builds(lambda n, m, o: f"{n}{m}{o}", st.sampled_from(_NAMES),
                       st.sampled_from(_MATCHERS), st.sampled_from(_OFFSETS))
_ranges = st.builds(lambda f, n, m, w, o: f"{f}({n}{m}[{w}]{o})", st.sampled_from(_RANGED),
                    st.sampled_from(_NAMES), st.sampled_from(_MATCHERS),
                    st.sampled_from(_WINDOWS), st.sampled_from(_OFFSETS))
_simple = st.one_of(_selectors, _ranges, st.sampled_from(_CONSTANTS))


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    vector = inner
    return st.one_of(
        st.builds(lambda f, x: f"{f}({x})", st.sampled_from(_INSTANT), vector),
        st.builds(lambda f, g, x: f"{f}{g} ({x})", st.sampled_from(_AGGREGATES),
                  st.sampled_from(_GROUPINGS), vector),
        # Of equal values Prometheus itself picks any: these are never equal.
        st.builds(lambda f, k, o: f"{f}({k}, temperature{o})",
                  st.sampled_from(("topk", "bottomk")), st.integers(0, 4),
                  st.sampled_from(_OFFSETS)),
        st.builds(lambda q, x: f"quantile({q}, {x})", st.sampled_from(("0.5", "0.99", "2")),
                  vector),
        st.builds(lambda x, w: f"max_over_time(({x})[{w}:1m])", vector,
                  st.sampled_from(("5m", "10m"))),
        st.builds(lambda x, op, y: f"({x}) {op} ({y})", vector, st.sampled_from(_OPERATORS),
                  vector),
        st.builds(lambda x: f'label_replace({x}, "new", "$1-x", "job", "(.*)")', vector),
        st.builds(lambda x: f'count_values("value", {x})', vector),
        st.just("histogram_quantile(0.9, rate(latency_seconds_bucket[5m]))"),
        st.builds(lambda x: f"-({x})", vector),
    )


SAFE = st.recursive(_simple, _wider, max_leaves=4)
EXPRESSIONS = st.one_of(SAFE, SAFE, SAFE, SAFE, st.sampled_from(_BROKEN),
                        st.sampled_from(_RANGE_DEPENDENT))
