"""Tests of C{trickster.timeseries.planning}."""

from __future__ import annotations

from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Request
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.planning import (
    MOST_SHARDS,
    Sharding,
    Uses,
    aligned,
    in_phase,
    least_recently_used,
    newest_final,
    oldest_kept,
    shards,
    used,
)
from trickster.timeseries.query import TimeRangeQuery


def asking(start: int, end: int, step: int = 60) -> TimeRangeQuery:
    return TimeRangeQuery(Request(b"GET", b"/"), "key", Extent(start, end), step)


class AlignedTests(SynchronousTestCase):
    """Ranges aligned to multiples of the step."""

    def test_examples(self) -> None:
        """Both ends of a range are floored to the step, in whichever order the ends are."""
        for asked, on_grid in (((125, 905), (120, 900)), ((900, 1000), (900, 960)),
                               ((905, 125), (900, 120)), ((1200, 2000), (1200, 1980))):
            self.assertEqual(aligned(Extent(*asked), 60), on_grid)

    def test_already(self) -> None:
        """A range that is on the grid already stays as it is."""
        self.assertEqual(aligned(Extent(120, 900), 60), Extent(120, 900))

    @given(st.integers(-10**6, 10**6), st.integers(-10**6, 10**6), st.integers(1, 1000))
    def test_floored(self, start: int, end: int, step: int) -> None:
        """Ends move back by less than a step, onto its multiples since the epoch."""
        for before, after in zip((start, end), aligned(Extent(start, end), step),
                                 strict=True):
            self.assertEqual(after % step, 0)
            self.assertTrue(0 <= before - after < step)


class InPhaseTests(SynchronousTestCase):
    """Ranges on the client's own grid."""

    @given(st.integers(-10**6, 10**6), st.integers(0, 10**5), st.integers(1, 1000))
    def test_last_instant(self, start: int, length: int, step: int) -> None:
        """The start of a range in phase stays, and its end becomes the last requested instant."""
        instants = range(start, start + length + 1, step)
        self.assertEqual(in_phase(Extent(start, start + length), step),
                         (instants[0], instants[-1]))

    def test_already(self) -> None:
        """A range that ends on its own grid already stays as it is."""
        self.assertEqual(in_phase(Extent(7, 127), 60), Extent(7, 127))


class FinalTests(SynchronousTestCase):
    """Up to which instant samples are final."""

    def test_tolerance(self) -> None:
        """Samples older than the backfill tolerance are final."""
        self.assertEqual(newest_final(asking(0, 60), 1000, 300), 700)

    def test_lead(self) -> None:
        """A sample that depends on later ones is final as much later."""
        self.assertEqual(newest_final(evolve(asking(0, 60), lead_ns=50), 1000, 300), 650)

    def test_never(self) -> None:
        """Samples of some queries are never final."""
        self.assertIsNone(newest_final(evolve(asking(0, 60), lead_ns=None), 1000, 0))

    def test_fixed_instant(self) -> None:
        """
        Where all samples depend on one instant, none is final before that one is, and all
        are afterwards.
        """
        fixed = evolve(asking(0, 60), fixed_ns=900)
        self.assertEqual([newest_final(fixed, now, 100) for now in (999, 1000)], [None, 900])

    def test_retention(self) -> None:
        """1024 steps of a minute are 17 h 4 min, before the last whole minute."""
        noon = 43_200
        self.assertEqual(oldest_kept(60, noon + 59, 1024), noon - 17 * 3600 - 4 * 60)


