"""Tests of C{trickster.timeseries.extents}, against plain sets of instants."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.extents import Extent, Extents

STEP = 60
PHASE = 7

ticks = st.integers(min_value=-5, max_value=40)
tick_spans = st.lists(st.tuples(ticks, ticks), max_size=6)


def at(tick: int) -> int:
    """:return: the instant of a tick of the tests' grid."""
    return PHASE + tick * STEP


def extents_of(spans: list[tuple[int, int]]) -> Extents:
    return Extents.of(STEP, [(at(a), at(b)) for a, b in spans])


def instants_of(spans: list[tuple[int, int]]) -> set[int]:
    """:return: the model: every instant of every span."""
    return {at(t) for a, b in spans for t in range(a, b + 1)}


def instants(extents: Extents) -> set[int]:
    return {t for s in extents.spans for t in range(s.start_ns, s.end_ns + 1, extents.step_ns)}


class WorkedExamples(SynchronousTestCase):
    """The extents missing of a requested range, with a step of 60."""

    def missing(self, held: list[tuple[int, int]], asked: tuple[int, int]) -> list[Extent]:
        return list((Extents.of(60, [asked]) - Extents.of(60, held)).spans)

    def test_nothing_held(self) -> None:
        """The whole range is missing where nothing is stored."""
        self.assertEqual(self.missing([], (600, 1200)), [(600, 1200)])

    def test_all_held(self) -> None:
        """No extent is missing where the whole range is stored."""
        self.assertEqual(self.missing([(600, 1200)], (600, 1200)), [])

    def test_later(self) -> None:
        """The end of a range is missing, from the step after the stored extent."""
        self.assertEqual(self.missing([(600, 1200)], (900, 1500)), [(1260, 1500)])

    def test_earlier(self) -> None:
        """The beginning of a range is missing, up to the step before the stored extent."""
        self.assertEqual(self.missing([(600, 1200)], (300, 900)), [(300, 540)])

    def test_both_sides(self) -> None:
        """Two extents are missing around a stored one inside the range."""
        self.assertEqual(self.missing([(600, 1200)], (300, 1500)), [(300, 540), (1260, 1500)])

    def test_hole(self) -> None:
        """The extent between two stored ones is missing."""
        self.assertEqual(self.missing([(600, 900), (1200, 1500)], (600, 1500)), [(960, 1140)])

    def test_apart(self) -> None:
        """Stored extents outside the range leave all of the range missing."""
        self.assertEqual(self.missing([(600, 900), (1200, 1500)], (1980, 2400)), [(1980, 2400)])

    def test_single_point(self) -> None:
        """The single instant behind a stored extent is missing."""
        self.assertEqual(self.missing([(600, 900)], (960, 960)), [(960, 960)])

    def test_inverted(self) -> None:
        """A range whose start is after its end holds nothing, and so misses nothing."""
        self.assertEqual(self.missing([(600, 900)], (1200, 600)), [])

    def test_neighbours_join(self) -> None:
        """Ranges a step apart are one."""
        self.assertEqual(Extents.of(60, [(600, 900), (960, 1200)]).spans, (Extent(600, 1200),))

    def test_cropped(self) -> None:
        """The intersection of two extents is what they have in common."""
        self.assertEqual((Extents.of(60, [(600, 1500)]) & Extents.of(60, [(900, 3000)])).spans,
                         ((900, 1500),))

    def test_removed(self) -> None:
        """A range taken out of the middle leaves two."""
        self.assertEqual((Extents.of(60, [(600, 1500)]) - Extents.of(60, [(900, 1080)])).spans,
                         ((600, 840), (1140, 1500)))


class ExtentTests(SynchronousTestCase):
    """A single extent."""

    def test_count(self) -> None:
        """An extent's count includes the instants at both ends."""
        self.assertEqual(Extent(600, 1200).count(60), 11)
        self.assertEqual(Extent(600, 600).count(60), 1)

    def test_overlaps(self) -> None:
        """Ranges that share an end share an instant; neighbours do not."""
        self.assertTrue(Extent(0, 60).overlaps(Extent(60, 120)))
        self.assertTrue(Extent(60, 120).overlaps(Extent(0, 60)))
        self.assertFalse(Extent(0, 60).overlaps(Extent(120, 180)))


class AlgebraTests(SynchronousTestCase):
    """Extents are sets of instants."""

    def assert_form(self, extents: Extents) -> None:
        for span in extents.spans:
            self.assertLessEqual(span.start_ns, span.end_ns)
        for before, after in zip(extents.spans, extents.spans[1:], strict=False):
            self.assertLess(before.end_ns + extents.step_ns, after.start_ns)

    @given(tick_spans)
    def test_of(self, spans: list[tuple[int, int]]) -> None:
        """Spans in any order, overlapping or inverted, become sorted and disjoint ones."""
        extents = extents_of(spans)
        self.assert_form(extents)
        self.assertEqual(instants(extents), instants_of(spans))
        self.assertEqual(extents.count(), len(instants_of(spans)))
        self.assertEqual(bool(extents), bool(instants_of(spans)))

    @settings(max_examples=200)
    @given(tick_spans, tick_spans)
    def test_operators(self, left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
        """Union, difference and intersection are those of sets."""
        one, other = extents_of(left), extents_of(right)
        a, b = instants_of(left), instants_of(right)
        for found, model in ((one | other, a | b), (one - other, a - b), (one & other, a & b)):
            self.assert_form(found)
            self.assertEqual(instants(found), model)

    @given(tick_spans, tick_spans)
    def test_equality(self, left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
        """Equal sets are equal values, however they were put together."""
        self.assertEqual(extents_of(left) | extents_of(right),
                         extents_of(right) | extents_of(left))

    @given(tick_spans, ticks, ticks)
    def test_covers(self, spans: list[tuple[int, int]], start: int, end: int) -> None:
        """A range is covered when each of its instants is held."""
        start, end = min(start, end), max(start, end)
        self.assertEqual(extents_of(spans).covers(Extent(at(start), at(end))),
                         instants_of([(start, end)]) <= instants_of(spans))

    @given(tick_spans, st.integers(min_value=-400, max_value=2600))
    def test_cut(self, spans: list[tuple[int, int]], instant: int) -> None:
        """A cut at any instant, on the grid or between, keeps what is not beyond it."""
        extents = extents_of(spans)
        early, late = extents.up_to(instant), extents.since(instant)
        self.assert_form(early)
        self.assert_form(late)
        self.assertEqual(instants(early), {t for t in instants_of(spans) if t <= instant})
        self.assertEqual(instants(late), {t for t in instants_of(spans) if t >= instant})
