"""An origin in memory, which sends and closes when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.http.origin_url import OriginURL
from trickster.messages import NO_HEADERS, Headers, Octets, Pair, Peer, Request, Response
from trickster.testing.transports import MemoryTransport
from trickster.upstream.client import UpstreamClient
from trickster.upstream.h1.connection import Connection
from trickster.upstream.options import UpstreamOptions

PLACE = IPv4Address("TCP", "127.0.0.1", 9090)


class Wire(MemoryTransport):
    """The client's end of a connection, and what the origin does at the other end."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = True

    def abortConnection(self) -> None:
        """The client gave up."""
        self.disconnected = True
        self._lose(ConnectionLost())

    def _lose(self, reason: Exception) -> None:
        if self.is_open:
            self.is_open = False
            self.protocol.connectionLost(Failure(reason))

    # What the origin does.

    def sends(self, *portions: bytes) -> None:
        """Octets arrive, in these portions."""
        for portion in portions:
            if self.is_open:
                self.protocol.dataReceived(portion)

    def closes(self) -> None:
        """The origin closes the connection in an orderly way."""
        self._lose(ConnectionDone())

    def resets(self) -> None:
        """The connection breaks."""
        self._lose(ConnectionLost())

    def asked(self) -> bytes:
        """:return: what was written since the last time."""
        return self.written()


@implementer(IStreamClientEndpoint)
@define(eq=False)
class ScriptedOrigin:
    """
    Accepts connections at once, or when and how a test says.

    :ivar wires: all connections so far.
    :ivar refusal: what connecting fails with, if anything.
    :ivar hesitates: whether connecting waits for L{accept}.
    """

    wires: list[Wire] = field(factory=list)
    refusal: Exception | None = None
    hesitates: bool = False
    waiting: list[tuple[Deferred[Any], Any]] = field(factory=list)
    cancelled: int = 0

    def __call__(self) -> ScriptedOrigin:
        """The connector of a client."""
        return self

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Connect as an endpoint does."""
        connecting: Deferred[Any] = Deferred(self._cancel)
        if self.hesitates:
            self.waiting.append((connecting, protocolFactory))
        elif self.refusal is not None:
            connecting.errback(self.refusal)
        else:
            connecting.callback(self._connected(protocolFactory))
        return connecting

    def accept(self) -> Wire:
        """The connection asked for first is made."""
        connecting, factory = self.waiting.pop(0)
        connecting.callback(self._connected(factory))
        return self.wires[-1]

    def refuse(self, error: Exception) -> None:
        """The connection asked for first is refused."""
        self.waiting.pop(0)[0].errback(error)

    def _connected(self, factory: Any) -> Any:
        protocol = factory.buildProtocol(PLACE)
        wire = Wire()
        wire.protocol = protocol
        self.wires.append(wire)
        protocol.makeConnection(wire)
        return protocol

    def _cancel(self, connecting: Deferred[Any]) -> None:
        self.cancelled += 1
        self.waiting = [entry for entry in self.waiting if entry[0] is not connecting]
        connecting.errback(ConnectingCancelledError(PLACE))

    @property
    def wire(self) -> Wire:
        """The newest connection."""
        return self.wires[-1]


class Keeper:
    """Owns a connection, and remembers what became of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def released(self, connection: Connection) -> None:
        self.said.append("released")

    def dropped(self, connection: Connection) -> None:
        self.said.append("dropped")

    def closed(self, connection: Connection) -> None:
        self.said.append("closed")


def a_request(method: bytes = b"GET", target: bytes = b"/", *fields: Pair, body: Any = None,
              interim: Callable[[int, Headers], None] | None = None) -> Request:
    """:return: a request from no client in particular."""
    return Request(method, target, Headers(fields) if fields else NO_HEADERS,
                   Octets() if body is None else body, b"proxy.test", Peer(), interim=interim)


def a_client(origin: ScriptedOrigin, clock: Clock, url: str = "http://origin.test:9090",
             **options: Any) -> UpstreamClient:
    """:return: a client of a scripted origin."""
    return UpstreamClient(OriginURL.parse(url), UpstreamOptions(**options), origin, clock,
                          lambda: 0.0)


def answering(client: UpstreamClient, request: Request) -> Deferred[Response]:
    """:return: the answer, or the wait for it."""
    return Deferred.fromCoroutine(client.respond(request))


def reading(body: Any) -> Deferred[bytes]:
    """:return: the next octets of a body, or the wait for them."""

    async def read() -> bytes:
        return bytes(await body.read())

    return Deferred.fromCoroutine(read())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ClientCase(SynchronousTestCase):
    """A client, its origin and its clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.origin = ScriptedOrigin()
        self.client = a_client(self.origin, self.clock)

    def asked(self, request: Request | None = None) -> Deferred[Response]:
        return answering(self.client, request or a_request())

    def answered(self, *portions: bytes, request: Request | None = None) -> Response:
        asked = self.asked(request)
        self.origin.wire.sends(*portions)
        return self.successResultOf(asked)

    def whole(self, body: Any) -> bytes:
        found = b""
        while octets := self.successResultOf(reading(body)):
            found += octets
        return found

    def at_rest(self, idle: int = 0) -> None:
        stats = self.client.stats
        self.assertEqual((stats.active, stats.idle, stats.waiting), (0, idle, 0))
