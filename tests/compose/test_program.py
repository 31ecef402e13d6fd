"""Tests of C{trickster.compose}: a configuration becomes a program."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.configurations import loaded
from trickster.compose import build
from trickster.errors import ConfigurationError

GOOD = b"""
backends:
  prom: {provider: prometheus, origin_url: 'http://127.0.0.1:9090', is_default: true}
  web:
    provider: rpc
    origin_url: 'http://127.0.0.1:80/prefix'
    paths: {big: {path: /big, handler: proxy, collapsed_forwarding: progressive}}
  raw: {provider: proxy, origin_url: 'http://127.0.0.1:81', proxy_only: true}
tracing: {t: {provider: stdout}}
"""


class BuildTests(SynchronousTestCase):
    """Nothing is opened before the program is started."""

    def built(self, text: bytes = GOOD) -> Any:
        self.reactor = MemoryReactorClock()
        return build(loaded(text), self.reactor)

    def test_opens_nothing(self) -> None:
        """Building listens to nothing, connects to nothing, and plans no calls."""
        program = self.built()
        self.assertTrue(IService.providedBy(program))
        self.assertEqual((self.reactor.tcpServers, self.reactor.tcpClients,
                          self.reactor.getDelayedCalls()), ([], [], []))

    def test_missing_certificate(self) -> None:
        """A file that the configuration names and that is not there is a problem of it."""
        bad = GOOD.replace(b"'http://127.0.0.1:9090'", b"'https://127.0.0.1:9090', tls: "
                           b"{certificate_authority_paths: [/nowhere.pem]}")
        with self.assertRaises(ConfigurationError) as caught:
            self.built(bad)
        self.assertIn("/nowhere.pem", str(caught.exception))
