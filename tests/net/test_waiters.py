"""Tests of C{trickster.net.waiters}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from trickster.net.waiters import SharedWork, Waiters, settled, within


class Work:
    """
    Something that several wait for.

    :ivar done: fire it to end the work.
    :ivar events: what happened, in order.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.done: Deferred[Any] = Deferred()
        self.shared: SharedWork[Any] = SharedWork()

    def start(self) -> None:
        """Begin."""
        self.shared.start(self._work(), lambda: self.events.append("ended"))

    def wait(self, name: Any) -> Deferred[Any]:
        """Wait, and note when that is told."""
        waiter = self.shared.wait()
        return waiter.addCallback(lambda result: self.events.append((name, result)))

    async def _work(self) -> Any:
        try:
            return await self.done
        except CancelledError:
            self.events.append("cancelled")
            raise


class WaitersTests(SynchronousTestCase):
    """Waiters have a Deferred each."""

    def setUp(self) -> None:
        """Three wait."""
        self.left: list[str] = []
        self.waiters: Waiters[int] = Waiters()
        self.each = [self.waiters.wait(lambda name=name: self.left.append(name))
                     for name in "abc"]

    def test_in_order(self) -> None:
        """The waiter that came first is called back first; with none left, none is."""
        told = [self.waiters.tell_first(number) for number in range(4)]
        self.assertEqual(told, [True, True, True, False])
        self.assertEqual([self.successResultOf(waiter) for waiter in self.each], [0, 1, 2])
        self.assertEqual((len(self.waiters), self.left), (0, []))

    def test_failure(self) -> None:
        """A failure is given to a waiter as a failure."""
        self.waiters.tell_all(Failure(ValueError("x")))
        for waiter in self.each:
            self.failureResultOf(waiter, ValueError)

    def test_leaving(self) -> None:
        """A waiter that is cancelled has left when that is noted, and is not called back."""
        self.each[1].cancel()
        self.assertEqual((self.left, len(self.waiters)), (["b"], 2))
        self.failureResultOf(self.each[1], CancelledError)
        self.waiters.tell_all(1)
        for waiter in self.each:
            waiter.cancel()
        self.assertEqual(self.left, ["b"])

    def test_dropped(self) -> None:
        """A waiter that is dropped is not called back, and has not left."""
        for _ in range(2):
            self.waiters.drop(self.each[0])
        self.waiters.tell_all(1)
        self.assertNoResult(self.each[0])
        self.assertEqual(self.left, [])

    def test_waiting_again(self) -> None:
        """A waiter that waits again when called back is called back the next time, not this."""
        again: list[Deferred[int]] = []
        self.each[0].addCallback(lambda _: again.append(self.waiters.wait(lambda: None)))
        self.waiters.tell_all(1)
        self.assertNoResult(again[0])
        self.assertEqual(self.successResultOf(self.each[2]), 1)


class SharedWorkTests(SynchronousTestCase):
    """One piece of work is shared by several waiters."""

    def setUp(self) -> None:
        """Begin some work."""
        self.work = Work()
        self.work.start()

    def test_all_told(self) -> None:
        """All waiters have the one result, after the work has ended."""
        self.work.wait(1)
        self.work.wait(2)
        self.work.done.callback("x")
        self.assertEqual(self.work.events, ["ended", (1, "x"), (2, "x")])

    def test_late(self) -> None:
        """A waiter that comes after the end of the work has its result at once."""
        self.work.done.callback("x")
        self.assertEqual(self.successResultOf(self.work.shared.wait()), "x")

    def test_failure(self) -> None:
        """A failure of the work is given to every waiter, the late one too."""
        waiters = [self.work.shared.wait(), self.work.shared.wait()]
        self.work.done.errback(ValueError("x"))
        for waiter in (*waiters, self.work.shared.wait()):
            self.failureResultOf(waiter, ValueError)
        self.assertEqual(self.work.events, ["ended"])

    def test_at_once(self) -> None:
        """Work that has nothing to wait for has ended when it has begun."""
        work = Work()
        work.done.callback("x")
        work.start()
        self.assertEqual(work.events, ["ended"])

    def test_leaving(self) -> None:
        """The work goes on until the last waiter has left."""
        first, second = self.work.shared.wait(), self.work.shared.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual((self.work.events, self.work.shared.is_abandoned), ([], False))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual((self.work.events, self.work.shared.is_abandoned),
                         (["cancelled", "ended"], True))

    def test_leaving_twice(self) -> None:
        """A waiter that is cancelled twice leaves once."""
        first, second = self.work.shared.wait(), self.work.shared.wait()
        for _ in range(2):
            first.cancel()
        self.failureResultOf(first, CancelledError)
        self.work.done.callback("x")
        self.assertEqual(self.successResultOf(second), "x")

    def test_leaving_afterwards(self) -> None:
        """A waiter that is cancelled after the end of the work changes nothing."""
        waiter = self.work.shared.wait()
        self.work.done.callback("x")
        waiter.cancel()
        self.assertEqual(self.successResultOf(waiter), "x")
        self.assertFalse(self.work.shared.is_abandoned)

    def test_leaving_because_of_another(self) -> None:
        """A waiter that leaves because another was called back takes nothing from a third."""
        first, second, third = (self.work.shared.wait() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.work.done.callback("x")
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), "x")


