"""A connection in memory: a client, a listener's site, and a clock."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from zope.interface import implementer

from trickster.frontend.connection import ClientConnection
from trickster.frontend.limits import ListenerLimits
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ResponderResource
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.testing.bodies import PausedBody
from trickster.testing.transports import MemoryTransport

# 2026-01-02 03:04:05 UTC
NOW = 1767323045
DATE = b"Fri, 02 Jan 2026 03:04:05 GMT"


@define
class Counted:
    """Connection events, in order."""

    events: list[str] = field(factory=list)

    def opened(self) -> None:
        self.events.append("opened")

    def ended(self) -> None:
        self.events.append("ended")

    def refused(self) -> None:
        self.events.append("refused")


class Connection:
    """A client's view."""

    def __init__(self, served: IResponder | IResource, limits: ListenerLimits | None = None,
                 clock: Clock | None = None, site: ProxySite | None = None,
                 peer: IAddress | None = None) -> None:
        self.clock = clock or Clock()
        if clock is None:
            self.clock.advance(NOW)
        resource = ResponderResource(served) if IResponder.providedBy(served) else served
        self.site = site or ProxySite(resource, self.clock, limits)
        self.transport = MemoryTransport(peerAddress=peer)
        channel = self.site.buildProtocol(None)
        assert isinstance(channel, ClientConnection)
        self.channel = self.transport.protocol = channel
        self.channel.makeConnection(self.transport)

    def send(self, *pieces: bytes) -> None:
        """The client sends these, each by itself."""
        for piece in pieces:
            self.channel.dataReceived(piece)

    def received(self) -> bytes:
        """What the client has got since it last looked."""
        return self.transport.written()

    def exchange(self, *pieces: bytes) -> bytes:
        """Send, and see what comes back."""
        self.send(*pieces)
        return self.received()

    def leave(self) -> None:
        """The client goes away."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def ending(self) -> str:
        return self.transport.ending

    @property
    def is_reading(self) -> bool:
        """Whether the connection is being read from."""
        return self.transport.producerState == "producing"


def lose(connection: Connection) -> None:
    """The client goes away, and the transport forgets the protocol, as real ones do."""
    connection.leave()
    del connection.transport.protocol
    connection.transport.producer = None


@implementer(IResponder)
class Echo:
    """Answers with method, target and body, read to its end."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def respond(self, request: Request) -> Response:
        self.requests.append(request)
        body = b""
        while piece := await request.body.read():
            body += bytes(piece)
        return Response(200, body=Octets(b"%b %b %b" % (request.method, request.target, body)))


@implementer(IResponder)
class Streaming:
    """Answers 200 with a body that the test feeds."""

    def __init__(self, length: int | None = None, status: int = 200,
                 headers: Headers | None = None) -> None:
        self.body = PausedBody(length)
        self.response = Response(status, headers or Headers(), self.body)

    async def respond(self, request: Request) -> Response:
        return self.response


def get(target: bytes = b"/", *fields: bytes) -> bytes:
    """A plain request."""
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: h", *fields, b"", b""])


def post(body: bytes, *fields: bytes, target: bytes = b"/") -> bytes:
    """A request with a body of a known length."""
    return b"\r\n".join([b"POST %b HTTP/1.1" % target, b"Host: h",
                         b"Content-Length: %d" % len(body), *fields, b"", body])


def answers(octets: bytes) -> list[tuple[int, bytes]]:
    """Status and body of answers that tell their length."""
    found = []
    while octets:
        head, _, octets = octets.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        lengths = [int(line[15:]) for line in lines if line.lower().startswith(b"content-length")]
        length = lengths[0] if lengths else 0
        found.append((int(lines[0].split()[1]), octets[:length]))
        octets = octets[length:]
    return found
