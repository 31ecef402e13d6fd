"""Exchanges that several wait for, and the table of those on their way."""

from __future__ import annotations

from gc import collect
from typing import Any
from weakref import ref

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.broadcast import BroadcastBody, Buffering
from trickster.collapsing.fills import Fill, Filled, FillTable, Streaming, Unshared
from trickster.errors import UpstreamUnreachable
from trickster.http.freshness import Policy
from trickster.messages import NO_HEADERS, Outcome, Response
from trickster.objects.stored_response import StoredResponse
from trickster.testing.bodies import PausedBody


def filled() -> Filled[StoredResponse]:
    """:return: a result for all waiters."""
    return Filled(StoredResponse(200, NO_HEADERS, (), 0, Policy(), 0.0, 0.0), Outcome())


class FillTests(SynchronousTestCase):
    """A fill and its waiters."""

    def running(self) -> tuple[Fill[StoredResponse], Deferred[None]]:
        """:return: an exchange that waits for the test."""
        fill: Fill[StoredResponse] = Fill()
        gate = Deferred[None]()

        async def work() -> None:
            await gate

        fill.start(work(), lambda: None)
        return fill, gate

    def test_filled(self) -> None:
        """A completed fill answers all waiters, also later ones."""
        fill, _ = self.running()
        waiters = [fill.wait(), fill.wait()]
        fill.complete(filled())
        for waiter in (*waiters, fill.wait()):
            self.assertIsInstance(self.successResultOf(waiter), Filled)

    def test_released(self) -> None:
        """A released response is the first waiter's; the others fetch for themselves."""
        fill, _ = self.running()
        one, two = fill.wait(), fill.wait()
        response = Response(200)
        fill.release(response)
        self.assertEqual(self.successResultOf(one), Unshared(response))
        self.assertEqual(self.successResultOf(two), Unshared())
        self.assertFalse(fill.is_open)

    def test_released_to_no_client(self) -> None:
        """A response that no waiter takes is closed."""
        fill, _ = self.running()
        fill.is_background = True
        body = PausedBody()
        fill.release(Response(200, body=body))
        self.assertTrue(body.is_closed)

    def test_failed(self) -> None:
        """A failed fill fails all waiters, also later ones."""
        fill, gate = self.running()
        waiter = fill.wait()
        gate.errback(UpstreamUnreachable(""))
        self.failureResultOf(waiter, UpstreamUnreachable)
        self.failureResultOf(fill.wait(), UpstreamUnreachable)

    def test_unexpected(self) -> None:
        """A failure without waiters is logged, if it is a mistake of ours."""
        fill, gate = self.running()
        gate.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(fill.is_open)

    def test_leaving(self) -> None:
        """The last waiter to leave cancels a fill, unless the fill goes on without waiters."""
        for background in (False, True):
            fill, gate = self.running()
            fill.is_background = background
            waiters = [fill.wait(), fill.wait()]
            for waiter in waiters:
                waiter.addErrback(lambda _: None)
                self.assertFalse(gate.called)
                waiter.cancel()
            self.assertIs(gate.called, not background)
            gate.addErrback(lambda _: None)


class LeavingBecauseOfAnotherTests(SynchronousTestCase):
    """Three waiters, of which the first one's result makes the second leave."""

    def setUp(self) -> None:
        """Three wait, of whom the first has the second leave."""
        self.fill: Fill[StoredResponse] = Fill(is_progressive=True)
        self.gate = Deferred[None]()

        async def work() -> None:
            await self.gate

        self.fill.start(work(), lambda: None)
        self.first, self.second, self.third = (self.fill.wait() for _ in range(3))
        self.first.addBoth(self._second_leaves)

    def _second_leaves(self, result: Any) -> Any:
        self.second.cancel()
        return result

    def left(self) -> Any:
        """:return: what the third is told, once the second has left."""
        self.failureResultOf(self.second, CancelledError)
        return self.third.result

    def test_filled(self) -> None:
        """The third waiter is answered though the first made the second leave."""
        self.fill.complete(filled())
        self.assertIsInstance(self.left(), Filled)

    def test_released(self) -> None:
        """The third waiter fetches for itself though the first made the second leave."""
        self.fill.release(Response(200))
        self.assertEqual(self.left(), Unshared())

    def test_failed(self) -> None:
        """The third waiter gets the failure though the first made the second leave."""
        self.gate.errback(UpstreamUnreachable(""))
        for waiter in (self.first, self.third):
            self.failureResultOf(waiter, UpstreamUnreachable)
        self.failureResultOf(self.second, CancelledError)

    def test_streaming(self) -> None:
        """The third waiter reads the body, and the second, which has left, holds no reader."""
        body = BroadcastBody(PausedBody(), Buffering(100), overflowed=lambda: None,
                             left=lambda: None, is_end_awaited=self.fill.is_awaited)
        self.fill.stream(filled().stored, body, Outcome(), True)
        for streaming in (self.left(), self.successResultOf(self.first)):
            self.assertIsInstance(streaming, Streaming)
            self.assertTrue(body.is_read)
            streaming.body.close()
        self.assertFalse(body.is_read)


