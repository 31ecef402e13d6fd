"""Tests for L{trickster.upstream.pooling.slots}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Overloaded
from trickster.upstream.pooling.slots import Slots


class SlotTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.slots = Slots(self.clock, 2, 3, 10.0)

    def take(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.slots.take())

    def test_free(self) -> None:
        """As many slots as there are can be taken at once."""
        for _ in range(2):
            self.successResultOf(self.take())
        self.assertNoResult(self.take())
        self.assertFalse(self.slots.try_take())
        self.assertEqual((self.slots.taken, self.slots.waiting), (2, 1))

    def test_in_order(self) -> None:
        """Waiters get slots in the order in which they came."""
        taken = [self.take() for _ in range(4)]
        self.slots.give_back()
        self.successResultOf(taken[2])
        self.assertNoResult(taken[3])
        self.slots.give_back()
        self.successResultOf(taken[3])
        self.assertEqual(self.slots.taken, 2)

    def test_given_back(self) -> None:
        """A slot without waiters is free."""
        self.take()
        self.slots.give_back()
        self.assertEqual(self.slots.taken, 0)

    def test_full_queue(self) -> None:
        """A request that finds the queue full is refused."""
        waiting = [self.take() for _ in range(5)]
        self.failureResultOf(self.take(), Overloaded)
        self.assertNoResult(waiting[4])

    def test_patience(self) -> None:
        """A waiter is refused after its time limit, and takes no slot."""
        waiting = [self.take() for _ in range(3)][2]
        self.clock.advance(10)
        self.failureResultOf(waiting, Overloaded)
        self.slots.give_back()
        self.assertEqual((self.slots.taken, self.slots.waiting), (1, 0))

    def test_cancelled(self) -> None:
        """A waiter that leaves the queue leaves nothing behind."""
        waiting = [self.take() for _ in range(4)]
        waiting[2].cancel()
        self.failureResultOf(waiting[2], CancelledError)
        self.slots.give_back()
        self.successResultOf(waiting[3])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_turned_away(self) -> None:
        """All waiters for slots can be refused."""
        waiting = [self.take() for _ in range(4)]
        self.slots.turn_away()
        for taken in waiting[2:]:
            self.failureResultOf(taken, Overloaded)
        self.assertEqual((self.slots.waiting, self.clock.getDelayedCalls()), (0, []))

    def test_unbounded(self) -> None:
        """A limit of zero slots is no limit."""
        self.slots = Slots(self.clock, 0, 0, 1.0)
        for _ in range(100):
            self.successResultOf(self.take())


class ShedTests(SynchronousTestCase):
    """A request that would wait for too long is refused at once."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.slots = Slots(self.clock, 2, 1000, 10.0)

    def take(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.slots.take())

    def busy(self, interval: float, rounds: int = 50) -> None:
        """Have a slot come free, and be taken again, at an even pace."""
        self.take(), self.take()
        for _ in range(rounds):
            self.take()
            self.clock.advance(interval)
            self.slots.give_back()

    def test_burst(self) -> None:
        """A burst of requests waits, as far as the queue goes, before any times are known."""
        for _ in range(100):
            self.take()
        self.assertEqual(self.slots.waiting, 98)

    def test_long_queue(self) -> None:
        """A long queue is bounded by the time that it takes, not by its length."""
        self.busy(0.05)
        taken = [self.take() for _ in range(400)]
        self.assertEqual(self.slots.waiting, 200)
        for refused in taken[200:]:
            error = self.failureResultOf(refused, Overloaded).value
            self.assertAlmostEqual(error.retry_after, 10.05, 2)

    def test_short_queue(self) -> None:
        """A short queue is not bounded by time, even where slots seemed to come free slowly."""
        self.busy(0.05)
        for _ in range(100):
            self.take()
        self.assertEqual(self.slots.waiting, 100)

    def test_slow_origin(self) -> None:
        """A queue that would take longer than any request waits is refused at once."""
        self.busy(2.0)
        taken = [self.take() for _ in range(10)]
        self.assertEqual(self.slots.waiting, 5)
        for refused in taken[5:]:
            self.failureResultOf(refused, Overloaded)

    def test_hanging_origin(self) -> None:
        """Requests to an origin that gives back no slot are refused at once after a while."""
        self.take(), self.take()
        self.clock.advance(10.5)
        self.failureResultOf(self.take(), Overloaded)

    def test_few(self) -> None:
        """
        Response times refuse requests only once as many responses as there are slots have come.
        """
        self.take(), self.take(), self.take()
        self.clock.advance(6)
        self.slots.give_back()
        self.assertEqual(self.slots.expected_wait, 6.0)
        for _ in range(10):
            self.assertNoResult(self.take())
        self.slots.give_back()
        self.failureResultOf(self.take(), Overloaded)

    def test_long_ago(self) -> None:
        """What answers took some minutes ago refuses no request."""
        self.busy(2.0)
        while self.slots.taken:
            self.slots.give_back()
        self.clock.advance(300)
        self.take(), self.take()
        for _ in range(10):
            self.assertNoResult(self.take())

    def test_recovery(self) -> None:
        """Times from before the slots came free again refuse no request."""
        self.busy(2.0)
        while self.slots.taken:
            self.slots.give_back()
        self.successResultOf(self.take())


class StandingQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.slots = Slots(self.clock, 1, 1024, 5.0)
        self.served: list[float] = []
        self.refused: list[Overloaded] = []

    def come(self, number: int) -> None:
        for _ in range(number):
            came = self.clock.seconds()
            taking = Deferred.fromCoroutine(self.slots.take())
            taking.addCallback(lambda _, came=came: self.served.append(
                self.clock.seconds() - came))
            taking.addErrback(lambda failure: self.refused.append(failure.value))

    def overload(self, seconds: int) -> None:
        """Three times as many come as are served: one in 10 ms."""
        for _ in range(seconds * 100):
            self.come(3)
            self.clock.advance(0.01)
            self.slots.give_back()

    def test_latency(self) -> None:
        """At three times the capacity, served requests have waited for less than a second."""
        self.overload(30)
        self.assertLess(max(self.served), 1.0)
        self.assertLess(max(self.served), 0.65)
        self.assertLess(max(self.served[-2500:]), 0.4)
        self.assertGreater(len(self.served), 2900)

    def test_refused(self) -> None:
        """Requests beyond the capacity are refused, nearly all of them at once."""
        self.overload(10)
        self.assertGreater(len(self.refused), 1700)

    def test_recovery(self) -> None:
        """All requests are served as soon as fewer of them come."""
        self.overload(10)
        while self.slots.taken:
            self.clock.advance(0.01)
            self.slots.give_back()
        refused = len(self.refused)
        for _ in range(100):
            self.come(1)
            self.clock.advance(0.01)
            self.slots.give_back()
        self.assertEqual((len(self.refused), self.slots.taken), (refused, 0))

    def test_busy(self) -> None:
        """Short waits while all connections are busy are no overload."""
        self.come(2)
        for _ in range(1000):
            self.come(1)
            self.clock.advance(0.01)
            self.slots.give_back()
        self.come(100)
        for _ in range(102):
            self.clock.advance(0.005)
            self.slots.give_back()
        self.assertEqual(self.refused, [])

    def test_capacity(self) -> None:
        """Refusing leaves no connection idle, however many more than can be served come."""
        for times in (2, 10, 100):
            for _ in range(300):
                self.come(times)
                self.clock.advance(0.01)
                self.slots.give_back()
                self.assertEqual(self.slots.taken, 1)

    def test_hanging(self) -> None:
        """Where no slot is given back, a waiter is refused after its time limit, and no earlier."""
        self.come(3)
        self.clock.advance(5)
        self.assertEqual(len(self.refused), 2)
        self.come(2)
        self.clock.advance(4)
        self.assertEqual(len(self.refused), 2)
        self.clock.advance(1)
        self.assertEqual(len(self.refused), 4)

    def test_bursts(self) -> None:
        """A burst that can be served in time is served, however long answers take."""
        for number, answer in ((70, 0.01), (480, 0.01), (60, 0.08), (20, 0.24)):
            self.setUp()
            self.come(number)
            for _ in range(number):
                self.clock.advance(answer)
                self.slots.give_back()
            self.assertEqual((len(self.served), self.refused), (number, []))

    def test_burst_and_a_few(self) -> None:
        """The few requests that come during a burst are served as well as the burst."""
        self.come(200)
        for _ in range(200):
            self.clock.advance(0.01)
            self.slots.give_back()
            self.clock.advance(0.01)
            self.slots.give_back()
            self.come(1)
        self.assertEqual(self.refused, [])
