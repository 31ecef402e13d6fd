"""The store C{filesystem}: a file for each value, in a directory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from attrs import Factory, define, field, frozen
from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.config.document.settings import setting
from trickster.errors import StoreError
from trickster.interfaces import (
    ICompareAndSetStore,
    IInspectableStore,
    IMeteredStore,
    IPeekingStore,
    IRuntime,
    IStoreType,
)
from trickster.stores.blocking import BlockingStore
from trickster.stores.filesystem.beginnings import Beginnings
from trickster.stores.filesystem.directory import Directory
from trickster.stores.filesystem.index import Index
from trickster.stores.filesystem.upkeep import Upkeep
from trickster.stores.filesystem.values import Values
from trickster.stores.limits import Inspected, StoreLimits, StoreUsage

# Uses of entries that are noted until the index hears of them.
_MOST_USES = 20_000
# Expired values that are removed in one call in a thread.
_A_TURN = 200
# Of the time between two looks for what has expired, that goes into looking at the directory.
_SHARE = 0.05
# Octets of the index that are written in a second, on average, at most.
_RATE = 1 << 16


@implementer(ICompareAndSetStore, IInspectableStore, IMeteredStore, IPeekingStore, IService)
@define(eq=False, slots=False)
class FilesystemStore(BlockingStore):
    """
    Keeps octets in files, within bounds, in a directory that other processes may use as well.

    Files are replaced at once, and looked at before they are believed: what is damaged is not
    there.  They are not synchronised to the disk, so what was put last may be lost where the
    machine loses its power, and nothing else.

    :ivar path: of the directory.
    """

    path: str
    _log = Logger()
    _upkeep: Upkeep = field(init=False, repr=False, default=Factory(
        lambda self: Upkeep(Directory(self.path), Index(self.limits), self._runtime.wall),
        takes_self=True))
    _values: Values = field(init=False, repr=False, default=Factory(
        lambda self: Values(self._upkeep, Beginnings()), takes_self=True))
    _uses: deque[str] = field(
        factory=lambda: deque(maxlen=_MOST_USES), init=False, repr=False)
    _loops: list[LoopingCall] = field(factory=list, init=False, repr=False)
    _to_scan: list[int] = field(factory=list, init=False, repr=False)
    _is_scanned: bool = field(default=False, init=False)
    _saved_at: float = field(default=-inf, init=False)
    _is_failing: bool = field(default=False, init=False)

    def usage(self) -> StoreUsage:
        """See L{IMeteredStore.usage}: what this process knows of."""
        index = self._upkeep.index
        self._used = index.octets, index.objects
        return super().usage()

    def tell(self, heard: Callable[[str, str], None]) -> None:
        """
        See L{IMeteredStore.tell}.

        :param heard: takes the place of the one before.
        """
        self._upkeep.heard = heard

    async def get(self, key: str) -> bytes | None:
        """
        See L{trickster.interfaces.ICacheStore.get}.

        :return: the octets that were put, whole.
        """
        found: bytes | None = await self.called(self._values.get, key)
        if found is not None:
            self._uses.append(key)
        return found

    async def inspect(self, key: str) -> Inspected | None:
        """
        See L{trickster.interfaces.IInspectableStore.inspect}.

        :return: for how long it is kept by the date in its file.
        """
        found = await self.called(self._values.found, key)
        if found is None:
            return None
        return Inspected(found.value, max(0.0, found.header.deadline - self._runtime.wall()))

    def peek(self, key: str, length: int) -> bytes | None:
        """
        See L{IPeekingStore.peek}.

        :return: None also where this process has not read the value, or has not done so lately.
        """
        if not self.running:
            raise StoreError("the store is not running")
        try:
            found = self._values.beginnings.get(key, length, self._runtime.wall())
        except OSError as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error
        if found is not None:
            self._uses.append(key)
        return found

    async def put(self, key: str, value: bytes, ttl: float) -> bool:
        """
        See L{trickster.interfaces.ICacheStore.put}.

        :param value: what is too large for the limits is not put, and what was there is gone.
        """
        put: bool = await self.called(self._values.put, key, value, ttl)
        return put

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """
        See L{ICompareAndSetStore.replace}.

        :param value: what is too large for the limits is not put.
        """
        put: bool = await self.called(self._values.replace, key, value, ttl, expected)
        return put

    async def delete(self, keys: Iterable[str]) -> int:
        """
        See L{trickster.interfaces.ICacheStore.delete}.

        :param keys: each is deleted by itself.
        """
        count: int = await self.called(self._values.delete, list(keys))
        return count

    async def keys(self, prefix: str) -> Sequence[str]:
        """
        See L{trickster.interfaces.ICacheStore.keys}.

        :return: also what other processes have put.
        """
        found: Sequence[str] = await self.called(self._values.keys, prefix)
        return found

    def startService(self) -> None:
        """
        Begin to look after the directory.

        :raises UnsafeDirectory: others can put something into it.  Where it cannot be used for
            another reason, operations fail.
        """
        with suppress(OSError):
            self._upkeep.directory.check()
        super().startService()
        limits = self.limits
        for seconds, work, now in ((limits.reap_interval, self._tended, True),
                                   (limits.flush_interval, self._flushed, False)):
            loop = LoopingCall(self._safely, work)
            loop.clock = self._runtime.clock
            self._loops.append(loop)
            loop.start(max(0.1, seconds), now).addErrback(self._broke)

    async def stopService(self) -> None:
        """Save the index; where that fails, the next process looks at all files."""
        for loop in self._loops:
            loop.stop()
        self._loops.clear()
        try:
            await super().stopService()
        except StoreError as error:
            self._log.warn("The index of the cache directory {path} cannot be saved: {error}",
                           path=self.path, error=error)

    def close(self) -> None:
        """
        Save the index, in a thread.

        :raises StoreError: it cannot be saved.
        """
        self.translated(partial(self._upkeep.save, with_uses=True))

    def _safely(self, work: Callable[[], Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._worked(work))

    async def _worked(self, work: Callable[[], Any]) -> None:
        try:
            await work()
        except StoreError as error:
            self._fails(error)
        else:
            if self._is_failing:
                self._log.info("The cache directory {path} works again", path=self.path)
            self._is_failing = False

    def _fails(self, error: Exception) -> None:
        if self.running and not self._is_failing:
            self._log.warn("The cache directory {path} cannot be looked after: {error}",
                           path=self.path, error=error)
        self._is_failing = True

    def _broke(self, failure: Failure) -> None:
        self._log.failure("The cache directory {path} is looked after no more", failure,
                          path=self.path)

    async def _tended(self) -> None:
        await self.called(self._upkeep.load)
        uses = list(self._uses)
        self._uses.clear()
        await self.called(self._upkeep.index.touch, uses)
        while await self.called(self._upkeep.reap, _A_TURN) == _A_TURN:
            pass
        await self._scanned()

    async def _scanned(self) -> None:
        """Look at shards: at all of them where nothing is known yet, else for some time."""
        began = self._runtime.clock.seconds()
        is_first = not (self._is_scanned or self._upkeep.is_restored)
        seconds = inf if is_first else _SHARE * self.limits.reap_interval
        if not self._to_scan:
            self._to_scan = list(await self.called(self._upkeep.sweep))
        while self._to_scan and self._runtime.clock.seconds() - began <= seconds:
            await self.called(self._upkeep.scan, self._to_scan.pop())
        if is_first:
            await self.called(self._upkeep.index.order_by_date)
        self._is_scanned = True

    async def _flushed(self) -> None:
        now = self._runtime.clock.seconds()
        if now - self._saved_at >= self._upkeep.saved_octets / _RATE:
            await self.called(self._upkeep.save)
            self._saved_at = now


@frozen(kw_only=True)
class FilesystemOptions:
    """A cache of one file for each value, in a directory that processes may share."""

    cache_path: str = setting("/tmp/trickster", "Directory of the files.")


@implementer(IStoreType)
@frozen
class FilesystemType:
    """The store type C{filesystem}."""

    name: str = "filesystem"
    options: type = FilesystemOptions

    def store(self, name: str, options: Any, limits: StoreLimits,
              runtime: IRuntime) -> FilesystemStore:
        """
        See L{IStoreType.store}.

        :param options: L{FilesystemOptions}.
        :raises ValueError: C{cache_path} is no path.
        """
        path = options.cache_path
        if not path or b"\0" in os.fsencode(path):
            raise ValueError(f"cache_path {path!r} is not the path of a directory")
        return FilesystemStore(limits, runtime, path)


filesystem = FilesystemType()
