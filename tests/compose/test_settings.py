"""Tests of C{trickster.compose.settings}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.settings import upstream_options
from trickster.config.model import BackendOptions


class UpstreamTests(SynchronousTestCase):
    """How a backend's options reach the connections to its origin."""

    def test_timeouts(self) -> None:
        """Each timeout is one of its own, and no total is no bound."""
        chosen = upstream_options(BackendOptions(
            timeout=1.0, connect_timeout=2.0, total_timeout=3.0, keep_alive_timeout=4.0), "us")
        self.assertEqual(
            (chosen.timeout, chosen.connect_timeout, chosen.total_timeout,
             chosen.keep_alive_timeout), (1.0, 2.0, 3.0, 4.0))
        self.assertIsNone(upstream_options(BackendOptions(), "us").total_timeout)
