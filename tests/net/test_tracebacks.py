"""Tests of L{trickster.net.tracebacks}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamBroke
from trickster.net.tracebacks import forget_traceback, without_frames


def _raised(error: Exception) -> Failure:
    try:
        raise error
    except Exception:  # noqa: BLE001 - any
        return Failure()


class TracebackTests(SynchronousTestCase):
    """What an error still has of its way."""

    def test_foreseen(self) -> None:
        """Errors of our own, and cancelling, have nothing of it any more."""
        for error in (UpstreamBroke("gone"), CancelledError()):
            failure = _raised(error)
            self.assertIs(without_frames(failure), failure)
            self.assertIsNone(error.__traceback__)
            self.assertIs(failure.value, error)

    def test_others(self) -> None:
        """A failure that was not foreseen keeps it for the log; a result is no failure."""
        failure = _raised(ZeroDivisionError())
        without_frames(failure)
        self.assertIn("in _raised", failure.getTraceback())
        self.assertEqual(without_frames(b"octets"), b"octets")

    def test_ended(self) -> None:
        """An error that ends forgets its way in any case."""
        error = _raised(ZeroDivisionError()).value
        forget_traceback(error)
        self.assertIsNone(error.__traceback__)
