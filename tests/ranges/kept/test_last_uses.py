"""Tests of C{trickster.ranges.kept.last_uses}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.ranges.kept.last_uses import LastUses
from trickster.timeseries.extents import Extent


class LastUsesTests(SynchronousTestCase):
    """Which extents of a key were used, the last one last."""

    def test_order(self) -> None:
        """An extent that is used again is last again; one inside another is forgotten."""
        uses, wide, narrow, other = LastUses(), Extent(0, 9), Extent(2, 3), Extent(20, 30)
        for extent in (narrow, wide, other):
            uses.noted("a", extent, 1.0)
        self.assertEqual([e for e, _ in uses.noted("a", wide, 2.0)], [other, wide])

    def test_keys_apart(self) -> None:
        """Keys have nothing to do with each other."""
        uses = LastUses()
        uses.noted("a", Extent(0, 9), 1.0)
        self.assertEqual(uses.noted("b", Extent(1, 2), 2.0), ((Extent(1, 2), 2.0),))

    def test_bounded(self) -> None:
        """The key that was used longest ago is forgotten first."""
        uses = LastUses(1100)
        for key in ("a", "b", "a", "c"):
            uses.noted(key, Extent(0, 1), 1.0)
        self.assertEqual(len(uses.noted("a", Extent(5, 6), 2.0)), 2)
        self.assertEqual(len(uses.noted("b", Extent(5, 6), 2.0)), 1)
