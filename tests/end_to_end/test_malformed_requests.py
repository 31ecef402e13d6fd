"""Malformed and hostile requests, over real sockets: a definite answer, then the end."""

from __future__ import annotations

import socket
from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from trickster.frontend.limits import ListenerLimits
from trickster.frontend.listening.listener import Listener
from trickster.frontend.listening.ports import bound
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ResponderResource
from trickster.http.h1.head_reader import HeadLimits
from trickster.interfaces import IResponder
from trickster.messages import Octets, Request, Response

# Sent behind each malformed request: it must never be served.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
HOST = b"Host: h\r\n"
BIG = 10 << 20

LINES = [
    (b"GET /\r\n", 400), (b"GET / HTTP/0.9\r\n\r\n", 505), (b"GET / HTTP/2.0\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), (b"GET / http/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1.1\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1 \r\n\r\n", 400), (b"GET /a b HTTP/1.1\r\n\r\n", 400),
    (b"GET\t/\tHTTP/1.1\r\n\r\n", 400), (b"GE\x00T / HTTP/1.1\r\n\r\n", 400),
    (b"G@T / HTTP/1.1\r\n\r\n", 400), (b"/ HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00", 400),
    (b"GET / HTTP/1.1\nHost: h\n\n", 400), (b"GET / HTTP/1.1\rHost: h\r\r", 400),
    (b"GET /\xc3\xa9\x7f HTTP/1.1\r\n\r\n", 400), (b"GET /#x HTTP/1.1\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\n\r\n", 400), (b"GET x HTTP/1.1\r\n\r\n", 400),
    (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 501), (b"\r\n\r\nGET / HTTP/1.1\r\n", 400),
    (b"GET gopher://h/ HTTP/1.1\r\n\r\n", 400), (b"GET http://u:p@h/ HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"a" * (128 << 10), 414),
]

FIELDS = [
    (b"", 400), (b"Host: h\r\nHost: h\r\n", 400), (b"Host: a b\r\n", 400), (b"Host:\r\n", 400),
    (b"Host: h/x\r\n", 400), (b"Host : h\r\n", 400), (b" Host: h\r\n", 400),
    (HOST + b"X: a\r\n b\r\n", 400), (HOST + b"X y: a\r\n", 400), (HOST + b": a\r\n", 400),
    (HOST + b"X\r\n", 400), (HOST + b"X: a\x00b\r\n", 400), (HOST + b"X: a\rb\r\n", 400),
    (HOST + b"X: a\nb\r\n", 400), (HOST + b"X\xff: a\r\n", 400), (HOST + b"X: \x1b\r\n", 400),
    (HOST + b"Expect: miracles\r\n", 417), (HOST + b"X: " + b"a" * (80 << 10) + b"\r\n", 431),
    (HOST + b"X: a\r\n" * 300, 431),
]

FRAMINGS = [
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n", 400),
    (b"Content-Length: 5\r\nContent-Length: 5", b"hello", 400),
    (b"Content-Length: 5\r\nContent-Length: 6", b"hello", 400), (b"Content-Length: 5, 5", b"", 400),
    (b"Content-Length: +5", b"hello", 400), (b"Content-Length: -5", b"", 400),
    (b"Content-Length: 0x5", b"hello", 400), (b"Content-Length: 5 5", b"", 400),
    (b"Content-Length:", b"", 400), (b"Content-Length: " + b"9" * 5000, b"", 413),
    (b"Content-Length: %d" % (BIG + 1), b"", 413), (b"Transfer-Encoding: identity", b"", 400),
    (b"Transfer-Encoding: gzip, chunked", b"", 501), (b"Transfer-Encoding: chunked, gzip", b"", 400),
    (b"Transfer-Encoding: chunked, chunked", b"", 400), (b"Transfer-Encoding: xchunked", b"", 400),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"", 400),
    (b"Transfer-Encoding:\x0bchunked", b"", 400), (b"Transfer-Encoding : chunked", b"", 400),
    (b"Transfer-Encoding:\r\n chunked", b"", 400), (b"Transfer-Encoding: \"chunked\"", b"", 400),
]

CHUNKS = [
    b"5\nhello\r\n", b"5\r\nhello\n", b"5\r\nhelloX\r\n", b"x\r\n", b"-1\r\n", b"+5\r\nhello\r\n",
    b"0x5\r\nhello\r\n", b" 5\r\nhello\r\n", b"5 \r\nhello\r\n", b"\r\n", b"5;\r\nhello\r\n",
    b"5;a=\"b\r\nhello\r\n", b"5;a\x00\r\nhello\r\n", b"1" * 20 + b"\r\n", b"5;" + b"a" * 4096,
    b"5;a\nb\r\nhello\r\n", b"0\n\n", b"0\r\nX\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX : y\r\n\r\n",
    b"0\r\nX: a\x00\r\n\r\n", b"0\r\nX: y\n\r\n",
]


class RawClient(Protocol):
    """Keeps what it receives until the connection ends."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[None] = Deferred()
        self.is_clean = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.is_clean = reason.check(ConnectionDone) is not None
        self.ended.callback(None)


@implementer(IResponder)
class Reader:
    """Reads every body, answers with its length, and notes targets."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.held: Deferred[None] | None = None

    async def respond(self, request: Request) -> Response:
        self.targets.append(request.target)
        if self.held is not None:
            await self.held
        size = 0
        while piece := await request.body.read():
            size += len(piece)
        return Response(200, body=Octets(b"%d" % size if size < BIG else bytes(size)))


class ListenerCase(TestCase):
    """A listener on a free port."""

    limits = ListenerLimits(head=HeadLimits(line=100 << 10), header_timeout=60, idle_timeout=60)

    def setUp(self) -> None:
        self.reader = Reader()
        self.listener = self.listening(self.limits)

    def listening(self, limits: ListenerLimits, drain_timeout: float = 0.2) -> Listener:
        site = ProxySite(ResponderResource(self.reader), reactor, limits)  # type: ignore[arg-type]
        listener = Listener(reactor, site, partial(bound, "127.0.0.1", 0), drain_timeout)
        listener.privilegedStartService()
        listener.startService()
        self.addCleanup(listener.stopService)
        return listener

    async def connect(self, listener: Listener | None = None) -> RawClient:
        port = (listener or self.listener).address.port
        return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), RawClient())

    async def sent(self, octets: bytes, listener: Listener | None = None) -> RawClient:
        """Send octets, and wait for the listener to end the connection."""
        client = await self.connect(listener)
        client.transport.write(octets)
        await client.ended
        self.assertTrue(client.is_clean, octets[:200])
        return client

    async def refused(self, octets: bytes, expected: int) -> None:
        client = await self.sent(octets + SMUGGLED)
        line = client.received.partition(b"\r\n")[0]
        self.assertTrue(line.startswith(b"HTTP/1.1 %d " % expected), (octets[:200], line))
        self.assertEqual(client.received.count(b"HTTP/1.1 "), 1, octets[:200])
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertEqual([t for t in self.reader.targets if t == b"/smuggled"], [])


