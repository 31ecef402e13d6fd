"""A connection on which a server says what happens, for as long as it is wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.net.callbacks import ignore
from trickster.stores.redis.commands import Pushed, Reply
from trickster.stores.redis.connections.dialing import Connection, Dial
from trickster.stores.redis.errors import ErrorReply

# Seconds between two questions whether the server is still there.
_PING = 1.0
# Pauses before it is connected again, in seconds: the first, the longest, and where the server
# does not want it.
_FIRST_PAUSE, _LONGEST_PAUSE, _REFUSED_PAUSE = 0.1, 2.0, 60.0


@define(eq=False)
class Subscription:
    """
    Keeps a connection on which a server is listened to.

    What answers a question has been said after all that happened before: so C{proven} tells up
    to when nothing was missed.

    :ivar _begin: has the server say what happens, on a connection that is new.
    :ivar _heard: called with each message.
    :ivar _began: called each time when the server is listened to from then on.
    :ivar _lost: called each time when it is not any more.
    :ivar _refused: called with why a server does not want it.
    :ivar proven: seconds of the clock at which the last question was asked that is answered;
        None while the server is not listened to.
    """

    _dial: Dial
    _runtime: IRuntime
    _begin: Callable[[Connection], Awaitable[None]]
    _heard: Pushed
    _began: Callable[[], object] = ignore
    _lost: Callable[[], object] = ignore
    _refused: Callable[[ErrorReply], object] = ignore
    proven: float | None = field(default=None, init=False)
    _is_wanted: bool = field(default=False, init=False)
    _work: Deferred[None] | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def start(self) -> None:
        """Begin to connect."""
        self._is_wanted = True
        self._work = Deferred.fromCoroutine(self._kept())
        self._work.addErrback(ignore)  # it was cancelled

    def stop(self) -> None:
        """Listen no more."""
        self._is_wanted = False
        if self._work is not None:
            self._work.cancel()
            self._work = None

    async def _kept(self) -> None:
        while self._is_wanted:
            try:
                await self._listened()
                pause = self._pause()
            except ErrorReply as error:
                self._refused(error)
                pause = _REFUSED_PAUSE
            except StoreError:
                pause = self._pause()
            if self._is_wanted:
                await deferLater(self._runtime.clock, pause)

    def _pause(self) -> float:
        self._failures += 1
        longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        return longest * (0.5 + self._runtime.random() / 2)

    async def _listened(self) -> None:
        connection = await self._dial()
        try:
            connection.pushed = self._heard
            asked = self._runtime.clock.seconds()
            await self._begin(connection)
            self.proven = asked
            self._failures = 0
            self._began()
            await self._asked_on(connection)
        finally:
            connection.pushed = ignore
            if self.proven is not None:
                self.proven = None
                self._lost()
            connection.broken("it is not listened to any more")

    async def _asked_on(self, connection: Connection) -> None:
        while connection.error is None:
            ended: Deferred[None] = Deferred()
            connection.changed = partial(_told, connection, ended)
            timer: IDelayedCall = self._runtime.clock.callLater(_PING, _fire, ended)
            try:
                await ended
            finally:
                connection.changed = ignore
                if timer.active():
                    timer.cancel()
            asked = self._runtime.clock.seconds()
            await connection.ask((("PING",),))[0]
            self.proven = asked


def _told(connection: Connection, ended: Deferred[None]) -> None:
    if connection.error is not None:
        _fire(ended)


def _fire(ended: Deferred[None]) -> None:
    if not ended.called:
        ended.callback(None)


async def replied(reply: Deferred[Reply]) -> Reply:
    """
    :return: what a server replies.
    :raises ErrorReply: it refuses.
    """
    given = await reply
    if isinstance(given, ErrorReply):
        raise given
    return given
