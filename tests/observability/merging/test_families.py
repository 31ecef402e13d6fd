"""Tests of C{trickster.observability.merging.families}."""

from __future__ import annotations

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.merging.telling import Collected, process, telling
from trickster.observability.merging.families import families_of, parsed

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.one_of(st.integers(-(1 << 53), 1 << 53).map(float), st.floats(allow_nan=False))


class ParsedTests(SynchronousTestCase):
    """Reading what a process tells."""

    @given(_TEXT, _NUMBERS)
    @example('a"b\\c\nd,e="}', 1.0)
    def test_exact(self, value: str, number: float) -> None:
        """Labels and numbers are read as they were before they were written."""
        family = GaugeMetricFamily("x", "About x.", labels=["a", "b"])
        family.add_metric([value, "2"], number)
        child = parsed(generate_latest(Collected([family])))["x"].children
        self.assertEqual(child, {(("a", value), ("b", "2")): {("x", ""): (number,)}})

    def test_counters(self) -> None:
        """A counter goes by its name without C{_total}; its samples keep theirs."""
        family = telling("# TYPE x_total counter\nx_total 5\n")["x"]
        self.assertTrue(family.is_cumulative)
        self.assertEqual(family.children, {(): {("x_total", ""): (5.0,)}})

    def test_histograms(self) -> None:
        """The buckets of a histogram are one child, with its count and its sum."""
        family = telling("""# TYPE h histogram
            h_bucket{a="b",le="0.5"} 1
            h_bucket{a="b",le="+Inf"} 3
            h_count{a="b"} 3
            h_sum{a="b"} 2.25""")["h"]
        self.assertEqual(family.children, {(("a", "b"),): {
            ("h_bucket", "0.5"): (1.0,), ("h_bucket", "+Inf"): (3.0,), ("h_count", ""): (3.0,),
            ("h_sum", ""): (2.25,)}})

    def test_quantiles(self) -> None:
        """Of a summary there is what can be added up."""
        family = telling('# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 4\ns_count 2\n')["s"]
        self.assertEqual(family.children, {(): {("s_sum", ""): (4.0,), ("s_count", ""): (2.0,)}})

    def test_malformed(self) -> None:
        """What is not in the format is a C{ValueError}."""
        for text in (b"a b c d", b"\xff 1", b"x{ 1", b"# TYPE x\n", b"x 1" + b"0" * 400,
                     b'# TYPE h histogram\nh_bucket{le="few"} 1\n'):
            self.assertRaises(ValueError, parsed, text)

    @given(st.binary(max_size=60), st.integers(0, 3000))
    def test_damaged(self, octets: bytes, place: int) -> None:
        """Damaged octets are read as something, or are a C{ValueError}; nothing else."""
        whole = process(["one"])
        with contextlib.suppress(ValueError):
            parsed(whole[:place] + octets + whole[place + len(octets):])

    def test_same(self) -> None:
        """Families that are collected here, and those that are read, are the same."""
        family = GaugeMetricFamily("x", "About x.", 2)
        self.assertEqual(families_of([family]), parsed(generate_latest(Collected([family]))))
