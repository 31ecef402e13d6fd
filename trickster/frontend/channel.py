"""HTTP/1.1 connections of clients: what the client may do and when."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport, ITCPTransport
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from trickster.errors import BadRequest, Reason, RequestError, RequestTooLarge
from trickster.frontend.exchange import Exchange
from trickster.frontend.postponing import Postponed
from trickster.frontend.refusals import Refused, too_much
from trickster.frontend.request import ResourceRequest
from trickster.frontend.requestbody import EndlessFraming, RequestBody
from trickster.http.fields import FORWARDING_FIELDS
from trickster.http.forwarded import client_of
from trickster.http.h1.encoding import response_head
from trickster.http.h1.faults import Malformed, MalformedBody
from trickster.http.h1.framing import request_body_reader
from trickster.http.h1.head_reader import HeadReader
from trickster.http.h1.requests import Fields, RequestHead
from trickster.interfaces import IBody, IRefuser
from trickster.messages import Octets, Peer, octets_of
from trickster.net.deadline import Deadline
from trickster.net.eager_transport import EagerServer
from trickster.net.pace import Pace
from trickster.observability.refusals import refusal

if TYPE_CHECKING:
    from trickster.frontend.site import ProxySite

# Octets of following requests that are taken in while one is being answered: reading on is
# how the end of the connection is noticed.
_READ_AHEAD = 16 * 1024
# Pipelined requests answered before other connections get their turn.
_MOST_AT_ONCE = 16
# How long, and how much, a client may still send after its last answer.  To close while
# octets are unread would reset the connection, and with it the answer (RFC 9112 section 9.6).
_LINGER = 2.0
_SOON = 0.001
_MOST_DISCARDED = 1 << 20
# Seconds that a request head which has begun may still take once the listener is to stop.
_LAST_HEAD = 1.0


@implementer(IHalfCloseableProtocol)
class ProxyChannel(HTTPChannel):
    """
    Reads requests strictly, has them answered one after the other, and closes in good order.

    The reading is all its own; of its base it keeps what L{twisted.web} requests need to
    write their answers.

    :ivar peer: the client.
    :ivar is_draining: whether the answer in the making is to be the last.
    :ivar is_full: whether the transport has enough to send for now.
    """

    transport: Any
    peer = Peer()
    is_draining = False
    is_full = False
    _exchange: Exchange | ResourceRequest | None = None
    _body: RequestBody | None = None
    _pace: Pace | None = None
    _room: Deferred[None] | None = None
    _owes_continue = False
    _is_head_due = True
    _is_reading = False
    _is_paused = False
    _is_closing = False
    _sends_no_more = False
    _put_off: Postponed | None = None
    _takes_views = False
    _ahead = b""
    _discarded = 0
    _unsent = 0

    def __init__(self, site: ProxySite) -> None:
        super().__init__()
        self.site = self.factory = site
        limits = site.limits
        self._reader = HeadReader(limits.head, sieve=self._believed)
        self._deadline = Deadline(site.reactor, self._expired)
        self._write_deadline = Deadline(site.reactor, self._not_taken)

    # What the transport tells.

    def connectionMade(self) -> None:
        """A client is here."""
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        self._takes_views = isinstance(transport, EagerServer) and not transport.TLS
        client, server = transport.getPeer(), transport.getHost()
        host = getattr(client, "host", "").removeprefix("::ffff:")  # IPv4 on an IPv6 socket
        self.peer = Peer(host, getattr(client, "port", 0),
                         ISSLTransport.providedBy(transport), getattr(server, "port", 0))
        self._networkProducer = transport
        transport.registerProducer(self, True)
        self.site.channel_opened(self)
        self._deadline.set(self.site.limits.header_timeout)

    def dataReceived(self, data: bytes) -> None:
        """Octets have come."""
        if self._is_closing:
            self._discard(len(data))
        elif self._body is not None:
            self._body_arrived(self._body, data)
        elif self._exchange is not None or self._ahead or self._put_off is not None:
            self._ahead += data
            if len(self._ahead) > _READ_AHEAD:
                self._pause_reading()
        else:
            self._read(data)

    def readConnectionLost(self) -> None:
        """The client sends no more; only from a tunnel's client is that no farewell."""
        body = self._body
        self._sends_no_more = True
        if body is not None and body.is_endless:
            body.ended()
        elif self._put_off is not None:
            self.is_draining = True
            self._tell_now(self._put_off)
        elif self._exchange is not None:
            self._abort()
        elif self._is_closing:
            self.loseConnection()
        else:
            self._close()

    def writeConnectionLost(self) -> None:
        """Our side is closed, and everything is sent: now the client may close."""
        self._deadline.set(_LINGER)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The connection is over."""
        self._is_closing = True
        self._deadline.stop()
        self._write_deadline.stop()
        self._reader.stop()
        exchange, self._exchange, self._body = self._exchange, None, None
        put_off, self._put_off = self._put_off, None
        if put_off is not None:
            put_off.drop()
        self.site.channel_lost(self)
        if exchange is not None:
            exchange.lost()

    def pauseProducing(self) -> None:
        """The transport has enough to send."""
        self.is_full = True
        if self._requestProducer is not None:
            self._requestProducer.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport can take more."""
        self.is_full = False
        self._write_deadline.lift()
        if self._requestProducer is not None:
            self._requestProducer.resumeProducing()
        if self._room is not None:
            room, self._room = self._room, None
            room.callback(None)
        elif not self._is_reading:
            self._next()

    # Reading heads.

    def _believed(self, fields: Fields) -> Fields:
        """What others than trusted proxies say about earlier hops is not passed on."""
        headers, trusted, host = fields.headers, self.site.limits.trusted, self.peer.host
        if not headers.has_any(FORWARDING_FIELDS):
            return fields
        if trusted.has(host):
            return evolve(fields, client=client_of(headers, host, trusted))
        return evolve(fields, headers=headers.without(*FORWARDING_FIELDS))

    def _read(self, data: bytes) -> None:
        self._is_reading = True
        for _ in range(_MOST_AT_ONCE):
            found = self._reader.feed(data)
            if found is None:
                self._await_head()
                break
            if isinstance(found, Malformed):
                self.refuse(found)
                break
            self._is_head_due = False
            self._serve(found, self._reader.rest)
            if self._exchange is not None or self._is_closing or self._put_off is not None:
                break
            if not self._ahead or self.is_full:
                self._await_request()
                break
            data, self._ahead = self._ahead, b""
        else:
            self._ahead = data
            self._pause_reading()
            self.site.reactor.callLater(0, self._next)
        self._is_reading = False

    def _next(self) -> None:
        """Go on with what has come meanwhile."""
        if self._is_closing or self._exchange is not None or self._put_off is not None:
            return
        if self.is_full:
            self._await_request()
            return
        self._resume_reading()
        data, self._ahead = self._ahead, b""
        if data:
            self._read(data)
        elif not self._is_head_due:
            self._await_request()

    def _await_head(self) -> None:
        """A part of a head is here; the rest may not take for ever, however it drips."""
        if not self._is_head_due:
            self._is_head_due = True
            self._deadline.set(self.site.limits.header_timeout)

    def _await_request(self) -> None:
        if self.is_draining:
            self._close()
        elif self.is_full:
            # Or pipelined requests would add answers to those that the client does not fetch.
            self._pause_reading()
            self._await_taking(self._write_deadline)
        else:
            self._deadline.set(self.site.limits.idle_timeout)

    def _serve(self, head: RequestHead, rest: bytes) -> None:
        self._deadline.lift()
        if head.length == 0:
            self._ahead = rest
            self._start(head, Octets(), None)
        else:
            self._serve_with_body(head, rest)

    def _serve_with_body(self, head: RequestHead, rest: bytes) -> None:
        limits, length = self.site.limits, head.length
        if length is not None and 0 <= limits.body < length:
            if not limits.truncate:
                self._refuse_unread(head, RequestTooLarge("the request body is too large"))
                return
            length = limits.body
        body = RequestBody(length, request_body_reader(head.length), self, limits.body, limits.truncate)
        try:
            self._ahead = body.arrived(rest)
        except (MalformedBody, RequestTooLarge) as error:
            self._refuse_unread(head, _as_request_error(error))
            return
        if body.is_complete:
            self._start(head, Octets(body.taken()), None)
            return
        self._body = body
        self._owes_continue = head.expects_continue and not rest
        self._pace = Pace(limits.body_timeout, limits.body_rate)
        self._start(head, body, body)

    def _refuse_unread(self, head: RequestHead, error: RequestError) -> None:
        """Refuse a request whose head is good, and close: its body is not read to its end."""
        responder: Any = self.site.responder(head)
        if IRefuser.providedBy(responder):
            # A body that never becomes complete.
            self._body = RequestBody(head.length, request_body_reader(head.length), self)
            self._refuse(head, self._body, Refused(responder, error))
        else:
            self.refuse(Malformed(error.status, error.detail))

    def _refuse(self, head: RequestHead, body: RequestBody, refused: Refused) -> None:
        """Refuse a request in the form that its backend's clients know."""
        self._exchange = Exchange(self, head, body, body)
        self._exchange.run(refused)

    def _start(self, head: RequestHead, body: IBody, streamed: RequestBody | None) -> None:
        overload = self.site.overload
        if overload is not None and overload.refuses() and self._is_shed(head, streamed):
            overload.refused()
            return
        responder = self.site.responder(head)
        if responder is not None:
            exchange = self._exchange = Exchange(self, head, body, streamed)
            exchange.run(responder)
        else:
            request = self._exchange = ResourceRequest(self, head, streamed)
            request.run(body)

    def _is_shed(self, head: RequestHead, streamed: RequestBody | None) -> bool:
        """:return: whether a request was refused, at little cost, instead of being answered."""
        if streamed is not None:
            responder: Any = self.site.responder(head)
            # The listener's own endpoints always answer.
            is_refused = IRefuser.providedBy(responder)
            if is_refused:
                self._refuse(head, streamed, Refused(responder, too_much()))
            return is_refused
        octets = self.site.refused(head)
        if octets is None:
            return False
        tell = partial(self._shed, octets, head)
        if not self.put_off(tell):
            tell()
        return True

    def put_off(self, tell: Callable[[], None]) -> bool:
        """
        :param tell: sends a refusal.
        :return: whether it will be called later; if not, the refusal is to be sent now.
        """
        overload = self.site.overload
        if overload is not None:
            self._put_off = overload.put_off(partial(self._tell, tell))
        return self._put_off is not None

    def _tell(self, tell: Callable[[], None]) -> None:
        self._put_off = None
        tell()

    def _tell_now(self, put_off: Postponed) -> None:
        """Send a refusal before its time."""
        put_off.drop()
        put_off.tell()

    def _shed(self, octets: bytes, head: RequestHead) -> None:
        if self._is_closing:
            return
        if self.is_draining and head.persistent:
            # Perhaps only since the refusal was made.
            head = evolve(head, persistent=False)
            octets = self.site.refused(head) or octets
        self.send(octets)
        if not head.persistent:
            self._close(bool(self._ahead))
        elif not self._is_reading:
            self._next()

    # Reading bodies.

    def _body_arrived(self, body: RequestBody, data: bytes) -> None:
        if self._pace is not None:
            self._pace.brought(self.site.reactor.seconds(), len(data))
        try:
            rest = body.arrived(data)
        except (MalformedBody, RequestTooLarge) as error:
            # What comes now is no request any more: it stays unread until we close.
            self._body, self._ahead = None, data
            self._deadline.lift()
            self._fail(_as_request_error(error))
            return
        if body.is_complete:
            self._body = None
            self._deadline.lift()
            self._ahead = rest
        body.deliver()

    def body_wanted(self) -> None:
        """The responder waits for octets of the request body."""
        if self._owes_continue:
            self._owes_continue = False
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._resume_reading()
        pace = self._pace
        if pace is not None and pace.period:
            now = self.site.reactor.seconds()
            pace.wanted(now)
            # Not at once, even where time is up: a responder cannot be cancelled while it asks.
            self._deadline.set(max(pace.left(now), _SOON))

    def body_unwanted(self) -> None:
        """There is enough of the request body for now."""
        self._pause_reading()

    def tunnel(self) -> RequestBody:
        """From now on what the client sends is not HTTP."""
        self._body = body = RequestBody(None, EndlessFraming(), self)
        self._pace = None
        data, self._ahead = self._ahead, b""
        body.arrived(data)
        return body

    # Writing.

    def date(self) -> bytes:
        """:return: the present, as an HTTP date."""
        return self.site.date()

    def send(self, *parts: bytes) -> None:
        """Write octets, in any buffers, one after the other."""
        if len(parts) == 1 and type(parts[0]) is bytes:
            self.transport.write(parts[0])
        elif self._takes_views:
            self.transport.writeSequence(parts)
        else:
            self.transport.writeSequence([bytes(part) for part in parts])

    def room(self) -> Deferred[None]:
        """:return: fires when more may be written; the client may not take for ever."""
        self._await_taking(self._write_deadline)
        room: Deferred[None] = Deferred(self._room_unwanted)
        self._room = room
        return room

    def _await_taking(self, deadline: Deadline) -> None:
        self._unsent = getattr(self.transport, "unsent", 0)
        deadline.set(self.site.limits.write_timeout)

    def _not_taken(self, deadline: Deadline | None = None) -> None:
        """Time is up, unless the client has taken something in it, however little."""
        if 0 < getattr(self.transport, "unsent", 0) < self._unsent:
            self._await_taking(deadline or self._write_deadline)
        else:
            self._abort()

    def turn(self) -> Deferred[None]:
        """:return: fires when all other connections have had a turn."""
        return deferLater(self.site.reactor, 0)

    def _room_unwanted(self, _room: Deferred[None]) -> None:
        self._room = None

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes,
                     headers: object) -> None:
        """Write a head for a L{ResourceRequest}, saying so if it is the last."""
        exchange = self._exchange
        if isinstance(exchange, ResourceRequest) and exchange.must_close():
            exchange.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        super().writeHeaders(version, code, reason, headers)

    def requestDone(self, request: ResourceRequest) -> None:
        """A L{ResourceRequest} is answered."""
        self.exchange_ended(request.must_close())

    def exchange_ended(self, closing: bool) -> None:
        """An answer is whole, as far as we are concerned."""
        if self._is_closing:
            return
        is_unread = self._body is not None
        self._exchange = self._body = self._pace = None
        self._owes_continue = False
        self._deadline.lift()
        if closing:
            self._close(is_unread or bool(self._ahead))
        elif not self._is_reading:
            self._next()

    def hand_over(self, exchange: Exchange) -> None:
        """An L{Exchange} answers what a L{ResourceRequest} was to."""
        self._exchange = exchange

    def refuse(self, malformed: Malformed) -> None:
        """Say what is wrong, and close."""
        self._exchange = self._body = None
        answer = refusal(BadRequest(malformed.detail, status=malformed.status))
        head = response_head(b"GET", b"HTTP/1.1", answer, self.date(), closing=True)
        self.send(head.octets + (octets_of(answer.body) or b""))
        self._close(lingering=True)

    # Ending.

    @property
    def idle_until(self) -> float | None:
        """
        The clock's seconds until which the connection is kept for a next request; None where
        there is one on its way, or there has been none yet.
        """
        is_idle = (self._exchange is None and not self._is_closing and not self._is_head_due
                   and self._put_off is None and not self._reader.has_begun and not self._ahead
                   and not self.is_full)
        return (self._deadline.at or 0.0) if is_idle else None

    def close_idle(self) -> None:
        """Close a connection that is idle, as if it had been for long enough."""
        self._close()

    def drain(self) -> None:
        """Close as soon as no request is on its way."""
        self.is_draining = True
        if self._exchange is not None or self._is_closing or self._put_off is not None:
            return
        if self._reader.has_begun:
            self._deadline.set(_LAST_HEAD)
        else:
            self._close()

    def abort(self) -> None:
        """Close at once, also with a request on its way."""
        self._abort()

    def cut_off(self, at_once: bool) -> None:
        """End in the middle of an answer."""
        self._exchange = self._body = None
        if at_once:
            self._abort()
        else:
            self._close()

    def _close(self, lingering: bool = False) -> None:
        """Send what is still to be sent, and close."""
        if self._is_closing:
            return
        self._is_closing = True
        self._await_taking(self._deadline)
        self._ahead = b""
        half_close = None if self.peer.secure else getattr(
            self.transport, "loseWriteConnection", None)
        if lingering and half_close is not None and not self._sends_no_more:
            half_close()
            self._resume_reading()
        else:
            self.loseConnection()

    def _discard(self, octets: int) -> None:
        self._discarded += octets
        if self._discarded > _MOST_DISCARDED:
            self._abort()

    def _abort(self) -> None:
        self._is_closing = True
        self.transport.abortConnection()

    def _fail(self, error: RequestError) -> None:
        if self._put_off is not None:
            self._tell_now(self._put_off)
        elif self._exchange is not None:
            self._exchange.fail(error)

    def _expired(self) -> None:
        if self._is_closing:
            self._not_taken(self._deadline)
        elif self._exchange is not None:
            self._body_due()
        elif self._reader.has_begun:
            self.refuse(Malformed(408, "the request took too long"))
        else:
            self._close()

    def _body_due(self) -> None:
        pace, body = self._pace, self._body
        if pace is None or body is None or not body.is_wanted:
            return
        left = pace.left(self.site.reactor.seconds())
        if left > 0:
            self._deadline.set(left)
        else:
            self._fail(RequestError("the request body took too long", Reason.REQUEST_TIMEOUT,
                                    408))

    # Pausing.

    def _pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resumeProducing()


def _as_request_error(error: MalformedBody | RequestTooLarge) -> RequestError:
    if isinstance(error, MalformedBody):
        return BadRequest(error.malformed.detail, status=error.malformed.status)
    return error