class ShardsTests(SynchronousTestCase):
    """One upstream request split into several."""

    def pieces(self, asked: tuple[int, int], **sharding: int) -> list[tuple[int, int]]:
        return [tuple(e) for e in shards(Extent(*asked), 60, Sharding(**sharding))]

    def test_points(self) -> None:
        """A shard has at most the configured number of points."""
        self.assertEqual(self.pieces((0, 7140), max_points=60), [(0, 3540), (3600, 7140)])

    def test_points_just_enough(self) -> None:
        """A range of just the allowed points is one shard, and one more point is a second one."""
        self.assertEqual(self.pieces((0, 3540), max_points=60), [(0, 3540)])
        self.assertEqual(self.pieces((0, 3600), max_points=60), [(0, 3540), (3600, 3600)])

    def test_time(self) -> None:
        """A shard covers at most the configured time, its last step included."""
        self.assertEqual(self.pieces((1200, 7800), max_ns=3600), [(1200, 4740), (4800, 7800)])

    def test_time_with_borders(self) -> None:
        """Shards end before given borders, so the first one is shorter."""
        for sharding in ({"max_ns": 3600, "step_ns": 3600}, {"step_ns": 3600}):
            self.assertEqual(self.pieces((1200, 7800), **sharding),
                             [(1200, 3540), (3600, 7140), (7200, 7800)])

    def test_none(self) -> None:
        """A range is not split unless sharding is configured."""
        self.assertEqual(self.pieces((0, 60_000_000)), [(0, 60_000_000)])

    def test_less_than_a_step(self) -> None:
        """A shard is never shorter than a step."""
        self.assertEqual(self.pieces((0, 600), max_ns=59), [(0, 600)])

    def test_too_many(self) -> None:
        """A range that would need too many shards is fetched as one."""
        asked = (0, 60 * (MOST_SHARDS + 1))
        self.assertEqual(self.pieces(asked, max_points=1), [asked])

    @settings(max_examples=300)
    @given(st.integers(-1000, 1000), st.integers(0, 60), st.integers(1, 30),
           st.builds(Sharding, st.integers(0, 9), st.integers(0, 200), st.integers(0, 200)))
    def test_tiles(self, start: int, points: int, step: int, sharding: Sharding) -> None:
        """The pieces are on the grid, in order, without a gap, and none is too large."""
        extent = Extent(start, start + points * step)
        pieces = shards(extent, step, sharding)
        instants = [t for e in pieces for t in range(e.start_ns, e.end_ns + 1, step)]
        self.assertEqual(instants, list(range(extent.start_ns, extent.end_ns + 1, step)))
        self.assertTrue(all(e.start_ns <= e.end_ns for e in pieces))
        if sharding.max_points:
            self.assertTrue(all(e.count(step) <= sharding.max_points for e in pieces))
        elif sharding.max_ns >= step:
            self.assertTrue(all(e.count(step) * step <= sharding.max_ns for e in pieces))

    @given(st.integers(-1000, 1000), st.integers(1, 60), st.integers(1, 30), st.integers(1, 9))
    def test_borders(self, start: int, points: int, step: int, width: int) -> None:
        """No piece of what is too long for one reaches over a border."""
        border = width * step
        assume(points >= width)
        for piece in shards(Extent(start, start + points * step), step, Sharding(step_ns=border)):
            self.assertEqual(piece.start_ns // border, piece.end_ns // border)


class UsesTests(SynchronousTestCase):
    """The memory of which extents were used."""

    def test_hidden(self) -> None:
        """An earlier use of an extent inside the one used now is forgotten."""
        uses: Uses = ((Extent(0, 60), 1.0), (Extent(0, 600), 2.0))
        self.assertEqual(used(uses, Extent(0, 120), 3.0),
                         ((Extent(0, 600), 2.0), (Extent(0, 120), 3.0)))

    def test_bounded(self) -> None:
        """Only the latest few uses are remembered."""
        uses: Uses = ()
        for i in range(1000):
            uses = used(uses, Extent(i, i + 10), float(i))
        self.assertEqual((len(uses), uses[-1]), (64, (Extent(999, 1009), 999.0)))


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4)


class LeastRecentlyUsedTests(SynchronousTestCase):
    """Which extents stay when there are too many."""

    def test_latest_first(self) -> None:
        """What was used last stays, what was used first goes."""
        held = Extents.of(1, [(0, 9), (20, 29), (40, 49)])
        uses: Uses = ((Extent(20, 29), 1.0), (Extent(40, 49), 2.0), (Extent(0, 9), 3.0))
        self.assertEqual(least_recently_used(held, uses, 20).spans, ((0, 9), (40, 49)))

    def test_never_used(self) -> None:
        """Extents that were never used are kept only if there is room, the newest first."""
        held = Extents.of(1, [(0, 9), (20, 29)])
        self.assertEqual(least_recently_used(held, ((Extent(0, 9), 1.0),), 13).spans,
                         ((0, 9), (27, 29)))

    @given(spans, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4),
           st.integers(0, 60))
    def test_bounds(self, held_spans: list[tuple[int, int]], asked: list[tuple[int, int]],
                    most: int) -> None:
        """
        The extents kept are no more than are stored, and within the room except for the last use.
        """
        held = Extents.of(3, [(a * 3, b * 3) for a, b in held_spans])
        assume(held)
        uses: Uses = ()
        for i, (a, b) in enumerate(asked):
            uses = used(uses, Extent(min(a, b) * 3, max(a, b) * 3), float(i))
        kept = least_recently_used(held, uses, most)
        self.assertFalse(kept - held)
        found = [part for extent, _ in reversed(uses) if (part := held & Extents(3, (extent,)))]
        last = found[0] if found else Extents(3)
        self.assertFalse(last - kept)
        self.assertLessEqual(kept.count(), max(most, last.count()))
        if held.count() <= most:
            self.assertEqual(kept, held)
