"""Tests for L{trickster.upstream.connecting}."""

from __future__ import annotations

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import ConfigurationError
from trickster.upstream.connecting import connector, plain_endpoint
from trickster.upstream.origin import OriginURL
from trickster.upstream.tls import TLSOptions


class ConnectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def endpoint(self, url: str) -> IStreamClientEndpoint:
        return plain_endpoint(self.reactor, OriginURL.parse(url), 7.0)

    def test_names(self) -> None:
        """A name is looked up by the reactor that was passed in."""
        self.assertIsInstance(self.endpoint("http://origin.test"), HostnameEndpoint)

    def test_addresses(self) -> None:
        """An address is connected to straight away, within the time allowed."""
        self.assertIsInstance(self.endpoint("http://127.0.0.1:1"), TCP4ClientEndpoint)
        self.assertIsInstance(self.endpoint("http://[::1]:1"), TCP6ClientEndpoint)
        self.endpoint("http://127.0.0.1:81").connect(Factory())
        host, port, _, timeout, _ = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("127.0.0.1", 81, 7.0))

    def test_nothing_yet(self) -> None:
        """A connector alone connects nothing."""
        make = connector(self.reactor, OriginURL.parse("http://127.0.0.1:81"), 7.0)
        endpoint = make()
        self.assertEqual(self.reactor.tcpClients, [])
        endpoint.connect(Factory())
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_tls(self) -> None:
        """An https origin gets TLS over the same."""
        make = connector(self.reactor, OriginURL.parse("https://127.0.0.1"), 7.0, TLSOptions())
        make().connect(Factory())
        self.assertEqual(self.reactor.tcpClients[0][1], 443)

    def test_bad_files(self) -> None:
        """A file that cannot be used is found before anything is connected."""
        self.assertRaises(ConfigurationError, connector, self.reactor,
                          OriginURL.parse("https://a"), 7.0,
                          TLSOptions(certificate_authority_paths=("/does/not/exist.pem",)))
