"""The master that Redis Sentinel names, and the next one when that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.net.callbacks import ignore
from trickster.net.waiters import Waiters
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.commands import Ask, Reply
from trickster.stores.redis.connections.dialing import Connection, Dial
from trickster.stores.redis.connections.subscription import Subscription, replied
from trickster.stores.redis.errors import ErrorReply, NotConnected
from trickster.stores.redis.node import Node
from trickster.stores.redis.settings import Settings
from trickster.stores.timed_call import TimedCall

T = TypeVar("T")

_SWITCHED = "+switch-master"
# Seconds for the answers of all Sentinels; and between two rounds of questions, while there is no
# master that works, and else.
_PATIENCE, _SOON, _LATER = 1.0, 0.5, 10.0
# What a server says that is no master, or none any more.
_NO_MASTER = frozenset(("READONLY", "MASTERDOWN"))


@frozen
class Named:
    """
    What a Sentinel says of the master.

    :ivar epoch: of the configuration that made it the master: the highest is the latest.
    """

    epoch: int
    address: Address


@define(eq=False)
class Sentinels:
    """
    Asks all Sentinels which server is the master, and is told by each when that changes.

    :ivar _nodes: the Sentinels.
    :ivar _changed: called when one says that there is another master.
    """

    name: str
    _nodes: Sequence[Node]
    _subscriptions: Sequence[Subscription]
    _runtime: IRuntime

    @classmethod
    def of(cls, name: str, nodes: Iterable[tuple[Node, Dial]], runtime: IRuntime,
           changed: Callable[[], object]) -> Sentinels:
        """
        :param name: of the master.
        :param nodes: the Sentinels, and what connects to each.
        :param changed: called when one of them may name another master than before.
        :return: them, not started yet.
        """
        def heard(reply: list[Reply]) -> None:
            words = reply[-1].split(b" ") if isinstance(reply[-1], bytes) else [b""]
            if words[0] == name.encode():
                changed()

        pairs = list(nodes)
        return cls(name, [node for node, _ in pairs],
                   [Subscription(dial, runtime, _subscribed, heard, changed)
                    for _, dial in pairs], runtime)

    def start(self) -> None:
        """Begin to connect."""
        for node in self._nodes:
            node.start()
        for subscription in self._subscriptions:
            subscription.start()

    async def stop(self) -> None:
        """Close all connections."""
        for subscription in self._subscriptions:
            subscription.stop()
        await DeferredList([Deferred.fromCoroutine(node.stop()) for node in self._nodes])

    async def master(self) -> Named:
        """
        :return: the master, as the Sentinel says that knows the latest.
        :raises NotConnected: none names one; says why.
        """
        asked = [TimedCall.of(self._asked(node), self._runtime.clock, _PATIENCE)
                 for node in self._nodes]
        given: list[Any] = [result for _, result in await DeferredList(asked, consumeErrors=True)]
        named = [one for one in given if isinstance(one, Named)]
        if named:
            return max(named, key=lambda one: one.epoch)
        why = "; ".join(dict.fromkeys(
            one.getErrorMessage() for one in given if not isinstance(one, Named)))
        raise NotConnected(f"no Sentinel names the master {self.name}: {why}")

    async def _asked(self, node: Node) -> Named:
        reply = await node.execute("SENTINEL", "MASTER", self.name)
        try:
            return _named(reply)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StoreError(f"{node.address}: no answer of a Sentinel") from None


@define(eq=False)
class Master:
    """
    The master behind Sentinels (L{trickster.stores.redis.servers.Servers}).

    :ivar _make: makes a server of any address, not started yet; it is used only if it says itself
        that it is a master.
    :ivar sentinels: who say which it is.
    """

    _make: Callable[[Address], Node]
    _runtime: IRuntime
    _settings: Settings
    sentinels: Sentinels = field(init=False)
    _node: Node | None = field(default=None, init=False)
    _error: NotConnected | None = field(default=None, init=False)
    _is_running: bool = field(default=False, init=False)
    _round: Deferred[None] | None = field(default=None, init=False)
    _is_outdated: bool = field(default=False, init=False)
    _is_soon: bool = field(default=False, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _waiters: Waiters[None] = field(factory=Waiters, init=False)
    _closing: set[Deferred[None]] = field(factory=set, init=False)
    _log: Logger = field(factory=Logger, repr=False)

    @classmethod
    def of(cls, name: str, sentinels: Iterable[tuple[Node, Dial]],
           make: Callable[[Address], Node], runtime: IRuntime, settings: Settings) -> Master:
        """
        :param name: of the master.
        :param sentinels: the Sentinels, and what connects to each.
        :param make: makes a server.
        :param settings: of connections to the master.
        :return: the master, not started yet.
        """
        master = cls(make, runtime, settings)
        master.sentinels = Sentinels.of(name, sentinels, runtime, master.ask_again)
        return master

    def start(self) -> None:
        """See L{trickster.stores.redis.servers.Servers.start}."""
        self._is_running = True
        self.sentinels.start()
        self.ask_again()

    async def stop(self) -> None:
        """See L{trickster.stores.redis.servers.Servers.stop}."""
        self._is_running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._round is not None:
            self._round.cancel()
        self._waiters.tell_all(Failure(_stopped()))
        if self._node is not None:
            self._close(self._node)
            self._node = None
        await self.sentinels.stop()
        await DeferredList(list(self._closing))

    async def at(self, key: bytes, ask: Ask[T]) -> T:
        """See L{trickster.stores.redis.servers.Servers.at}."""
        node = await self._known()
        try:
            return await ask(node)
        except ErrorReply as error:
            if error.code in _NO_MASTER:
                self._doubt()
            raise
        except StoreError:
            self._doubt()
            raise

    async def each(self, ask: Ask[T]) -> list[T]:
        """See L{trickster.stores.redis.servers.Servers.each}."""
        return [await self.at(b"", ask)]

    def grouped(self, keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
        """See L{trickster.stores.redis.servers.Servers.grouped}."""
        return [keys] if keys else []

    def node_of(self, key: bytes) -> Node | None:
        """See L{trickster.stores.redis.servers.Servers.node_of}."""
        return self._node

    def ask_again(self) -> None:
        """Ask the Sentinels now; where they are being asked, once they have answered."""
        if not self._is_running:
            return
        if self._round is not None:
            self._is_outdated = True
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._is_outdated = self._is_soon = False
        self._round = asking = Deferred.fromCoroutine(self._asked())
        asking.addBoth(self._ended)

    def _doubt(self) -> None:
        """Ask again, but not for each of the commands that fail."""
        if not self._is_soon:
            self.ask_again()

    async def _known(self) -> Node:
        if self._node is not None:
            return self._node
        if not self._is_running:
            raise _stopped()
        if self._error is not None:
            raise NotConnected(str(self._error))
        seconds = self._settings.pool_timeout
        await TimedCall.of(self._waiters.wait(ignore), self._runtime.clock, seconds)
        return await self._known()

    async def _asked(self) -> None:
        try:
            named = await self.sentinels.master()
        except NotConnected as error:
            self._unknown(error)
        else:
            self._switch(named.address)

    def _ended(self, _: object) -> None:
        self._round = None
        if not self._is_running:
            return
        works = self._node is not None and self._node.error is None
        # Not at once, also where it was asked for meanwhile: a server that answers every command
        # so is no reason to ask without a pause.
        self._is_soon = self._is_outdated or not works
        seconds = _SOON if self._is_soon else _LATER
        self._timer = self._runtime.clock.callLater(seconds, self.ask_again)

    def _switch(self, address: Address) -> None:
        if not self._is_running:
            return
        before, self._error = self._node, None
        if before is None or before.address != address:
            self._log.info("The master {name} is the Redis at {address}",
                           name=self.sentinels.name, address=address)
            self._node = self._make(address)
            self._node.start()
            if before is not None:
                self._close(before)
        self._waiters.tell_all(None)

    def _unknown(self, error: NotConnected) -> None:
        is_news, self._error = self._error is None, error
        if is_news:
            self._log.error("{why}; they are asked again and again", why=str(error))
        self._waiters.tell_all(Failure(NotConnected(str(error))))

    def _close(self, node: Node) -> None:
        closing = Deferred.fromCoroutine(node.stop())
        self._closing.add(closing)
        closing.addBoth(lambda _: self._closing.discard(closing))


async def _subscribed(connection: Connection) -> None:
    await replied(connection.ask((("SUBSCRIBE", _SWITCHED),))[0])


def _named(reply: Reply) -> Named:
    if not isinstance(reply, list):
        raise TypeError
    words = [word.decode() if isinstance(word, bytes) else "" for word in reply]
    said = dict(zip(words[::2], words[1::2], strict=False))
    host, port = said["ip"], int(said["port"])
    if not host or not 0 < port < 65536:
        raise ValueError
    return Named(int(said["config-epoch"]), Address(host, port))


def _stopped() -> NotConnected:
    return NotConnected("the store is not running")
