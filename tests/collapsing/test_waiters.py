"""Tests of C{trickster.collapsing.waiters}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.waiters import Flight, settled


class Work:
    """
    Something that several wait for.

    :ivar done: fire it to end the work.
    :ivar events: what happened, in order.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.done: Deferred[Any] = Deferred()
        self.flight: Flight[Any] = Flight()

    def start(self) -> None:
        """Begin."""
        self.flight.start(self._work(), lambda: self.events.append("landed"))

    def seat(self, name: Any) -> Deferred[Any]:
        """Take a seat that notes when it is told."""
        seat = self.flight.seat()
        return seat.addCallback(lambda result: self.events.append((name, result)))

    async def _work(self) -> Any:
        try:
            return await self.done
        except CancelledError:
            self.events.append("cancelled")
            raise


class FlightTests(SynchronousTestCase):
    """One piece of work for all."""

    def setUp(self) -> None:
        """Begin some work."""
        self.work = Work()
        self.work.start()

    def test_all_told(self) -> None:
        """All seats have the one result, after it has landed."""
        self.work.seat(1)
        self.work.seat(2)
        self.work.done.callback("x")
        self.assertEqual(self.work.events, ["landed", (1, "x"), (2, "x")])

    def test_late(self) -> None:
        """A seat that is taken after the end has the result at once."""
        self.work.done.callback("x")
        self.assertEqual(self.successResultOf(self.work.flight.seat()), "x")

    def test_failure(self) -> None:
        """A failure is for every seat, the late one too."""
        seats = [self.work.flight.seat(), self.work.flight.seat()]
        self.work.done.errback(ValueError("x"))
        for seat in (*seats, self.work.flight.seat()):
            self.failureResultOf(seat, ValueError)
        self.assertEqual(self.work.events, ["landed"])

    def test_at_once(self) -> None:
        """Work that has nothing to wait for has landed when it has begun."""
        work = Work()
        work.done.callback("x")
        work.start()
        self.assertEqual(work.events, ["landed"])

    def test_leaving(self) -> None:
        """The work goes on until the last has left."""
        first, second = self.work.flight.seat(), self.work.flight.seat()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual((self.work.events, self.work.flight.is_abandoned), ([], False))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual((self.work.events, self.work.flight.is_abandoned),
                         (["cancelled", "landed"], True))

    def test_leaving_twice(self) -> None:
        """A seat is left once."""
        first, second = self.work.flight.seat(), self.work.flight.seat()
        for _ in range(2):
            first.cancel()
        self.failureResultOf(first, CancelledError)
        self.work.done.callback("x")
        self.assertEqual(self.successResultOf(second), "x")

    def test_leaving_afterwards(self) -> None:
        """Leaving after the end changes nothing."""
        seat = self.work.flight.seat()
        self.work.done.callback("x")
        seat.cancel()
        self.assertEqual(self.successResultOf(seat), "x")
        self.assertFalse(self.work.flight.is_abandoned)

    def test_leaving_because_of_another(self) -> None:
        """One that leaves because another was told takes nothing from a third."""
        first, second, third = (self.work.flight.seat() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.work.done.callback("x")
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), "x")


class SettledTests(SynchronousTestCase):
    """Waiting for several."""

    def setUp(self) -> None:
        """Wait for three."""
        self.cancelled: list[int] = []
        self.waits: list[Deferred[Any]] = [
            Deferred(lambda _, i=i: self.cancelled.append(i)) for i in range(3)]
        self.all = Deferred.fromCoroutine(settled(self.waits))

    def test_in_order(self) -> None:
        """Results stand where the waits stood, whichever came first."""
        for i in (2, 0, 1):
            self.assertNoResult(self.all)
            self.waits[i].callback(i)
        self.assertEqual(self.successResultOf(self.all), [0, 1, 2])

    def test_failures(self) -> None:
        """A failure is a result, and hurries no seat."""
        self.waits[1].errback(ValueError("x"))
        self.waits[0].callback(0)
        self.assertNoResult(self.all)
        self.waits[2].callback(2)
        first, second, third = self.successResultOf(self.all)
        self.assertEqual((first, third), (0, 2))
        self.assertIsInstance(second, Failure)

    def test_cancelled(self) -> None:
        """Being cancelled cancels all that have not ended, the last first."""
        self.waits[1].callback(1)
        self.all.cancel()
        self.failureResultOf(self.all, CancelledError)
        self.assertEqual(self.cancelled, [2, 0])

    def test_nothing(self) -> None:
        """There may be nothing to wait for."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(settled([]))), [])
