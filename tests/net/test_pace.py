"""Tests for L{trickster.net.pace}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.net.pace import Pace


class PaceTests(SynchronousTestCase):
    """Whether a body comes fast enough."""

    def test_nothing_comes(self) -> None:
        """A whole period of waiting without an octet is too slow."""
        pace = Pace(10, 0)
        pace.wanted(100)
        self.assertEqual([pace.left(104), pace.left(109), pace.left(110)], [6, 1, 0])

    def test_something_comes(self) -> None:
        """An octet that comes allows another period of waiting."""
        pace = Pace(10, 0)
        pace.wanted(0)
        pace.brought(9, 1)
        pace.wanted(9)
        self.assertEqual((pace.left(10), pace.left(15), pace.left(20)), (10, 5, 0))

    def test_rate(self) -> None:
        """Fewer octets than the rate says are too slow."""
        for octets, left in [(999, 0), (1000, 10)]:
            pace = Pace(10, 100)
            pace.wanted(0)
            pace.brought(5, octets)
            pace.wanted(5)
            self.assertEqual(pace.left(10), left)

    def test_only_waiting_counts(self) -> None:
        """Time in which no reader waits does not count against the client."""
        pace = Pace(10, 100)
        pace.wanted(0)
        pace.brought(1, 1)
        pace.wanted(1000)
        self.assertEqual(pace.left(1005), 4)
