"""Tests for L{trickster.upstream.pooling.queue}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.pooling.queue import TurnQueue, TurnTooLate


class TurnQueueTests(SynchronousTestCase):
    """Queues for turns, in order and with a time limit."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = TurnQueue(self.clock, 5.0)

    def waiting(self) -> Deferred[None]:
        """:return: the wait of one more."""
        return Deferred.fromCoroutine(self.queue.wait())

    def test_order(self) -> None:
        """Turns go to those that wait in the order in which they came."""
        first, second = self.waiting(), self.waiting()
        self.queue.pass_on()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.queue.pass_on()
        self.successResultOf(second)
        self.assertEqual((len(self.queue.waiters), self.clock.getDelayedCalls()), (0, []))

    def test_patience(self) -> None:
        """A waiter that has waited for the time limit is refused."""
        first = self.waiting()
        self.clock.advance(3)
        second = self.waiting()
        self.assertEqual(self.queue.waiters[0].since, 0)
        self.clock.advance(2)
        self.failureResultOf(first, TurnTooLate)
        self.assertNoResult(second)
        self.assertEqual((len(self.queue.waiters), self.queue.waiters[0].since), (1, 3))
        self.queue.pass_on()
        self.successResultOf(second)

    def test_leaving(self) -> None:
        """A waiter that leaves takes no turn, and leaves no timer."""
        first, second = self.waiting(), self.waiting()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.queue.pass_on()
        self.successResultOf(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refusing(self) -> None:
        """Waiters that came before a given time are refused, and no others."""
        first = self.waiting()
        self.clock.advance(1)
        second = self.waiting()
        self.queue.refuse_before(1.0)
        self.failureResultOf(first, TurnTooLate)
        self.assertNoResult(second)
        second.cancel()
        self.failureResultOf(second, CancelledError)

    def test_turning_away(self) -> None:
        """All waiters can be refused with a given error."""
        waiting = [self.waiting(), self.waiting()]
        self.queue.turn_away(lambda: ValueError("closed"))
        errors = [self.failureResultOf(each, ValueError).value for each in waiting]
        self.assertIsNot(errors[0], errors[1])
        self.assertEqual(len(self.queue.waiters), 0)
