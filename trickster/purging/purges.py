"""The purges of one cache: kept in its store, so that they reach every process that shares it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from trickster.errors import StoreError
from trickster.interfaces import ICompareAndSetStore, IPeekingStore, IReferenceStore
from trickster.net.waiters import SharedWork
from trickster.purging.label import Label
from trickster.purging.table import Judgement, Kind, Purge, PurgeTable, Scope

# What no entry's key looks like.
TABLE_KEY = "~purges"
# Octets at the beginning of a table that tell it from all others.
_STAMP = 20
# Seconds for which a table is taken to be current, where the store cannot tell at once, and where
# it can: to ask it at each of thousands of hits a second would cost as much as the entries do.
_TRUSTED, _TRUSTED_PEEK = 1.0, 0.01
# Seconds by which the clocks of two processes may have gone differently meanwhile.
_MARGIN = 0.01
_MOST_TRIES = 20
# Purges that the store could not be told of yet; where there are more, everything is purged.
_MOST_PENDING = 100
_FOR_EVER = 10 * 365 * 86400.0


@define(eq=False)
class Purges:
    """
    Which entries of a cache are purged, as all processes that share its store know it.

    Before an entry is used, the table of purges is looked at that was in the store a hundredth of a
    second ago, or a second where the store cannot tell at once: who purges waits that long, so
    that a purge is effective everywhere when it is answered.  A table that is lost is replaced by
    one by which everything is gone; so is one without the last purge that is known, as a store has
    it after a failover, or a restart, that has lost the newest writes.

    :ivar store: of the cache, guarded.
    :ivar clock: for delays and ages.
    :ivar wall: seconds since the epoch.
    :ivar longest: seconds that entries are kept at most, by what backends say (L{keep_for}).
    :ivar table: as it was last looked at.
    """

    _log = Logger()

    store: Any
    clock: IReactorTime
    wall: Callable[[], float]
    longest: float = 86400.0
    table: PurgeTable = field(factory=PurgeTable, init=False)
    _is_local: bool = field(init=False)
    _peeks: bool = field(init=False)
    _octets: bytes | None = field(default=None, init=False)
    _looked: float | None = field(default=None, init=False)
    _reading: SharedWork[bool] | None = field(default=None, init=False)
    _pending: dict[int, Purge] = field(factory=dict, init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)

    def __attrs_post_init__(self) -> None:
        self._is_local = bool(IReferenceStore.providedBy(self.store))
        self._peeks = bool(IPeekingStore.providedBy(self.store))

    def keep_for(self, seconds: float) -> None:
        """
        Remember purges for as long as an entry that they name may be kept.

        :param seconds: for which entries of a backend are.
        """
        if seconds > self.longest:
            self.longest = seconds
            # So that other processes learn of it, which drop rules as well.
            self._octets = self._looked = None

    @property
    def mark(self) -> int:
        """:return: the number for an entry whose fetch begins now."""
        return self.table.sequence

    @property
    def is_current(self) -> bool:
        """:return: whether the table is known, without waiting, to be the one that counts."""
        if self._is_local:
            return True
        now, looked, known = self.clock.seconds(), self._looked, self._octets
        if looked is None or known is None:
            return False
        if 0 <= now - looked < self._trusted:
            return True
        if not self._peeks or self.store.peek(TABLE_KEY, _STAMP) != known[:_STAMP]:
            return False
        self._looked = now
        return True

    def looks_current(self) -> bool:
        """:return: the same, looked at now, and not a moment ago."""
        if self._is_local:
            return True
        known = self._octets
        if (known is not None and self._peeks
                and self.store.peek(TABLE_KEY, _STAMP) == known[:_STAMP]):
            self._looked = self.clock.seconds()
            return True
        self._looked = None
        return False

    async def caught_up(self, mark: int = 0) -> None:
        """
        Know of all purges that are effective, as far as the store works.

        :param mark: of which another process knows already.
        """
        if self.mark < mark:
            self._looked = None
        await self.refreshed()

    async def refreshed(self) -> bool:
        """
        Look at the table that is in the store, unless the one here is current.

        :return: whether the table is the one that counts; not where the store does not work.
        """
        if self.is_current:
            return True
        reading = self._reading
        if reading is None:
            reading = self._reading = SharedWork()
            reading.start(self._read(), self._read_ended)
        return await reading.wait()

    def judged(self, label: Label, mark: int) -> Judgement:
        """:return: what becomes of an entry, by the table as it was last looked at."""
        return self.table.judged(label, mark)

    async def add(self, *purges: Purge) -> int:
        """
        Purge entries; effective in all processes when this returns.

        :param purges: in one step.
        :return: the number of the last of them.
        :raises StoreError: it could not be made known to others, since the store does not work;
            it will be before anything in the store is used by this process again.
        """
        if self._is_local:
            self.table = self._with(self.table, purges)
            return self.table.sequence
        self._pending.update((next(self._numbers), purge) for purge in purges)
        if len(self._pending) > _MOST_PENDING:
            self._pending = {next(self._numbers): Purge(Scope(Kind.ALL))}
        self._octets = self._looked = None
        if not await self.refreshed():
            raise StoreError("the purge could not be written to the store; it will be when that "
                             "works again")
        number = self.table.sequence
        await deferLater(self.clock, self._lag)
        return number

    def _with(self, table: PurgeTable, purges: Iterable[Purge]) -> PurgeTable:
        table = table.lasting(self.longest)
        for purge in purges:
            table = table.with_purge(purge, self.wall())
        return table

    @property
    def _lag(self) -> float:
        """:return: seconds for which another process may not know what is in the store."""
        late = float(getattr(self.store, "peek_lag", 0.0)) if self._peeks else 0.0
        return self._trusted + late + _MARGIN

    @property
    def _trusted(self) -> float:
        return _TRUSTED_PEEK if self._peeks else _TRUSTED

    def _read_ended(self) -> None:
        self._reading = None

    async def _read(self) -> bool:
        for _ in range(_MOST_TRIES):
            begun, unread = self.clock.seconds(), self._unread
            octets = await self.store.get(TABLE_KEY)
            if self._unread != unread:
                return False
            if octets is not None and octets == self._octets and not self._pending:
                self._looked = begun
                return True
            table = self._whole(octets)
            if (table is not None and octets is not None and not self._pending
                    and table.longest >= self.longest):
                self._take(table, octets, begun)
                return True
            if table is None:
                table = PurgeTable.of_all(self.wall(), self.table.sequence)
            added = dict(self._pending)
            table = self._with(table, added.values())
            if await self._put(table.encoded(), octets):
                self._take(table, table.encoded(), begun)
                for number in added:
                    self._pending.pop(number, None)
                if not self._pending:
                    return True  # else there was another one meanwhile
        return False

    def _whole(self, octets: bytes | None) -> PurgeTable | None:
        """:return: the table that is in the store; None where it, or a purge, was lost."""
        table = PurgeTable.decoded(octets)
        if table is None or table.follows(self.table, self.wall()):
            return table
        self._log.warn("Cache {cache}: the store has lost purges that were effective, so all that "
                       "was stored before is purged", cache=getattr(self.store, "name", ""))
        return None

    async def _put(self, octets: bytes, expected: bytes | None) -> bool:
        """
        :param expected: what is there now.
        """
        if not ICompareAndSetStore.providedBy(self.store):
            # A store that does not say whether it was put gives None.
            return await self.store.put(TABLE_KEY, octets, _FOR_EVER) is not False
        return bool(await self.store.replace(TABLE_KEY, octets, _FOR_EVER, expected))

    @property
    def _unread(self) -> int:
        return getattr(self.store, "unread", 0)

    def _take(self, table: PurgeTable, octets: bytes, looked: float | None = None) -> None:
        self.table, self._octets = table, octets
        self._looked = self.clock.seconds() if looked is None else looked


