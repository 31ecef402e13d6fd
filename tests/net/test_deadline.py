"""Tests for L{trickster.net.deadline}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.net.deadline import Deadline

ACTIONS = st.lists(st.one_of(
    st.tuples(st.just("move"), st.integers(1, 20)),
    st.tuples(st.just("pass"), st.integers(1, 15)),
    st.tuples(st.just("lift"), st.just(0)),
), max_size=20)


class DeadlineTests(SynchronousTestCase):
    """A deadline is a timer that is cheap to move."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.expired.append(self.clock.seconds()))

    def test_expires_once(self) -> None:
        """A deadline calls back once, in time."""
        self.deadline.set(5)
        self.clock.advance(4.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.clock.advance(100)
        self.assertEqual(len(self.expired), 1)

    def test_moving_is_free(self) -> None:
        """Moving a deadline on makes no timers."""
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
        """A deadline of 0 is none."""
        self.deadline.set(5)
        self.deadline.set(0)
        self.clock.advance(9)
        self.assertEqual(self.expired, [])

    def test_stopped(self) -> None:
        """A stopped deadline leaves no timer."""
        self.deadline.set(5)
        self.deadline.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8))
    def test_last_set_counts(self, steps: list[tuple[int, int]]) -> None:
        """A deadline expires when its last setting says, and at no other time."""
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

    def test_earlier(self) -> None:
        """A deadline that is moved to an earlier time expires at that time."""
        self.deadline.move(50)
        self.deadline.move(5)
        self.clock.advance(5)
        self.assertEqual(self.expired, [5])

    def test_latest(self) -> None:
        """A deadline does not expire later than its latest time."""
        self.deadline.move(5, latest=3)
        self.clock.advance(3)
        self.deadline.move(float("inf"), latest=10)
        self.clock.advance(7)
        self.deadline.move(5, latest=1)
        self.clock.advance(0)
        self.assertEqual(self.expired, [3, 10, 10])

    @settings(max_examples=100, deadline=None)
    @given(ACTIONS)
    def test_like_a_plain_one(self, actions: list[tuple[str, int]]) -> None:
        """A deadline expires exactly when a timer made anew for each setting would."""
        self.setUp()
        due, plain = None, []
        for action, number in actions:
            now = self.clock.seconds()
            if action == "move":
                due = now + number
                self.deadline.move(number)
            elif action == "lift":
                due = None
                self.deadline.lift()
            else:
                if due is not None and due <= now + number:
                    plain.append(due)
                    due = None
                self.clock.pump([1] * number)
        self.assertEqual(self.expired, plain)
