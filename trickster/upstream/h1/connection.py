"""One connection to an origin, which carries one exchange at a time."""

from __future__ import annotations

from typing import Any
from typing import Protocol as Structural

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.errors import UpstreamBroke
from trickster.messages import Response
from trickster.net.deadline import Deadline
from trickster.net.states import StateMachine
from trickster.upstream.h1.answers import AnswerReader
from trickster.upstream.h1.exchange import Exchange
from trickster.upstream.h1.flow import Flow
from trickster.upstream.h1.link import PORTION, OriginLink
from trickster.upstream.h1.outgoing import OutgoingRequest
from trickster.upstream.h1.patience import Patience
from trickster.upstream.h1.states import State
from trickster.upstream.options import UpstreamOptions

# Members of an enum are slow to look up, and every request asks.
_BUSY = State.BUSY
_IDLE = State.IDLE


class Owner(Structural):
    """What keeps connections, as a connection sees it."""

    def set_apart(self, connection: Connection) -> bool:
        """:return: whether there is room for one more connection whose response lasts."""

    def released(self, connection: Connection) -> None:
        """
        The connection's exchange is over, and another may follow.

        :param connection: which is idle now.
        """

    def dropped(self, connection: Connection) -> None:
        """
        A connection that was used cannot be used any more.

        :param connection: for which this is called once; it may not be closed yet.
        """

    def closed(self, connection: Connection) -> None:
        """
        A connection has ended.

        :param connection: of which nothing is left.
        """


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Connection(Protocol):
    """
    Sends requests and reads the responses to them, one after the other.

    :ivar established: fires when the connection can be used; cancelling closes it.
    :ivar kept_for: seconds for which the origin will keep it idle, by its own word.
    :ivar flow: of the body that is on its way.
    :ivar ends_at: the clock's seconds after which no exchange is begun on it.
    """

    transport: Any

    def __init__(self, owner: Owner, clock: IReactorTime, options: UpstreamOptions,
                 is_secure: bool) -> None:
        """
        :param is_secure: whether to wait for a TLS handshake.
        """
        self.established: Deferred[None] = Deferred(self._given_up)
        self.kept_for = float("inf")
        self.ends_at = float("inf")
        self.flow = Flow(clock)
        self._state = StateMachine(State.CONNECTING)
        self._deadline = Deadline(clock, self._expired)
        self._patience = Patience(clock, self._deadline, options)
        self._owner = owner
        self._options = options
        self._is_secure = is_secure
        self._link: OriginLink | None = None
        self._exchange: Exchange | None = None

    @property
    def is_reused(self) -> bool:
        """
        :return: whether it is kept after an exchange that has gone over it.  The origin may be
            closing it just now, so that a request sent over it is lost (RFC 9112 section 9.3.1).
        """
        return self._state.now is _IDLE

    def exchange(self, outgoing: OutgoingRequest) -> Deferred[Response]:
        """
        Send a request.  Only on a connection that carries none.

        :return: L{Exchange.answer}.
        """
        assert self._link is not None
        self._state.enter(_BUSY)
        reader = AnswerReader(outgoing.request.method, self._options.max_response_header_bytes)
        exchange = self._exchange = Exchange(self, self._link, outgoing, reader)
        exchange.start()
        return exchange.answer

    def rest(self, seconds: float) -> None:
        """
        :param seconds: until it is closed, if nothing is asked before.
        """
        self._deadline.move(seconds)

    def abort(self) -> None:
        """Close the connection, also in the middle of an exchange."""
        if self._exchange is not None:
            self._exchange.fail(UpstreamBroke("the connection to the origin was closed"))
        else:
            self._drop()

    def watch_peer(self) -> None:
        """Have the kernel find out when the origin has vanished."""
        if self._link is not None:
            self._link.watch_peer()

    # What an exchange says.

    def set_apart(self) -> bool:
        """:return: whether the exchange counts among those that last from now on."""
        return self._owner.set_apart(self)

    def over(self, is_reusable: bool) -> None:
        """
        The exchange is over.  The connection is kept for another one, or closed, and its owner
        told which.

        :param is_reusable: whether request and response were whole, and a next exchange can
            follow (RFC 9112 section 9.3).
        """
        self._exchange = None
        if is_reusable and self._link is not None and self._state.now is _BUSY:
            self._deadline.lift()
            self._link.inflow.reset()
            self._state.enter(_IDLE)
            self._owner.released(self)
        else:
            self._drop()

    def hang_up(self) -> None:
        """The exchange is over; what was written last, such as a closing frame, is sent."""
        self._exchange = None
        if self._link is None or self._state.now is not _BUSY:
            self._drop()
            return
        self._state.enter(State.FLUSHING)
        self._deadline.move(self._options.timeout)
        self._link.close()
        self._owner.dropped(self)

    # What Twisted says.

    def connectionMade(self) -> None:
        """There is a connection; over TLS, the handshake is still to come."""
        self._link = OriginLink.over(self.transport, self._patience, self.flow)
        if not self._is_secure:
            self._establish()

    def handshakeCompleted(self) -> None:
        """The origin is who it should be."""
        if self._state.now is State.CONNECTING:
            self._establish()

    def dataReceived(self, data: bytes) -> None:
        """
        Pass octets to the exchange that is under way, which may be over when this returns.

        Where none is, they are no answer to anything: a connection that is kept is then closed
        (RFC 9112 section 9.2), and on one that ends already they are ignored.

        :param data: the next octets from the origin, in portions of any size.
        """
        exchange = self._exchange
        if exchange is not None and self._link is not None:
            if len(data) == PORTION:
                self._link.inflow.widen()
            exchange.feed(data)
        elif self._state.now is _IDLE:
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
        """
        The connection is gone.  Afterwards the exchange that was under way has its whole response
        or an error, C{established} has failed if the connection was never of use, and the owner
        was told that it is closed.

        :param reason: C{ConnectionDone} where the origin has closed it in an orderly way.  Only
            then can the end of the connection be the end of a body (RFC 9112 section 8).
        """
        self._deadline.stop()
        state = self._state
        if state.now is State.CONNECTING:
            state.enter(State.CLOSED)
            self.established.errback(reason)
        elif state.now.is_leased:
            self._lost(reason.check(ConnectionDone) is not None)
        elif state.now is not State.CLOSED:
            state.enter(State.CLOSED)
        self._owner.closed(self)
        if self._link is not None:
            self._link.lost()

    def _establish(self) -> None:
        self._state.enter(State.FRESH)
        self.established.callback(None)

    # The end.

    def _lost(self, is_clean: bool) -> None:
        self._state.enter(State.LOST)
        if self._exchange is not None:
            self._exchange.ended(is_clean)
        if self._exchange is not None:
            self._exchange.fail(UpstreamBroke("the origin closed the connection"))
        self._drop()

    def _expired(self) -> None:
        if self._exchange is not None:
            self._exchange.expired()
        else:
            self._drop()

    def _given_up(self, _: Deferred[None]) -> None:
        self._drop()

    def _drop(self) -> None:
        """Use the connection no more, and have its owner know, once."""
        before = self._state.now
        if before is State.CLOSED:
            return
        self._state.enter(State.CLOSED)
        self._deadline.stop()
        if before.is_leased:
            self._owner.dropped(self)
        if before is not State.LOST and self._link is not None:
            self._link.abort()
