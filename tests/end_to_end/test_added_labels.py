"""Labels that a backend adds are to clients as if its Prometheus had them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.expressions import SAFE
from tests.end_to_end.installation import exchange, spelled
from tests.end_to_end.servers import Answer, Prometheus, Trickster, fetch
from tests.end_to_end.standing import BesidePrometheus

LABELS = {"region": "eu-1", "zone": 'a "b"$1'}
EXAMPLES = int(os.environ.get("TRICKSTER_DIFFERENTIAL_EXAMPLES", "100"))
MATCHERS = (
    'region="eu-1"', 'region!="eu-1"', 'region=~"eu-.*"', 'region=~"eu-1|eu-2"', 'region!~"eu.*"',
    'region=~"us-.*"', 'region=""', 'region!=""', 'region=~".*"', 'region=~".+"', 'region=~""',
    'zone="a \\"b\\"$1"', "zone='other'", 'region="eu-1",zone=~"a.*"', 'region="eu-1",zone="b"',
    'region=~"(?i:EU)-[[:digit:]]"', "region=`eu-1`",
)
SELECTORS = [
    *(f"temperature{{{m}}}" for m in MATCHERS), *(f"{{{m}}}" for m in MATCHERS),
    *(f'{{{m},job=~".*"}}' for m in MATCHERS[:4]), 'temperature{room="r1",region="eu-1",}',
    'temperature{region="eu-1",room="r1"}', '{__name__=~"temp.*",region="eu-1"}',
]
EXPRESSIONS = [
    *(f"temperature{{{m}}}" for m in MATCHERS),
    *(f"count({{{m}}})" for m in MATCHERS),
    *(f"rate(requests_total{{{m}}}[5m] offset 1m)" for m in MATCHERS),
    *(f"absent(missing{{{m}}})" for m in MATCHERS[:13]),
    *(f"absent_over_time(missing{{{m}}}[5m])" for m in MATCHERS[:6]),
    'absent(temperature{region="eu-2"})', 'absent(temperature{room="none",region="eu-1"})',
    "absent(sum(missing))", "sum(temperature)", "sum by (region) (temperature)",
    "sum by (region, floor) (temperature)", "sum by (floor) (temperature)",
    "sum without (region) (temperature)", "sum(temperature) without (zone, room)",
    "temperature / sum(temperature)", ("temperature / on (region) group_left () sum by (region) "
    "(temperature)"), "temperature / on (floor) group_left sum by (floor) (temperature)",
    "sum by (region) (temperature) / sum(temperature)", "temperature or vector(0)",
    "vector(0) or temperature", "sum(temperature) or sum by (region) (temperature)",
    "temperature and on (region) sum by (region) (odd)", "temperature and on (region) sum(odd)",
    "temperature unless on (zone) sum(odd)", "temperature and sum(odd)",
    "temperature * on (room) temperature", "temperature * ignoring (region) temperature",
    "temperature * ignoring (region, zone) sum without (region, zone) (temperature)",
    "sum by (region) (temperature) * on () group_right temperature",
    "temperature * on (floor) group_left (region) sum by (floor, region) (temperature)",
    "sum by (floor) (temperature) * on (floor) group_right (region) temperature",
    "temperature == on (region, room) temperature",
    'label_replace(temperature, "where", "$1-$2", "region", "(.*)-(.*)")',
    'label_replace(temperature, "where", "$1", "room", "(.*)")',
    'label_join(temperature, "where", "/", "region", "zone", "room")',
    'count_values("region", temperature > bool 20)', 'count_values("n", temperature > bool 20)',
    'count_values by (region) ("n", temperature > bool 20)',
    "topk(2, temperature)", "topk by (region) (1, temperature)", "quantile(0.5, temperature)",
    "topk by (floor, region) (1, temperature)", "scalar(sum(temperature)) * temperature",
    "histogram_quantile(0.9, sum by (le, region) (rate(latency_seconds_bucket[5m])))",
    "max_over_time(sum by (region) (temperature)[10m:1m])", "-temperature", "time()", "1",
    "max_over_time((temperature / sum(temperature))[10m:1m])", "vector(1)", "hour()",
    'sum(temperature{region="eu-1"}) / sum(temperature{region="eu-2"})',
    'temperature{region="eu-1"} # region', 'sum(temperature{region="eu-1"} @ 1700000000)',
    'group({region="eu-1",__name__=~"temp.*"})', 'odd{name="brackets[]{}()",region="eu-1"}',
    ('label_replace(sum by (job) (requests_total), "region", "eu-1", "", "")'
    ' * on (region) group_left sum by (region) (temperature)'),
]
_SAMPLE = re.compile(r"^([\w:]+)(?:\{(.*)\})? (\S+ \S+)$")
_settings = settings(max_examples=EXAMPLES, deadline=None, print_blob=True,
                     suppress_health_check=[HealthCheck.too_slow])


def labelled_lines(path: Path) -> Iterator[str]:
    """:return: the samples of a file, with our labels on each."""
    ours = ",".join('{}="{}"'.format(k, v.replace('"', r"\"")) for k, v in LABELS.items())
    for line in path.read_text().splitlines():
        found = _SAMPLE.match(line)
        if found is None:
            yield line + "\n"
        else:
            name, inner, rest = found.groups()
            yield f"{name}{{{inner + ',' if inner else ''}{ours}}} {rest}\n"


class AddedLabelsTests(BesidePrometheus):
    """A backend that adds labels, beside a Prometheus whose series have them."""

    really: ClassVar[Prometheus]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        (root / "labelled.om").write_text("".join(labelled_lines(root / "samples.om")))
        cls.really = cls.kept(Prometheus(root / "really", root / "labelled.om"))
        modes = cls.both_modes(cls.prometheus.url)
        labels = {"prometheus": {"labels": LABELS}}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            **{name: {**mode, **labels} for name, mode in modes.items()},
            "passed": {**modes["phase"], **labels, "proxy_only": True}}))

    def both(self, path: str, params: dict[str, Any], backend: str = "phase"
             ) -> tuple[Answer, Answer]:
        target = spelled(path, params)
        return (fetch(f"{self.trickster.url}/{backend}{target}"), fetch(self.really.url + target))

    def assert_samples(self, path: str, params: dict[str, Any]) -> None:
        want = fetch(self.really.url + spelled(path, params))
        for backend in ("phase", "phase", "passed"):
            got = fetch(f"{self.trickster.url}/{backend}{spelled(path, params)}")
            told = f"{params} {backend} {got.result}: {got.body[:600]!r}"
            self.assertEqual(got.status, want.status, f"{told} {want.body[:300]!r}")
            if want.status == 200:
                self.assertEqual(samples(got.body, False), samples(want.body, True), told)

    def test_expressions(self) -> None:
        """Every matcher of the added labels works, in instant and in range queries."""
        for query in EXPRESSIONS:
            self.assert_samples("/api/v1/query", {"query": query, "time": self.now - 30})
            self.assert_samples("/api/v1/query_range", {
                "query": query, "start": self.now - 900, "end": self.now - 60, "step": 60})

    @_settings
    @given(SAFE, st.sampled_from(MATCHERS), st.booleans(), st.integers(-3600, 0))
    def test_any_expression(self, expression: str, matcher: str, grouped: bool, at: int) -> None:
        """An expression with a condition on our labels means what it says."""
        query = re.sub(r"\b(requests_total|temperature|odd)\{", rf"\1{{{matcher},", expression)
        if grouped:
            query = query.replace("(job)", "(job, region)")
        self.assert_samples("/api/v1/query", {"query": query, "time": self.now + at})

    def test_lookups(self) -> None:
        """Lookups of series, names and values give those of a database that has the labels."""
        window = {"start": self.now - 600, "end": self.now}
        for selector in SELECTORS:
            for path in ("/api/v1/series", "/api/v1/labels", "/api/v1/label/region/values",
                         "/api/v1/label/zone/values", "/api/v1/label/room/values",
                         "/api/v1/label/%72egion/values"):
                for params in ({"match[]": selector, **window},
                               {"match[]": [selector, "odd"], **window}):
                    got, want = self.both(path, params)
                    told = f"{path} {params} {got.body[:300]!r} {want.body[:300]!r}"
                    self.assertEqual(got.status, want.status, told)
                    if want.status == 200:
                        self.assertEqual(found(got.body), found(want.body), told)

    def test_everything(self) -> None:
        """
        Without a selector all names and values are listed; with one that matches nothing, none.
        """
        for path in ("/api/v1/labels", "/api/v1/label/region/values", "/api/v1/label/x/values"):
            for params in ({}, {"match[]": "none"}):
                got, want = self.both(path, params)
                self.assertEqual(json.loads(got.body), json.loads(want.body), (path, params))

    def test_federation(self) -> None:
        """Federated samples have the labels, and can be selected by them."""
        for selector in ('temperature{region="eu-1"}', 'temperature{region="eu-2"}', "odd",
                         '{region="eu-1",__name__="latency_seconds_sum"}'):
            got, want = self.between_samples(spelled("/federate", {"match[]": selector}))
            self.assertEqual(lines(got.body), lines(want.body), selector)

    def between_samples(self, target: str) -> tuple[Answer, Answer]:
        for _ in range(50):
            before, got, after = (fetch(base + target) for base in (
                self.really.url, f"{self.trickster.url}/phase", self.really.url))
            if before.body == after.body:
                return got, before
        raise AssertionError(f"{target} is never the same twice")

    def test_posted(self) -> None:
        """A form is translated in the same way as a query string."""
        body = spelled("", {"query": 'count(requests_total{region="eu-1"})'})[1:].encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = exchange("POST", f"{self.trickster.url}/api/v1/query", kind, body)
        self.assertEqual(json.loads(answer.body)["data"]["result"][0]["value"][1], "12")

    def test_refusals(self) -> None:
        """A query that Prometheus refuses is refused in Prometheus's own words."""
        for query in ("sum(", "temperature{region=}", "nosuch(temperature)", "", "region[",
                      '{region=~"("}', '{region=~".*"}'):
            for path, more in (("/api/v1/query", {}), ("/api/v1/query_range", {
                    "start": self.now - 60, "end": self.now, "step": 15})):
                params = {"query": query, **more}
                got = fetch(f"{self.trickster.url}/phase{spelled(path, params)}")
                want = fetch(self.prometheus.url + spelled(path, params))
                self.assertEqual((got.status, got.body), (400, want.body))

    def test_inexpressible(self) -> None:
        """A query that cannot be translated is refused, and not answered wrongly."""
        for query in ('absent((missing{region="eu-1"}))',
                      'absent(missing{region="eu-1",region!="x"})'):
            answer = fetch(self.trickster.url + spelled("/api/v1/query", {"query": query}))
            self.assertEqual(answer.status, 422)
            self.assertIn(b"region", answer.body)


