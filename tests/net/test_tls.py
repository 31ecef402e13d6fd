"""Tests for L{trickster.net.tls}, with both ends of a connection in memory."""

from __future__ import annotations

import os
from errno import ENOENT
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.upstream.scripted import PLACE, a_request, reading
from trickster.errors import ConfigurationError, UpstreamBroke, UpstreamUnreachable
from trickster.http.origin_url import OriginURL
from trickster.messages import Response, octets_of
from trickster.net.tls import TLSOptions, connection_creator
from trickster.testing.certificates import Authority, Identity
from trickster.upstream.client import UpstreamClient
from trickster.upstream.options import UpstreamOptions


class Server(Protocol):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    @property
    def peer_name(self) -> str:
        """What the client's certificate says."""
        certificate = self.transport.getPeerCertificate().to_cryptography()
        return certificate.subject.rfc4514_string()


@implementer(IStreamClientEndpoint)
@define(eq=False)
class TLSOrigin:
    """Accepts connections in memory, with a certificate."""

    options: CertificateOptions
    clock: Clock
    pumps: list[IOPump] = field(factory=list)
    servers: list[Server] = field(factory=list)
    is_silent: bool = False

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        client, server = protocolFactory.buildProtocol(PLACE), Server()
        factory = Factory.forProtocol(lambda: server)
        wrapped = TLSMemoryBIOFactory(self.options, False, factory, self.clock).buildProtocol(None)
        self.servers.append(server)
        self.pumps.append(connect(wrapped, FakeTransport(wrapped, True),
                                  client, FakeTransport(client, False), greet=False))
        return succeed(client)

    def flush(self) -> None:
        """Let both sides have what the other said, unless the origin is silent."""
        if self.is_silent:
            return
        for _ in range(2):
            for pump in self.pumps:
                pump.flush()
            self.clock.advance(0)


class TLSCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.authority = Authority.make("Test Authority")
        self.believing = TLSOptions(
            certificate_authority_paths=(self.file(self.authority.certificate),))

    def file(self, octets: bytes) -> str:
        path = self.mktemp()
        Path(path).write_bytes(octets)
        return path

    def origin(self, identity: Identity, **options: Any) -> TLSOrigin:
        certificate = load_pem_x509_certificate(identity.certificate)
        key: Any = load_pem_private_key(identity.key, None)
        return TLSOrigin(CertificateOptions(key, certificate, **options), self.clock)

    def asked(self, origin: TLSOrigin, tls: TLSOptions,
              url: str = "https://origin.test") -> Deferred[Response]:
        place = OriginURL.parse(url)
        creator = connection_creator(place, tls)
        self.client = UpstreamClient(place, UpstreamOptions(),
                                     lambda: wrapClientTLS(creator, origin, self.clock), self.clock)
        asked = Deferred.fromCoroutine(self.client.respond(a_request()))
        origin.flush()
        return asked