class FillTableTests(SynchronousTestCase):
    """The table of fills that are on their way."""

    def begun(self, table: FillTable[StoredResponse], slot: str, shared: bool = True
              ) -> tuple[Fill[StoredResponse], Deferred[None]]:
        """:return: an exchange in a table."""
        fill: Fill[StoredResponse] = Fill()
        gate = Deferred[None]()

        async def work() -> None:
            await gate

        (table.begin if shared else table.begin_unshared)(slot, fill, work())
        return fill, gate

    def test_found_until_it_ends(self) -> None:
        """A fill is found in the table until it ends."""
        table: FillTable[StoredResponse] = FillTable.of(Clock())
        fill, gate = self.begun(table, "a")
        self.assertIs(table.find("a"), fill)
        gate.callback(None)
        self.assertEqual((table.find("a"), len(table)), (None, 0))

    def test_outdated(self) -> None:
        """What was asked for before a change is not joined, and not kept."""
        table: FillTable[StoredResponse] = FillTable.of(Clock())
        fill, gate = self.begun(table, "key.variant")
        other, _ = self.begun(table, "other")
        table.outdate("key")
        self.assertIsNone(table.find("key.variant"))
        self.assertEqual((fill.turn.is_open, other.turn.is_open), (False, True))
        successor, _ = self.begun(table, "key.variant")
        gate.callback(None)
        self.assertIs(table.find("key.variant"), successor)

    def test_newest_is_stored(self) -> None:
        """What was asked for earlier does not take the place of what was asked for later."""
        for shared in (False, True):
            table: FillTable[StoredResponse] = FillTable.of(Clock())
            older, _ = self.begun(table, "a", shared=False)
            other, _ = self.begun(table, "b", shared=False)
            newer, _ = self.begun(table, "a", shared=shared)
            self.assertTrue(newer.turn.take())
            self.assertEqual((older.turn.take(), other.turn.take()), (False, True))

    def test_order_of_stores(self) -> None:
        """Exchanges that store in the order in which they began may all do so."""
        table: FillTable[StoredResponse] = FillTable.of(Clock())
        fills = [self.begun(table, "a", shared=False)[0] for _ in range(4)]
        taken = [fills[number].turn.take() for number in (0, 2, 1, 3)]
        self.assertEqual(taken, [True, True, False, True])

    def test_ended_ones_are_let_go(self) -> None:
        """An exchange that has ended is not held on to by those that began meanwhile."""
        table: FillTable[StoredResponse] = FillTable.of(Clock())
        fill, gate = self.begun(table, "a", shared=False)
        first = ref(fill)
        for _ in range(3):
            ending = gate
            fill, gate = self.begun(table, "a", shared=False)
            ending.callback(None)
        collect()
        self.assertIsNone(first())
        self.assertEqual(len(table), 1)

    def test_cancel_all(self) -> None:
        """
        A cancelled table fails all waiters, also those of fills that cannot be joined any more.
        """
        table: FillTable[StoredResponse] = FillTable.of(Clock())
        fills = [self.begun(table, slot, shared)[0] for slot, shared in (
            ("outdated", True), ("joined", True), ("alone", False))]
        waiters = [fill.wait() for fill in fills]
        table.outdate("outdated")
        self.assertEqual(len(table), 3)
        table.cancel_all()
        for waiter in waiters:
            self.failureResultOf(waiter, CancelledError)
        self.assertEqual(len(table), 0)
