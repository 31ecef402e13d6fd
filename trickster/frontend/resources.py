"""An adapter for L{twisted.web}: its resources answer requests as responders do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from attrs import define, evolve, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.error import UnsupportedMethod
from twisted.web.http_headers import Headers as TwistedHeaders
from zope.interface import implementer

from trickster.bodies import BodyTooLarge, read_all
from trickster.errors import BadRequest, RequestTooLarge, UpstreamBroke
from trickster.http.h1.encoding import has_no_body
from trickster.http.hop_by_hop import response_headers
from trickster.interfaces import IBody, IResponder
from trickster.messages import Headers, Octets, Peer, Request, Response
from trickster.net.callbacks import ignore

# What a client may send to a resource, which gets it whole.
_MOST_BODY = 1 << 20
# Octets that wait for the client, above which a producer is paused, and from which on it is
# resumed.
_HIGH = 256 * 1024
_LOW = 64 * 1024
_GIVEN_UP = "the resource has closed the connection"


@implementer(IBody)
@define(eq=False)
class RenderedBody:
    """
    What a resource writes, as a body that is read.

    A producer is asked for more when the reader has nothing to read, and paused when much
    waits for it.  A resource that registers none may write as much as it likes at once.

    :ivar length: octets in all, None where the resource has not said it.
    :ivar has_ended: whether the resource has written all.
    :ivar _left: called when the reader leaves before the proper end.
    """

    _left: Callable[[], None]
    length: int | None = None
    has_ended: bool = False
    _pieces: deque[bytes] = field(factory=deque, init=False)
    _held: int = field(default=0, init=False)
    _producer: Any = field(default=None, init=False)
    _is_pushing: bool = field(default=False, init=False)
    _is_paused: bool = field(default=False, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)
    _is_broken: bool = field(default=False, init=False)
    _is_closed: bool = field(default=False, init=False)

    def taken(self) -> bytes:
        """:return: all that waits for a reader."""
        octets = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return octets

    def write(self, octets: bytes) -> None:
        """
        Octets follow.

        :param octets: kept as they are until they are read, however many; dropped where the
            reader has left.  A producer that pushes is paused above 256 KiB.
        """
        if not octets or self._is_closed:
            return
        self._pieces.append(octets)
        self._held += len(octets)
        self._wake()
        if self._held > _HIGH and self._is_pushing and not self._is_paused:
            self._is_paused = True
            self._producer.pauseProducing()

    def end(self, is_broken: bool = False) -> None:
        """
        No more follows.

        :param is_broken: whether this is not the proper end.
        """
        self._is_broken, self.has_ended = is_broken, True
        if not is_broken:
            self._left = ignore
        self._wake()

    def register(self, producer: Any, is_pushing: bool) -> None:
        """
        :param producer: writes from now on.
        :param is_pushing: whether it does so by itself, and not only when it is asked.
        """
        self._producer, self._is_pushing, self._is_paused = producer, is_pushing, False
        if self._is_closed:
            producer.stopProducing()
        else:
            self._wake()

    def unregister(self) -> None:
        """What writes from now on is no producer."""
        self._producer, self._is_pushing = None, False

    async def read(self) -> bytes:
        """
        :return: some octets, waiting for them if need be; C{b""} at the end.
        :raises UpstreamBroke: the resource gave up.
        """
        while not self._is_readable():
            # What a producer writes while it is asked has no reader yet that would ask again:
            # or each piece would be written within the writing of the one before.
            self.ask()
            if not self._is_readable():
                waiting: Deferred[None] = Deferred(self._unwanted)
                self._waiting = waiting
                await waiting
        if not self._pieces:
            if self._is_broken:
                raise UpstreamBroke(_GIVEN_UP)
            return b""
        piece = self._pieces.popleft()
        self._held -= len(piece)
        if self._is_paused and self._held <= _LOW:
            self.ask()
        return piece

    def close(self) -> None:
        """Read no more; the resource is told, unless it has written all."""
        if self._is_closed:
            return
        self._is_closed = True
        self.taken()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        left, self._left = self._left, ignore
        left()

    def _is_readable(self) -> bool:
        return bool(self._pieces) or self.has_ended

    def ask(self) -> None:
        """Have the producer write on: one that is asked each time, and one that was paused."""
        if self._producer is not None and (self._is_paused or not self._is_pushing):
            self._is_paused = False
            self._producer.resumeProducing()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _unwanted(self, _: Deferred[None]) -> None:
        self._waiting = None


@define(eq=False)
class RenderingChannel:
    """
    What L{twisted.web.http.Request} takes for its connection: the answer that it writes.

    :ivar peer: the client.
    :ivar site: finds resources.
    :ivar instead: what answers instead of the resource, where it leaves that to a responder.
    """

    peer: Peer
    site: server.Site
    instead: IResponder | None = field(default=None, init=False)
    _request: ResourceRequest | None = field(default=None, init=False)
    _body: RenderedBody = field(init=False)
    _head: Response | None = field(default=None, init=False)
    _error: Exception | None = field(default=None, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)

    @_body.default
    def _unwritten(self) -> RenderedBody:
        return RenderedBody(self._gone)

    @property
    def transport(self) -> RenderingChannel:
        """:return: itself: L{twisted.web.http.Request} looks for its transport here."""
        return self

    def render(self, request: Request, octets: bytes) -> None:
        """
        Have a resource render itself.

        :param octets: the body of the request.
        """
        self._request = rendered = ResourceRequest(self, parsePOSTFormSubmission=True)
        rendered.receive(request, octets)

    async def response(self) -> Response:
        """
        :return: the answer, once its head is there.  Being cancelled tells the resource that
            the client has gone.
        :raises UpstreamBroke: the resource gave up.
        """
        while not self._is_known():
            self._body.ask()
            if not self._is_known():
                waiting: Deferred[None] = Deferred(self._unwanted)
                self._waiting = waiting
                await waiting
        error, self._error = self._error, None
        if self._head is None:
            self._gone()
            assert error is not None
            raise error
        is_whole = self._body.has_ended and error is None
        return evolve(self._head, body=Octets(self._body.taken()) if is_whole else self._body)

    def _is_known(self) -> bool:
        return self._head is not None or self._error is not None

    def wake(self) -> None:
        """The head of the answer may be known, and what was to be written with it is."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _unwanted(self, _: Deferred[None]) -> None:
        self._waiting = None
        self._body.close()

    def _gone(self) -> None:
        """The client is not there any more."""
        request, self._request = self._request, None
        if request is not None:
            request.connectionLost(Failure(ConnectionLost()))

    # What a request of twisted.web asks of its connection.

    def getPeer(self) -> IPv4Address | IPv6Address:
        """:return: the address of the client."""
        return _address(self.peer.host, self.peer.port)

    def getHost(self) -> IPv4Address | IPv6Address:
        """:return: the port that the request came in on; at which address is not known."""
        return _address("", self.peer.local_port)

    def isSecure(self) -> bool:
        """:return: whether the request came over TLS."""
        return self.peer.secure

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes,
                     headers: TwistedHeaders) -> None:
        """
        The head of the answer is known; called once, with the first octets of the body or,
        where there are none, at its end.

        :param version: not looked at: the client's is for the frontend to answer.
        :param code: the status, in digits.
        :param reason: the reason phrase.
        :param headers: fields that concern one connection are left out; the length that they
            state, if it is one, becomes that of the body.
        """
        request, status = self._request, int(code)
        assert request is not None
        fields = Headers(tuple((name, value) for name, values in headers.getAllRawHeaders()
                               for value in values))
        is_bare = has_no_body(request.method, status)
        length = fields.get(b"content-length")
        if length is not None and length.isdigit() and not is_bare:
            self._body.length = int(length)
        self._head = Response(status, response_headers(fields, not is_bare), phrase=reason)

    def write(self, octets: bytes) -> None:
        """
        Octets of the body follow.

        :param octets: without framing; see L{ResourceRequest.write}.
        """
        self._body.write(octets)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        A producer writes the body from now on; it is stopped when the client goes.

        :param producer: an C{IPushProducer}, or an C{IPullProducer} where it does not stream.
        :param streaming: whether it writes by itself until it is paused; else it is asked for
            each piece, when one is read.
        """
        self._body.register(producer, streaming)
        self.wake()

    def unregisterProducer(self) -> None:
        """No producer writes any more."""
        self._body.unregister()

    def requestDone(self, request: server.Request) -> None:
        """
        The answer is whole.

        :param request: the one that was rendered; it is not told any more of a client that
            goes.
        """
        self._request = None
        self._body.end()
        self.wake()

    def loseConnection(self) -> None:
        """The resource gives the answer up."""
        self._error = UpstreamBroke(_GIVEN_UP)
        self._body.end(is_broken=True)
        self.wake()

    abortConnection = forceAbortClient = loseConnection

    def _respondToBadRequestAndDisconnect(self) -> None:
        """The form that a client has sent cannot be read."""
        self._error = BadRequest("the form cannot be read")
        self.wake()


@define
class _NamingMethods:
    """Renders as a resource does; to other methods than it knows, it answers which it knows."""

    _resource: Any

    def render(self, request: server.Request) -> Any:
        """:return: as L{IResource.render}."""
        try:
            return self._resource.render(request)
        except UnsupportedMethod as error:
            if request.method == b"HEAD" and b"GET" in error.allowedMethods:
                raise
            request.setResponseCode(405)
            request.setHeader(b"Allow", b", ".join(error.allowedMethods))
            request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
            return b"method not allowed\n"


class ResourceRequest(server.Request):
    """A request as L{twisted.web.resource.IResource} providers expect it."""

    channel: Any

    def receive(self, request: Request, octets: bytes) -> None:
        """
        Find the resource, and have it render itself.

        :param octets: the body of the request.
        """
        for name, value in request.headers:
            self.requestHeaders.addRawHeader(name, value)
        self.content = BytesIO()
        self.content.write(octets)
        self.parseCookies()
        self.requestReceived(request.method, request.target, request.version)

    def respond_with(self, responder: IResponder) -> None:
        """
        Leave the answer to a responder.

        :param responder: asked once rendering has returned, with the client's own request,
            whose body is here whole.  What the resource itself has written is not sent.
        """
        self.channel.instead = responder

    def process(self) -> None:
        """Find the resource, and render it."""
        self.site = self.channel.site
        self.prepath = []
        self.postpath = [unquote_to_bytes(part) for part in self.path[1:].split(b"/")]
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:  # noqa: BLE001 - a resource may be a plugin's
            self.processingFailed(Failure())

    def render(self, resrc: Any) -> None:
        """
        Have a resource make the answer; one that does not know the method is a 405
        (RFC 9110 section 15.5.6).

        :param resrc: an C{IResource}.
        """
        super().render(_NamingMethods(resrc))

    def write(self, data: bytes) -> None:
        """
        Write octets of the body, after the head where it is not written yet.

        :param data: without framing: how its end is told is not for a resource to see to.
        """
        version, self.clientproto, channel = self.clientproto, b"HTTP/1.0", self.channel
        try:
            super().write(data)
        finally:
            self.clientproto = version
        if channel is not None:
            channel.wake()


@implementer(IResponder)
@define
class ResourceResponder:
    """
    Has requests answered by a tree of L{twisted.web} resources.

    :ivar site: finds the resource of a request.
    """

    site: server.Site

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.  The body of the request is read first.

        :raises RequestTooLarge: it has more than a mebibyte.
        """
        try:
            octets = bytes(await read_all(request.body, _MOST_BODY))
        except BodyTooLarge as error:
            raise RequestTooLarge("the request body is too large") from error
        channel = RenderingChannel(request.peer, self.site)
        channel.render(request, octets)
        if channel.instead is not None:
            return await channel.instead.respond(request.with_body(Octets(octets)))
        return await channel.response()


def _address(host: str, port: int) -> IPv4Address | IPv6Address:
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, port)
