"""Tests of C{trickster.ranges.gaps}: clients that go away while the origin works."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import Rig
from tests.ranges.fakeprometheus import (
    Lingering,
)
from trickster.messages import Response
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PausedStore
from trickster.timeseries.planning import Sharding


class LeavingTests(SynchronousTestCase):
    """Clients that go away."""

    def test_last_cancels(self) -> None:
        """The origin's work goes on while a client waits for it, and no longer."""
        rig = Rig()
        rig.origin.is_paused = True
        first, second = rig.start(-600, 0), rig.start(-300, -60)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(rig.origin.paused[0].is_cancelled)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(rig.origin.paused[0].is_cancelled)
        self.assertEqual((rig.left_over(), rig.held()), ((0, 0, 0), []))

    def test_first_leaves(self) -> None:
        """A client that stays is answered, and what comes is stored."""
        rig = Rig()
        rig.origin.is_paused = True
        first, second = rig.start(-600, 0), rig.start(-900, -60)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        rig.origin.release()
        self.assertEqual(self.successResultOf(second).octets, rig.direct(-900, -60))
        self.assertEqual(rig.held(), [(-900, 0)])

    def test_next_asks_anew(self) -> None:
        """A client that comes after a fetch was cancelled is answered by a new fetch."""
        rig = Rig()
        rig.origin.is_paused = True
        self.failureResultOf(_cancelled(rig.start(-600, 0)), CancelledError)
        rig.origin.is_paused = False
        self.assertEqual(rig.ask(-600, 0).octets, rig.direct(-600, 0))

    def test_abandoned_not_joined(self) -> None:
        """A fetch that takes its time to end once given up is not waited for."""
        rig = Rig()
        rig.origin.is_paused = True
        lingering: Deferred[None] = Deferred()
        rig.fetcher._source._upstream = Lingering(rig.origin, lingering)
        self.failureResultOf(_cancelled(rig.start(-600, 0)), CancelledError)
        self.assertEqual(rig.fetcher.fetches, 1)
        answer = rig.start(-600, 0)
        lingering.callback(None)
        rig.origin.release()
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-600, 0))
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_reading_body(self) -> None:
        """A client that leaves while a body arrives closes the body and frees its octets."""
        rig, body = Rig(), PausedBody()
        rig.origin.always = lambda response: Response(200, response.headers, body)
        answer = rig.start(-600, 0)
        body.feed(b"x" * 1000)
        self.assertEqual(rig.left_over(), (1, 1000, 0))
        self.failureResultOf(_cancelled(answer), CancelledError)
        self.assertTrue(body.is_closed)
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_error_body(self) -> None:
        """A client that leaves in the body of a refusal closes it, and gives the octets back."""
        rig, body = Rig(), PausedBody()
        rig.origin.always = lambda response: Response(500, response.headers, body)
        answer = rig.start(-600, 0)
        body.feed(b"x")
        self.failureResultOf(_cancelled(answer), CancelledError)
        self.assertEqual((body.is_closed, rig.left_over()), (True, (0, 0, 0)))

    def test_thread(self) -> None:
        """A client that leaves while a thread decodes does not wait for the thread."""
        threads: list[Deferred[Any]] = []

        def later(function: Any, *args: Any) -> Deferred[Any]:
            threads.append(Deferred())
            return threads[-1]

        rig = Rig(offload=later)
        rig.origin.series = 9000
        answer = rig.start(-600, 0)
        self.assertEqual(len(threads), 1)
        self.failureResultOf(_cancelled(answer), CancelledError)
        self.assertEqual((rig.left_over(), rig.held()), ((0, 0, 0), []))

    def test_any_await(self) -> None:
        """
        Wherever the store is when the last client leaves, nothing is left behind: what is being
        read is given up, and what has been fetched is still stored.
        """
        for steps in range(4):  # the first read, the second, the write, and all done
            store = PausedStore()
            rig = Rig(lambda clock, store=store: store)
            answer, waiter = rig.start(-600, 0), rig.start(-300, 0)
            for _ in range(steps):
                store.asked[-1].callback(None)
            for leaving in (answer, waiter):
                leaving.addErrback(lambda failure: failure.trap(CancelledError))
                leaving.cancel()
            pending = [one for one in store.asked if not one.called]
            self.assertEqual(len(pending), 1 if steps in (1, 2) else 0)
            while pending:
                pending[0].callback(None)
                pending = [one for one in store.asked if not one.called]
            self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_waiting_for_turn(self) -> None:
        """A client that leaves starts none of its fetches that have not begun."""
        rig = Rig(sharding=Sharding(max_points=2), concurrency=2)
        rig.origin.is_paused = True
        self.failureResultOf(_cancelled(rig.start(-600, 0)), CancelledError)
        self.assertEqual((len(rig.origin.requests), rig.left_over()), (2, (0, 0, 0)))


def _cancelled(answer: Deferred[Any]) -> Deferred[Any]:
    answer.cancel()
    return answer
