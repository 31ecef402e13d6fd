"""Tests of L{trickster.http.methods}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.http.methods import IDEMPOTENT, SAFE, WITH_BODY


class MethodTests(SynchronousTestCase):
    """Which methods are safe, and which are idempotent (RFC 9110 section 9.2)."""

    def test_idempotent(self) -> None:
        """The idempotent methods are those of RFC 9110 section 9.2.2, in their case."""
        self.assertEqual(IDEMPOTENT, {b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})

    def test_safe(self) -> None:
        """A safe method only reads."""
        self.assertTrue(SAFE.isdisjoint(WITH_BODY | {b"DELETE", b"get", b""}))
        self.assertTrue({b"GET", b"HEAD", b"OPTIONS", b"TRACE"} <= SAFE)
