"""Tests of L{trickster.stores.inspection.hit_counts}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.inspection.hit_counts import HitCounts


class HitCountsTests(SynchronousTestCase):
    """How often what is under keys was given."""

    def test_counted(self) -> None:
        """Hits are counted by key; what was never given has none."""
        counts = HitCounts()
        for key in ("a", "b", "a"):
            counts.count(key)
        self.assertEqual([counts.of(key) for key in ("a", "b", "c")], [2, 1, 0])

    def test_bounded(self) -> None:
        """Where there are too many keys, what was forgotten is not known, and nothing is invented."""
        counts = HitCounts(10)
        for number in range(1000):
            counts.count(str(number))
            counts.count(str(number))
        known = [number for number in range(1000) if counts.of(str(number)) is not None]
        self.assertLessEqual(len(known), 10)
        self.assertIn(999, known)
        self.assertEqual({counts.of(str(number)) for number in known}, {2})
        self.assertIsNone(counts.of("never"))
