"""A cache in a file of LMDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import ICompareAndSetStore, IMeteredStore, IPeekingStore, IRuntime
from trickster.net.callbacks import ignore
from trickster.plugins import explained
from trickster.stores.limits import StoreLimits, StoreUsage
from trickster.stores.lmdb.environment import FAILURES, LOST, Environment
from trickster.stores.lmdb.layout import Name
from trickster.stores.lmdb.opening import OpenFile
from trickster.stores.lmdb.tables import Change, Tables
from trickster.stores.lmdb.writing import Committed, Operation, Transactions, Writer

# Entries whose pages are taken to be in memory, since they were read or written not long ago.
_MOST_WARM = 50_000
# Octets of a value that is read in the reactor's thread, where it is warm.
_SMALL = 1 << 16
# Uses that are noted before they are written.
_MOST_USES = 10_000
# Entries that expire, or are evicted, in one transaction.
_AT_ONCE = 100
# Records looked through in one transaction that reads: pages that it sees cannot be reused.
_KEYS_AT_ONCE = 2000
# Seconds between two looks for what processes have left behind.
_READERS_PAUSE = 60.0
# Seconds between two times of anything else, whatever is configured.
_LEAST_PAUSE = 0.1

Environments = dict[str, Environment]


@implementer(ICompareAndSetStore, IPeekingStore, IMeteredStore, IService)
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
    :ivar _warm: names of keys that were read or written, the oldest first, and octets of values.
    :ivar _uses: names of entries that were used, and not yet written down as such.
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
    _warm: dict[str, tuple[Name, int]] = field(factory=dict, init=False, repr=False)
    _uses: dict[bytes, None] = field(factory=dict, init=False, repr=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False, repr=False)
    _is_trimming: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._writer = Writer(self._runtime.clock, self._commit, self._committed)

    async def get(self, key: str) -> bytes | None:
        """
        See L{trickster.interfaces.ICacheStore.get}.

        :return: read at once where it is small and was read or written not long ago; else in a
            thread, which may wait for the disk.
        """
        self._see_to_it_that_it_runs()
        name, size = self._warm.get(key) or (Name.of(key), _SMALL + 1)
        found: bytes | None
        if size <= _SMALL and (tables := self._environment.tables(self.bucket)) is not None:
            found = self._at_once(tables.get, name, self._runtime.wall())
        else:
            found = await self._in_thread(_got, name, self._runtime.wall())
        self._read(key, name, found)
        return found

    def peek(self, key: str, length: int) -> bytes | None:
        """
        See L{IPeekingStore.peek}.

        :return: None also for what was not read or written not long ago: it may be on the disk.
        """
        known = self._warm.get(key)
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
            self._uses[name.entry] = None
        return found

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
        for start in range(0, len(gone), _AT_ONCE):
            some = gone[start:start + _AT_ONCE]
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
            some, after = await self._in_thread(
                _named, prefix, after, self._runtime.wall())
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
        self._again("begin", 0, self._begin)
        self._again("flush", self.limits.flush_interval, self._flush)
        self._again("reap", self.limits.reap_interval, self._reap)
        self._again("readers", _READERS_PAUSE, self._check_readers)

    async def stopService(self) -> None:
        """Write what is noted, and close the file, unless another cache uses it."""
        if not self.running:
            return
        self._flush()
        await maybeDeferred(super().stopService)
        for what in list(self._timers):
            self._at_rest(what)
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

    def _read(self, key: str, name: Name, found: bytes | None) -> None:
        self._warm.pop(key, None)
        if found is not None:
            self._note(key, name, len(found))
            self._uses[name.entry] = None
            if len(self._uses) > _MOST_USES:
                self._flush()

    def _note(self, key: str, name: Name, size: int) -> None:
        self._warm[key] = (name, size)
        if len(self._warm) > _MOST_WARM:
            del self._warm[next(iter(self._warm))]

    async def _put(self, key: str, value: bytes, change: Callable[[Change, bytes], bool]) -> bool:
        octets = bytes(value)
        is_put: bool = await self._write(lambda one: change(one, octets), len(octets))
        self._warm.pop(key, None)
        if is_put:
            self._note(key, Name.of(key), len(octets))
        return is_put

    async def _write(self, perform: Callable[[Change], Any], octets: int = 0) -> Any:
        self._see_to_it_that_it_runs()
        return await self._writer.write(perform, octets)

    def _commit(self, operations: list[Operation]) -> Deferred[Committed]:
        uses, self._uses = self._uses, {}
        noted = Operation(partial(_used, list(uses)), 0)
        transactions = Transactions(self.limits, self._runtime.wall)
        done = self._in_thread(transactions.commit, [noted, *operations])
        return done.addCallback(Committed.without_first)

    def _committed(self, committed: Committed) -> None:
        self._used = committed.used
        for event, reason in committed.told:
            self._heard(event, reason)
        if committed.has_evicted and not self._is_trimming:
            self._is_trimming = True
            self._aside(_trimmed, self._trimmed)

    def _trimmed(self, is_done: object) -> None:
        self._is_trimming = False
        if is_done is False and self.running:
            self._is_trimming = True
            self._aside(_trimmed, self._trimmed)

    def _aside(self, perform: Callable[[Change], Any],
               then: Callable[[object], None] = ignore) -> None:
        """Write something for which no caller waits; the next write tells whether it works."""
        try:
            self._writer.write(perform).addBoth(then)
        except StoreError:
            then(None)

    def _begin(self) -> None:
        # What cannot be opened is told by the operations that need it.
        self._in_thread(_totals).addCallbacks(self._counted, ignore)

    def _counted(self, used: tuple[int, int]) -> None:
        self._used = used

    def _flush(self) -> None:
        self._again("flush", max(_LEAST_PAUSE, self.limits.flush_interval), self._flush)
        if self._uses:
            self._aside(lambda change: None)
        elif self._environment.current is not None:
            self._in_thread(_totals).addCallbacks(self._counted, ignore)

    def _reap(self) -> None:
        tables = self._environment.tables(self.bucket)
        try:
            is_due = tables is not None and self._at_once(tables.is_due, self._runtime.wall())
        except StoreError:
            is_due = False
        self._again("reap", max(_LEAST_PAUSE, self.limits.reap_interval), self._reap)
        if is_due:
            self._aside(_expired, self._reaped)

    def _reaped(self, count: object) -> None:
        if count == _AT_ONCE:
            self._again("reap", 0, self._reap)

    def _check_readers(self) -> None:
        self._again("readers", _READERS_PAUSE, self._check_readers)
        if self._environment.current is not None:
            self._in_thread(_checked).addErrback(ignore)

    def _again(self, what: str, seconds: float, function: Callable[[], None]) -> None:
        self._at_rest(what)
        if self.running:
            self._timers[what] = self._runtime.clock.callLater(seconds, function)

    def _at_rest(self, what: str) -> None:
        timer = self._timers.pop(what, None)
        if timer is not None and timer.active():
            timer.cancel()


# What is done in a thread, with the file and the tables.

def _got(name: Name, now: float, file: OpenFile, tables: Tables) -> bytes | None:
    return tables.get(name, now)


def _named(prefix: str, after: bytes, now: float, file: OpenFile, tables: Tables
           ) -> tuple[list[str], bytes | None]:
    return tables.keys(prefix, after, now, _KEYS_AT_ONCE)


def _totals(file: OpenFile, tables: Tables) -> tuple[int, int]:
    file.look_closely()
    with tables.env.begin() as txn:
        return tables.totalled(txn)[:2]


def _checked(file: OpenFile, tables: Tables) -> None:
    tables.env.reader_check()


# What is done in a change, in a thread.

def _used(entries: list[bytes], change: Change) -> None:
    for entry in entries:
        change.use(entry)


def _deleted(keys: list[str], change: Change) -> int:
    return sum(map(change.delete, keys))


def _expired(change: Change) -> int:
    return change.expire(_AT_ONCE)


def _trimmed(change: Change) -> bool:
    return change.trim(_AT_ONCE)