class MalformedTests(ListenerCase):
    """Malformed requests, each of which gets one definite response and no reset."""

    async def test_request_lines(self) -> None:
        """A malformed request line is refused (RFC 9112 section 3)."""
        for octets, expected in LINES:
            await self.refused(octets, expected)
        self.assertEqual(self.reader.targets, [])

    async def test_fields(self) -> None:
        """A malformed header field is refused (RFC 9112 section 5)."""
        for fields, expected in FIELDS:
            await self.refused(b"GET / HTTP/1.1\r\n" + fields + b"\r\n", expected)
        self.assertEqual(self.reader.targets, [])

    async def test_framing(self) -> None:
        """A malformed length or transfer coding is refused (RFC 9112 section 6)."""
        for fields, body, expected in FRAMINGS:
            head = b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n\r\n"
            await self.refused(head + body, expected)
        self.assertEqual(self.reader.targets, [])

    async def test_old_version_chunked(self) -> None:
        """An HTTP/1.0 request with a transfer coding is refused."""
        await self.refused(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)

    async def test_chunks(self) -> None:
        """
        A malformed chunked body is refused, at once or after its header (RFC 9112 section 7.1).
        """
        head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        for body in CHUNKS:
            await self.refused(head + body, 400)
        self.assertEqual(self.reader.targets, [])

    async def test_chunks_after_the_head(self) -> None:
        """A malformed chunked body is refused also if the responder has begun already."""
        head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        for body in CHUNKS:
            client = await self.connect()
            client.transport.write(head)
            await deferLater(reactor, 0.005)
            client.transport.write(body + SMUGGLED)
            await client.ended
            self.assertTrue(client.received.startswith(b"HTTP/1.1 400 "), body)
        self.assertNotIn(b"/smuggled", self.reader.targets)

    async def test_slow_head(self) -> None:
        """A header that arrives too slowly is given up."""
        client = await self.connect(self.listening(ListenerLimits(header_timeout=0.3)))
        for octet in b"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
            client.transport.write(bytes([octet]))
            await deferLater(reactor, 0.02)
            if client.ended.called:
                break
        await client.ended
        self.assertTrue(client.received.startswith(b"HTTP/1.1 408 "))

    async def test_refused_upload_is_no_reset(self) -> None:
        """A client that goes on sending a refused body gets the 413 all the same."""
        client = await self.sent(b"POST / HTTP/1.1\r\n" + HOST
                                 + b"Content-Length: %d\r\n\r\n" % (BIG + 1) + bytes(500_000))
        self.assertTrue(client.received.startswith(b"HTTP/1.1 413 "))


