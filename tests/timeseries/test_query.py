"""Tests of C{trickster.timeseries.query}."""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Request
from trickster.timeseries.extents import Extent
from trickster.timeseries.query import TimeRangeQuery


class TimeRangeQueryTests(SynchronousTestCase):
    """A question is a value."""

    def setUp(self) -> None:
        self.query = TimeRangeQuery(Request(b"GET", b"/"), "key", Extent(0, 60), 60)

    def test_frozen(self) -> None:
        """It is never changed."""
        with self.assertRaises(FrozenInstanceError):
            self.query.key = "other"  # type: ignore[misc]

    def test_other_extent(self) -> None:
        """The same question about another extent is equal but for that."""
        other = evolve(self.query, extent=Extent(60, 120))
        self.assertNotEqual(other, self.query)
        self.assertEqual(evolve(other, extent=Extent(0, 60)), self.query)

    def test_looks_back(self) -> None:
        """Unless told otherwise, a sample depends on nothing later than itself."""
        self.assertEqual((self.query.lead_ns, self.query.tolerance_ns), (0, None))
