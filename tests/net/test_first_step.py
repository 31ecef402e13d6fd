"""Tests for L{trickster.net.first_step}."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from trickster.net.first_step import first_step


async def _wait_for(*awaited: Deferred[Any]) -> list[Any]:
    return [await one for one in awaited]


class FirstStepTests(SynchronousTestCase):
    """The first step of a coroutine, and the rest of it."""

    def later(self, awaitable: Awaitable[Any]) -> Deferred[Any]:
        suspended = first_step(awaitable)

        async def rest() -> Any:
            return await suspended

        return Deferred.fromCoroutine(rest())

    def test_over_at_once(self) -> None:
        """A coroutine that need not wait is over after its first step."""
        with self.assertRaises(StopIteration) as caught:
            first_step(_wait_for(succeed(1), succeed(2)))
        self.assertEqual(caught.exception.value, [1, 2])

    def test_raises_at_once(self) -> None:
        """An error that a coroutine raises in its first step is raised at once."""
        async def fails() -> None:
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, first_step, fails())

    def test_waits(self) -> None:
        """A coroutine that waits, however often, is completed by awaiting the rest of it."""
        first, second = Deferred(), Deferred()
        result = self.later(_wait_for(first, second))
        first.callback("a")
        self.assertNoResult(result)
        second.callback("b")
        self.assertEqual(self.successResultOf(result), ["a", "b"])

    def test_fails_later(self) -> None:
        """A failure is raised where the coroutine waits."""
        awaited: Deferred[None] = Deferred()
        result = self.later(_wait_for(awaited))
        awaited.errback(ZeroDivisionError())
        self.failureResultOf(result, ZeroDivisionError)

    def test_cancelled(self) -> None:
        """Cancelling the rest cancels what it waits for."""
        cancelled = []
        result = self.later(_wait_for(Deferred(cancelled.append)))
        result.cancel()
        self.assertEqual(len(cancelled), 1)
        self.failureResultOf(result, CancelledError)

    def test_no_coroutine(self) -> None:
        """Any awaitable may be given instead of a coroutine."""
        awaited: Deferred[int] = Deferred()
        result = self.later(awaited)
        awaited.callback(5)
        self.assertEqual(self.successResultOf(result), 5)

    def test_caught(self) -> None:
        """A coroutine may go on after a failure."""
        first: Deferred[None] = Deferred()

        async def forgiving() -> str:
            try:
                await first
            except ZeroDivisionError:
                return await succeed("forgiven")
            return "not asked"

        result = self.later(forgiving())
        first.errback(ZeroDivisionError())
        self.assertEqual(self.successResultOf(result), "forgiven")
