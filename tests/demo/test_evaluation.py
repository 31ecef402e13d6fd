"""Tests of the evaluation of expressions over the demo origin's series."""

from __future__ import annotations

from math import inf, isnan

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from demo.evaluation import CannotEvaluate, Evaluation, Grid, Row
from demo.language import parse
from demo.series import SCRAPE, Catalogue, Kind, Metric, Series
from tests.demo.doubles import finished

START = 1_700_000_010_000
METRICS = (
    Metric("level", Kind.GAUGE, "", 5.0, 100, (("a", ("1", "2")), ("b", ("x", "y")))),
    Metric("other", Kind.GAUGE, "", 5.0, 100, (("a", ("1", "2")), ("b", ("x", "y")))),
    Metric("seen_total", Kind.COUNTER, "", 5.0, 1, (("a", ("1", "2")),)),
    Metric("one", Kind.GAUGE, "", 1.0, 1, (("a", ("1",)),), is_steady=True),
)
CATALOGUE = Catalogue.of(METRICS)


def evaluated(text: str, grid: Grid, now_ms: int = 2 * START) -> list[Row]:
    """:return: an expression's rows."""
    return finished(Evaluation(CATALOGUE, grid, now_ms).rows(parse(text)))


def series_of(name: str) -> list[Series]:
    """:return: all series of a metric."""
    return [one for one in CATALOGUE.series if ("__name__", name) in one.labels]


GRID = Grid(START, START + 100_000, 10_000)


class GridTests(SynchronousTestCase):
    """Instants of a range query."""

    def test_end_is_inclusive(self) -> None:
        """An end that lies on the grid is one of the instants."""
        self.assertEqual(list(Grid(10, 30, 10).times), [10, 20, 30])

    def test_end_off_the_grid(self) -> None:
        """An end between two instants adds no instant."""
        self.assertEqual(list(Grid(10, 39, 10).times), [10, 20, 30])


