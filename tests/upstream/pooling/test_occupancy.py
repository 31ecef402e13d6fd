"""Tests for L{trickster.upstream.pooling.occupancy}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.pooling.occupancy import Occupancy

TIMES = st.integers(0, 8).map(lambda eighths: eighths / 8)


class OccupancyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.occupancy = Occupancy(self.clock)

    def hold(self, number: int, seconds: float) -> None:
        """Hold so many at once, and give them back at once."""
        for _ in range(number):
            self.occupancy.take()
        self.clock.advance(seconds)
        for _ in range(number):
            self.occupancy.give_back()

    def test_none(self) -> None:
        """The mean is unknown before a connection has been given back."""
        self.occupancy.take()
        self.clock.advance(5)
        self.assertEqual((self.occupancy.mean, self.occupancy.returned), (0.0, 0.0))

    def test_batch(self) -> None:
        """Connections that are given back at the same moment keep the mean of their times."""
        self.hold(20, 5.0)
        self.assertEqual(self.occupancy.mean, 5.0)
        self.assertEqual(self.occupancy.held, 0)

    @given(st.lists(st.tuples(st.integers(1, 9), TIMES), min_size=1, max_size=8))
    def test_mean(self, batches: list[tuple[int, float]]) -> None:
        """The occupancy is the mean of all times; one of eight seconds ago weighs a fourth less."""
        self.setUp()
        for number, seconds in batches:
            self.hold(number, seconds)
        number = sum(number for number, _ in batches)
        mean = sum(number * seconds for number, seconds in batches) / number
        self.assertGreaterEqual(self.occupancy.mean, 0.76 * mean)
        self.assertLessEqual(self.occupancy.mean, mean / 0.76)

    def test_interleaved(self) -> None:
        """A connection held as long as three others in a row is one of four in the mean."""
        self.occupancy.take()
        for _ in range(3):
            self.hold(1, 0.5)
        self.occupancy.give_back()
        self.assertAlmostEqual(self.occupancy.mean, 0.75, 1)

    def test_forgotten(self) -> None:
        """Times that lie long ago weigh less and less in the mean."""
        self.hold(50, 1.0)
        self.clock.advance(30)
        self.assertAlmostEqual(self.occupancy.returned, 18.4, 1)
        self.hold(20, 0.1)
        self.assertLess(self.occupancy.mean, 0.6)
        self.clock.advance(300)
        self.assertLess(self.occupancy.returned, 0.01)
        self.hold(20, 0.1)
        self.assertAlmostEqual(self.occupancy.mean, 0.1, 3)
