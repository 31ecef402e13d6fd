"""Asks other services on the side, such as an origin how it is: not for a client of ours."""

from __future__ import annotations

from typing import Any, cast

from attrs import define, field
from OpenSSL import SSL
from service_identity import VerificationError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers as WebHeaders
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from trickster.errors import Overloaded, UpstreamBroke, UpstreamMalformed
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IResponder
from trickster.messages import NO_HEADERS, Headers, Octets, Request, Response, octets_of
from trickster.upstream.connecting.cancelling import promptly
from trickster.upstream.connecting.endpoints import Connector
from trickster.upstream.connecting.failures import unreachable
from trickster.upstream.forwarding.fields import request_fields
from trickster.upstream.options import UpstreamOptions

# Seconds that a connection may take to close in an orderly way.
_GRACE = 1.0


@implementer(IResponder)
@define(eq=False)
class SideClient:
    """
    The way to a service that is asked now and then, built on C{treq}.

    Each request has a connection of its own, which is closed with the answer: nothing waits
    for, or takes, the connections that requests of clients need, and nothing is kept.
    Redirects are answers like any other, there are no cookies, and nothing is asked for in a
    coding or decoded.  How long an answer may take is for the caller to say, who cancels.

    :ivar connector: makes an endpoint of the service; called for each request.
    :ivar largest: octets of a body that are read.  A longer one is cut somewhere after that,
        so that its length still shows that it is too long.
    """

    origin: OriginURL
    options: UpstreamOptions
    connector: Connector
    clock: IReactorTime
    largest: int = 1 << 20
    _asking: set[Deferred[Response]] = field(factory=set, init=False)
    _open: set[_Connection] = field(factory=set, init=False)
    _is_stopped: bool = field(default=False, init=False)

    async def respond(self, request: Request) -> Response:
        """
        Ask once.  Nothing is repeated.

        :param request: its body is whole, and its target a path.
        :return: the answer, read to its end, or to where it is cut.
        :raises UpstreamUnreachable: there is no connection, or it cannot be trusted.
        :raises UpstreamTimeout: there is no connection in time.
        :raises UpstreamBroke: the connection ended before the answer.
        :raises UpstreamMalformed: the answer is not valid HTTP, or its head is too large.
        :raises Overloaded: the client has been stopped, or the process has no descriptor left.
        """
        if self._is_stopped:
            raise Overloaded("the proxy is being stopped")
        asking = Deferred.fromCoroutine(self._ask(request))
        self._asking.add(asking)
        try:
            return await asking
        except CancelledError as error:
            if self._is_stopped:
                raise Overloaded("the proxy is being stopped") from error
            raise
        finally:
            self._asking.discard(asking)

    def stop(self) -> Deferred[None]:
        """
        Give up what is being asked, and take no more.

        :return: has fired: all connections are closed at once.
        """
        self._is_stopped = True
        for asking in list(self._asking):
            asking.cancel()
        for connection in list(self._open):
            connection.abort()
        return succeed(None)

    async def _ask(self, request: Request) -> Response:
        way = _Way(self.origin, self.connector(), self.options, self.clock, self._open)
        pool = HTTPConnectionPool(self.clock, persistent=False)
        agent = Agent.usingEndpointFactory(self.clock, way, pool)
        verbatim = _Verbatim(agent, self._url(request), self._fields(request))
        client = HTTPClient(verbatim, data_to_body_producer=_Whole)
        try:
            answer = await promptly(client.request(
                request.method.decode("ascii"), str(self.origin),
                data=octets_of(request.body) or None, allow_redirects=False, unbuffered=True,
                # Else the global one is imported, even where nothing is timed with it.
                reactor=cast(Any, self.clock)))
            way.has_answered()
            body = await _collected(answer, self.largest, way)
        except Exception as error:  # of any kind: no connection stays open
            way.abort()
            explained = self._explained(error, way.fault)
            if explained is error:
                raise
            raise explained from error
        way.close()
        return Response(answer.code, verbatim.headers, Octets(body), phrase=answer.phrase)

    def _url(self, request: Request) -> bytes:
        origin = self.origin
        return b"%b://%b%b%b" % (origin.scheme.encode("ascii"), origin.authority, origin.prefix,
                                 request.target)

    def _fields(self, request: Request) -> WebHeaders:
        fields = WebHeaders()
        for name, value in request_fields(request, self.origin.authority,
                                          self.options.forwarded_headers,
                                          self.options.server_name):
            fields.addRawHeader(name, value)
        return fields

    def _explained(self, error: Exception, fault: str) -> Exception:
        """:return: the error in our words, where it is one of the service or of the network."""
        if fault:
            return UpstreamMalformed(fault)
        if not isinstance(error, RequestTransmissionFailed | ResponseFailed):
            return error
        reasons = [failure.value for failure in error.reasons]
        for reason in reasons:
            if isinstance(reason, SSL.Error | VerificationError):
                return unreachable(self.origin, reason)
        if any(isinstance(reason, ConnectionClosed) for reason in reasons):
            return UpstreamBroke("the origin closed the connection without answering whole")
        return UpstreamMalformed("; ".join(f"{type(reason).__name__} {reason}".rstrip()
                                           for reason in reasons))


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
@define(eq=False)
class _Way:
    """
    Connects for one request.

    :ivar connections: those that are open, this one's among them.
    """

    origin: OriginURL
    endpoint: IStreamClientEndpoint
    options: UpstreamOptions
    clock: IReactorTime
    connections: set[_Connection]
    _connection: _Connection | None = field(default=None, init=False)

    def endpointForURI(self, uri: URI) -> _Way:
        """
        :param uri: of the request; not looked at, since there is but one service.
        :return: this, which connects to it.
        """
        return self

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect, within C{connect_timeout} seconds.

        :param protocolFactory: of Twisted's client.  What its protocol gets is bounded until the
            head of the answer is there.
        :return: fires with the protocol of that factory; fails with L{UpstreamUnreachable},
            L{UpstreamTimeout} or, where the process has no descriptor left, L{Overloaded}.
            Cancelling it gives up at once; a connection that comes all the same is closed.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        wrapping = _Wrapping(factory, self.options.max_response_header_bytes, self.clock,
                             self.connections)
        connecting = promptly(self.endpoint.connect(wrapping), _abort)
        connecting.addTimeout(self.options.connect_timeout, self.clock)
        try:
            made = cast(_Connection, await connecting)
        except CancelledError:
            raise
        except Exception as error:  # endpoints and resolvers raise what they like
            raise unreachable(self.origin, error) from error
        self._connection = made
        inner: IProtocol = made.wrappedProtocol
        return inner

    def has_answered(self) -> None:
        """The head of the answer is there: how much more there is is bounded elsewhere."""
        if self._connection is not None:
            self._connection.left = None

    @property
    def fault(self) -> str:
        """
        :return: why the connection was given up from this side, in words; empty where it was not,
            or where there is none.
        """
        return "" if self._connection is None else self._connection.fault

    @property
    def is_broken(self) -> bool:
        """:return: whether the connection has ended, and not in an orderly way."""
        return self._connection is not None and self._connection.is_broken

    def abort(self) -> None:
        """Close the connection at once, if there is one."""
        if self._connection is not None:
            self._connection.abort()

    def close(self) -> None:
        """Close the connection in an orderly way, but soon."""
        if self._connection is not None:
            self._connection.close()


