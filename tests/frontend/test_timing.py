"""Tests for L{trickster.frontend.deadline} and L{trickster.frontend.pace}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.deadline import Deadline
from trickster.frontend.pace import Pace


class DeadlineTests(SynchronousTestCase):
    """A timer that is moved often."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.expired.append(self.clock.seconds()))

    def test_expires_once(self) -> None:
        """It calls back once, in time."""
        self.deadline.set(5)
        self.clock.advance(4.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.clock.advance(100)
        self.assertEqual(len(self.expired), 1)

    def test_moving_is_free(self) -> None:
        """To move it on makes no timers."""
        self.deadline.set(5)
        [call] = self.clock.getDelayedCalls()
        for _ in range(10):
            self.clock.advance(0.1)
            self.deadline.set(5)
        self.assertEqual(self.clock.getDelayedCalls(), [call])

    def test_lifted(self) -> None:
        """A lifted deadline does not expire, and its timer goes away by itself."""
        self.deadline.set(5)
        self.deadline.lift()
        self.clock.advance(5)
        self.assertEqual((self.expired, self.clock.getDelayedCalls()), ([], []))

    def test_zero(self) -> None:
        """0 is no deadline."""
        self.deadline.set(5)
        self.deadline.set(0)
        self.clock.advance(9)
        self.assertEqual(self.expired, [])

    def test_stopped(self) -> None:
        """Nothing is left behind."""
        self.deadline.set(5)
        self.deadline.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8))
    def test_last_set_counts(self, steps: list[tuple[int, int]]) -> None:
        """It expires when the last setting says, and never else."""
        self.setUp()
        expected, at = [], None
        for wait, delay in steps:
            for _ in range(wait):
                self.clock.advance(1)
                if at is not None and self.clock.seconds() >= at:
                    expected.append(at)
                    at = None
            self.deadline.set(delay)
            at = self.clock.seconds() + delay if delay else None
        for _ in range(10):
            self.clock.advance(1)
        self.assertEqual(self.expired, expected + ([] if at is None else [at]))


class PaceTests(SynchronousTestCase):
    """Whether a body comes fast enough."""

    def test_nothing_comes(self) -> None:
        """A whole period of waiting without an octet is too slow."""
        pace = Pace(10, 0)
        pace.wanted(100)
        self.assertEqual([pace.left(104), pace.left(109), pace.left(110)], [6, 1, 0])

    def test_something_comes(self) -> None:
        """An octet buys another period."""
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
        """Time without a waiting reader is not the client's."""
        pace = Pace(10, 100)
        pace.wanted(0)
        pace.brought(1, 1)
        pace.wanted(1000)
        self.assertEqual(pace.left(1005), 4)
