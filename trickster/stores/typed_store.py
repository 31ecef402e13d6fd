"""Entries of a cache in any kind of store: the one place that knows objects from octets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import partial
from typing import Any, Generic, cast
from weakref import ReferenceType, ref

from attrs import Factory, define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from trickster.errors import StoreError, StoreTimeout
from trickster.interfaces import IReferenceStore
from trickster.keys.lease_key import is_lease_key
from trickster.net.callbacks import ignore
from trickster.net.waiters import SharedWork
from trickster.purging.purges import Purges
from trickster.stores.chunking import Chunking
from trickster.stores.inspection.hit_counts import HitCounts
from trickster.stores.key_locks import KeyLocks
from trickster.stores.near_tier import NearTier
from trickster.stores.octet_entries import E, EntryFormat, Kept, OctetEntries, Offload, Read
from trickster.stores.sealed import Chunk, is_chunk_key
from trickster.stores.timed_call import TimedCall

__all__ = ["UNCHANGED", "EntryFormat", "Kept", "Offload", "TypedStore", "Unchanged"]

# Reads until one is not outdated when it ends.
_MOST_READS = 3
# Writes until none of another process comes in between.  Each that does is a change that was kept,
# of which a process that is quicker than this one has many in a row.
_MOST_WRITES = 32
# Seconds for which a store need not see that an entry is used, where nothing has changed; and
# entries of which that is so.
_UNSEEN = 0.5
_MOST_PEEKED = 10_000
# Entries that are deleted before others have a turn: some milliseconds.
_A_TURN = 500


class Unchanged(Enum):
    """What a change gives where an entry is to stay as it is."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@define(eq=False)
class _Reading(Generic[E]):
    """
    A key on its way from the store to those who wait for it.

    :ivar is_stale: whether the key has been changed since the first of them came.
    """

    work: SharedWork[Read[E]] = field(factory=SharedWork)
    is_stale: bool = False


@frozen(slots=True)
class _Peeked:
    """
    What was peeked at: the same as long as nothing in the store has changed.

    :ivar stamp: of the store, just before.
    :ivar until: the clock's seconds until which that is believed: what has expired has no stamp,
        and the store is to learn now and then that the entry is used.
    """

    stamp: object
    until: float
    entry: ReferenceType[Any]


def _unstamped() -> None:
    """Stand for a store that does not tell whether it has changed."""


