"""Tests of C{trickster.upstream.connecting.cancelling}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import DNSLookupError
from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.connecting.cancelling import promptly


class PromptlyTests(SynchronousTestCase):
    """Work that is told to end, and may take its time."""

    def setUp(self) -> None:
        """Begin work that answers a cancellation in its own way."""
        self.asked = 0
        self.work: Deferred[str] = Deferred(self.cancel)

    def cancel(self, work: Deferred[str]) -> None:
        """Fail as an endpoint does that looks a name up."""
        self.asked += 1
        work.errback(DNSLookupError("x"))

    def test_result(self) -> None:
        """A result, or an error, is passed on."""
        waiting = promptly(self.work)
        self.work.callback("done")
        self.assertEqual(self.successResultOf(waiting), "done")
        failing: Deferred[str] = Deferred()
        waiting = promptly(failing)
        failing.errback(ZeroDivisionError())
        self.failureResultOf(waiting, ZeroDivisionError)

    def test_cancelled(self) -> None:
        """Cancelled work fails as cancelled, whatever it ends with, and is asked to end once."""
        waiting = promptly(self.work)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.asked, 1)

    def test_late_result(self) -> None:
        """A result that comes after all is disposed of."""
        deaf: Deferred[str] = Deferred(lambda work: None)
        late: list[str] = []
        waiting = promptly(deaf, late.append)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(late, [])
        never_fired: Deferred[str] = Deferred(lambda work: work.callback("late"))
        waiting = promptly(never_fired, late.append)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(late, ["late"])