class _Connection(ProtocolWrapper):
    """
    A connection of Twisted's client, with a bound on the head of the answer.

    :ivar left: octets that may still come; None for any number.
    :ivar fault: why it was given up, or an empty string.
    :ivar is_broken: whether it has ended, and not in an orderly way.
    """

    factory: _Wrapping
    left: int | None
    fault = ""
    is_broken = False
    _closing: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The connection is there."""
        self.left = self.factory.largest_head
        self.factory.connections.add(self)
        super().connectionMade()

    def dataReceived(self, octets: bytes) -> None:
        """
        Pass octets on, unless there are too many of a head.

        :param octets: from the service.
        """
        left = self.left
        if left is not None and len(octets) > left:
            # The head may end within what is left, and the body follow.
            super().dataReceived(octets[:left])
            if self.left is not None:
                self.fault = "a response head larger than can be taken"
                self.abort()
                return
            octets = octets[left:]
        elif left is not None:
            self.left = left - len(octets)
        super().dataReceived(octets)

    def close(self) -> None:
        """Close in an orderly way, and at once if that takes long."""
        if self in self.factory.connections:
            self._closing = self.factory.clock.callLater(_GRACE, self.abort)
            self.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        if self in self.factory.connections:
            transport: Any = self.transport
            transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone, and is no longer among those to be closed.

        :param reason: why; for Twisted's client, which ends the answer on its way, or has it
            fail.
        """
        self.is_broken = reason.check(ConnectionDone) is None
        self.factory.connections.discard(self)
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        super().connectionLost(reason)


