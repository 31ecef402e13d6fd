"""The connections to one origin."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trickster.errors import Overloaded
from trickster.http.origin_url import OriginURL
from trickster.net.states import StateMachine
from trickster.upstream.connecting.endpoints import Connector
from trickster.upstream.h1.connection import Connection
from trickster.upstream.options import UpstreamOptions
from trickster.upstream.pooling.dialer import Dialer
from trickster.upstream.pooling.lasting import LastingConnections
from trickster.upstream.pooling.slots import Slots
from trickster.upstream.pooling.states import State

_TELL_EVERY = 60.0
# Members of an enum are slow to look up, and every request asks.
_OPEN = State.OPEN


@frozen(slots=True)
class PoolStats:
    """
    :ivar active: connections in use, or being made; not those that last.
    :ivar lasting: connections with an upgrade, a stream, or an answer that takes long.
    :ivar idle: connections kept for later.
    :ivar waiting: requests that wait for a connection.
    :ivar opened_total: connections made so far.
    :ivar failed_total: connections that could not be made so far.
    """

    active: int
    lasting: int
    idle: int
    waiting: int
    opened_total: int
    failed_total: int


@define(eq=False)
class Pool:
    """
    Keeps connections that can be used again, and bounds how many there are.

    :ivar connector: makes an endpoint of the origin.
    :ivar random: numbers between 0 and 1, which keep connections from ending all at once.
    """

    origin: OriginURL
    options: UpstreamOptions
    connector: Connector
    clock: IReactorTime
    random: Callable[[], float]
    _log: Logger = field(factory=Logger)
    _state: StateMachine[State] = field(init=False, factory=lambda: StateMachine(State.OPEN))
    _open: set[Connection] = field(factory=set, init=False)
    _slots: Slots = field(init=False)
    _lasting: LastingConnections = field(init=False)
    _dialer: Dialer = field(init=False)
    _told_at: float = field(default=float("-inf"), init=False)
    _idle: list[Connection] = field(factory=list, init=False)
    _stopping: list[Deferred[None]] = field(factory=list, init=False)

    @_slots.default
    def _make_slots(self) -> Slots:
        options = self.options
        return Slots(self.clock, options.max_concurrent_conns, options.max_queued_requests,
                     options.queue_timeout)

    @_lasting.default
    def _make_lasting(self) -> LastingConnections:
        return LastingConnections(self.clock, self._slots, self.options.max_streaming_conns,
                                  self._open)

    @_dialer.default
    def _make_dialer(self) -> Dialer:
        return Dialer(self.origin, self.options, self.connector, self.clock, self.random)

    @property
    def stats(self) -> PoolStats:
        """:return: how the connections are used now; a value, which stays as it is."""
        return PoolStats(self._slots.taken, len(self._lasting), len(self._idle),
                         self._slots.waiting, self._dialer.opened, self._dialer.failed)

    def take_idle(self) -> Connection | None:
        """:return: a connection for one exchange, where one can be had without waiting."""
        if self._idle and self._slots.try_take():
            return self._idle.pop()
        return None

    def admit(self) -> None:
        """
        Look whether a request may wait for a connection, before anything is done for it.

        :raises Overloaded: too many wait already, or none will come free in time.
        """
        if self._slots.waiting:
            self._slots.admit()

    async def acquire(self, is_fresh: bool = False) -> Connection:
        """
        :param is_fresh: whether it must be one that has not been used.
        :return: a connection for one exchange, which is to be begun at once.
        :raises UpstreamUnreachable: none could be made.
        :raises UpstreamTimeout: none could be made in time.
        :raises Overloaded: too many wait for one already, or one did not come free in time.
        """
        if self._state.now is not _OPEN:
            raise Overloaded("the proxy is being stopped")
        await self._slot()
        if self._idle:
            if not is_fresh:
                return self._idle.pop()
            # One takes the place of another, which may well be as stale as the one before.
            self._idle[0].abort()
        try:
            return await self._dialer.connect(self, self._open.add)
        except BaseException:
            self._slots.give_back()
            self._tell_if_over()
            raise

    async def _slot(self) -> None:
        if self._slots.try_take():
            return
        self._lasting.look_for_slow()
        self._tell_of_waiting()
        try:
            await self._slots.take()
        finally:
            if not self._slots.waiting:
                self._lasting.look_no_more()

    def _tell_of_waiting(self) -> None:
        now = self.clock.seconds()
        if now - self._told_at < _TELL_EVERY or self._slots.taken < self._slots.limit:
            return
        self._told_at = now
        self._log.warn(
            "Requests to {place} wait for a connection: {taken} are in use, as many as "
            "max_concurrent_conns allows, and {lasting} last beside them",
            place=self.origin.place, taken=self._slots.taken, lasting=len(self._lasting))

    def stop(self) -> Deferred[None]:
        """
        Make no more connections and close each as soon as it is idle.

        :return: fires when none is left.
        """
        if self._state.now is _OPEN:
            self._state.enter(State.DRAINING)
        for connection in list(self._idle):
            connection.abort()
        if self._is_over():
            return succeed(None)
        over: Deferred[None] = Deferred()
        self._stopping.append(over)
        return over

    def abort(self) -> None:
        """Close all connections, also those in use, and turn away the requests that wait for one."""
        self._state.enter(State.ABORTED)
        self._slots.turn_away()
        self._dialer.stop()
        for connection in list(self._open):
            connection.abort()

    # What connections say.

    def set_apart(self, connection: Connection) -> bool:
        """
        Count a connection in use among those that last.

        :return: whether it is; not where there are as many as may be.
        """
        return self._lasting.set_apart(connection)

    def released(self, connection: Connection) -> None:
        """
        A connection can be used again.

        :param connection: kept for later, where there is room.
        """
        patience = min(self.options.keep_alive_timeout, connection.kept_for,
                       connection.ends_at - self.clock.seconds())
        has_room = len(self._idle) < self.options.max_idle_conns
        if self._state.now is not _OPEN or not has_room or patience <= 0:
            connection.abort()
            return
        self._idle.append(connection)
        connection.rest(patience)
        self._give_back(connection)

    def dropped(self, connection: Connection) -> None:
        """
        A connection cannot be used again.

        :param connection: in use, or idle; its slot comes free.
        """
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._give_back(connection)

    def closed(self, connection: Connection) -> None:
        """
        A connection has ended.

        :param connection: of which nothing is left.
        """
        self._open.discard(connection)
        self._tell_if_over()

    def _give_back(self, connection: Connection) -> None:
        if not self._lasting.give_back(connection):
            self._slots.give_back()
        self._tell_if_over()

    def _is_over(self) -> bool:
        return not self._open and not self._slots.taken

    def _tell_if_over(self) -> None:
        while self._stopping and self._is_over():
            self._stopping.pop().callback(None)
