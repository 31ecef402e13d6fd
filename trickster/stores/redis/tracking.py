"""Being told by a server which values have changed (server-assisted client-side caching)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from attrs import define, field
from twisted.logger import Logger

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.beginnings import Beginnings
from trickster.stores.redis.commands import Reply
from trickster.stores.redis.connections.dialing import Connection, Dial
from trickster.stores.redis.connections.subscription import Subscription, replied
from trickster.stores.redis.errors import ErrorReply
from trickster.stores.timed_call import TimedCall

_CHANNEL = "__redis__:invalidate"
# Seconds since which the server must have shown that nothing was missed, for what is known to be
# told; for which the news of a change of ours is waited for; and between two times that the
# server, which sees no peeks, is told that a value is used: lest it evict what is used most.
FRESH, NEWS, USE = 3.0, 0.05, 60.0


@define(eq=False)
class Tracking:
    """
    Knows how values begin that one server has, as long as the server tells of changes.

    There is one connection for it, on which the server names each key that is changed, expires or
    is evicted.  Where the connection is lost, or is silent, nothing is known.

    :ivar _prefix: of the keys.
    :ivar beginnings: what is known.
    """

    _address: Address
    _prefix: bytes
    _dial: Dial
    _runtime: IRuntime
    beginnings: Beginnings = field(factory=Beginnings)
    _subscription: Subscription = field(init=False)
    _is_told: bool = field(default=False, init=False)
    _log: Logger = field(factory=Logger, repr=False)

    def __attrs_post_init__(self) -> None:
        self._subscription = Subscription(
            self._dial, self._runtime, self._begin, self._heard, self._began, self._lost,
            self._refused)

    @property
    def is_live(self) -> bool:
        """See L{trickster.stores.redis.commands.Tracks.is_live}."""
        return self.beginnings.is_live

    def start(self) -> None:
        """Begin to connect."""
        self._subscription.start()

    def stop(self) -> None:
        """Know nothing any more."""
        self._subscription.stop()

    def peek(self, key: bytes, length: int) -> bytes | None:
        """
        :return: the first octets of what the server would give now; None where that is not known.
        """
        now, proven = self._runtime.clock.seconds(), self._subscription.proven
        if proven is None or now - proven > FRESH:
            return None
        return self.beginnings.peek(key, length, now)

    def is_used_anew(self, key: bytes) -> bool:
        """:return: whether the server is to be told now that a value is used."""
        return self.beginnings.is_used_anew(key, self._runtime.clock.seconds(), USE)

    async def read(self, key: bytes, ask: Callable[[], Awaitable[tuple[bytes | None, float]]]
                   ) -> bytes | None:
        """See L{trickster.stores.redis.commands.Tracks.read}."""
        reading = self.beginnings.begin(key, self._runtime.clock.seconds())
        try:
            value, ttl = await ask()
            if reading is not None and value is not None:
                self.beginnings.keep(reading, value, ttl)
        finally:
            if reading is not None:
                self.beginnings.end(reading)
        return value

    async def write(self, key: bytes, ask: Callable[[], Awaitable[bool]]) -> bool:
        """
        See L{trickster.stores.redis.commands.Tracks.write}.

        The news of the change, which are on their way by then, are waited for, so that they are
        not taken for those of a later one.
        """
        told = self.beginnings.changing(key)
        try:
            is_written = await ask()
            self.beginnings.forget((key,))
            if is_written and self.beginnings.is_live and not told.called:
                with suppress(StoreError):
                    await TimedCall.of(told, self._runtime.clock, NEWS)
        finally:
            # Also where it is not known whether it was written.
            self.beginnings.forget((key,))
            self.beginnings.unchanging(key, told)
        return is_written

    def forget(self, keys: Iterable[bytes]) -> None:
        """See L{trickster.stores.redis.commands.Tracks.forget}."""
        self.beginnings.forget(keys)

    async def _begin(self, connection: Connection) -> None:
        number = await replied(connection.ask((("CLIENT", "ID"),))[0])
        if not isinstance(number, int):
            raise ErrorReply("ERR CLIENT ID gives no number")
        prefix = ("PREFIX", self._prefix) if self._prefix else ()
        await replied(connection.ask((
            ("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", *prefix),))[0])
        await replied(connection.ask((("SUBSCRIBE", _CHANNEL),))[0])

    def _began(self) -> None:
        self.beginnings.is_live = True

    def _lost(self) -> None:
        self.beginnings.is_live = False
        self.beginnings.void()

    def _heard(self, message: list[Reply]) -> None:
        keys = message[-1]
        if isinstance(keys, list):
            self.beginnings.changed(key for key in keys if isinstance(key, bytes))
        else:
            self.beginnings.void()  # everything was removed

    def _refused(self, error: ErrorReply) -> None:
        if not self._is_told:
            self._is_told = True
            self._log.info("Redis at {address} does not tell what changes, and so is asked at each "
                           "hit: {why}", address=self._address, why=error.text)
