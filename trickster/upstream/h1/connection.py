"""One connection to an origin, which carries one exchange at a time."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import Any
from typing import Protocol as Structural

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Client
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.errors import UpstreamBroke
from trickster.messages import Response
from trickster.net.deadline import Deadline
from trickster.net.keepalive import find_the_dead
from trickster.upstream.h1.exchange import Exchange, Order
from trickster.upstream.h1.outlet import Outlet
from trickster.upstream.options import UpstreamOptions

_READ = 64 * 1024
_WIDE_READ = 256 * 1024


class Owner(Structural):
    """What keeps connections, as a connection sees it."""

    def set_apart(self, connection: Connection) -> bool:
        """:return: whether there is room for one more connection whose answer lasts."""

    def released(self, connection: Connection) -> None:
        """The connection's exchange is over, and another may follow."""

    def dropped(self, connection: Connection) -> None:
        """A connection that was used cannot be used any more; called once for each."""

    def closed(self, connection: Connection) -> None:
        """Nothing is left of it."""


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Connection(Protocol):
    """
    Sends requests and reads the answers to them, one after the other.

    :ivar established: fires when the connection can be used; cancelling closes it.
    :ivar is_reused: whether an exchange has gone over it before.
    :ivar kept_for: seconds for which the origin will keep it idle, by its own word.
    :ivar deadline: after which the exchange, or the waiting for one, ends.
    :ivar flows_since: the clock's seconds when the body began that is on its way, that of the
        request or that of the answer; infinity where there is none.
    :ivar held_since: the clock's seconds when the reader of that body wanted no more for now;
        infinity where it does.
    :ivar ends_at: the clock's seconds after which no exchange is begun on it.
    """

    transport: Any

    def __init__(self, owner: Owner, clock: IReactorTime, options: UpstreamOptions,
                 is_secure: bool) -> None:
        """
        :param is_secure: whether to wait for a TLS handshake.
        """
        self.established: Deferred[None] = Deferred(self._given_up)
        self.is_reused = False
        self.kept_for = float("inf")
        self.flows_since = float("inf")
        self.held_since = float("inf")
        self.ends_at = float("inf")
        self._clock = clock
        self.deadline = Deadline(clock, self._expired)
        self._owner = owner
        self._options = options
        self._is_secure = is_secure
        self._exchange: Exchange | None = None
        self._is_owned = False
        self._is_closing = False
        self._is_plain = False
        self._socket: socket | None = None

    def exchange(self, order: Order) -> Deferred[Response]:
        """
        Send a request.  Only on a connection that carries none.

        :return: L{Exchange.answer}.
        """
        self._is_owned = True
        exchange = self._exchange = Exchange(self, self._options, order)
        exchange.start()
        return exchange.answer

    def rest(self, seconds: float) -> None:
        """
        :param seconds: until it is closed, if nothing is asked before.
        """
        self.is_reused = True
        self.deadline.move(seconds)

    def abort(self) -> None:
        """Close the connection, also in the middle of an exchange."""
        if self._exchange is not None:
            self._exchange.fail(UpstreamBroke("the connection to the origin was closed"))
        else:
            self._drop()

    def watch_peer(self) -> None:
        """
        Have the kernel find out when the origin has vanished, since what lasts may have
        nothing to send for long.
        """
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpKeepAlive(True)
        if self._is_plain:
            find_the_dead(transport.getHandle())

    # What an exchange says.

    def now(self) -> float:
        """:return: the clock's seconds."""
        return self._clock.seconds()

    def answering(self) -> None:
        """The head of an answer is here, and its body is on its way."""
        self.flows_since = self._clock.seconds()

    def uploading(self, is_on_its_way: bool) -> None:
        """The body of a request is on its way, or is sent and the origin at work."""
        self.flows_since = self._clock.seconds() if is_on_its_way else float("inf")

    def held(self, is_held: bool) -> None:
        """The reader of the body wants no more for now, or does again."""
        self.held_since = self._clock.seconds() if is_held else float("inf")

    def set_apart(self) -> bool:
        """:return: whether the exchange counts among those that last from now on."""
        return self._owner.set_apart(self)

    def send(self, octets: bytes) -> None:
        """
        Send the beginning of a request.

        The kernel nearly always takes it at once: trying that first saves a turn of the
        reactor and two of its system calls.  Once anything has gone through the transport,
        something may still be waiting there, and nothing must overtake it.
        """
        if self._socket is not None:
            octets = octets[_send_now(self._socket, octets):]
        if octets:
            self._socket = None
            self.transport.write(octets)

    def outlet(self, on_blocked: Callable[[bool], None]) -> Outlet:
        """:return: what more can be sent through."""
        self._socket = None
        return Outlet(self.transport, on_blocked)

    def over(self, is_reusable: bool) -> None:
        """The exchange is over."""
        self._exchange = None
        self.flows_since = self.held_since = float("inf")
        if is_reusable and not self._is_closing:
            self.deadline.lift()
            self._read_narrowly()
            self._owner.released(self)
        else:
            self._drop()

    def hang_up(self) -> None:
        """The exchange is over; what was written last, such as a closing frame, is sent."""
        self._exchange = None
        self.deadline.move(self._options.timeout)
        self.transport.loseConnection()
        self._disown()

    # What Twisted says.

    def connectionMade(self) -> None:
        """There is a connection; over TLS, the handshake is still to come."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        if type(self.transport) is Client:
            self._is_plain = True
            self._socket = self.transport.getHandle()
        if not self._is_secure:
            self.established.callback(None)

    def handshakeCompleted(self) -> None:
        """The origin is who it should be."""
        if not self.established.called:
            self.established.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """Octets from the origin; where nothing was asked they are no answer."""
        if self._exchange is not None:
            if len(data) == _READ and self._is_plain:
                self._read_widely()
            self._exchange.feed(data)
        elif self._is_owned:
            self._drop()

    def readConnectionLost(self) -> None:
        """The origin will send no more; over an upgraded connection we still may."""
        if self._exchange is not None:
            self._exchange.ended(True)
        if self._exchange is None:
            self._drop()

    def writeConnectionLost(self) -> None:
        """We will send no more; the origin may."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        if not self.established.called and not self._is_closing:
            self.established.errback(reason)
        self._is_closing = True
        self._socket = None
        self.deadline.stop()
        if self._exchange is not None:
            self._exchange.ended(reason.check(ConnectionDone) is not None)
        if self._exchange is not None:
            self._exchange.fail(UpstreamBroke("the origin closed the connection"))
        self._disown()
        self._owner.closed(self)
        if self._is_plain:
            # Twisted's connector and its transport know each other for ever.
            self.transport.connector.transport = None

    # A large body is cheaper in large portions, which would be a waste for small answers.

    def _read_widely(self) -> None:
        self.transport.bufferSize = _WIDE_READ

    def _read_narrowly(self) -> None:
        if self._is_plain and self.transport.bufferSize != _READ:
            self.transport.bufferSize = _READ

    # The end.

    def _expired(self) -> None:
        if self._exchange is not None:
            self._exchange.expired()
        else:
            self._drop()

    def _given_up(self, _: Deferred[None]) -> None:
        self._drop()

    def _drop(self) -> None:
        self.deadline.stop()
        if not self._is_closing:
            self._is_closing = True
            self.transport.abortConnection()
        self._disown()

    def _disown(self) -> None:
        if self._is_owned:
            self._is_owned = False
            self._owner.dropped(self)


def _send_now(handle: socket, octets: bytes) -> int:
    try:
        return handle.send(octets)
    except OSError:  # full, or broken: the transport finds out which
        return 0