@define(eq=False)
class TypedStore(Generic[E]):
    """
    The entries of one cache.

    A store that keeps objects (L{IReferenceStore}) is used as it is, and nothing waits.  In any
    other store an entry is octets (L{OctetEntries}).

    Changes of a key in this process are made one after the other.  Where other processes share
    the store, and it can compare and set (L{ICompareAndSetStore}), no change loses what another
    process has kept.

    A store that fails looks empty.

    :ivar store: what they are kept in.
    :ivar _near: decoded entries, shared by all caches of the process; bounded.
    :ivar _offload: calls a function with arguments in a thread; None to do without.
    :ivar locks: of the keys that are being changed; the same for all that use a store's keys.
    :ivar _chunking: how entries are cut where the store keeps octets.
    :ivar purges: of the cache: what one of them names is not there; None where there are none.
    :ivar counts: of hits, for those who look into the cache; None to count none.
    """

    store: Any
    _format: EntryFormat[E]
    _clock: IReactorTime
    _near: NearTier = field(factory=NearTier)
    _offload: Offload | None = None
    locks: KeyLocks = field(factory=KeyLocks)
    _chunking: Chunking = field(factory=Chunking)
    purges: Purges | None = None
    counts: HitCounts | None = None
    is_by_reference: bool = field(init=False)
    _octets: OctetEntries[E] = field(init=False, default=Factory(
        lambda self: OctetEntries(self.store, self._format, self._clock, self._near,
                                  self._offload, self._chunking), takes_self=True))
    _kinds: tuple[type, ...] = field(init=False, default=Factory(
        lambda self: self._format.kinds, takes_self=True))
    _reads: dict[str, _Reading[E]] = field(factory=dict, init=False)
    _peeked: dict[str, _Peeked] = field(factory=dict, init=False)
    _stamp: Callable[[], object | None] = field(init=False, default=Factory(
        lambda self: getattr(self.store, "stamp", None) or _unstamped, takes_self=True))

    @is_by_reference.default
    def _keeps_objects(self) -> bool:
        return bool(IReferenceStore.providedBy(self.store))

    @property
    def busy(self) -> int:
        """
        :return: how many keys are being read, or are changed by any of those that share the
            locks; always 0 where the store keeps objects.
        """
        return len(self.locks) + len(self._reads)

    @property
    def is_failing(self) -> bool:
        """
        :return: whether the store does not work at present, so that a miss may be its fault;
            False where it cannot tell.
        """
        return bool(getattr(self.store, "is_failing", False))

    @property
    def peeks(self) -> bool:
        """:return: whether L{peek} ever gives anything."""
        return self.is_by_reference or self._octets.peeks

    def peek(self, key: str) -> E | None:
        """
        :return: what is kept under a key, where the store need not be waited for: the very
            object that L{get} gives, for as long as nothing else is kept there.
        """
        if not self.is_by_reference:
            return self._peek(key)
        purges = self.purges
        try:
            found = self.store.get_object(key)
        except StoreError:
            return None
        if type(found) not in self._kinds:
            return None
        if purges is None or found.mark == purges.table.sequence:
            return found
        return self.surviving(found)

    def _peek(self, key: str) -> E | None:
        stamp = self._stamp()
        if stamp is not None:
            known = self._peeked.get(key)
            if known is not None and known.stamp == stamp and (
                    self._clock.seconds() < known.until):
                return cast("E | None", known.entry())
        # What has been put since then has another stamp; so has a purge, but one that came after
        # the table was last looked at, and before the stamp.
        purges = self.purges
        if purges is not None and not (
                purges.is_current if stamp is None else purges.looks_current()):
            return None
        found = self.surviving(self._octets.peek(key))
        if stamp is not None and found is not None:
            if len(self._peeked) >= _MOST_PEEKED:
                self._peeked.clear()
            self._peeked[key] = _Peeked(stamp, self._clock.seconds() + _UNSEEN, ref(found))
        return found

    async def mark(self) -> int:
        """
        :return: the number of the newest purge: for what is asked for from now on, by which it is
            purged or not.
        """
        if self.purges is None:
            return 0
        if not self.purges.is_current:
            await self.purges.refreshed()
        return self.purges.mark

    def used(self, key: str) -> None:
        """
        Count a hit.

        :param key: of what was given to a client.
        """
        if self.counts is not None:
            self.counts.count(key)

    def surviving(self, entry: E | None) -> E | None:
        """
        :param entry: that was stored at some time, or is about to be.
        :return: what purges leave of it: the entry itself where none names it.
        """
        purges, labelled = self.purges, cast(Any, entry)
        if purges is None or entry is None or labelled.mark in (None, purges.mark):
            return entry
        judgement = purges.judged(labelled.label, labelled.mark)
        return self._format.surviving(entry, judgement, self._clock.seconds())

    async def get(self, key: str) -> E | None:
        """
        :return: what is kept under a key; without waiting where the store allows it.  It is
            not older than the last change of this process that has ended.
        """
        found = self.peek(key)
        if found is not None or self.is_by_reference:
            return found
        if self.purges is not None and not await self.purges.refreshed():
            return None
        read: Read[E] = Read()
        for _ in range(_MOST_READS):
            reading = self._reads.get(key) or self._begin_reading(key)
            read = await self._awaited(key, reading)
            if not reading.is_stale:
                break
        return self.surviving(read.entry)

    async def put(self, key: str, entry: E, ttl: float) -> bool:
        """
        Keep an entry in the place of any other.

        :param ttl: seconds, more than 0.
        :return: whether it is kept, as far as the store says.
        """
        if self.is_by_reference:
            return self._put_object(key, entry, ttl)
        return await self.locks.alone(key, partial(self._put, key, entry, ttl))

    async def change(self, key: str,
                     change: Callable[[E | None], Kept[E] | Unchanged | None]) -> bool:
        """
        Put another entry in an entry's place, with no other change in between.

        :param change: makes the new entry of the one that is there; None removes it.  It may be
            called again, with what another process has kept meanwhile.
        :return: whether the new entry is kept, as far as the store says.
        """
        if not self.is_by_reference:
            return await self.locks.alone(key, partial(self._changed, key, change))
        made = change(self.peek(key))
        if made is None:
            await self._octets.removed(key)
        if made is None or made is UNCHANGED:
            return False
        return self._put_object(key, made.entry, made.ttl)

    async def delete(self, keys: Iterable[str]) -> None:
        """
        Forget what is kept under some keys, also what is about to be.

        :param keys: are forgotten one after the other, each after the changes of it that were
            asked for earlier; there need not be anything under them.
        """
        for key in keys:
            if self.is_by_reference:
                await self._octets.removed(key)
            else:
                await self.locks.alone(key, partial(self._forget, key))

    async def purge(self, prefix: str) -> int:
        """
        Forget all that is kept under keys that begin so, also what is about to be.

        :return: how many entries there were.
        """
        try:
            found: Sequence[str] = await self.store.keys(prefix)
        except StoreError:
            return 0
        keys = [key for key in found if not is_chunk_key(key) and not is_lease_key(key)]
        for start in range(0, len(keys), _A_TURN):
            if start:
                await deferLater(self._clock, 0)
            await self.delete(keys[start:start + _A_TURN])
        # Those that no entry has any more, but the store.
        await self._octets.removed(*(key for key in found if is_chunk_key(key)))
        return len(keys)

    def _put_object(self, key: str, entry: E, ttl: float) -> bool:
        try:
            kept: bool = self.store.put_object(key, entry, self._format.size(entry), ttl)
        except StoreError:
            return False
        return kept

    async def _put(self, key: str, entry: E, ttl: float) -> bool:
        try:
            return await self._octets.put(key, entry, ttl)
        finally:
            self._outdate(key)

    async def _changed(self, key: str,
                       change: Callable[[E | None], Kept[E] | Unchanged | None]) -> bool:
        before, tried = await self._read(key), list[Chunk]()
        for _ in range(_MOST_WRITES):
            if before is None:
                break
            made = change(self.surviving(before.entry))
            if made is None:
                await self._forget(key)
            if made is None or made is UNCHANGED:
                return False
            if await self._replaced(key, made, before, tried):
                return True
            if not self._octets.compares or self.is_failing:
                break
            latest = await self._read(key)
            if latest is not None and latest.octets == before.octets:
                break  # no other writer was before us, but the store does not take it
            before = latest
        return False

    async def _read(self, key: str) -> Read[E] | None:
        """:return: None where it could not be read: what is there is not replaced by less."""
        unread = self._unread
        found = await self._octets.read(key)
        return found if found.entry is not None or self._unread == unread else None

    @property
    def _unread(self) -> int:
        return getattr(self.store, "unread", 0)

    async def _replaced(self, key: str, made: Kept[E], before: Read[E],
                        tried: list[Chunk]) -> bool:
        try:
            return await self._octets.replace(key, made, before, tried)
        finally:
            self._outdate(key)

    async def _forget(self, key: str) -> None:
        try:
            await self._octets.forget(key)
        finally:
            self._outdate(key)

    def _outdate(self, key: str) -> None:
        reading = self._reads.pop(key, None)
        if reading is not None:
            reading.is_stale = True

    def _begin_reading(self, key: str) -> _Reading[E]:
        reading: _Reading[E] = _Reading()
        self._reads[key] = reading
        reading.work.start(self._read_in_time(key), ignore)
        return reading

    async def _read_in_time(self, key: str) -> Read[E]:
        """
        :return: what is under a key; nothing where that takes longer, in all its pieces, than
            one operation may, as a slow store must cost no request more than a hanging one.
        """
        seconds = getattr(self.store, "timeout", None)
        if seconds is None:
            return await self._octets.read(key)
        try:
            return await TimedCall.of(self._octets.read(key), self._clock, seconds)
        except StoreTimeout:
            self.store.too_slow()
            return Read()

    async def _awaited(self, key: str, reading: _Reading[E]) -> Read[E]:
        try:
            return await reading.work.wait()
        finally:
            # Not before all have been told: what the first of them does may be a change.
            if not reading.work.is_awaited and self._reads.get(key) is reading:
                del self._reads[key]
