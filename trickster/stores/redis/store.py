"""The store C{redis}: entries under keys of a server, or of several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import ICompareAndSetStore, IInspectableStore, IPeekingStore
from trickster.net.callbacks import ignore
from trickster.stores.limits import Inspected
from trickster.stores.redis import operations
from trickster.stores.redis.commands import Ask, Commands
from trickster.stores.redis.retrying import Retries
from trickster.stores.redis.servers import Servers
from trickster.stores.redis.together import all_of
from trickster.stores.redis.tracking import FRESH
from trickster.stores.sealed import chunk_key, is_chunk_key, unsealed

T = TypeVar("T")

# Keys that are deleted by one command, and such commands that are under way at a time.
_BATCH, _AT_ONCE = 500, 500


@implementer(ICompareAndSetStore, IInspectableStore, IPeekingStore)
@define(eq=False, slots=False)
class RedisStore(Service):
    """
    Keeps entries in Redis, which forgets them by itself: each has its time to live there.

    How much is kept is for Redis to say (C{maxmemory}, C{maxmemory-policy}).

    :ivar _servers: where the entries are.
    :ivar _prefix: what every key begins with.
    :ivar timeout: seconds that an operation takes at most.
    """

    _servers: Servers
    _prefix: str
    _retries: Retries
    timeout: float
    _prefix_octets: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._prefix_octets = _octets(self._prefix)

    def startService(self) -> None:
        """Begin to connect.  Where that cannot be done, it is logged, and goes on."""
        super().startService()
        self._servers.start()

    async def stopService(self) -> None:
        """Close the connections, after what is under way."""
        super().stopService()
        await self._servers.stop()

    async def get(self, key: str) -> bytes | None:
        """See L{trickster.interfaces.ICacheStore.get}."""
        name, read = self._name(key), operations.get if is_chunk_key(key) else operations.read
        return await self._at(name, lambda node: read(node, name))

    async def inspect(self, key: str) -> Inspected | None:
        """
        See L{IInspectableStore.inspect}.

        :return: kept no longer by Trickster; by the rule of the server by which keys make room,
            it is a use all the same.
        """
        name = self._name(key)
        value, ttl = await self._at(name, lambda node: operations.get_with_ttl(node, name))
        return None if value is None else Inspected(value, ttl if ttl >= 0 else None)

    async def put(self, key: str, value: bytes, ttl: float) -> bool:
        """See L{trickster.interfaces.ICacheStore.put}."""
        name = self._name(key)
        # Of chunks, of which one never takes the place of another one, nothing is kept.
        put = partial(_put, name, value, ttl) if is_chunk_key(key) else partial(
            _written, name, partial(_put, name, value, ttl))
        return await self._at(name, put)

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """See L{trickster.interfaces.ICompareAndSetStore.replace}."""
        name = self._name(key)
        # Done twice, it would be told the second time that something else is there.
        return await self._at(
            name, partial(_written, name, partial(_replaced, name, value, ttl, expected)),
            is_repeatable=False)

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{trickster.interfaces.ICacheStore.delete}."""
        count, batches = 0, self._batches(list(dict.fromkeys(map(self._name, keys))))
        while some := list(islice(batches, _AT_ONCE)):
            count += sum(await all_of(self._at(batch[0], partial(_deleted, batch))
                                      for batch in some))
        return count

    @property
    def peek_lag(self) -> float:
        """:return: seconds for which L{peek} may not know of a change, if news of it are lost."""
        return FRESH

    def peek(self, key: str, length: int) -> bytes | None:
        """See L{trickster.interfaces.IPeekingStore.peek}."""
        name = self._name(key)
        node = self._servers.node_of(name) if self.running else None
        tracking = None if node is None else node.tracking
        found = None if tracking is None else tracking.peek(name, length)
        if found is not None and tracking is not None and tracking.is_used_anew(name):
            # Nothing waits for it, and nothing depends on it.
            Deferred.fromCoroutine(self._touched(key)).addErrback(ignore)
        return found

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{trickster.interfaces.ICacheStore.keys}."""
        name = self._name(prefix)
        found = await self._tried(
            lambda: self._servers.each(lambda node: operations.scan(node, name)))
        # Redis may name a key twice; and a key that is no text is none of ours.
        names = dict.fromkeys(name for each in found for name in each)
        return [key for key in map(self._key, names) if key is not None]

    async def _touched(self, key: str) -> None:
        """Tell the servers that an entry is used, its chunks with it."""
        name = self._name(key)
        value = await self._at(name, lambda node: operations.get(node, name))
        try:
            chunks = unsealed(value).chunks
        except ValueError:
            chunks = ()
        names = [name, *(self._name(chunk_key(key, chunk)) for chunk in chunks)]
        for batch in self._batches(names):
            await self._at(batch[0], partial(_used, batch))

    async def _at(self, name: bytes, ask: Ask[T], is_repeatable: bool = True) -> T:
        return await self._tried(lambda: self._servers.at(name, ask), is_repeatable)

    async def _tried(self, ask: Callable[[], Awaitable[T]], is_repeatable: bool = True) -> T:
        if not self.running:
            raise StoreError("the store is not running")
        return await self._retries.tried(ask, is_repeatable)

    def _batches(self, names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        for group in self._servers.grouped(names):
            for start in range(0, len(group), _BATCH):
                yield group[start:start + _BATCH]

    def _name(self, key: str) -> bytes:
        return self._prefix_octets + _octets(key)

    def _key(self, name: bytes) -> str | None:
        try:
            return name[len(self._prefix_octets):].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None


async def _put(name: bytes, value: bytes, ttl: float, node: Commands) -> bool:
    return await operations.put(node, name, value, ttl)


async def _replaced(name: bytes, value: bytes, ttl: float, expected: bytes | None,
                    node: Commands) -> bool:
    return await operations.replace(node, name, value, ttl, expected)


async def _written(name: bytes, ask: Ask[bool], node: Commands) -> bool:
    return await operations.write(node, name, lambda: ask(node))


async def _used(batch: Sequence[bytes], node: Commands) -> None:
    await operations.touch(node, batch)


async def _deleted(batch: Sequence[bytes], node: Commands) -> int:
    return await operations.delete(node, batch)


def _octets(text: str) -> bytes:
    # Keys are any text, halves of pairs among them.
    return text.encode("utf-8", "surrogatepass")