class VerificationTests(TLSCase):
    def test_believed(self) -> None:
        """An origin with a certificate of a trusted authority is connected to."""
        for host in ("origin.test", "127.0.0.1"):
            origin = self.origin(self.authority.identity(host))
            asked = self.asked(origin, self.believing, f"https://{host}")
            self.assertIn(b"GET / HTTP/1.1\r\n", origin.servers[0].received)
            origin.servers[0].transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            origin.flush()
            self.assertEqual(octets_of(self.successResultOf(asked).body), b"ok")
            self.assertEqual(self.client.stats.idle, 1)

    def test_kept(self) -> None:
        """Trusted authorities are trusted on every connection, not only the first."""
        origin = self.origin(self.authority.identity("origin.test"))
        self.asked(origin, self.believing)
        Deferred.fromCoroutine(self.client.respond(a_request()))
        origin.flush()
        self.assertIn(b"GET / HTTP/1.1\r\n", origin.servers[1].received)

    def refused(self, origin: TLSOrigin, tls: TLSOptions) -> str:
        error = self.failureResultOf(self.asked(origin, tls), UpstreamUnreachable).value
        self.assertEqual(origin.servers[0].received, b"")
        stats = self.client.stats
        self.assertEqual((stats.active, stats.failed_total), (0, 1))
        return error.detail

    def test_unknown_authority(self) -> None:
        """A certificate of an unknown authority is refused before a request is sent."""
        origin = self.origin(self.authority.identity("origin.test"))
        detail = self.refused(origin, TLSOptions())
        self.assertRegex(detail, r"origin\.test:443: TLS: \w+")

    def test_another_name(self) -> None:
        """An origin with a certificate for another host is refused."""
        origin = self.origin(self.authority.identity("other.test"))
        self.assertIn("not for this name", self.refused(origin, self.believing))

    def test_anybody(self) -> None:
        """With insecure_skip_verify any certificate is accepted."""
        origin = self.origin(Authority.make("Another").identity("other.test"))
        self.asked(origin, TLSOptions(insecure_skip_verify=True))
        self.assertIn(b"GET / HTTP/1.1\r\n", origin.servers[0].received)

    def test_our_certificate(self) -> None:
        """An origin that asks for a client certificate is sent the configured one."""
        ours = Authority.make("Clients")
        identity = ours.identity("trickster.test")
        root = trustRootFromCertificates([Certificate.loadPEM(ours.certificate)])
        for tls in (self.believing, TLSOptions(insecure_skip_verify=True)):
            origin = self.origin(self.authority.identity("origin.test"), trustRoot=root)
            self.asked(origin, TLSOptions(
                tls.insecure_skip_verify, tls.certificate_authority_paths,
                self.file(identity.certificate + ours.certificate), self.file(identity.key)))
            self.assertEqual(origin.servers[0].peer_name, "CN=trickster.test")

    def test_cut_off(self) -> None:
        """A body without a length that ends without TLS saying so may have been cut."""
        origin = self.origin(self.authority.identity("origin.test"))
        asked = self.asked(origin, self.believing)
        origin.servers[0].transport.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        origin.flush()
        body = self.successResultOf(asked).body
        self.assertEqual(self.successResultOf(reading(body)), b"abc")
        origin.pumps[0].serverIO.disconnect_done = True
        origin.pumps[0].clientIO.reportDisconnect()
        self.failureResultOf(reading(body), UpstreamBroke)

    def test_handshake_that_hangs(self) -> None:
        """The timeout for connecting includes the TLS handshake."""
        origin = self.origin(self.authority.identity("origin.test"))
        origin.is_silent = True
        asked = self.asked(origin, self.believing)
        self.clock.advance(10)
        self.assertEqual(self.failureResultOf(asked).value.status, 504)
        self.assertEqual(self.client.stats.active, 0)


class FileTests(TLSCase):
    def problem(self, **options: Any) -> str:
        error = self.assertRaises(ConfigurationError, connection_creator,
                                  OriginURL.parse("https://origin.test"), TLSOptions(**options))
        return error.problems[0]

    def test_missing(self) -> None:
        """A missing file is named in the error."""
        said = self.problem(certificate_authority_paths=("/no/such/file.pem",))
        self.assertEqual(said, "/no/such/file.pem: " + os.strerror(ENOENT))

    def test_nothing_in_it(self) -> None:
        """A file without a certificate or key is named in the error."""
        path = self.file(b"hello")
        self.assertIn(path, self.problem(certificate_authority_paths=(path,)))
        self.assertIn(path, self.problem(client_cert_path=path, client_key_path=path))

    def test_garbage(self) -> None:
        """A file that only looks like a certificate is named in the error."""
        path = self.file(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        self.assertIn(path, self.problem(certificate_authority_paths=(path,)))

    def test_alone(self) -> None:
        """A certificate without its key, or a key without its certificate, is of no use."""
        identity = self.authority.identity("a")
        for name, octets in (("client_cert_path", identity.certificate),
                             ("client_key_path", identity.key)):
            path = self.file(octets)
            self.assertIn(path, self.problem(**{name: path}))

    def test_bad_key(self) -> None:
        """A key file that has no key is named in the error."""
        certificate = self.file(self.authority.identity("a").certificate)
        key = self.file(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        self.assertIn(key, self.problem(client_cert_path=certificate, client_key_path=key))

    def test_key_of_another(self) -> None:
        """A key that does not fit its certificate is refused when it is loaded."""
        certificate = self.file(self.authority.identity("a").certificate)
        key = self.file(self.authority.identity("a").key)
        for insecure in (True, False):
            self.assertIn("not the key of", self.problem(
                client_cert_path=certificate, client_key_path=key, insecure_skip_verify=insecure))

    def test_several(self) -> None:
        """A file may hold several authorities."""
        path = self.file(self.authority.certificate + Authority.make("B").certificate)
        origin = self.origin(self.authority.identity("origin.test"))
        self.asked(origin, TLSOptions(certificate_authority_paths=(path,)))
        self.assertIn(b"GET / HTTP/1.1\r\n", origin.servers[0].received)
