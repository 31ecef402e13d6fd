"""Tests for L{trickster.frontend.limits}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.listeners import ListenerOptions
from trickster.frontend.headreader import HeadLimits
from trickster.frontend.limits import ListenerLimits, NoEvents, limits_of


class LimitsTests(SynchronousTestCase):
    """From options to limits."""

    def test_all(self) -> None:
        """Every option has its limit."""
        options = ListenerOptions(
            connections_limit=1, read_header_timeout=2, max_request_body_size_bytes=3,
            truncate_request_body_too_large=True, idle_timeout=4, body_timeout=5, min_body_rate=6,
            max_request_line_bytes=2000, max_header_bytes=3000)
        self.assertEqual(limits_of(options), ListenerLimits(
            HeadLimits(2000, 3000), connections=1, body=3, truncate=True, header_timeout=2,
            idle_timeout=4, body_timeout=5, body_rate=6))

    def test_no_events(self) -> None:
        """Nobody need listen."""
        nobody = NoEvents()
        for tell in (nobody.opened, nobody.ended, nobody.refused):
            self.assertIsNone(tell())  # type: ignore[func-returns-value]
