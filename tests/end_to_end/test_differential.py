"""Every question through Trickster is answered as Prometheus itself answers it."""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.expressions import EXPRESSIONS
from tests.end_to_end.noise import near
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.standing import BesidePrometheus

EXAMPLES = int(os.environ.get("TRICKSTER_DIFFERENTIAL_EXAMPLES", "150"))
_STEPS = ("15", "30s", "60", "1m", "7", "13.5", "0.5", "300", "2m30s", "1000ms")
_SPANS = (0, 1, 30, 299, 600, 1800, 3600)
# Asked the same again and again, Prometheus names now these series and now those.
_PICKED = "found duplicate series for the match group"
_NEAR = 1e-10
_settings = settings(
    max_examples=EXAMPLES, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

windows = st.tuples(
    st.integers(-6000, 1200), st.sampled_from(_SPANS), st.sampled_from((0, 0, 0, 0.5, 0.123)))


class DifferentialTests(BesidePrometheus):
    """Random queries, sent to Prometheus directly and through Trickster."""

    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        modes = cls.both_modes(cls.prometheus.url)
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            **modes,
            "tolerant": {**modes["aligned"], "is_default": False, "backfill_tolerance": "5m",
                         "shard_max_size_points": 10, "timeseries_eviction_method": "lru"},
        }))

    def ask(self, base: str, params: dict[str, Any], post: bool) -> Answer:
        encoded = urllib.parse.urlencode(params)
        url = f"{base}/api/v1/query_range"
        if post:
            return fetch(url, encoded.encode(), {
                "Content-Type": "application/x-www-form-urlencoded"})
        return fetch(f"{url}?{encoded}")

    def assert_same(self, backend: str, params: dict[str, Any], post: bool,
                    direct: dict[str, Any] | None = None) -> Answer:
        got = self.ask(f"{self.trickster.url}/{backend}", params, post)
        want = self.ask(self.prometheus.url, direct or params, post)
        told = f"{backend} {params} -> {got.result}"
        self.assertEqual(got.status, want.status, f"{told}: {got.body[:500]!r}")
        if got.body == want.body:
            return got
        # In which order Prometheus adds up floats depends on the range that it is asked for.
        adds_up = any(word in params["query"] for word in ("sum", "avg", "stddev"))
        if not (adds_up and got.status == 200 and near(got.body, want.body, _NEAR)):
            self.assertEqual(comparable(got.body), comparable(want.body), told)
        return got

    @_settings
    @given(EXPRESSIONS, st.lists(windows, min_size=1, max_size=4), st.sampled_from(_STEPS),
           st.booleans())
    def test_phase_is_exact(self, expression: str, asked: list[Any], step: str,
                            post: bool) -> None:
        """In mode phase any window with any step gets the origin's response, to the octet."""
        for start, span, fraction in asked:
            begin = self.now + start + fraction
            self.assert_same("phase", {
                "query": expression, "start": spelled(begin), "end": spelled(begin + span),
                "step": step}, post)

    @_settings
    @given(EXPRESSIONS, st.lists(windows, min_size=1, max_size=4), st.sampled_from((15, 60, 7)),
           st.sampled_from(("aligned", "tolerant")), st.booleans())
    def test_aligned_is_exact_on_the_grid(
            self, expression: str, asked: list[Any], step: int, backend: str,
            post: bool) -> None:
        """In mode aligned the response is the origin's own for the aligned range."""
        for start, span, _ in asked:
            begin = self.now + start
            params = {"query": expression, "start": begin, "end": begin + span, "step": step}
            direct = {**params, "start": begin // step * step,
                      "end": (begin + span) // step * step}
            changes_with_range = "start()" in expression or "end()" in expression
            self.assert_same(backend, params, post, None if changes_with_range else direct)

    @_settings
    @given(st.integers(-3600, 0), st.integers(1, 3600), st.sampled_from(_STEPS),
           st.sampled_from(("aligned", "phase")))
    def test_inverted_ranges(self, start: int, back: int, step: str, backend: str) -> None:
        """A range that ends before it begins gets the origin's own refusal."""
        begin = self.now + start
        got = self.assert_same(backend, {
            "query": "temperature", "start": begin, "end": begin - back, "step": step}, False)
        self.assertEqual(got.status, 400)

    def test_refusals(self) -> None:
        """A query that Prometheus refuses is refused in Prometheus's own words."""
        now = self.now
        good = {"query": "temperature", "start": now - 600, "end": now, "step": 15}
        for change in ({"step": 0}, {"step": -1}, {"step": "x"}, {"start": "yesterday"},
                       {"end": ""}, {"query": ""}, {"timeout": "x"}, {"step": "0.01"},
                       {"step": 1, "start": now - 86400}, {"step": "1h1d"}):
            self.assert_same("aligned", {**good, **change}, False)
            self.assert_same("phase", {**good, **change}, True)
        for missing in good:
            self.assert_same("phase", {k: v for k, v in good.items() if k != missing}, False)


def spelled(seconds: float) -> str:
    """:return: seconds without an exponent, and without a needless fraction."""
    return f"{seconds:.3f}" if seconds % 1 else str(int(seconds))


def comparable(body: bytes) -> Any:
    """
    :return: what equal answers have in common: every octet, but for which of the series that
        cannot be matched an error names.
    """
    answer = json.loads(body)
    if answer.get("status") == "error":
        if answer["error"].startswith(_PICKED):
            answer["error"] = re.sub(r"\{[^}]*\}", "{}", answer["error"])
        return answer
    return body