class SettledTests(SynchronousTestCase):
    """Several Deferreds are waited for together."""

    def setUp(self) -> None:
        """Wait for three."""
        self.cancelled: list[int] = []
        self.waits: list[Deferred[Any]] = [
            Deferred(lambda _, i=i: self.cancelled.append(i)) for i in range(3)]
        self.all = Deferred.fromCoroutine(settled(self.waits))

    def test_in_order(self) -> None:
        """Results stand in the order of the Deferreds, whichever came first."""
        for i in (2, 0, 1):
            self.assertNoResult(self.all)
            self.waits[i].callback(i)
        self.assertEqual(self.successResultOf(self.all), [0, 1, 2])

    def test_failures(self) -> None:
        """A failure is a result, and ends no other wait."""
        self.waits[1].errback(ValueError("x"))
        self.waits[0].callback(0)
        self.assertNoResult(self.all)
        self.waits[2].callback(2)
        first, second, third = self.successResultOf(self.all)
        self.assertEqual((first, third), (0, 2))
        self.assertIsInstance(second, Failure)

    def test_cancelled(self) -> None:
        """A wait that is cancelled cancels all Deferreds that have not fired, the last first."""
        self.waits[1].callback(1)
        self.all.cancel()
        self.failureResultOf(self.all, CancelledError)
        self.assertEqual(self.cancelled, [2, 0])

    def test_nothing(self) -> None:
        """A wait for no Deferreds ends at once."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(settled([]))), [])


class WithinTests(SynchronousTestCase):
    """Work that is waited for only for a while."""

    def setUp(self) -> None:
        """Wait a second for what goes on."""
        self.clock, self.work = Clock(), Deferred[str]()
        self.waiter = within(self.work, self.clock, 1.0, "late")

    def test_in_time(self) -> None:
        """Work that ends in time gives its result, or its failure, and leaves no timer."""
        self.work.callback("done")
        self.assertEqual(self.successResultOf(self.waiter), "done")
        failing = Deferred[str]()
        waiter = within(failing, self.clock, 1.0, "late")
        failing.errback(ValueError("x"))
        self.failureResultOf(waiter, ValueError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ended_already(self) -> None:
        """Work that has ended is not waited for."""
        waiter = within(succeed("done"), self.clock, 1.0, "late")
        self.assertEqual(self.successResultOf(waiter), "done")

    def test_late(self) -> None:
        """Work that is late goes on; its failure is logged."""
        self.clock.advance(1.0)
        self.assertEqual(self.successResultOf(self.waiter), "late")
        self.assertFalse(self.work.called)
        self.work.errback(ValueError("x"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_left(self) -> None:
        """One who does not wait any more leaves the work to itself."""
        self.waiter.cancel()
        self.failureResultOf(self.waiter, CancelledError)
        self.assertFalse(self.work.called)
        self.work.callback("done")
        self.assertEqual(self.clock.getDelayedCalls(), [])
