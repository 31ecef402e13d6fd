"""Tests of C{trickster.observability.lag}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.observability.counters import LAG_BUCKETS, Histogram
from trickster.observability.lag import ReactorLag


class ReactorLagTests(SynchronousTestCase):
    """The lag of the reactor is measured."""

    def setUp(self) -> None:
        """Start to look."""
        self.clock = Clock()
        self.lags = Histogram(LAG_BUCKETS)
        self.service = ReactorLag(self.clock, self.lags, 0.25)
        self.service.startService()

    def test_in_time(self) -> None:
        """A reactor in time has no lag."""
        self.clock.pump([0.25] * 4)
        self.assertEqual((self.lags.counts[0], self.lags.total), (4, 0.0))

    def test_late(self) -> None:
        """The lag of a late reactor is how late it was."""
        self.clock.advance(0.75)
        self.assertEqual(self.lags.total, 0.5)

    def test_stopped(self) -> None:
        """A measurement that is stopped leaves no delayed call."""
        self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