def _abort(connection: IProtocol) -> None:
    cast(_Connection, connection).abort()


class _Wrapping(WrappingFactory):
    protocol = _Connection
    noisy = False

    def __init__(self, factory: IProtocolFactory, largest_head: int, clock: IReactorTime,
                 connections: set[_Connection]) -> None:
        super().__init__(factory)
        self.largest_head = largest_head
        self.clock = clock
        self.connections = connections


@implementer(IAgent)
@define(eq=False)
class _Verbatim:
    """
    Asks for what is meant as it is spelled, and has nothing decoded: C{treq} writes URLs anew,
    asks for gzip, and decodes it without a bound.

    :ivar headers: of the answer, as they came.
    """

    _agent: IAgent
    _url: bytes
    _fields: WebHeaders
    headers: Headers = field(default=NO_HEADERS, init=False)

    def request(self, method: bytes, uri: bytes, headers: WebHeaders | None = None,
                bodyProducer: IBodyProducer | None = None) -> Deferred[IResponse]:
        """
        Send what was given at the start, in the place of what C{treq} has made of it.

        :param method: as it goes over the wire.
        :param uri: as C{treq} spells it; not used.
        :param headers: what C{treq} would send; not used.
        :param bodyProducer: gives the body; None where there is none.
        :return: fires with the answer when its head is here, less C{Content-Encoding}, so that
            nothing is decoded; C{headers} then has all of its fields.  It fails as Twisted's
            client does.
        """
        asking = self._agent.request(method, self._url, self._fields, bodyProducer)
        return asking.addCallback(self._answered)

    def _answered(self, answer: IResponse) -> IResponse:
        self.headers = Headers(tuple(
            (name, value) for name, values in answer.headers.getAllRawHeaders()
            for value in values))
        answer.headers.removeHeader(b"content-encoding")
        return answer


@implementer(IBodyProducer)
@define(eq=False)
class _Whole:
    """The body of a request, which is there from the start."""

    octets: bytes
    length: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.length = len(self.octets)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """
        Write the whole body at once.

        :param consumer: takes it.
        :return: has fired: no more is to be waited for.
        """
        consumer.write(self.octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """See L{IBodyProducer.pauseProducing}: all has been written."""

    def resumeProducing(self) -> None:
        """See L{IBodyProducer.resumeProducing}: all has been written."""

    def stopProducing(self) -> None:
        """See L{IBodyProducer.stopProducing}: all has been written."""


async def _collected(answer: IResponse, largest: int, way: _Way) -> bytes:
    collector = _Collector(largest)
    answer.deliverBody(collector)
    await collector.done
    # RFC 9112 section 8: which Twisted's client does not look at.
    if collector.ends_with_connection and way.is_broken:
        raise UpstreamBroke("the origin closed the connection without answering whole")
    return b"".join(collector.pieces)


class _Collector(Protocol):
    """
    Reads a body to its end, or to where there is too much of it.

    :ivar ends_with_connection: whether the end of the connection has been that of the body.
    """

    def __init__(self, largest: int) -> None:
        self.ends_with_connection = False
        self.pieces: list[bytes] = []
        self.done: Deferred[None] = Deferred()
        self._left = largest

    def dataReceived(self, octets: bytes) -> None:
        """
        Keep octets.  With those that make the body longer than it may be, C{done} fires; later
        ones are dropped.

        :param octets: the next of the body.
        """
        if self.done.called:
            return
        self.pieces.append(octets)
        self._left -= len(octets)
        if self._left < 0:
            self.done.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The body is over; after this C{done} has fired.

        :param reason: C{ResponseDone} for a whole body, and C{PotentialDataLoss} for one that is
            as long as the connection lasts (RFC 9112 section 6.3); with anything else C{done}
            fails.
        """
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.ends_with_connection = reason.check(PotentialDataLoss) is not None
            self.done.callback(None)
        else:
            self.done.errback(reason)
