"""The connections to one origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from attrs import define, field, frozen
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectingCancelledError, TCPTimedOutError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from trickster.errors import Overloaded, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from trickster.upstream.options import UpstreamOptions
from trickster.upstream.origin import OriginURL
from trickster.upstream.protocol import Connection
from trickster.upstream.slots import Slots

Connector = Callable[[], IStreamClientEndpoint]


@frozen(slots=True)
class PoolStats:
    """
    :ivar active: connections in use, or being made.
    :ivar idle: connections kept for later.
    :ivar waiting: requests that wait for a connection.
    :ivar opened_total: connections made so far.
    :ivar failed_total: connections that could not be made so far.
    """

    active: int
    idle: int
    waiting: int
    opened_total: int
    failed_total: int


@define(eq=False)
class Pool:
    """
    Makes connections, keeps those that can be used again, and bounds how many there are.

    :ivar connector: makes an endpoint of the origin.
    """

    origin: OriginURL
    options: UpstreamOptions
    connector: Connector
    clock: IReactorTime
    _slots: Slots = field(init=False)
    _idle: list[Connection] = field(factory=list, init=False)
    _open: set[Connection] = field(factory=set, init=False)
    _stopping: list[Deferred[None]] = field(factory=list, init=False)
    _is_stopped: bool = field(default=False, init=False)
    _opened: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)

    @_slots.default
    def _make_slots(self) -> Slots:
        limits = self.options.limits
        return Slots(self.clock, self.options.max_concurrent_conns, limits.queued_requests,
                     limits.queue_timeout)

    @property
    def stats(self) -> PoolStats:
        """How things stand now."""
        return PoolStats(self._slots.taken, len(self._idle), self._slots.waiting,
                         self._opened, self._failed)

    def take_idle(self) -> Connection | None:
        """:return: a connection for one exchange, where one can be had without waiting."""
        if self._idle and self._slots.try_take():
            return self._idle.pop()
        return None

    async def acquire(self, is_fresh: bool = False) -> Connection:
        """
        :param is_fresh: whether it must be one that nobody has used.
        :return: a connection for one exchange, which is to be begun at once.
        :raises UpstreamUnreachable: none could be made.
        :raises UpstreamTimeout: none could be made in time.
        :raises Overloaded: too many wait for one already, or one did not come free in time.
        """
        if self._is_stopped:
            raise Overloaded("the proxy is being stopped")
        await self._slots.take()
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
        """Close all connections, also those in use, and turn away whoever waits for one."""
        self._is_stopped = True
        self._slots.turn_away()
        for connection in list(self._open):
            connection.abort()

    # What connections say.

    def released(self, connection: Connection) -> None:
        """It can be used again."""
        patience = min(self.options.keep_alive_timeout, connection.kept_for)
        has_room = len(self._idle) < self.options.max_idle_conns
        if self._is_stopped or not has_room or patience <= 0:
            connection.abort()
            return
        self._idle.append(connection)
        connection.rest(patience)
        self._give_back()

    def dropped(self, connection: Connection) -> None:
        """It cannot be used again."""
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._give_back()

    def closed(self, connection: Connection) -> None:
        """Nothing is left of it."""
        self._open.discard(connection)
        self._tell_if_over()

    # Making connections.

    async def _connect(self) -> Connection:
        establishing = Deferred.fromCoroutine(self._establish())
        establishing.addTimeout(self.options.connect_timeout, self.clock)
        try:
            connection = await establishing
        except CancelledError:
            raise
        except Exception as error:  # endpoints and resolvers raise what they like
            self._failed += 1
            raise unreachable(self.origin, error) from error
        self._opened += 1
        return connection

    async def _establish(self) -> Connection:
        try:
            connection = await self.connector().connect(_ConnectionFactory(self))
        except ConnectingCancelledError as error:
            raise CancelledError from error
        return await cast(Connection, connection).established

    def build(self) -> Connection:
        """:return: a connection of this pool, for a transport still to come."""
        connection = Connection(self, self.clock, self.options, self.origin.is_secure)
        self._open.add(connection)
        return connection

    def _give_back(self) -> None:
        self._slots.give_back()
        self._tell_if_over()

    def _is_over(self) -> bool:
        return not self._open and not self._slots.taken

    def _tell_if_over(self) -> None:
        while self._stopping and self._is_over():
            self._stopping.pop().callback(None)


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return self._pool.build()


def unreachable(origin: OriginURL, error: Exception) -> UpstreamError:
    """:return: the failure to connect, in words that say where to and why."""
    if isinstance(error, (DeferredTimeout, ConnectTimeout, TCPTimedOutError)):
        return UpstreamTimeout(f"{origin.place}: no connection in time")
    return UpstreamUnreachable(f"{origin.place}: {_why(error)}")


def _why(error: Exception) -> str:
    if isinstance(error, VerificationError):
        return "TLS: the certificate is not for this name"
    # An OpenSSL error is a list of (library, function, reason).
    if error.args and isinstance(error.args[0], list):
        return "TLS: " + ", ".join(str(entry[-1]) for entry in error.args[0])
    return str(error).rstrip(".") or type(error).__name__
