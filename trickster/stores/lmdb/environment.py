"""A file that caches of a process may share: opened when it is needed, and when it is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import lmdb
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.errors import StoreError
from trickster.plugins import explained
from trickster.stores.lmdb.checking import ForeignFileError
from trickster.stores.lmdb.layout import DamagedError
from trickster.stores.lmdb.opening import (
    InUseError,
    LostError,
    OpenFile,
    UncheckedError,
    opened,
)
from trickster.stores.lmdb.tables import Tables

_T = TypeVar("_T")
InThread = Callable[..., Awaitable[Any]]

# What LMDB raises where a page, or what it keeps beside its file, says what it cannot say.
# MapResizedError is no damage: another process may use more of the file than is mapped here.
_DAMAGE = (LostError, DamagedError, lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PanicError,
           lmdb.InvalidError, lmdb.IncompatibleError, lmdb.VersionMismatchError,
           lmdb.BadRslotError, lmdb.BadTxnError)
LOST = (lmdb.MapResizedError, *_DAMAGE)
FAILURES = (OSError, lmdb.Error, ForeignFileError, InUseError, UncheckedError, *LOST)


@define(eq=False)
class Environment:
    """
    One file, in the reactor's thread.

    :ivar path: the real one.
    :ivar map_size: most octets of the file.
    :ivar is_private: whether only processes of this program can reach it, so that it need not be
        looked at before it is read.
    :ivar users: how many caches use it.
    :ivar current: the file, while it is open.
    :ivar _lost: files that are closed once no thread uses them.
    :ivar _opening: those who wait for the file; None where it is not being opened.
    :ivar _idle: those who wait until those files are closed.
    """

    path: str
    map_size: int
    is_private: bool = False
    users: int = field(default=0, init=False)
    current: OpenFile | None = field(default=None, init=False)
    _lost: list[OpenFile] = field(factory=list, init=False)
    _opening: list[Deferred[OpenFile]] | None = field(default=None, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False)
    _log: Logger = field(factory=Logger, init=False)

    def enlarge(self, map_size: int) -> None:
        """:param map_size: that a cache needs; smaller ones are nothing new."""
        if map_size > self.map_size:
            self.map_size = map_size
            if self.current is not None:
                self._retire(self.current)

    def tables(self, bucket: bytes) -> Tables | None:
        """
        Look at the file, before it is read in the reactor's thread.

        :return: the tables of a cache; None where they are not open, or the file is lost.
        """
        file = self.looked_at()
        return None if file is None else file.caches.get(bucket)

    def looked_at(self) -> OpenFile | None:
        """:return: the file; None where it is not open, or is lost."""
        file = self.current
        if file is None or self.is_private:
            return file
        try:
            file.look()
        except LostError as error:
            self.lose(file, error)
            return None
        return file

    def call(self, in_thread: InThread, bucket: bytes, function: Callable[..., _T], *args: Any
             ) -> Deferred[_T]:
        """
        Call a function with the file and the tables of a cache, in a thread.

        :param in_thread: of the cache.
        :return: fires with what the function returns; to cancel it ends the wait, and not the
            function.
        """
        return _uncancelled(self._called(in_thread, bucket, partial(function, *args)))

    async def _called(self, in_thread: InThread, bucket: bytes, function: Callable[..., _T]) -> _T:
        try:
            return await self._leased(in_thread, bucket, function)
        except lmdb.MapFullError:
            # Not even what is evicted has room for the change: very small files may be so.
            self.enlarge(self.map_size + self.map_size // 4)
        except FAILURES as error:
            raise StoreError(explained(error)) from error
        try:
            return await self._leased(in_thread, bucket, function)
        except FAILURES as error:
            raise StoreError(explained(error)) from error

    async def _leased(self, in_thread: InThread, bucket: bytes, function: Callable[..., _T]) -> _T:
        file = self.current or await self._opened(in_thread)
        file.leases += 1
        try:
            result: _T = await in_thread(_with_tables, file, bucket, function)
        except LOST as error:
            self.lose(file, error)
            raise
        finally:
            file.leases -= 1
            self._settle()
        return result

    async def _opened(self, in_thread: InThread) -> OpenFile:
        waiting: Deferred[OpenFile] = Deferred()
        if self._opening is not None:
            self._opening.append(waiting)
            return await waiting
        self._opening = []
        try:
            self.current = await in_thread(opened, self.path, self.map_size)
        except Exception as error:
            self._answer(Failure(StoreError(explained(error))))
            raise StoreError(explained(error)) from error
        if self.current.replaced:
            self._log.error("Cache file {path} was damaged, and is begun anew: {problem}",
                            path=self.path, problem=self.current.replaced)
        self._answer(self.current)
        return self.current

    def _answer(self, result: OpenFile | Failure) -> None:
        waiting, self._opening = self._opening or [], None
        for one in waiting:
            one.callback(result)

    def lose(self, file: OpenFile, error: Exception) -> None:
        """
        Use a file no more; the next operation opens it anew.

        :param error: what is wrong with it.
        """
        if file is not self.current:
            return
        if isinstance(error, _DAMAGE):
            file.discard()
        self._log.error("Cache file {path} is opened anew: {error}",
                        path=self.path, error=explained(error))
        self._retire(file)

    def _retire(self, file: OpenFile) -> None:
        self.current = None
        self._lost.append(file)
        self._settle()

    def _settle(self) -> None:
        for file in [file for file in self._lost if not file.leases]:
            self._lost.remove(file)
            file.close()
        if not self._lost:
            waiting, self._idle = self._idle, []
            for one in waiting:
                one.callback(None)

    async def close(self) -> None:
        """Close the file, once no thread uses it."""
        if self.current is not None:
            self._retire(self.current)
        if self._lost:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle


def _with_tables(file: OpenFile, bucket: bytes, function: Callable[..., _T]) -> _T:
    file.look()
    return function(file, file.tables(bucket))


def _uncancelled(coroutine: Coroutine[Any, Any, _T]) -> Deferred[_T]:
    outer: Deferred[_T] = Deferred()

    def ended(result: Any) -> None:
        if not outer.called:
            outer.callback(result)

    Deferred.fromCoroutine(coroutine).addBoth(ended)
    return outer
