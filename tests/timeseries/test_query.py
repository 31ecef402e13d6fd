"""Tests of C{trickster.timeseries.query}."""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Request
from trickster.timeseries.extents import Extent
from trickster.timeseries.query import TimeRangeQuery


class TimeRangeQueryTests(SynchronousTestCase):
    """A query is a value."""

    def setUp(self) -> None:
        self.query = TimeRangeQuery(Request(b"GET", b"/"), "key", Extent(0, 60), 60)

    def test_frozen(self) -> None:
        """It is never changed."""
        with self.assertRaises(FrozenInstanceError):
            self.query.key = "other"  # type: ignore[misc]

    def test_other_extent(self) -> None:
        """The same query over another extent is equal but for that."""
        other = self.query.over(Extent(60, 120))
        self.assertNotEqual(other, self.query)
        self.assertEqual(other.over(Extent(0, 60)), self.query)

    def test_placed(self) -> None:
        """One that is placed has another extent, and knows the client's and the time; no more."""
        query = TimeRangeQuery(Request(b"GET", b"/"), "key", Extent(7, 60), 60, 1, 2, 3, False, 4, "s")
        placed = query.placed(Extent(0, 60), 90, no_cache=True)
        self.assertEqual(placed, evolve(query, extent=Extent(0, 60), requested=Extent(7, 60),
                                        now_ns=90, no_cache=True))

    def test_looks_back(self) -> None:
        """Unless told otherwise, a sample depends on nothing later than itself."""
        self.assertEqual((self.query.lead_ns, self.query.tolerance_ns), (0, None))
