"""HTTP/1.1 connections of clients: what comes and when, and what the connection then does."""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Protocol as Structure

from attrs import evolve
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.frontend.cycle import RequestCycle, Served
from trickster.frontend.limits import ListenerLimits
from trickster.frontend.link import ClientLink
from trickster.frontend.refusals import refuse_malformed
from trickster.frontend.states import State
from trickster.http.fields import FORWARDING_FIELDS
from trickster.http.forwarded import client_of
from trickster.http.h1.faults import Malformed
from trickster.http.h1.head_reader import HeadReader
from trickster.http.h1.requests import Fields
from trickster.messages import Peer

# Pipelined requests answered before other connections get their turn.
_MOST_AT_ONCE = 16
# Members of an enum are slow to look up, and every request asks.
_IDLE = State.IDLE
_HEAD = State.HEAD
# Seconds that a request head which has begun may still take once the listener is to stop.
_LAST_HEAD = 1.0


class Listening(Served, Structure):
    """What a connection needs of its listener, beside what its requests do."""

    def connection_made(self, connection: ClientConnection) -> None:
        """
        A connection is there.

        :param connection: it may be told to close from now on, also within this call; the
            listener has it until it is told L{connection_lost}.
        """

    def connection_lost(self, connection: ClientConnection) -> None:
        """
        A connection is gone; called once for each that was made.

        :param connection: takes nothing more.  What is still being answered on it is cancelled
            after this.
        """


@implementer(IHalfCloseableProtocol, IPushProducer)
class ClientConnection(Protocol):
    """
    Reads request heads strictly, has the requests answered one after the other, and closes in
    good order.

    What it is doing is a L{trickster.frontend.states.State} of its link; what becomes of a
    request is its cycle's.
    """

    transport: Any

    def __init__(self, listening: Listening) -> None:
        self._listening = listening

    # What the transport tells.

    def connectionMade(self) -> None:
        """A client is here."""
        transport, listening, limits = self.transport, self._listening, self._listening.limits
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        self._link = link = ClientLink.over(transport, listening.reactor, limits, self._expired)
        self._cycle = RequestCycle(listening, link, self._next)
        self._reader = HeadReader(limits.head, sieve=partial(_believed, link.peer, limits))
        transport.registerProducer(self, True)
        listening.connection_made(self)
        link.deadline.set(limits.header_timeout)

    def dataReceived(self, data: bytes) -> None:
        """
        Octets have come: of a head, of a body, of later requests, or after the end.

        :param data: cut anywhere.  What cannot be used yet is kept; where that becomes much,
            the connection is not read from until it is less.
        """
        link = self._link
        state = link.state.now
        if state is _IDLE or state is _HEAD:
            if link.inbox.octets:
                link.inbox.keep(data)
            else:
                self._read(data)
        elif link.state.now.is_over:
            link.discard(len(data))
        else:
            self._cycle.received(data)

    def readConnectionLost(self) -> None:
        """The client sends no more."""
        link = self._link
        link.inbox.has_ended = True
        if link.state.now.is_busy:
            self._cycle.sends_no_more()
        elif link.state.now.is_over:
            link.client_closed()
        else:
            link.close()

    def writeConnectionLost(self) -> None:
        """Our side is closed, and everything is sent."""
        self._link.all_sent()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        The connection is over: what is being answered on it is cancelled, and nothing stays
        with the clock.

        :param reason: not looked at: however the client went, it needs no answer.
        """
        self._link.ended()
        self._reader.stop()
        self._listening.connection_lost(self)
        self._cycle.lost()

    def pauseProducing(self) -> None:
        """The transport has enough to send."""
        self._link.output.is_full = True

    def resumeProducing(self) -> None:
        """The transport can take more."""
        if not self._link.can_send() and not self._cycle.is_reading:
            self._next()

    def stopProducing(self) -> None:
        """The transport is over; so is the connection, which is told of that."""

    # Reading heads.

    def _read(self, data: bytes) -> None:
        state, inbox, cycle = self._link.state, self._link.inbox, self._cycle
        cycle.is_reading = True
        for _ in range(_MOST_AT_ONCE):
            found = self._reader.feed(data)
            if found is None:
                self._await_head()
                break
            if isinstance(found, Malformed):
                self._refuse(found)
                break
            cycle.serve(found, self._reader.rest)
            if state.now is not _IDLE:
                break
            if not inbox.octets or self._link.output.is_full:
                self._await_request()
                break
            data = inbox.taken()
        else:
            inbox.octets = data
            inbox.pause()
            self._listening.reactor.callLater(0, self._next)
        cycle.is_reading = False

    def _next(self) -> None:
        """Go on with what has come meanwhile."""
        link = self._link
        if link.state.now.is_busy or link.state.now.is_over:
            return
        if link.output.is_full:
            self._await_request()
            return
        link.inbox.resume()
        data = link.inbox.taken()
        if data:
            self._read(data)
        elif link.state.now is _IDLE:
            self._await_request()

    def _await_head(self) -> None:
        """A part of a head is here; the rest may not take for ever, however it drips."""
        link = self._link
        if link.state.now is _IDLE:
            link.state.enter(_HEAD)
            link.deadline.set(self._listening.limits.header_timeout)

    def _await_request(self) -> None:
        link = self._link
        if self._cycle.is_draining:
            link.close()
        elif link.output.is_full:
            # Or pipelined requests would add answers to those that the client does not fetch.
            link.inbox.pause()
            link.deadline.lift()
            link.output.await_taking()
        else:
            link.deadline.set(self._listening.limits.idle_timeout)

    def _refuse(self, malformed: Malformed) -> None:
        refuse_malformed(self._link, malformed, self._listening.date())

    def _expired(self) -> None:
        state = self._link.state
        if state.now.is_over:
            self._link.abort()
        elif state.now.is_busy:
            self._cycle.too_slow()
        elif self._reader.has_begun:
            self._refuse(Malformed(408, "the request took too long"))
        else:
            self._link.close()

    # What the listener wants.

    @property
    def idle_until(self) -> float | None:
        """
        :return: the clock's seconds until which the connection is kept for a next request, 0
            where it is kept for ever; None where there is one on its way, or there has been
            none yet.
        """
        link = self._link
        is_idle = (link.state.now is _IDLE and not link.inbox.octets
                   and not link.output.is_full)
        return (link.deadline.at or 0.0) if is_idle else None

    def close_idle(self) -> None:
        """Close a connection that is idle, as if it had been for long enough."""
        self._link.close()

    def drain(self, patience: float = 0.0) -> None:
        """
        Close as soon as no request is on its way.

        :param patience: seconds for one that the client may have just sent.
        """
        self._cycle.is_draining = True
        if self._link.state.now.is_busy or self._link.state.now.is_over:
            return
        if self._reader.has_begun:
            self._link.deadline.set(_LAST_HEAD)
        elif patience:
            self._link.deadline.set(patience)
        else:
            self._link.close()

    def abort(self) -> None:
        """Close at once, also with a request on its way."""
        self._link.abort()


def _believed(peer: Peer, limits: ListenerLimits, fields: Fields) -> Fields:
    """:return: fields without what others than trusted proxies say about earlier hops."""
    headers, trusted = fields.headers, limits.trusted
    if not headers.has_any(FORWARDING_FIELDS):
        return fields
    if trusted.has(peer.host):
        return evolve(fields, client=client_of(headers, peer.host, trusted))
    return evolve(fields, headers=headers.without(*FORWARDING_FIELDS))
