"""Tests of C{trickster.timeseries.query}."""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Request
from trickster.timeseries.extents import Extent
from trickster.timeseries.query import TimeRangeQuery


class TimeRangeQueryTests(SynchronousTestCase):
    """Time range queries, which are values."""

    def setUp(self) -> None:
        self.query = TimeRangeQuery(Request(b"GET", b"/"), "key", Extent(0, 60), 60)

    def test_frozen(self) -> None:
        """A time range query cannot be changed."""
        with self.assertRaises(FrozenInstanceError):
            self.query.key = "other"  # type: ignore[misc]

    def test_other_extent(self) -> None:
        """A query over another extent differs from the original in its extent only."""
        other = self.query.over(Extent(60, 120))
        self.assertNotEqual(other, self.query)
        self.assertEqual(other.over(Extent(0, 60)), self.query)

    def test_placed(self) -> None:
        """
        A placed query differs in its extent, and adds the requested extent, the time and no-cache
        only.
        """
        query = TimeRangeQuery(Request(b"GET", b"/"), "key", Extent(7, 60), 60, 1, 2, 3, False, 4, "s")
        placed = query.placed(Extent(0, 60), 90, no_cache=True)
        self.assertEqual(placed, evolve(query, extent=Extent(0, 60), requested=Extent(7, 60),
                                        now_ns=90, no_cache=True))

    def test_looks_back(self) -> None:
        """By default no sample of a query depends on later ones."""
        self.assertEqual((self.query.lead_ns, self.query.tolerance_ns), (0, None))
