"""Tests for L{trickster.upstream.h1.patience}."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.net.deadline import Deadline
from trickster.upstream.h1.patience import Patience
from trickster.upstream.options import UpstreamOptions


class PatienceTests(SynchronousTestCase):
    """Which side has to go on, and for how long the exchange waits for that side."""

    def patience(self, latest: float | None = None, **options: Any) -> Patience:
        """:return: one of an exchange that begins now, at ten seconds."""
        self.clock = Clock()
        self.clock.advance(10)
        self.deadline = Deadline(self.clock, lambda: None)
        patience = Patience(self.clock, self.deadline, UpstreamOptions(timeout=60.0, **options))
        patience.begin(latest)
        return patience

    def test_origin(self) -> None:
        """An origin has its configured time, but no longer than the total time."""
        self.patience().await_origin()
        self.assertEqual(self.deadline.at, 70)
        self.patience(30).await_origin()
        self.assertEqual(self.deadline.at, 30)

    def test_client(self) -> None:
        """A client that keeps an origin waiting is bounded only by the total time."""
        for latest in (None, 30.0):
            patience = self.patience(latest)
            patience.await_origin()
            patience.await_client()
            self.assertEqual(self.deadline.at, latest)

    def test_continue(self) -> None:
        """The wait for a 100 of the origin ends after one second."""
        self.patience().await_continue()
        self.assertEqual(self.deadline.at, 11)

    def test_stream(self) -> None:
        """An event stream has its own idle bound, or none."""
        for idle, at in ((None, None), (600.0, 610.0)):
            patience = self.patience(stream_idle_timeout=idle)
            patience.allow_stream()
            patience.await_origin()
            self.assertEqual(self.deadline.at, at)

    def test_tunnel(self) -> None:
        """An upgraded connection outlasts the total time, and a full pipe is timed."""
        patience = self.patience(30.0)
        patience.allow_tunnel()
        patience.await_origin()
        self.assertIsNone(self.deadline.at)
        patience.blocked()
        self.assertEqual(self.deadline.at, 70)
        patience.unblocked()
        self.assertIsNone(self.deadline.at)

    def test_upload(self) -> None:
        """While a body is sent the sender has to go on, and the origin has not."""
        patience = self.patience()
        patience.upload_began()
        patience.await_origin()
        self.assertIsNone(self.deadline.at)
        patience.blocked()
        self.assertEqual(self.deadline.at, 70)
        # An answer that comes meanwhile says nothing of whether the origin reads.
        patience.await_origin()
        self.assertEqual(self.deadline.at, 70)
        patience.unblocked()
        self.assertIsNone(self.deadline.at)
        patience.upload_ended()
        patience.await_origin()
        self.assertEqual(self.deadline.at, 70)

    def test_late(self) -> None:
        """An exchange is late from the instant at which it should be over."""
        self.assertFalse(self.patience().is_late())
        self.assertFalse(self.patience(10.5).is_late())
        self.assertTrue(self.patience(10.0).is_late())

    def test_next_exchange(self) -> None:
        """An exchange inherits nothing from the one before it."""
        patience = self.patience(30.0)
        patience.allow_stream()
        patience.upload_began()
        patience.begin(None)
        patience.await_origin()
        self.assertEqual(self.deadline.at, 70)
