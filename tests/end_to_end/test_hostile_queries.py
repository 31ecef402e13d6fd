"""Questions that no dashboard would ask, answered as Prometheus answers them."""

from __future__ import annotations

import http.client
import json
import os
import random
import urllib.parse
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.noise import near
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.standing import BesidePrometheus

SEED = int(os.environ.get("TRICKSTER_HOSTILE_SEED", "1"))
CASES = int(os.environ.get("TRICKSTER_HOSTILE_CASES", "400"))
_FORM = "application/x-www-form-urlencoded"
_PATH = "/api/v1/query_range"

# Spellings of an instant, {t}, and of the step.
_INSTANTS = (
    "{t}.", "{t}.5", "{t}.0005", "{t}.9996", "+{t}", "0{t}", "{t}e0", "{t}00e-2", "{t}_0", " {t}",
    "{t} ", "{t}s", "{t}\n", "-{t}", "", "0", "-0", "-1", "1e18", "9223372036.854775", "1e400",
    "Inf", "NaN", "infinity", "now", "0x1p31", "253402300799", "٣", "2026-02-30T00:00:00Z",
    "2023-11-14T22:13:20Z", "2023-11-14T22:13:60Z", "2023-11-14T22:13:20.123456789Z",
    "2023-11-14t22:13:20z", "2023-11-14 22:13:20Z", "2023-11-14T22:13:20,5Z",
    "2023-11-14T22:13:20+23:59", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+0100",
)
_STEPS = (
    "15s", "15.", "+15", "00015", "1e1", "15000ms", "0.5", "0.0005", "1.0000001", "4.35", "1.001",
    "1y", "1h1m", "1m1h", "1m1m", "1h0m0s", "0h1m", "1.5m", "15S", "1us", "300y", "292y", "0",
    "0s", "-15", "-15s", "", " 15", "Inf", "NaN", "0x10", "1_5", "1e30", "9223372037", "m", "5m30",
)
_QUERIES = (
    "temperature ", "\n temperature", "\ufefftemperature", "temperature\x00", "temperature\u00a0",
    "TEMPERATURE", '{__name__="temperature"}', 'odd{name="u\u0308nïcode"}', 'odd{name="ünïcode"}',
    'temperature{room="\udcff"}', 'temperature{room="r1\t"}', "temperature{room=`r1`,}", "1", '"x"',
    "temperature[5m]", "sum(temperature", "temperature % 7 + 1", 'temperature{room="&=;%+"}',
)
_OTHERS = (
    ("limit", ("1", "0", "", "-1", "x")), ("timeout", ("1s", "", "x", "30", "1h", "5ms0s")),
    ("lookback_delta", ("1m", "", "x", "5", "0", "-5", "1e2")), ("_", ("1", "")),
    ("query", ("odd", "")), ("start", ("0", "")), ("step", ("30", "")), ("QUERY", ("odd",)),
)
_TAILS = ("&", "&&", ";", "&=", "&%", "&%zz", "&a=%", "?", "&query", "&=x", "&%=1")

_SELECTORS = (
    "temperature", "requests_total", "odd", 'temperature{ room = "r1" , }', 'temperature{room="r\\x31"}',
    "temperature{room=~`r[0-3]`}", "odd{name=`a\"b`}", 'no:such{offset="x",by!="1",sum=""}',
    '{__name__=~".*ture",floor="1"}', "offset:x", 'latency_seconds_bucket{le="+Inf"}',
)
_RANGED = ("rate", "increase", "avg_over_time", "absent_over_time", "last_over_time", "changes",
           "quantile_over_time(0.9,", "predict_linear", "holt_winters", "max_over_time", "deriv")
_RANGES = ("[5m]", "[ 90s ]", "[1m30s]", "[30s:]", "[10m : 90s]", "[5m:7s]")
_BETWEEN = ("", " ", "\n", "\t", "\r\n", " # a remark ) \" ' [\n", "\n#x offset -1h @ end()\n")
_FIXED = ("{at}", "{at}.5", "{later}", "+{at}", "0", "-100")


