"""Tests of L{trickster.collapsing.leases.failure}: errors that other processes had for answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.leases.failure import Failure
from trickster.errors import (
    Overloaded,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)


class FailureTests(SynchronousTestCase):
    """Failures go from one process to another."""

    def test_errors_of_origins(self) -> None:
        """An error of an origin is the same error again."""
        for kind in (UpstreamError, UpstreamUnreachable, UpstreamBroke, UpstreamMalformed,
                     UpstreamTimeout):
            error = kind("what it was", Reason.TOO_LARGE, 503, retry_after=3.5)
            failure = Failure.of(error)
            assert failure is not None
            again = Failure.decoded(failure.encoded())
            assert again is not None and again.error is not None
            self.assertIs(type(again.error), kind)
            self.assertEqual(
                (again.error.detail, again.error.reason, again.error.status,
                 again.error.retry_after), ("what it was", Reason.TOO_LARGE, 503, 3.5))

    def test_our_own(self) -> None:
        """That this process has no room is none of another's errors."""
        self.assertIsNone(Failure.of(Overloaded("no room")))
        self.assertIsNone(Failure.of(RequestError("other")))

    def test_status(self) -> None:
        """Where the origin's answer says that it failed, there is no error to be raised."""
        failure = Failure.decoded(Failure.of_status(Reason.ORIGIN_STATUS, 502).encoded())
        assert failure is not None
        self.assertEqual((failure.error, failure.status), (None, 502))
        self.assertEqual(Failure.of_status(Reason.ORIGIN_TIMEOUT, None).status, 0)

    @given(st.binary(max_size=60))
    def test_foreign(self, octets: bytes) -> None:
        """What is nothing of ours is no failure, or one that can be raised or told."""
        failure = Failure.decoded(octets)
        if failure is not None:
            self.assertIsInstance(failure.error, RequestError | None)

    def test_odd_status(self) -> None:
        """An error with a status that is none is not raised."""
        self.assertIsNone(Failure("UpstreamBroke", Reason.ORIGIN_BROKE, 200).error)
        self.assertIsNone(Failure("SystemExit", Reason.ORIGIN_BROKE, 502).error)
