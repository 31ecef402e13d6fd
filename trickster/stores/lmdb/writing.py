"""Writes what many ask for in few transactions."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import lmdb
from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from trickster.errors import StoreError
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb.changes import Change
from trickster.stores.lmdb.opening import OpenFile
from trickster.stores.lmdb.tables import Tables

# Seconds after which what is asked for has failed: another process may be stopped in the middle
# of its own transaction, and nothing tells when it goes on.
PATIENCE = 2.5
# Of one transaction, while which all other processes wait.
_MOST_OCTETS = 1 << 22
_MOST_OPERATIONS = 256
# Operations that wait.
_MOST_WAITING = 10_000
# How often room is made in a file that is full, each time twice as much.
_MOST_TRIES = 8
_FIRST_ROOM = 1 << 18

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

Perform = Callable[[Change], Any]


@define(eq=False)
class Operation:
    """
    One thing to do.

    :ivar perform: does it, in a thread.
    :ivar octets: about how many it writes.
    :ivar done: fires with what C{perform} returns, once it is committed.
    """

    perform: Perform
    octets: int
    done: Deferred[Any] = field(factory=Deferred, init=False)


@frozen
class Committed:
    """
    What came of a transaction.

    :ivar results: of the operations; a L{StoreError} for one that was not done.
    :ivar used: octets and entries that there are now.
    :ivar told: events and reasons.
    :ivar has_evicted: whether there was too much.
    """

    results: tuple[Any, ...]
    used: tuple[int, int]
    told: tuple[tuple[str, str], ...]
    has_evicted: bool

    def without_first(self) -> Committed:
        """:return: the same, without the result of the first operation."""
        return evolve(self, results=self.results[1:])


@frozen
class Transactions:
    """
    Does operations, in a thread, and all of them at once.

    :ivar limits: of the cache.
    :ivar wall: seconds since the epoch.
    """

    limits: StoreLimits
    wall: Callable[[], float]

    def commit(self, operations: list[Operation], file: OpenFile, tables: Tables) -> Committed:
        """
        :param operations: those that are not waited for any more are not done.
        :raises lmdb.Error: nothing was done.
        """
        if not file.writing.acquire(timeout=PATIENCE):
            raise lmdb.LockError("another cache writes into the same file")
        try:
            file.look_closely()
            try:
                return self._committed(operations, tables)
            except lmdb.Error as error:
                _see_that_it_is_full(error)
                return self._one_by_one(operations, tables)
        finally:
            file.writing.release()

    def _committed(self, operations: list[Operation], tables: Tables) -> Committed:
        with tables.env.begin(write=True) as txn:
            change = Change(txn, tables, self.limits, self.wall())
            results = tuple(None if one.done.called else one.perform(change)
                            for one in operations)
            change.finish()
        return Committed(results, (change.octets, change.objects), tuple(change.told),
                         change.has_evicted)

    def _one_by_one(self, operations: list[Operation], tables: Tables) -> Committed:
        """Do each by itself, since the file is too full for all of them."""
        done = [self._in_time(one, tables) for one in operations]
        return Committed(
            tuple(result for one in done for result in one.results), done[-1].used,
            tuple(told for one in done for told in one.told),
            any(one.has_evicted for one in done))

    def _in_time(self, operation: Operation, tables: Tables) -> Committed:
        told: list[tuple[str, str]] = []
        for attempt in range(_MOST_TRIES):
            try:
                done = self._committed([operation], tables)
            except lmdb.Error as error:
                _see_that_it_is_full(error)
                told += self._room_made(max(_FIRST_ROOM, operation.octets) << attempt, tables)
            else:
                return Committed(done.results, done.used, (*told, *done.told), True)
        full = StoreError("the file is full, and nothing of it can be reused")
        return Committed((full,), self._used(tables), tuple(told), True)

    def _room_made(self, octets: int, tables: Tables) -> tuple[tuple[str, str], ...]:
        """:raises lmdb.MapFullError: there is not even room for what an eviction changes."""
        while True:
            try:
                made = self._committed([Operation(partial(_evicted, octets), 0)], tables)
                # Pages that one transaction frees are used by the next but one.
                self._committed([], tables)
                return made.told
            except lmdb.MapFullError:
                if octets == 1:
                    raise
                # Less of it changes fewer pages.
                octets = max(1, octets // 16)

    def _used(self, tables: Tables) -> tuple[int, int]:
        with tables.env.begin() as txn:
            return tables.totalled(txn)[:2]


def _evicted(octets: int, change: Change) -> int:
    return change.evict(octets)


def _see_that_it_is_full(error: lmdb.Error) -> None:
    """
    :raises lmdb.Error: it is something else.  What a full disk leaves out, LMDB takes for an
        error of the disk; the pages of what is evicted have their place there already.
    """
    if not isinstance(error, lmdb.MapFullError) and error.code not in _FULL:
        raise error


@define(eq=False)
class Writer:
    """
    Collects operations, and has them done by one thread, one transaction at a time.

    :ivar commit: gives a Deferred of what came of some operations.
    :ivar heard: told of what came of each transaction.
    :ivar _running: operations of the transaction under way.
    """

    clock: IReactorTime
    commit: Callable[[list[Operation]], Deferred[Committed]]
    heard: Callable[[Committed], None]
    _waiting: deque[Operation] = field(factory=deque, init=False)
    _running: list[Operation] = field(factory=list, init=False)
    _is_late: bool = field(default=False, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False)

    def write(self, perform: Perform, octets: int = 0) -> Deferred[Any]:
        """
        :param perform: called in a thread, with a change; maybe again where it could not be
            committed.
        :param octets: about how many it writes.
        :return: fires with what C{perform} returns, once that is committed; cancelled before it
            has begun, it is not done.
        :raises StoreError: too much waits already.
        """
        if self._is_late or len(self._waiting) >= _MOST_WAITING:
            raise StoreError("the file cannot be written to, or not fast enough")
        operation = Operation(perform, octets)
        self._waiting.append(operation)
        if not self._running:
            self._begin()
        return operation.done

    async def idle(self) -> None:
        """Wait until all is written."""
        while self._running:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle

    def _begin(self) -> None:
        self._running = batch = self._next()
        self._timer = self.clock.callLater(PATIENCE, self._late)
        self.commit(batch).addBoth(self._ended, batch)

    def _next(self) -> list[Operation]:
        batch: list[Operation] = []
        octets = 0
        while self._waiting and len(batch) < _MOST_OPERATIONS and octets < _MOST_OCTETS:
            operation = self._waiting.popleft()
            octets += operation.octets
            batch.append(operation)
        return batch

    def _late(self) -> None:
        self._timer, self._is_late = None, True
        waiting, self._waiting = [*self._running, *self._waiting], deque()
        for operation in waiting:
            _give(operation, StoreError(f"not written within {PATIENCE:g} s"))

    def _ended(self, result: Committed | Failure, batch: list[Operation]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._is_late, self._running = None, False, []
        if isinstance(result, Failure):
            error = result.value
            failed = error if isinstance(error, StoreError) else StoreError(repr(error))
            results: tuple[Any, ...] = (failed,) * len(batch)
        else:
            results = result.results
            self.heard(result)
        for operation, one in zip(batch, results, strict=True):
            _give(operation, one)
        if not self._waiting:
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)
        elif not self._running:
            self._begin()


def _give(operation: Operation, result: Any) -> None:
    if not operation.done.called:
        operation.done.callback(Failure(result) if isinstance(result, StoreError) else result)