class SelectingTests(SynchronousTestCase):
    """Evaluation of plain selectors."""

    def test_newest_sample(self) -> None:
        """At each instant a series has the value of the newest sample."""
        for row, series in zip(evaluated("level", GRID), series_of("level"), strict=True):
            self.assertEqual(row.labels, series.labels)
            self.assertEqual(row.values, [
                series.sample(at // 1000 // SCRAPE) for at in GRID.times])

    def test_nothing_newer_than_now(self) -> None:
        """Samples that have not been scraped yet have no value."""
        (row,) = evaluated("one", Grid(START, START + 30_000, 15_000), now_ms=START + 15_000)
        self.assertEqual(row.values, [1.0, 1.0, None])

    def test_nothing_selected(self) -> None:
        """A selector that matches no series gives an empty result."""
        self.assertEqual(evaluated("nothing", GRID), [])

    @settings(max_examples=30)
    @given(st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 50))
    def test_parts_are_parts_of_the_whole(self, start: int, count: int, step: int) -> None:
        """Any part of a range has the values that the whole has there."""
        whole = Grid(START, START + (start + count) * step * 1000, step * 1000)
        part = Grid(START + start * step * 1000, whole.end_ms, step * 1000)
        text = "sum by (a) (rate(seen_total[1m]))"
        for a, b in zip(evaluated(text, whole), evaluated(text, part), strict=True):
            self.assertEqual(a.values[start:], b.values)


class RateTests(SynchronousTestCase):
    """Evaluation of rates."""

    def test_between_oldest_and_newest_sample(self) -> None:
        """A rate is the growth between the window's first and last samples, per second."""
        row = evaluated("rate(seen_total[1m])", GRID)[0]
        series = series_of("seen_total")[0]
        last = START // 1000 // SCRAPE
        self.assertEqual(row.values[0], (series.sample(last) - series.sample(last - 3)) / 45)

    def test_near_the_level(self) -> None:
        """A counter's rate is about the level that it grows by."""
        row = evaluated("rate(seen_total[5m])", GRID)[0]
        level = series_of("seen_total")[0].wave.level(START / 1000 - 150)
        self.assertLess(abs((row.values[0] or 0) - level), level * 0.2)

    def test_name_is_dropped(self) -> None:
        """A rate has no metric name."""
        self.assertEqual([row.labels for row in evaluated("rate(seen_total[1m])", GRID)],
                         [(("a", "1"),), (("a", "2"),)])

    def test_window_of_one_sample(self) -> None:
        """A rate over a window with one sample has no value."""
        self.assertEqual(evaluated("rate(seen_total[15s])", GRID), [])

    def test_same_labels(self) -> None:
        """A rate that would give two series the same labels is refused."""
        with self.assertRaises(CannotEvaluate):
            evaluated('rate({__name__=~"level|other"}[1m])', GRID)


class AggregatingTests(SynchronousTestCase):
    """Evaluation of aggregations."""

    def columns(self, *wanted: tuple[str, str]) -> list[tuple[float, ...]]:
        """:return: for each instant, the values of the series with these labels."""
        chosen = [one for one in series_of("level") if set(wanted) <= set(one.labels)]
        return [tuple(one.sample(at // 1000 // SCRAPE) for one in chosen) for at in GRID.times]

    def test_by(self) -> None:
        """An aggregation by labels has one row for each combination of their values."""
        rows = evaluated("sum by (a) (level)", GRID)
        self.assertEqual([row.labels for row in rows], [(("a", "1"),), (("a", "2"),)])
        self.assertEqual(rows[0].values, [sum(at) for at in self.columns(("a", "1"))])

    def test_without(self) -> None:
        """An aggregation without labels keeps all others, but never the name."""
        rows = evaluated("max without (a) (level)", GRID)
        self.assertEqual([row.labels for row in rows], [(("b", "x"),), (("b", "y"),)])
        self.assertEqual(rows[1].values, [max(at) for at in self.columns(("b", "y"))])

    def test_operations(self) -> None:
        """Each aggregation gives the result that its name says."""
        for name, naive in (("sum", sum), ("min", min), ("max", max), ("count", len),
                            ("avg", lambda at: sum(at) / len(at))):
            (row,) = evaluated(f"{name}(level)", GRID)
            self.assertEqual(row.values, [naive(at) for at in self.columns()])  # type: ignore

    def test_missing_values(self) -> None:
        """A group in which no series has a value has none."""
        (row,) = evaluated("sum(one)", Grid(START, START + 15_000, 15_000), now_ms=START)
        self.assertEqual(row.values, [1.0, None])

    def test_of_nothing(self) -> None:
        """An aggregation of no series is empty."""
        self.assertEqual(evaluated("sum(nothing)", GRID), [])


class CalculatingTests(SynchronousTestCase):
    """Evaluation of arithmetic with numbers."""

    def value(self, text: str) -> float:
        """:return: of an expression of one series, at one instant."""
        (row,) = evaluated(text, Grid(START, START, 1))
        value = row.values[0]
        assert value is not None
        return value

    def test_scalars(self) -> None:
        """Arithmetic with numbers alone gives a row without labels."""
        self.assertEqual(evaluated("1 + 2 * 3", Grid(0, 1, 1)), [Row((), [7.0, 7.0])])

    def test_order_matters(self) -> None:
        """The vector may be on either side of an operator."""
        self.assertEqual(self.value("one - 3"), -2)
        self.assertEqual(self.value("3 - one"), 2)

    def test_name_is_dropped(self) -> None:
        """A calculated vector has no metric name."""
        self.assertEqual(evaluated("one * 2", Grid(START, START, 1))[0].labels, (("a", "1"),))

    def test_division_by_zero(self) -> None:
        """Division by 0 gives the value of IEEE 754, and no error."""
        self.assertEqual(self.value("one / 0"), inf)
        self.assertEqual(self.value("(0 - 1) / 0"), -inf)
        self.assertTrue(isnan(self.value("0 / 0")))

    def test_missing_values(self) -> None:
        """Arithmetic with a missing value gives no value."""
        (row,) = evaluated("one + 1", Grid(START, START + 15_000, 15_000), now_ms=START)
        self.assertEqual(row.values, [2.0, None])


class PointsTests(SynchronousTestCase):
    """The points that a query costs."""

    def points(self, text: str) -> int:
        """:return: how many points an expression reads on the grid of eleven instants."""
        return Evaluation(CATALOGUE, GRID, 0).points(parse(text))

    def test_series_times_instants(self) -> None:
        """Every instant of every selected series counts, however few rows come out."""
        self.assertEqual(self.points("level"), 44)
        self.assertEqual(self.points("sum(rate(seen_total[5m])) * 100"), 22)

    def test_numbers_cost_nothing(self) -> None:
        """An expression that reads no samples costs no points."""
        self.assertEqual(self.points("1 + 1"), 0)

    def test_slices(self) -> None:
        """Long ranges are evaluated in several slices."""
        work = Evaluation(CATALOGUE, Grid(START, START + 2_000_000, 1000), 0).rows(parse("one"))
        self.assertGreaterEqual(sum(1 for _ in work), 4)
