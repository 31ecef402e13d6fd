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
    """Tracebacks of errors that are foreseen are dropped."""

    def test_foreseen(self) -> None:
        """A foreseen error, and a cancellation, keep no traceback."""
        for error in (UpstreamBroke("gone"), CancelledError()):
            failure = _raised(error)
            self.assertIs(without_frames(failure), failure)
            self.assertIsNone(error.__traceback__)
            self.assertIs(failure.value, error)

    def test_others(self) -> None:
        """An unforeseen failure keeps its traceback for the log; a result is left as it is."""
        failure = _raised(ZeroDivisionError())
        without_frames(failure)
        self.assertIn("in _raised", failure.getTraceback())
        self.assertEqual(without_frames(b"octets"), b"octets")

    def test_ended(self) -> None:
        """An error that ends keeps no traceback in any case."""
        error = _raised(ZeroDivisionError()).value
        forget_traceback(error)
        self.assertIsNone(error.__traceback__)
