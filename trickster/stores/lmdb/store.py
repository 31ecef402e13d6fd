"""A cache in a file of LMDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import (
    ICompareAndSetStore,
    IInspectableStore,
    IMeteredStore,
    IPeekingStore,
    IRuntime,
)
from trickster.net.callbacks import ignore
from trickster.plugins import explained
from trickster.stores.limits import Inspected, StoreLimits, StoreUsage
from trickster.stores.lmdb.changes import Change
from trickster.stores.lmdb.environment import FAILURES, LOST, Environment
from trickster.stores.lmdb.layout import Name
from trickster.stores.lmdb.noted import Noted
from trickster.stores.lmdb.opening import OpenFile
from trickster.stores.lmdb.tables import LARGE, Large, Tables
from trickster.stores.lmdb.upkeep import AT_ONCE, Upkeep
from trickster.stores.lmdb.writing import Committed, Operation, Transactions, Writer

# Octets of a value that is read in the reactor's thread, where it is in memory.
_SMALL = 1 << 16
# Records looked through in one transaction that reads: pages that it sees cannot be reused.
_KEYS_AT_ONCE = 2000

@implementer(ICompareAndSetStore, IInspectableStore, IPeekingStore, IMeteredStore, IService)
@define(eq=False, slots=False)
class LmdbStore(Service):
    """
    Keeps octets in a file that all processes of a host may share, and that outlives them.

    The file is opened by the first operation.

    :ivar path: of the file.
    :ivar bucket: which of the caches in the file.
    :ivar limits: that hold for the cache, whichever process writes.
    :ivar map_size: most octets of the file; it may have more already.
    :ivar _find: gives the environment of a path, which is the same for all caches of the process.
    """

    path: str
    bucket: bytes
    limits: StoreLimits
    map_size: int
    _runtime: IRuntime
    _find: Callable[[], Environment]
    _environment: Environment = field(init=False)
    _writer: Writer = field(init=False)
    _heard: Callable[[str, str], None] = field(default=ignore, init=False)
    _used: tuple[int, int] = field(default=(0, 0), init=False)
    _noted: Noted = field(factory=Noted, init=False)
    _upkeep: Upkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock = self._runtime.clock
        self._writer = Writer(clock, self._commit, self._committed)
        self._upkeep = Upkeep(
            clock, self.limits, self._writer, self._noted, self._in_thread,
            lambda: self._environment.current is not None, self._is_due, self._counted)

    async def get(self, key: str) -> bytes | None:
        """
        See L{trickster.interfaces.ICacheStore.get}.

        :return: read at once where it is small, and in memory: the file is, or it was read, missed
            or written not long ago; else in a thread, which may wait for the disk.
        """
        self._see_to_it_that_it_runs()
        unknown = 0 if self._environment.is_private else _SMALL + 1
        name, size = self._noted.warm.get(key) or (Name.of(key), unknown)
        small: bytes | Large | None = LARGE
        if size <= _SMALL and (tables := self._environment.tables(self.bucket)) is not None:
            small = self._at_once(tables.small, name, self._runtime.wall(), _SMALL)
        found: bytes | None = (await self._in_thread(_got, name, self._runtime.wall())
                               if small is LARGE else small)
        self._noted.put(key, name, len(found or b""))
        if found is not None:
            self._noted.used(name)
        if self._noted.has_many:
            self._upkeep.flush()
        return found

    async def inspect(self, key: str) -> Inspected | None:
        """
        See L{IInspectableStore.inspect}.

        :return: read in a thread.
        """
        self._see_to_it_that_it_runs()
        found: Inspected | None = await self._in_thread(
            _inspected, Name.of(key), self._runtime.wall())
        return found

    def peek(self, key: str, length: int) -> bytes | None:
        """
        See L{IPeekingStore.peek}.

        :return: None also for what was not read or written not long ago: it may be on the disk.
        """
        known = self._noted.warm.get(key)
        if known is None or not self.running:
            return None
        tables = self._environment.tables(self.bucket)
        if tables is None:
            return None
        name = known[0]
        try:
            found: bytes | None = tables.peek(name, self._runtime.wall(), length)
        except FAILURES as error:
            raise self._failed(error) from error
        if found is not None:
            self._noted.used(name)
        return found

    def stamp(self) -> object | None:
        """
        See L{IPeekingStore}.

        :return: the number of the last transaction that any process has committed to the file.
        """
        file = self._environment.looked_at() if self.running else None
        try:
            return None if file is None else (file, file.env.info()["last_txnid"])
        except FAILURES as error:
            raise self._failed(error) from error

    async def put(self, key: str, value: bytes, ttl: float) -> bool:
        """
        See L{trickster.interfaces.ICacheStore.put}.

        :param value: copied where it is another buffer than C{bytes}.
        """
        return await self._put(key, value, lambda change, octets: change.put(key, octets, ttl))

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """See L{ICompareAndSetStore.replace}."""
        return await self._put(
            key, value, lambda change, octets: change.replace(key, octets, ttl, expected))

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{trickster.interfaces.ICacheStore.delete}."""
        gone = list(keys)
        count = 0
        for start in range(0, len(gone), AT_ONCE):
            some = gone[start:start + AT_ONCE]
            count += await self._write(partial(_deleted, some))
        return count

    async def keys(self, prefix: str) -> Sequence[str]:
        """
        See L{trickster.interfaces.ICacheStore.keys}.

        :return: what is put meanwhile may be among them, or not.
        """
        self._see_to_it_that_it_runs()
        found: list[str] = []
        after: bytes | None = b""
        while after is not None:
            some, after = await self._in_thread(_named, (prefix, after, self._runtime.wall()))
            found += some
        return found

    def usage(self) -> StoreUsage:
        """
        See L{IMeteredStore.usage}.

        :return: what there was after the last write, of any process, that this one knows of.
        """
        octets, objects = self._used
        return StoreUsage(objects=objects, octets=octets, max_objects=self.limits.max_objects,
                          max_octets=self.limits.max_octets)

    def tell(self, heard: Callable[[str, str], None]) -> None:
        """
        See L{IMeteredStore.tell}.

        :param heard: takes the place of the one before.
        """
        self._heard = heard

    def startService(self) -> None:
        """Begin to write down uses, and to look for what has expired."""
        self._environment = self._find()
        self._environment.users += 1
        self._environment.enlarge(self.map_size)
        super().startService()
        self._upkeep.start()

    async def stopService(self) -> None:
        """Write what is noted, and close the file, unless another cache uses it."""
        if not self.running:
            return
        self._upkeep.flush()
        self._upkeep.stop()
        await maybeDeferred(super().stopService)
        await self._writer.idle()
        self._environment.users -= 1
        if not self._environment.users:
            await self._environment.close()

    def _see_to_it_that_it_runs(self) -> None:
        if not self.running:
            raise StoreError("the store is not running")

    def _at_once(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except FAILURES as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreError:
        file = self._environment.current
        if isinstance(error, LOST) and file is not None:
            self._environment.lose(file, error)
        return StoreError(explained(error))

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return self._environment.call(self._runtime.in_thread, self.bucket, function, *arguments)

    async def _put(self, key: str, value: bytes, change: Callable[[Change, bytes], bool]) -> bool:
        octets = bytes(value)
        is_put: bool = await self._write(lambda one: change(one, octets), len(octets))
        self._noted.put(key, Name.of(key), len(octets) if is_put else 0)
        return is_put

    async def _write(self, perform: Callable[[Change], Any], octets: int = 0) -> Any:
        self._see_to_it_that_it_runs()
        return await self._writer.write(perform, octets)

    def _commit(self, operations: list[Operation]) -> Deferred[Committed]:
        noted = Operation(partial(_used, self._noted.taken()), 0)
        transactions = Transactions(self.limits, self._runtime.wall)
        done = self._in_thread(transactions.commit, [noted, *operations])
        return done.addCallback(Committed.without_first)

    def _committed(self, committed: Committed) -> None:
        self._used = committed.used
        for event, reason in committed.told:
            self._heard(event, reason)
        if committed.has_evicted:
            self._upkeep.trim()

    def _counted(self, used: tuple[int, int]) -> None:
        self._used = used

    def _is_due(self) -> bool:
        tables = self._environment.tables(self.bucket)
        try:
            return tables is not None and bool(
                self._at_once(tables.is_due, self._runtime.wall()))
        except StoreError:
            return False


# What is done in a thread, with the file and the tables.

def _got(name: Name, now: float, file: OpenFile, tables: Tables) -> bytes | None:
    return tables.get(name, now)


def _inspected(name: Name, now: float, file: OpenFile, tables: Tables) -> Inspected | None:
    return tables.inspect(name, now)


def _named(sought: tuple[str, bytes, float], file: OpenFile, tables: Tables
           ) -> tuple[list[str], bytes | None]:
    return tables.keys(*sought, _KEYS_AT_ONCE)


# What is done in a change, in a thread.

def _used(entries: list[bytes], change: Change) -> None:
    for entry in entries:
        change.use(entry)


def _deleted(keys: list[str], change: Change) -> int:
    return sum(map(change.delete, keys))
