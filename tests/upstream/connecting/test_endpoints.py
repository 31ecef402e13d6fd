"""Tests for L{trickster.upstream.connecting.endpoints}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EMFILE
from socket import AF_INET, EAI_AGAIN, EAI_FAIL, EAI_NONAME, SOCK_STREAM, gaierror
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
)
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trickster.errors import ConfigurationError, UpstreamUnreachable
from trickster.http.origin_url import OriginURL
from trickster.net.tls import TLSOptions
from trickster.upstream.connecting.endpoints import NamedEndpoint, connector, plain_endpoint
from trickster.upstream.connecting.failures import unreachable
from trickster.upstream.connecting.resolving import SharedResolver


@implementer(IHostnameResolver)
class Silent:
    """Finds nothing, and does not say why."""

    def resolveHostName(self, resolutionReceiver: IResolutionReceiver, hostName: str,
                        portNumber: int = 0, addressTypes: Sequence[type] | None = None,
                        transportSemantics: str = "TCP") -> IHostResolution:
        lookup: Any = None
        resolutionReceiver.resolutionBegan(lookup)
        resolutionReceiver.resolutionComplete()
        return lookup


class ConnectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def endpoint(self, url: str) -> IStreamClientEndpoint:
        return plain_endpoint(self.reactor, OriginURL.parse(url), 7.0)

    def test_names(self) -> None:
        """A name is looked up by the reactor that was passed in."""
        endpoint = self.endpoint("http://origin.test")
        assert isinstance(endpoint, NamedEndpoint)
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertIsInstance(endpoint.endpoint, HostnameEndpoint)

    def why(self, lookup: Callable[..., Deferred[Any]], url: str = "http://origin.test:81") -> str:
        """:return: what an error says where a lookup ends so."""
        self.reactor.installNameResolver(SharedResolver(lookup))
        failure = self.failureResultOf(self.endpoint(url).connect(Factory()))
        error = unreachable(OriginURL.parse(url), failure.value)
        self.assertIsInstance(error, UpstreamUnreachable)
        return error.detail

    def test_unknown_name(self) -> None:
        """An unknown host name gives an error that says so."""
        for ended in (succeed(()), fail(gaierror(EAI_NONAME, "Name or service not known"))):
            self.assertEqual(
                self.why(lambda *_, ended=ended: ended),
                "origin.test:81: DNS lookup failed: there is no such name")

    def test_no_resolver(self) -> None:
        """A resolver that could not tell, or could not be asked, gives an error that says so."""
        for error in (gaierror(EAI_AGAIN, "Try later"), gaierror(EAI_FAIL, "Try later"),
                      OSError(EMFILE, "Try later"), RuntimeError("Try later")):
            self.assertEqual(
                self.why(lambda *_, error=error: fail(error)),
                "origin.test:81: DNS lookup failed: it cannot be told now whether there is such "
                "a name: Try later")

    def test_other_failures(self) -> None:
        """
        Other connection failures are passed on, and so are lookups that fail without a reason.
        """
        found = [(AF_INET, SOCK_STREAM, 6, "", ("127.0.0.1", 81))]
        self.reactor.installNameResolver(SharedResolver(lambda *_: succeed(found)))
        connecting = self.endpoint("http://origin.test:81").connect(Factory())
        self.reactor.tcpClients[0][2].clientConnectionFailed(
            self.reactor.connectors[0], Failure(ConnectionRefusedError()))
        self.reactor.advance(1)  # there is no other address to be tried
        self.failureResultOf(connecting, ConnectionRefusedError)
        self.reactor.installNameResolver(Silent())
        error = self.failureResultOf(self.endpoint("http://origin.test:81").connect(Factory()))
        self.assertIn("no results", str(error.value))

    def test_cancelled(self) -> None:
        """A cancelled attempt to connect cancels its endpoint."""
        self.reactor.installNameResolver(SharedResolver(lambda *_: Deferred()))
        connecting = self.endpoint("http://origin.test:81").connect(Factory())
        connecting.cancel()
        self.failureResultOf(connecting)

    def test_addresses(self) -> None:
        """An address is connected to straight away, within the time allowed."""
        self.assertIsInstance(self.endpoint("http://127.0.0.1:1"), TCP4ClientEndpoint)
        self.assertIsInstance(self.endpoint("http://[::1]:1"), TCP6ClientEndpoint)
        self.endpoint("http://127.0.0.1:81").connect(Factory())
        host, port, _, timeout, _ = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("127.0.0.1", 81, 7.0))

    def test_nothing_yet(self) -> None:
        """A connector does not connect until it is asked to."""
        make = connector(self.reactor, OriginURL.parse("http://127.0.0.1:81"), 7.0)
        endpoint = make()
        self.assertEqual(self.reactor.tcpClients, [])
        endpoint.connect(Factory())
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_tls(self) -> None:
        """An https origin is connected to over TLS, through the same endpoint."""
        make = connector(self.reactor, OriginURL.parse("https://127.0.0.1"), 7.0, TLSOptions())
        make().connect(Factory())
        self.assertEqual(self.reactor.tcpClients[0][1], 443)

    def test_bad_files(self) -> None:
        """A file that cannot be used is found before anything is connected."""
        self.assertRaises(ConfigurationError, connector, self.reactor,
                          OriginURL.parse("https://a"), 7.0,
                          TLSOptions(certificate_authority_paths=("/does/not/exist.pem",)))
