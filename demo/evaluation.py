"""Evaluates expressions over the demo origin's series, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from math import copysign, inf, isnan, nan
from types import MappingProxyType

from attrs import frozen

from demo.language import Aggregate, Arithmetic, Node, Number, Rate, Selector, is_scalar
from demo.series import SCRAPE, Catalogue, Labels, Series

Value = float | None
_SCRAPE_MS = SCRAPE * 1000
#: Instants between two chances for others to run.
_SLICE = 512


class CannotEvaluate(ValueError):
    """The expression is understood, but has no value."""


@frozen
class Grid:
    """
    The instants at which an expression is evaluated, in milliseconds since the epoch.

    :ivar end_ms: inclusive, not before C{start_ms}; it need not lie on the grid.
    :ivar step_ms: more than 0.
    """

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def times(self) -> range:
        """Every instant."""
        return range(self.start_ms, self.end_ms + 1, self.step_ms)


@frozen
class Row:
    """
    A series of results.

    :ivar values: one for each instant of the grid, None where there is none.
    """

    labels: Labels
    values: list[Value]


#: Yields when others may run; what it returns is the result, ordered by labels.
Evaluating = Generator[None, None, list[Row]]


@frozen
class Evaluation:
    """
    What an expression is evaluated over.

    :ivar now_ms: nothing newer has been scraped yet.
    """

    catalogue: Catalogue
    grid: Grid
    now_ms: int

    def points(self, node: Node) -> int:
        """:return: for how many instants of how many series samples must be read."""
        if isinstance(node, Selector):
            return len(self._selected(node)) * len(self.grid.times)
        if isinstance(node, Rate):
            return self.points(node.selector)
        if isinstance(node, Aggregate):
            return self.points(node.inner)
        if isinstance(node, Arithmetic):
            return self.points(node.left) + self.points(node.right)
        return 0

    def rows(self, node: Node) -> Evaluating:
        """
        :raises CannotEvaluate: two results have equal labels.
        """
        if isinstance(node, Selector):
            return self._each(node, Series.sample)
        if isinstance(node, Rate):
            return self._rates(node)
        if isinstance(node, Aggregate):
            return self._aggregated(node)
        if isinstance(node, Arithmetic):
            return self._calculated(node)
        return self._constant(node)

    def _selected(self, selector: Selector) -> list[Series]:
        return [one for one in self.catalogue.series if selector.accepts(one.labels)]

    def _each(self, selector: Selector,
              value_at: Callable[[Series, int], float]) -> Evaluating:
        """Samples are looked for up to the newest scrape; counters never reset."""
        rows = []
        times = self.grid.times
        for series in self._selected(selector):
            values: list[Value] = []
            for first in range(0, len(times), _SLICE):
                values += [value_at(series, at // _SCRAPE_MS) if at <= self.now_ms else None
                           for at in times[first:first + _SLICE]]
                yield
            rows.append(Row(series.labels, values))
        return rows

    def _rates(self, node: Rate) -> Evaluating:
        # Between the oldest and the newest sample of the window, which is what a rate is
        # before Prometheus extrapolates it to the window's borders.
        scrapes = (node.window_ms - 1) // _SCRAPE_MS
        if scrapes < 1:
            return []
        seconds = scrapes * SCRAPE

        def rate(series: Series, last: int) -> float:
            return (series.sample(last) - series.sample(last - scrapes)) / seconds

        return unnamed((yield from self._each(node.selector, rate)))

    def _aggregated(self, node: Aggregate) -> Evaluating:
        groups: dict[Labels, list[list[Value]]] = {}
        for row in (yield from self.rows(node.inner)):
            groups.setdefault(_group_of(row.labels, node), []).append(row.values)
        combine = _COMBINERS[node.operation]
        rows = []
        for labels in sorted(groups):
            values: list[Value] = []
            columns = groups[labels]
            for first in range(0, len(self.grid.times), _SLICE):
                slices = [column[first:first + _SLICE] for column in columns]
                values += [_combined(combine, at) for at in zip(*slices, strict=True)]
                yield
            rows.append(Row(labels, values))
        return rows

    def _calculated(self, node: Arithmetic) -> Evaluating:
        left = yield from self.rows(node.left)
        right = yield from self.rows(node.right)
        calculate = _CALCULATIONS[node.sign]
        if is_scalar(node.left):
            return unnamed(_each_with(lambda many, one: calculate(one, many), right, left[0]))
        return unnamed(_each_with(calculate, left, right[0]))

    def _constant(self, node: Number) -> Evaluating:
        yield
        return [Row((), [node.value] * len(self.grid.times))]


def unnamed(rows: Iterable[Row]) -> list[Row]:
    """
    :return: the rows, without the metric's name, by labels.
    :raises CannotEvaluate: two have equal labels then.
    """
    found: dict[Labels, Row] = {}
    for row in rows:
        labels = tuple(pair for pair in row.labels if pair[0] != "__name__")
        if labels in found:
            raise CannotEvaluate("vector cannot contain metrics with the same labelset")
        found[labels] = Row(labels, row.values)
    return [found[labels] for labels in sorted(found)]


def _each_with(calculate: Callable[[float, float], float], rows: list[Row],
               scalar: Row) -> Iterable[Row]:
    for row in rows:
        pairs = zip(row.values, scalar.values, strict=True)
        yield Row(row.labels, [None if a is None or b is None else calculate(a, b)
                               for a, b in pairs])


def _group_of(labels: Labels, node: Aggregate) -> Labels:
    if node.is_without:
        return tuple(p for p in labels if p[0] not in node.names and p[0] != "__name__")
    return tuple(pair for pair in labels if pair[0] in node.names)


def _combined(combine: Callable[[list[float]], float], at: Iterable[Value]) -> Value:
    present = [value for value in at if value is not None]
    return combine(present) if present else None


def _divided(a: float, b: float) -> float:
    """IEEE 754, as PromQL has it."""
    if b:
        return a / b
    return nan if a == 0 or isnan(a) else copysign(inf, a) * copysign(1, b)


_COMBINERS: Mapping[str, Callable[[list[float]], float]] = MappingProxyType({
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
})

_CALCULATIONS: Mapping[str, Callable[[float, float], float]] = MappingProxyType({
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
})
