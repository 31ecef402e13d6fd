"""The connections to one origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from trickster.errors import Overloaded
from trickster.http.origin_url import OriginURL
from trickster.upstream.connecting.cancelling import promptly
from trickster.upstream.connecting.endpoints import Connector
from trickster.upstream.connecting.failures import unreachable
from trickster.upstream.h1.connection import Connection
from trickster.upstream.options import UpstreamOptions
from trickster.upstream.pooling.slots import Slots

# Seconds after which a body that is not over counts as one that lasts, and after which one
# does whose reader keeps it waiting.
_LASTING_AFTER = 5.0
_HELD_FOR = 1.0
_LOOK_EVERY = 1.0
_TELL_EVERY = 60.0


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
    Makes connections, keeps those that can be used again, and bounds how many there are.

    What lasts must not starve what is short: a connection with an upgrade, a stream, or an
    answer that goes on for long is counted apart from those that requests wait for.

    :ivar connector: makes an endpoint of the origin.
    :ivar random: numbers between 0 and 1, which keep connections from ending all at once.
    """

    origin: OriginURL
    options: UpstreamOptions
    connector: Connector
    clock: IReactorTime
    random: Callable[[], float]
    _log: Logger = field(factory=Logger)
    _slots: Slots = field(init=False)
    _lasting: set[Connection] = field(factory=set, init=False)
    _looking: IDelayedCall | None = field(default=None, init=False)
    _told_at: float = field(default=float("-inf"), init=False)
    _idle: list[Connection] = field(factory=list, init=False)
    _open: set[Connection] = field(factory=set, init=False)
    _stopping: list[Deferred[None]] = field(factory=list, init=False)
    _connecting: set[Deferred[Connection]] = field(factory=set, init=False)
    _is_stopped: bool = field(default=False, init=False)
    _is_aborted: bool = field(default=False, init=False)
    _opened: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)

    @_slots.default
    def _make_slots(self) -> Slots:
        options = self.options
        return Slots(self.clock, options.max_concurrent_conns, options.max_queued_requests,
                     options.queue_timeout)

    @property
    def stats(self) -> PoolStats:
        """How things stand now."""
        return PoolStats(self._slots.taken, len(self._lasting), len(self._idle),
                         self._slots.waiting, self._opened, self._failed)

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
        if self._is_stopped:
            raise Overloaded("the proxy is being stopped")
        await self._slot()
        if self._idle:
            if not is_fresh:
                return self._idle.pop()
            # One takes the place of another, which may well be as stale as the one before.
            self._idle[0].abort()
        try:
            return await self._connect()
        except BaseException:
            self._give_back()
            raise

    async def _slot(self) -> None:
        if self._slots.try_take():
            return
        if self._looking is None:
            self._set_slow_apart()
        self._tell_of_waiting()
        try:
            await self._slots.take()
        finally:
            if not self._slots.waiting:
                self._look_no_more()

    def _tell_of_waiting(self) -> None:
        now = self.clock.seconds()
        if now - self._told_at < _TELL_EVERY or self._slots.taken < self._slots.limit:
            return
        self._told_at = now
        self._log.warn(
            "Requests to {place} wait for a connection: {taken} are in use, as many as "
            "max_concurrent_conns allows, and {lasting} last beside them",
            place=self.origin.place, taken=self._slots.taken, lasting=len(self._lasting))

    # What lasts.

    def _set_slow_apart(self) -> None:
        """Count apart what takes long at another's pace; look again while requests wait."""
        now = self.clock.seconds()
        for connection in [one for one in self._open if _lasts(one, now)]:
            self.set_apart(connection)
        if self._looking is None and self._slots.taken >= self._slots.limit > 0:
            self._looking = self.clock.callLater(_LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._looking = None
        self._set_slow_apart()

    def _look_no_more(self) -> None:
        if self._looking is not None:
            looking, self._looking = self._looking, None
            looking.cancel()

    def set_apart(self, connection: Connection) -> bool:
        """
        Count a connection in use among those that last, and have a slot come free.

        :return: whether it is; not where there are as many as may be.
        """
        if connection in self._lasting:
            return True
        most = self.options.max_streaming_conns
        if most and len(self._lasting) >= most:
            return False
        self._lasting.add(connection)
        connection.watch_peer()
        self._slots.give_back()
        return True

    def stop(self) -> Deferred[None]:
        """
        Make no more connections and close each as soon as it is idle.

        :return: fires when none is left.
        """
        self._is_stopped = True
        for connection in list(self._idle):
            connection.abort()
        if self._is_over():
            return succeed(None)
        over: Deferred[None] = Deferred()
        self._stopping.append(over)
        return over

    def abort(self) -> None:
        """Close all connections, also those in use, and turn away the requests that wait for one."""
        self._is_stopped = self._is_aborted = True
        self._slots.turn_away()
        for connecting in list(self._connecting):
            connecting.cancel()
        for connection in list(self._open):
            connection.abort()

    # What connections say.

    def released(self, connection: Connection) -> None:
        """It can be used again."""
        patience = min(self.options.keep_alive_timeout, connection.kept_for,
                       connection.ends_at - self.clock.seconds())
        has_room = len(self._idle) < self.options.max_idle_conns
        if self._is_stopped or not has_room or patience <= 0:
            connection.abort()
            return
        self._idle.append(connection)
        connection.rest(patience)
        self._give_back(connection)

    def dropped(self, connection: Connection) -> None:
        """It cannot be used again."""
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._give_back(connection)

    def closed(self, connection: Connection) -> None:
        """Nothing is left of it."""
        self._open.discard(connection)
        self._tell_if_over()

    # Making connections.

    async def _connect(self) -> Connection:
        establishing = Deferred.fromCoroutine(self._establish())
        establishing.addTimeout(self.options.connect_timeout, self.clock)
        self._connecting.add(establishing)
        try:
            connection = await establishing
        except CancelledError as error:
            if self._is_aborted:
                raise Overloaded("the proxy is being stopped") from error
            raise
        except Exception as error:  # endpoints and resolvers raise what they like
            self._failed += 1
            raise unreachable(self.origin, error) from error
        finally:
            self._connecting.discard(establishing)
        self._opened += 1
        return connection

    async def _establish(self) -> Connection:
        connecting = self.connector().connect(_ConnectionFactory(self))
        made = cast(Connection, await promptly(connecting, _abort))
        await made.established
        return made

    def build(self) -> Connection:
        """:return: a connection of this pool, for a transport still to come."""
        connection = Connection(self, self.clock, self.options, self.origin.is_secure)
        connection.ends_at = self.clock.seconds() + self._lifetime()
        self._open.add(connection)
        return connection

    def _lifetime(self) -> float:
        # A fifth less for some than for others, lest all be made anew at one time.
        most = self.options.max_conn_age
        return float("inf") if most is None else most * (1 - self.random() / 5)

    def _give_back(self, connection: Connection | None = None) -> None:
        if connection is not None and connection in self._lasting:
            self._lasting.discard(connection)
        else:
            self._slots.give_back()
        self._tell_if_over()

    def _is_over(self) -> bool:
        return not self._open and not self._slots.taken

    def _tell_if_over(self) -> None:
        while self._stopping and self._is_over():
            self._stopping.pop().callback(None)


def _lasts(connection: Connection, now: float) -> bool:
    return (now - connection.flows_since > _LASTING_AFTER
            or now - connection.held_since >= _HELD_FOR)


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return self._pool.build()


def _abort(connection: IProtocol) -> None:
    cast(Connection, connection).abort()
