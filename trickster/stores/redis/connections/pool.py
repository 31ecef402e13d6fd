"""The connections to one server: how many there are, and which one takes a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from trickster.errors import StoreError
from trickster.net.callbacks import ignore
from trickster.net.waiters import Waiters
from trickster.stores.redis.connections.dialing import Connection, Dial
from trickster.stores.redis.errors import NotConnected
from trickster.stores.redis.settings import Settings
from trickster.stores.timed_call import TimedCall

# Commands on one connection from which on another one is worth having; and the most.
_BUSY = 16
_MOST_IN_FLIGHT = 4096
# Pauses between attempts to connect, in seconds: the first, the longest, and by how much each is
# longer than the one before.  Each is cut at random, to a half at most.
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.05, 2.0, 2.0
# A connection that is lost sooner than this, and has answered nothing but the greeting, has come
# to nothing, as one that was never made.
_SHORT_LIFE = 1.0
_UPKEEP = 1.0


@define(eq=False)
class Pool:
    """
    Connections to one server.  They are made in the background: when the pool is started, when
    those that there are have much to do, and again and again while there is none.

    While the server is known not to be there, nothing waits: L{take} fails at once.

    :ivar _dial: makes one.
    :ivar went: called with why there is no connection any more, and with None once there is one
        again.
    :ivar error: why there is none; None while there is one, and while that is not known yet.
    """

    _dial: Dial
    _settings: Settings
    _clock: IReactorTime
    _random: Callable[[], float]
    went: Callable[[NotConnected | None], object] = ignore
    error: NotConnected | None = field(default=None, init=False)
    _is_running: bool = field(default=False, init=False)
    _ready: list[Connection] = field(factory=list, init=False)
    _retired: list[Connection] = field(factory=list, init=False)
    _dialling: Deferred[Any] | None = field(default=None, init=False)
    _pause: IDelayedCall | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _upkeep: IDelayedCall | None = field(default=None, init=False)
    _waiters: Waiters[None] = field(factory=Waiters, init=False)
    _emptied: list[Deferred[None]] = field(factory=list, init=False)

    def start(self) -> None:
        """Begin to connect."""
        self._is_running = True
        self._upkeep = self._clock.callLater(_UPKEEP, self._look_after)
        self._grow()

    async def stop(self) -> None:
        """Connect no more, and close the connections, each after what is under way on it."""
        if not self._is_running:
            return
        self._is_running = False
        for call in (self._upkeep, self._pause):
            if call is not None and call.active():
                call.cancel()
        self._waiters.tell_all(Failure(_stopped()))
        if self._dialling is not None:
            self._dialling.cancel()
        for connection in list(self._ready):
            self._retire(connection)
        await self._closed()

    async def _closed(self) -> None:
        if not self._retired:
            return
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        try:
            await TimedCall.of(emptied, self._clock, self._settings.read_timeout)
        except StoreError:
            for connection in list(self._retired):
                connection.broken("the store is stopped")

    async def take(self) -> Connection:
        """
        :return: a connection that takes commands, which are to be sent at once.
        :raises NotConnected: there is none, or none that takes more in time.
        """
        found = self._found()
        if found is not None:
            return found
        seconds = self._settings.pool_timeout
        try:
            return await TimedCall.of(self._awaited(), self._clock, seconds)
        except (NotConnected, CancelledError):
            raise
        except StoreError:
            raise NotConnected(f"no connection takes a command in {seconds:g} s") from None

    async def _awaited(self) -> Connection:
        while True:
            if not self._is_running:
                raise _stopped()
            if self.error is not None:
                raise NotConnected(str(self.error))
            await self._waiters.wait(ignore)
            found = self._found()
            if found is not None:
                return found

    def _found(self) -> Connection | None:
        best = self._least_busy()
        if best is None or best.in_flight >= _BUSY:
            self._grow()
        return best or self._least_busy()

    def _least_busy(self) -> Connection | None:
        return min(filter(_takes_more, self._ready), key=_in_flight, default=None)

    def _grow(self) -> None:
        is_trying = self._dialling is not None or self._pause is not None
        if self._is_running and not is_trying and len(self._ready) < self._settings.pool_size:
            self._dialling = dialling = Deferred.fromCoroutine(_awaiting(self._dial()))
            dialling.addBoth(self._dialled)

    def _dialled(self, result: Any) -> None:
        self._dialling = None
        if not isinstance(result, Failure):
            self._add(result)
        elif self._is_running:
            error = result.value
            self._failed(error if isinstance(error, NotConnected) else NotConnected(str(error)))

    def _add(self, connection: Connection) -> None:
        if not self._is_running:
            connection.end()
            return
        self._ready.append(connection)
        connection.answered = 0
        connection.changed = partial(self._changed, connection)
        if connection.error is not None:
            self._lost(connection)
            return
        if self.error is not None:
            self.error = None
            self.went(None)
        self._tell_waiters()
        self._keep_some()

    def _keep_some(self, least: int = 0) -> None:
        if len(self._ready) < max(least, self._settings.min_idle):
            self._grow()

    def _tell_waiters(self) -> None:
        while any(map(_takes_more, self._ready)) and self._waiters.tell_first(None):
            pass

    def _changed(self, connection: Connection) -> None:
        if connection.error is not None:
            self._lost(connection)
        elif connection in self._ready:
            self._tell_waiters()
        elif not connection.in_flight:
            connection.end()

    def _lost(self, connection: Connection) -> None:
        if connection not in self._ready:
            self._gone(connection)
            return
        self._ready.remove(connection)
        why = NotConnected(str(connection.error))
        if connection.is_hung:
            self._drop_silent()
        if not connection.answered and self._clock.seconds() - connection.born < _SHORT_LIFE:
            self._failed(why)
            return
        self._failures = 0
        if connection.is_hung:
            self._down(why)
        self._keep_some(least=1)

    def _gone(self, connection: Connection) -> None:
        if connection in self._retired:
            self._retired.remove(connection)
        if not self._retired:
            emptied, self._emptied = self._emptied, []
            for each in emptied:
                each.callback(None)

    def _drop_silent(self) -> None:
        """Have no command find out anew that the server is hung."""
        since = self._clock.seconds() - self._settings.read_timeout
        for connection in list(self._ready):
            if connection.heard <= since:
                self._ready.remove(connection)
                connection.broken("the server does not answer")

    def _failed(self, why: NotConnected) -> None:
        self._failures += 1
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * _GROWTH ** min(self._failures - 1, 20))
        if self._pause is None:
            seconds = longest * (0.5 + self._random() / 2)
            self._pause = self._clock.callLater(seconds, self._try_again)
        # The last thing, since who waits may stop the pool.
        self._down(why)

    def _down(self, why: NotConnected) -> None:
        if self._ready:
            return
        self.error, is_news = why, self.error is None
        if is_news:
            self.went(why)
        self._waiters.tell_all(Failure(why))

    def _try_again(self) -> None:
        self._pause = None
        self._keep_some(least=1)

    def _look_after(self) -> None:
        now, settings = self._clock.seconds(), self._settings
        for connection in list(self._ready):
            is_old = settings.max_age and now - connection.born > settings.max_age
            is_idle = (settings.idle_timeout and not connection.in_flight
                       and now - connection.free_since > settings.idle_timeout
                       and len(self._ready) > settings.min_idle)
            if is_old or is_idle:
                self._retire(connection)
        self._keep_some()
        self._upkeep = self._clock.callLater(_UPKEEP, self._look_after)

    def _retire(self, connection: Connection) -> None:
        self._ready.remove(connection)
        self._retired.append(connection)
        if not connection.in_flight:
            connection.end()


async def _awaiting(awaitable: Awaitable[Connection]) -> Connection:
    return await awaitable


def _takes_more(connection: Connection) -> bool:
    return (connection.is_writable and connection.error is None
            and connection.in_flight < _MOST_IN_FLIGHT)


def _in_flight(connection: Connection) -> int:
    return connection.in_flight


def _stopped() -> NotConnected:
    return NotConnected("the store is not running")