class Hostile:
    """Makes questions at random."""

    def __init__(self, seed: int, now: int) -> None:
        self.source = random.Random(seed)
        self.now = now

    def expression(self, depth: int = 2) -> str:
        """:return: PromQL, more often right than wrong."""
        pick, gap, inner = self.source.choice, self.gap, self.expression
        if depth == 0 or self.source.random() < 0.2:
            return pick(_SELECTORS) + self.modifier()
        return pick((
            lambda: self.over_time(pick(_SELECTORS)),
            lambda: self.over_time(f"({inner(depth - 1)})"),
            lambda: f"{pick(('sum', 'AVG', 'count', 'Max', 'stddev'))}{gap()}"
                    f"{pick(('', 'by (job)', 'BY(room,)', 'without()', 'by (offset, by)'))}"
                    f"{gap()}({gap()}{inner(depth - 1)})",
            lambda: f"({inner(depth - 1)}{gap()}){gap()}"
                    f"{pick(('+', '-', '^', '% ', '==bool ', 'AND', 'or', 'unless', 'atan2'))}"
                    f"{gap()}({inner(depth - 1)})",
            lambda: f"requests_total {pick(('*', '/'))} on (job,){gap()}group_left(){gap()}"
                    f"sum by (job) (requests_total{self.modifier()})",
            lambda: f"{pick(('abs', 'timestamp', 'sgn', 'absent', 'minute'))}({inner(depth - 1)})",
            lambda: f"{pick(('topk', 'quantile'))} ({pick(('1', '.5', 'scalar(vector(1))'))},"
                    f"temperature{self.modifier()})",
            lambda: pick(("0x1F", ".5", "-Inf", "time()", "2^3^2", "1 atan2 2", "-1^2", "1h5")),
            lambda: f"-{inner(depth - 1)}",
            lambda: f'label_replace({inner(depth - 1)},"x",\'$1\',`job`,"(.*)")',
        ))()

    def over_time(self, vector: str) -> str:
        """:return: a function over some time of a vector."""
        name = self.source.choice(_RANGED)
        ranges = _RANGES if vector[0] != "(" else _RANGES[3:]
        rest = {"predict_linear": ", 60", "holt_winters": ", 0.5, 0.5"}.get(name, "")
        opening = name if name.endswith(",") else name + "("
        return f"{opening}{vector}{self.source.choice(ranges)}{self.modifier()}{rest})"

    def modifier(self) -> str:
        """:return: nothing, an offset, an instant, or both."""
        pick = self.source.choice
        words = {"at": self.now - 600, "later": self.now + 1200}
        offset = (f" {pick(('offset', 'OFFSET'))}{self.gap()} {pick(('', '-', '- ', '+'))}"
                  f"{pick(('1m', '90s', '1h30m', '0s', '1m1s1ms'))}")
        at = f"{self.gap()}@{self.gap()}{pick(_FIXED).format(**words)}"
        return pick(("", "", "", "", offset, offset, at, offset + at, at + offset))

    def gap(self) -> str:
        """:return: white space of some kind, or none."""
        return self.source.choice(_BETWEEN) if self.source.random() < 0.4 else ""

    def parameters(self) -> list[tuple[str, str]]:
        """:return: those of a range query, at least one of them odd."""
        pick = self.source.choice
        found = [("query", "temperature"), ("start", str(self.now - 600)), ("end", str(self.now)),
                 ("step", "15")]
        place = self.source.randrange(4)
        found[place] = (found[place][0], pick((_QUERIES, _INSTANTS, _INSTANTS, _STEPS)[place])
                        .replace("{t}", str(self.now - 600 * (place == 1))))
        for _ in range(pick((0, 0, 1, 2))):
            name, values = pick(_OTHERS)
            found.insert(self.source.randrange(len(found) + 1), (name, pick(values)))
        if self.source.random() < 0.1:
            del found[self.source.randrange(len(found))]
        return found

    def encoded(self, parameters: list[tuple[str, str]]) -> str:
        """:return: the same, escaped in one of many ways."""
        text = "&".join(f"{self._escaped(k)}={self._escaped(v)}" for k, v in parameters)
        return text + (self.source.choice(_TAILS) if self.source.random() < 0.1 else "")

    def _escaped(self, text: str) -> str:
        octets = text.encode("utf-8", "surrogateescape")
        form = self.source.randrange(4)
        if form == 0:
            return "".join(f"%{octet:02{self.source.choice('xX')}}" for octet in octets)
        return urllib.parse.quote_plus(octets) if form == 1 else urllib.parse.quote(octets, "")