class GoodTests(ListenerCase):
    """Requests that are allowed, however odd they look."""

    async def test_allowed(self) -> None:
        """Unusual requests that are well-formed are served."""
        for octets in (
            b"\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            b"GET http://other:80/ HTTP/1.1\r\nHost: h\r\nConnection: CLOSE\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.2\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
            b"BREW / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n",
            b"GET /?" + b"q" * 65536 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            b"POST / HTTP/1.0\r\nContent-Length: 05\r\n\r\nhello",
        ):
            client = await self.sent(octets)
            self.assertTrue(client.received.startswith(b"HTTP/1.1 200 "), octets[:80])

    async def test_chunked(self) -> None:
        """A chunked body may have extensions and trailers."""
        client = await self.sent(
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n"
            b"5;a=\"b;\\\"c\"\r\nhello\r\n0\r\nX: y\r\n\r\n")
        self.assertTrue(client.received.endswith(b"\r\n\r\n5"))

    async def test_pipelined(self) -> None:
        """Pipelined requests are answered in order."""
        one = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
        octets = b"".join(one % number for number in range(200))
        client = await self.sent(octets + b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(client.received.count(b"HTTP/1.1 200 OK"), 201)
        self.assertEqual(self.reader.targets[:200], [b"/%d" % number for number in range(200)])

    async def test_large_both_ways(self) -> None:
        """Bodies of 10 MiB arrive whole in both directions."""
        client = await self.sent(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                                 b"Content-Length: %d\r\n\r\n" % BIG + bytes(BIG))
        head, _, body = client.received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % BIG, head)
        self.assertEqual(len(body), BIG)


class ListenerTests(ListenerCase):
    """Listeners from start to stop."""

    async def test_port_taken(self) -> None:
        """A port in use makes the start fail."""
        port = self.listener.address.port
        other = Listener(reactor, self.listener.site, partial(bound, "127.0.0.1", port))
        self.assertRaises(CannotListenError, other.privilegedStartService)

    async def test_connections_limit(self) -> None:
        """A connection above the limit waits in the backlog and is served when there is room."""
        listener = self.listening(ListenerLimits(connections=1))
        first = await self.connect(listener)
        waiting = await self.connect(listener)
        waiting.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await deferLater(reactor, 0.1)
        self.assertEqual((waiting.received, listener.site.connections), (b"", 1))
        first.transport.loseConnection()
        await first.ended
        await waiting.ended
        self.assertTrue(waiting.received.startswith(b"HTTP/1.1 200 "))

    async def test_stopped_at_the_limit(self) -> None:
        """A listener at its limit stops like any other, and can be started again."""
        listener = self.listening(ListenerLimits(connections=1), drain_timeout=0.1)
        first = await self.connect(listener)
        waiting = await self.connect(listener)
        await deferLater(reactor, 0.1)
        await listener.stopService()
        await first.ended
        await waiting.ended
        self.assertEqual(waiting.received, b"")
        listener.startService()
        served = await self.sent(b"GET / HTTP/1.0\r\n\r\n", listener)
        self.assertTrue(served.received.startswith(b"HTTP/1.1 200 "))

    async def test_drain(self) -> None:
        """A stop closes idle connections, refuses new ones, and lets requests end."""
        self.reader.held = Deferred()
        listener = self.listening(ListenerLimits(), drain_timeout=5)
        idle, busy = await self.connect(listener), await self.connect(listener)
        busy.transport.write(b"GET /busy HTTP/1.1\r\nHost: h\r\n\r\n")
        while b"/busy" not in self.reader.targets:
            await deferLater(reactor, 0.01)
        port = listener.address.port
        stopped = listener.stopService()
        await idle.ended
        with socket.socket() as late:
            self.assertNotEqual(late.connect_ex(("127.0.0.1", port)), 0)
        self.assertFalse(stopped.called)
        self.reader.held.callback(None)
        await busy.ended
        self.assertIn(b"Connection: close", busy.received)
        await stopped

    async def test_drain_timeout(self) -> None:
        """A request that does not end within the drain timeout is cut off."""
        self.reader.held = Deferred()
        listener = self.listening(ListenerLimits(), drain_timeout=0.1)
        busy = await self.connect(listener)
        busy.transport.write(b"GET /busy HTTP/1.1\r\nHost: h\r\n\r\n")
        while b"/busy" not in self.reader.targets:
            await deferLater(reactor, 0.01)
        await listener.stopService()
        await busy.ended
        self.assertEqual(listener.site.connections, 0)

    async def test_client_leaves(self) -> None:
        """A client that leaves cancels its request."""
        cancelled: Deferred[None] = Deferred()
        self.reader.held = Deferred(lambda _: cancelled.callback(None))
        client = await self.connect()
        client.transport.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while not self.reader.targets:
            await deferLater(reactor, 0.01)
        client.transport.loseConnection()
        await cancelled
        await client.ended
