"""What a cache in a file of LMDB does by itself, now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import Factory, define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from trickster.errors import StoreError
from trickster.net.callbacks import ignore
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb.changes import Change
from trickster.stores.lmdb.noted import Noted
from trickster.stores.lmdb.opening import OpenFile
from trickster.stores.lmdb.tables import Tables
from trickster.stores.lmdb.writing import Writer

# Entries that expire, or are evicted, in one transaction.
AT_ONCE = 100
# Seconds between two looks for what processes have left behind.
_READERS_PAUSE = 60.0
# Seconds between two times of anything else, also where less is configured.
_LEAST_PAUSE = 0.1


@define(eq=False)
class Upkeep:
    """
    Writes uses down, removes what has expired, goes on with evictions, and looks how full it is.

    :ivar _ask: calls a function with the file and the tables, in a thread; they are opened.
    :ivar _is_open: whether the file is open; what is only to be looked at can wait.
    :ivar _is_due: whether something has expired.
    :ivar _counted: told how many octets and entries there are.
    """

    clock: IReactorTime
    limits: StoreLimits
    writer: Writer
    noted: Noted
    _ask: Callable[..., Deferred[Any]]
    _is_open: Callable[[], bool]
    _is_due: Callable[[], bool]
    _counted: Callable[[tuple[int, int]], None]
    _repeated: tuple[tuple[LoopingCall, float], ...] = field(init=False, default=Factory(
        lambda self: (
            (LoopingCall(self.flush), self.limits.flush_interval),
            (LoopingCall(self._reap), self.limits.reap_interval),
            (LoopingCall(self._check_readers), _READERS_PAUSE)), takes_self=True))
    _is_running: bool = field(default=False, init=False)
    _is_trimming: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin; the file is opened soon."""
        self._is_running = True
        self.clock.callLater(0, self._begin)
        for repeated, seconds in self._repeated:
            repeated.clock = self.clock
            repeated.start(max(_LEAST_PAUSE, seconds), now=False)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._is_running = False
        for repeated, _ in self._repeated:
            if repeated.running:
                repeated.stop()

    def flush(self) -> None:
        """Write down uses, or look how full it is: that is known after a write."""
        if self.noted.uses:
            self._aside(lambda change: None)
        elif self._is_open():
            self._ask(_totals).addCallbacks(self._counted, ignore)

    def trim(self) -> None:
        """Go on with an eviction, down to where the next put does not lead to another one."""
        if not self._is_trimming:
            self._is_trimming = True
            self._aside(_trimmed, self._has_trimmed)

    def _has_trimmed(self, is_done: object) -> None:
        self._is_trimming = False
        if is_done is False:
            self.trim()

    def _begin(self) -> None:
        # What cannot be opened is told by the operations that need it.
        if self._is_running:
            self._ask(_totals).addCallbacks(self._counted, ignore)

    def _reap(self) -> None:
        if self._is_due():
            self._aside(_expired, self._reaped)

    def _reaped(self, count: object) -> None:
        if count == AT_ONCE:
            self._aside(_expired, self._reaped)

    def _check_readers(self) -> None:
        if self._is_open():
            self._ask(_checked).addErrback(ignore)

    def _aside(self, perform: Callable[[Change], Any],
               then: Callable[[object], None] = ignore) -> None:
        """Write something for which no caller waits; the next write tells whether it works."""
        if not self._is_running:
            return
        try:
            self.writer.write(perform).addBoth(then)
        except StoreError:
            then(None)


def _totals(file: OpenFile, tables: Tables) -> tuple[int, int]:
    file.look_closely()
    with tables.env.begin() as txn:
        return tables.totalled(txn)[:2]


def _checked(file: OpenFile, tables: Tables) -> None:
    tables.env.reader_check()


def _expired(change: Change) -> int:
    return change.expire(AT_ONCE)


def _trimmed(change: Change) -> bool:
    return change.trim(AT_ONCE)