class HostileTests(BesidePrometheus):
    """A Prometheus, queried directly and through a backend of each mode."""

    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        cls.trickster = cls.kept(Trickster(
            root / "trickster", cls.both_modes(cls.prometheus.url)))

    def test_expressions(self) -> None:
        """
        Queries with comments, odd white space, offsets, fixed instants and quotes get the origin's
        response.
        """
        hostile = Hostile(SEED, self.now)
        for case in range(CASES):
            query, step = hostile.expression(), hostile.source.choice((15, 60, 7))
            for backend in ("aligned", "phase"):
                start = self.now - hostile.source.randrange(-900, 5000)
                start -= start % step if backend == "aligned" else 0
                for end in (start + 40 * step, start + 60 * step):
                    target = _PATH + "?" + urllib.parse.urlencode(
                        {"query": query, "start": start, "end": end, "step": step})
                    self.assert_same(fetch(f"{self.trickster.url}/{backend}{target}"),
                                     fetch(self.prometheus.url + target),
                                     (SEED, case, backend, query, target))

    def test_range_dependent(self) -> None:
        """A query that Prometheus evaluates anew for each range is never merged from parts."""
        fixed = self.now - 3000
        for query in (f"predict_linear(temperature[5m] @ {fixed}, 60)",
                      f"quantile_over_time(scalar(up), temperature[5m] @ {fixed})",
                      f"quantile(time() / 1e10, temperature @ {fixed})"):
            for start in (1800, 3600, 3600):
                target = _PATH + "?" + urllib.parse.urlencode({
                    "query": query, "start": self.now - start, "end": self.now - 600, "step": 60})
                got = fetch(f"{self.trickster.url}/phase{target}")
                self.assert_same(got, fetch(self.prometheus.url + target), (query, start))
                self.assertIn("reason=range-dependent-query", got.result)

    def test_parameters(self) -> None:
        """
        Any spelling of a parameter, in the target or a form or both, gets the origin's response.
        """
        hostile = Hostile(SEED, self.now)
        for case in range(CASES):
            text = hostile.encoded(hostile.parameters())
            parts = text.split("&")
            cut = hostile.source.choice((len(parts), len(parts), 0, len(parts) // 2))
            target = "?".join(filter(None, (_PATH, "&".join(parts[:cut]))))
            form = "&".join(parts[cut:]) if cut < len(parts) else None
            want = sent(self.prometheus.url, target, form)
            for backend in ("phase", "aligned", "phase"):
                got = sent(f"{self.trickster.url}/{backend}", target, form)
                if backend == "phase" or "aligned=" not in got.result:
                    self.assert_same(got, want, (SEED, case, backend, target, form))

    def assert_same(self, got: Answer, want: Answer, told: Any) -> None:
        """Both answers are equal, but for the last digits of sums."""
        told = f"{told} -> {got.result}"
        self.assertEqual(got.status, want.status, told)
        if got.status == 200:
            self.assertTrue(got.body == want.body or near(got.body, want.body, 1e-8),
                            f"{told}\n{got.body[:3000]!r}\n{want.body[:3000]!r}")
        else:
            # Which series an error names is by chance.
            self.assertEqual(*(json.loads(a.body)["errorType"] for a in (got, want)), told)


def sent(base: str, target: str, form: str | None) -> Answer:
    """:return: the answer to a target that was not parsed on the way."""
    server = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=60)
    try:
        connection.putrequest("GET" if form is None else "POST", server.path + target)
        if form is not None:
            connection.putheader("Content-Type", _FORM)
            connection.putheader("Content-Length", str(len(form)))
        connection.endheaders(None if form is None else form.encode("ascii"))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
