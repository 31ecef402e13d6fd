"""Tests of ending what is being done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from demo.interruption import Interruption, promptly


class PromptlyTests(SynchronousTestCase):
    """Operations that end promptly when they are cancelled."""

    def test_result(self) -> None:
        """The result or failure of the inner operation is passed on."""
        self.assertEqual(self.successResultOf(promptly(_fired(5))), 5)
        failing: Deferred[int] = Deferred()
        outer = promptly(failing)
        failing.errback(ValueError())
        self.failureResultOf(outer, ValueError)

    def test_cancelled(self) -> None:
        """A cancelled operation fails with CancelledError, whatever error the inner one gives."""
        inner: Deferred[int] = Deferred(lambda one: one.errback(ValueError()))
        outer = promptly(inner)
        outer.cancel()
        self.failureResultOf(outer, CancelledError)
        self.assertTrue(inner.called)


def _fired(value: int) -> Deferred[int]:
    fired: Deferred[int] = Deferred()
    fired.callback(value)
    return fired


class InterruptionTests(SynchronousTestCase):
    """Requests to interrupt the work."""

    def setUp(self) -> None:
        """The end was not asked for."""
        self.interruption = Interruption()
        self.waiting: Deferred[None] = Deferred()
        self.log: list[str] = []

    async def work(self) -> None:
        """Begin, wait, go on, and tidy up."""
        self.log.append("begun")
        try:
            await self.waiting
            self.log.append("done")
        finally:
            self.log.append("tidied")

    def until(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[None]:
        """:return: fires when the work is over."""
        return Deferred.fromCoroutine(self.interruption.until(work))

    def test_not_asked(self) -> None:
        """Work is done to its end when no interruption is asked for."""
        doing = self.until(self.work)
        self.waiting.callback(None)
        self.successResultOf(doing)
        self.assertEqual(self.log, ["begun", "done", "tidied"])

    def test_asked(self) -> None:
        """An interruption cancels the work, and its caller goes on."""
        doing = self.until(self.work)
        self.interruption.ask()
        self.successResultOf(doing)
        self.assertEqual(self.log, ["begun", "tidied"])

    def test_asked_before(self) -> None:
        """Work is not begun after an interruption was asked for."""
        self.interruption.ask()
        self.successResultOf(self.until(self.work))
        self.assertEqual(self.log, [])

    def test_asked_twice(self) -> None:
        """An interruption may be asked for more than once."""
        self.interruption.ask()
        self.interruption.ask()
        self.assertTrue(self.interruption.is_asked)

    def test_cancelled_by_others(self) -> None:
        """A cancellation by others than the interruption is passed on."""
        doing = self.until(self.work)
        doing.cancel()
        self.failureResultOf(doing, CancelledError)

    def test_failures(self) -> None:
        """A failure of the work is passed on."""
        doing = self.until(self.work)
        self.waiting.errback(ValueError())
        self.failureResultOf(doing, ValueError)
