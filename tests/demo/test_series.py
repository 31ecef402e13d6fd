"""Tests of the demo origin's series."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from demo.series import (
    SCRAPE,
    Catalogue,
    Kind,
    Metric,
    Series,
    Wave,
    standard_catalogue,
)

SEEDS = st.integers(0, 2 ** 32 - 1)
INSTANTS = st.integers(1_600_000_000, 2_000_000_000)


class WaveTests(SynchronousTestCase):
    """The level of a wave and its integral."""

    @settings(max_examples=50)
    @given(SEEDS, INSTANTS)
    def test_never_below_zero(self, seed: int, at: int) -> None:
        """The level of a wave is never below 0."""
        self.assertGreater(Wave.seeded(10.0, seed).level(at), 0)

    @settings(max_examples=30)
    @given(SEEDS, INSTANTS)
    def test_total_is_the_integral(self, seed: int, at: int) -> None:
        """The total of a wave grows in a minute by the mean level of that minute."""
        wave = Wave.seeded(10.0, seed)
        mean = sum(wave.level(at + n + 0.5) for n in range(60)) / 60
        self.assertAlmostEqual((wave.total(at + 60) - wave.total(at)) / 60, mean, places=2)

    def test_daily_shape(self) -> None:
        """The highest hour of a day is well above its lowest."""
        wave = Wave.seeded(10.0, 12345)
        hours = [sum(wave.level(h * 3600 + s) for s in range(0, 3600, 60)) for h in range(24)]
        self.assertGreater(max(hours), 1.5 * min(hours))

    def test_steady(self) -> None:
        """A wave without swings has its base as its level."""
        self.assertEqual(Wave(3.0, ()).level(1_700_000_123), 3.0)


def a_series(kind: Kind, parts: int = 100) -> Series:
    """:return: one that swings."""
    return Series((("__name__", "x"),), kind, Wave.seeded(5.0, 77), parts, 1_700_000_000)


class SeriesTests(SynchronousTestCase):
    """Samples of a series."""

    @settings(max_examples=50)
    @given(st.integers(0, 1_000_000))
    def test_counters_grow(self, n: int) -> None:
        """A counter never decreases."""
        counter = a_series(Kind.COUNTER)
        first = 1_700_000_000 // SCRAPE + n
        self.assertLessEqual(counter.sample(first), counter.sample(first + 1))

    def test_counter_begins_at_zero(self) -> None:
        """A counter is 0 at the instant at which it begins."""
        self.assertAlmostEqual(a_series(Kind.COUNTER, 1).sample(1_700_000_000 // SCRAPE), 0, -2)

    def test_rounded(self) -> None:
        """A value is a multiple of the series' resolution."""
        value = a_series(Kind.GAUGE, 100).sample(113_333_400)
        self.assertEqual(value, round(value, 2))

    def test_pure(self) -> None:
        """A sample of a series has the same value whenever the sample is asked for."""
        gauge = a_series(Kind.GAUGE)
        self.assertEqual(gauge.sample(113_333_400), gauge.sample(113_333_400))


class CatalogueTests(SynchronousTestCase):
    """The catalogue of all series."""

    def test_every_combination(self) -> None:
        """A metric has a series for each combination of its labels' values."""
        metric = Metric("m", Kind.GAUGE, "", 1.0, 1, (("a", ("1", "2")), ("b", ("x", "y"))))
        self.assertEqual(
            [dict(one.labels) for one in metric.series()],
            [{"__name__": "m", "a": a, "b": b} for a in "12" for b in "xy"])

    def test_ordered(self) -> None:
        """Series are ordered by labels, whatever the order of their metrics."""
        some = [Metric(name, Kind.GAUGE, "", 1.0, 1, (("a", ("2", "1")),)) for name in "zb"]
        labels = [one.labels for one in Catalogue.of(some).series]
        self.assertEqual(labels, sorted(labels))

    def test_standard(self) -> None:
        """The standard catalogue's series all differ, and each has ordered labels."""
        labels = [one.labels for one in standard_catalogue().series]
        self.assertEqual(len(labels), len(set(labels)))
        self.assertGreater(len(labels), 100)
        for one in labels:
            self.assertEqual(one, tuple(sorted(one)))

    def test_series_differ(self) -> None:
        """Series of different machines have different values."""
        load = [one for one in standard_catalogue().series
                if dict(one.labels)["__name__"] == "node_load1"]
        self.assertEqual(len({one.sample(113_333_400) for one in load}), len(load))
