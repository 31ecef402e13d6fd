"""Exchanges that several wait for, and the table of those on their way."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import SlowBody
from trickster.collapsing.fills import Alone, Fill, FillTable, Landed
from trickster.errors import UpstreamUnreachable
from trickster.http.freshness import Policy
from trickster.messages import NO_HEADERS, Outcome, Response
from trickster.objects.stored_response import StoredResponse


def landed() -> Landed:
    """:return: a verdict for all waiters."""
    return Landed(StoredResponse(200, NO_HEADERS, (), 0, Policy(), 0.0, 0.0), Outcome())


class FillTests(SynchronousTestCase):
    """One exchange."""

    def running(self) -> tuple[Fill, Deferred[None]]:
        """:return: an exchange that waits for the test."""
        fill, gate = Fill(), Deferred[None]()

        async def work() -> None:
            await gate

        fill.start(work(), lambda: None)
        return fill, gate

    def test_landed(self) -> None:
        """All waiters are told, and those that come after that."""
        fill, _ = self.running()
        seats = [fill.seat(), fill.seat()]
        fill.land(landed())
        for seat in (*seats, fill.seat()):
            self.assertIsInstance(self.successResultOf(seat), Landed)

    def test_released(self) -> None:
        """The response is the first one's; the others are told to ask themselves."""
        fill, _ = self.running()
        one, two = fill.seat(), fill.seat()
        response = Response(200)
        fill.release(response)
        self.assertEqual(self.successResultOf(one), Alone(response))
        self.assertEqual(self.successResultOf(two), Alone())
        self.assertFalse(fill.is_open)

    def test_released_to_nobody(self) -> None:
        """A response that no waiter takes is closed."""
        fill, _ = self.running()
        fill.is_detached = True
        body = SlowBody()
        fill.release(Response(200, body=body))
        self.assertTrue(body.was_closed)

    def test_failed(self) -> None:
        """A failure is told to all waiters, also later."""
        fill, gate = self.running()
        seat = fill.seat()
        gate.errback(UpstreamUnreachable(""))
        self.failureResultOf(seat, UpstreamUnreachable)
        self.failureResultOf(fill.seat(), UpstreamUnreachable)

    def test_unexpected(self) -> None:
        """A failure without waiters is logged, if it is a mistake of ours."""
        fill, gate = self.running()
        gate.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(fill.is_open)

    def test_leaving(self) -> None:
        """The last to leave cancels, unless it goes on without waiters."""
        for detached in (False, True):
            fill, gate = self.running()
            fill.is_detached = detached
            seats = [fill.seat(), fill.seat()]
            for seat in seats:
                seat.addErrback(lambda _: None)
                self.assertFalse(gate.called)
                seat.cancel()
            self.assertIs(gate.called, not detached)
            gate.addErrback(lambda _: None)


class FillTableTests(SynchronousTestCase):
    """Those on their way."""

    def begun(self, table: FillTable, slot: str) -> tuple[Fill, Deferred[None]]:
        """:return: an exchange in a table."""
        fill, gate = Fill(), Deferred[None]()

        async def work() -> None:
            await gate

        table.begin(slot, fill, work())
        return fill, gate

    def test_found_until_it_ends(self) -> None:
        """It is found while it is on its way."""
        table = FillTable.of(Clock())
        fill, gate = self.begun(table, "a")
        self.assertIs(table.find("a"), fill)
        gate.callback(None)
        self.assertEqual((table.find("a"), len(table)), (None, 0))

    def test_outdated(self) -> None:
        """What was asked for before a change is not joined, and not kept."""
        table = FillTable.of(Clock())
        fill, gate = self.begun(table, "key.variant")
        other, _ = self.begun(table, "other")
        table.outdate("key")
        self.assertIsNone(table.find("key.variant"))
        self.assertEqual((fill.may_be_kept, other.may_be_kept), (False, True))
        successor, _ = self.begun(table, "key.variant")
        gate.callback(None)
        self.assertIs(table.find("key.variant"), successor)

    def test_cancel_all(self) -> None:
        """All waiters are told."""
        table = FillTable.of(Clock())
        fill, _ = self.begun(table, "a")
        seat = fill.seat()
        table.cancel_all()
        self.failureResultOf(seat, CancelledError)
