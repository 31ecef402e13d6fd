"""A connection of a client as two streams of octets, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import Factory, define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, ISSLTransport

from trickster.frontend.limits import ListenerLimits
from trickster.frontend.states import ConnectionState, State
from trickster.messages import Peer
from trickster.net.callbacks import ignore
from trickster.net.deadline import Deadline
from trickster.net.eager_transport import EagerServer

# Octets of following requests that are taken in while one is being answered: reading on is
# how the end of the connection is noticed.
_READ_AHEAD = 16 * 1024
# How long, and how much, a client may still send after its last answer.  To close while
# octets are unread would reset the connection, and with it the answer (RFC 9112 section 9.6).
_LINGER = 2.0
_MOST_DISCARDED = 1 << 20


@define(eq=False)
class Inbox:
    """
    What a client has sent before its turn, and whether the connection is read from.

    :ivar octets: of what comes after the request that is being answered.
    :ivar has_ended: whether the client sends no more.
    """

    _transport: Any
    octets: bytes = field(default=b"", init=False)
    has_ended: bool = field(default=False, init=False)
    _is_paused: bool = field(default=False, init=False)
    _discarded: int = field(default=0, init=False)

    def keep(self, data: bytes) -> None:
        """
        Keep octets for later.

        :param data: follows what is kept already.  Above 16 KiB in all, the connection is not
            read from until L{resume}.
        """
        self.octets += data
        if len(self.octets) > _READ_AHEAD:
            self.pause()

    def taken(self) -> bytes:
        """:return: what was kept, which is given once."""
        octets, self.octets = self.octets, b""
        return octets

    def discard(self, octets: int) -> bool:
        """
        :param octets: how many have come after the end.
        :return: whether the connection may still wait for that of the client.
        """
        self._discarded += octets
        return self._discarded <= _MOST_DISCARDED

    def pause(self) -> None:
        """Read no more for now."""
        if not self._is_paused:
            self._is_paused = True
            self._transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self._is_paused:
            self._is_paused = False
            self._transport.resumeProducing()


@define(eq=False)
class Output:
    """
    What is written to a client, no faster than the client takes it.

    :ivar is_full: whether the transport has enough to send for now.
    :ivar write: writes octets that are one object.
    :ivar _timeout: seconds in which the client must take something; 0 for ever.
    :ivar _stalled: called when it has not.
    """

    _transport: Any
    _clock: IReactorTime
    _timeout: float
    _stalled: Callable[[], None]
    is_full: bool = field(default=False, init=False)
    write: Callable[[bytes], object] = field(init=False, default=Factory(
        lambda self: self._transport.write, takes_self=True))
    _deadline: Deadline = field(init=False)
    _takes_views: bool = field(init=False)
    _room: Deferred[None] | None = field(default=None, init=False)
    _unsent: int = field(default=0, init=False)

    @_deadline.default
    def _write_deadline(self) -> Deadline:
        return Deadline(self._clock, self._check)

    @_takes_views.default
    def _is_eager(self) -> bool:
        return isinstance(self._transport, EagerServer) and not self._transport.TLS

    def send(self, *parts: bytes) -> None:
        """Write octets, in any buffers, one after the other."""
        if len(parts) == 1 and type(parts[0]) is bytes:
            self._transport.write(parts[0])
        elif self._takes_views:
            self._transport.writeSequence(parts)
        else:
            self._transport.writeSequence([bytes(part) for part in parts])

    def room(self) -> Deferred[None]:
        """:return: fires when more may be written; the client may not take for ever."""
        self.await_taking()
        room: Deferred[None] = Deferred(self._room_unwanted)
        self._room = room
        return room

    def await_taking(self) -> None:
        """From now on the client must take something now and then."""
        self._unsent = getattr(self._transport, "unsent", 0)
        self._deadline.set(self._timeout)

    def lift(self) -> None:
        """The client need take nothing more."""
        self._deadline.lift()

    def unblocked(self) -> bool:
        """
        The transport can take more.

        :return: whether a writer waited for that, and has been told.
        """
        self.is_full = False
        room, self._room = self._room, None
        if room is None:
            return False
        room.callback(None)
        return True

    def stop(self) -> None:
        """Leave nothing behind: the connection is over."""
        self._deadline.stop()
        self._stalled = ignore

    def _room_unwanted(self, _room: Deferred[None]) -> None:
        self._room = None

    def _check(self) -> None:
        """Time is up, unless the client has taken something in it, however little."""
        if 0 < getattr(self._transport, "unsent", 0) < self._unsent:
            self.await_taking()
        else:
            self._stalled()


@define(eq=False)
class ClientLink:
    """
    One connection of a client, without what is said over it.

    :ivar peer: the client.
    :ivar deadline: for what the client is to send next.
    """

    transport: Any
    peer: Peer
    state: ConnectionState
    inbox: Inbox
    output: Output
    deadline: Deadline

    @classmethod
    def over(cls, transport: Any, clock: IReactorTime, limits: ListenerLimits,
             expired: Callable[[], None]) -> ClientLink:
        """
        :param transport: a connected one.
        :param expired: called when what the client is to send has not come in time.
        """
        client, server = transport.getPeer(), transport.getHost()
        host = getattr(client, "host", "").removeprefix("::ffff:")  # IPv4 on an IPv6 socket
        peer = Peer(host, getattr(client, "port", 0),
                    ISSLTransport.providedBy(transport), getattr(server, "port", 0))
        state = ConnectionState()

        def give_up() -> None:
            abort(transport, state)

        return cls(transport, peer, state, Inbox(transport),
                   Output(transport, clock, limits.write_timeout, give_up),
                   Deadline(clock, expired))

    def close(self, lingering: bool = False) -> None:
        """
        Send what is still to be sent, and close.

        :param lingering: whether the client has sent what is not read: then it is to close
            first, lest the last answer be lost (RFC 9112 section 9.6).
        """
        if self.state.now.is_over:
            return
        self.deadline.lift()
        self.output.await_taking()
        self.inbox.taken()
        half_close = None if self.peer.secure else getattr(
            self.transport, "loseWriteConnection", None)
        if lingering and half_close is not None and not self.inbox.has_ended:
            self.state.enter(State.LINGERING)
            half_close()
            self.inbox.resume()
        else:
            self._lose()

    def all_sent(self) -> None:
        """Our side is closed, and everything is sent: now the client may close."""
        self.output.lift()
        self.deadline.set(_LINGER)

    def client_closed(self) -> None:
        """The client, which was waited for, sends no more."""
        if self.state.now is State.LINGERING:
            self._lose()

    def discard(self, octets: int) -> None:
        """
        Octets have come after the end, and are dropped.

        :param octets: how many.  Above a mebibyte in all, the connection is reset.
        """
        if not self.inbox.discard(octets):
            self.abort()

    def abort(self) -> None:
        """Close at once, without sending the rest."""
        abort(self.transport, self.state)

    def can_send(self) -> bool:
        """
        The transport can take more.

        :return: whether a writer waited for that, and has been told.
        """
        if not self.state.now.is_over:
            self.output.lift()
        return self.output.unblocked()

    def ended(self) -> None:
        """The connection is over: leave nothing behind."""
        self.state.enter(State.CLOSED)
        self.deadline.stop()
        self.output.stop()

    def _lose(self) -> None:
        self.state.enter(State.FLUSHING)
        self.transport.unregisterProducer()
        self.transport.loseConnection()


def abort(transport: Any, state: ConnectionState) -> None:
    """
    Reset a connection, and drop what is not sent yet; harmless where that was done before.

    :param transport: of the connection.
    :param state: its own, which is L{State.CLOSED} from now on.
    """
    state.enter(State.CLOSED)
    transport.abortConnection()