def samples(body: bytes, is_to_label: bool) -> Any:
    """
    :param is_to_label: whether series that have lost our labels are to be given them, as
        Trickster does unless two became the same by that.
    :return: what is in an answer, in any order of its series.
    """
    data = json.loads(body)["data"]
    if data["resultType"] in ("scalar", "string"):
        return data
    series = [(s["metric"], s.get("values") or [s["value"]]) for s in data["result"]]
    if is_to_label:
        labelled = [({**metric, **LABELS}, rows) for metric, rows in series]
        keys = {json.dumps(metric, sort_keys=True) for metric, _ in labelled}
        series = labelled if len(keys) == len(labelled) else series
    return sorted(json.dumps([metric, [[at, _number(v)] for at, v in rows]], sort_keys=True)
                  for metric, rows in series)


def _number(text: str) -> str:
    # In which order floats are added up is Prometheus's own affair.
    return f"{float(text):.11g}"


def found(body: bytes) -> Any:
    """:return: what a lookup found, in any order of series."""
    data = json.loads(body)["data"]
    return sorted(json.dumps(one, sort_keys=True) for one in data)


def lines(body: bytes) -> list[tuple[str, list[str], str]]:
    """:return: the samples of a federated text, in any order of series and labels."""
    every = []
    for line in body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, _, rest = line.partition("{")
        inner, _, value = rest.rpartition("}")
        labels = sorted({*re.findall(r'\w+="(?:[^"\\]|\\.)*"', inner)} - {'instance=""'})
        every.append((name, labels, value))
    return sorted(every)
