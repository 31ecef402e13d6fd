"""What the delta cache keeps under a key, and how it is changed without losing anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import DeferredLock

from trickster.collapsing.hit_memo import CacheHits, HitMemo
from trickster.collapsing.waiters import SharedWork
from trickster.interfaces import ICacheStore, IReferenceStore
from trickster.messages import Headers
from trickster.ranges.entry import Entry
from trickster.timeseries.wire import Codec

Change = Callable[[Entry | None], Entry | None]
Offload = Callable[..., Awaitable[Any]]

_LARGE = 1 << 20  # octets from which making them, or reading them, would hold the reactor
_MOST_READS = 3


@define(eq=False)
class _Reading:
    """
    An entry on its way from the store to its waiters.

    :ivar is_stale: whether the entry has been changed since the first waiter came.
    """

    work: SharedWork[Entry | None] = field(factory=SharedWork)
    is_stale: bool = False


@define
class Entries:
    """
    The entries in one store.

    :ivar _store: keeps them as objects where it can (L{IReferenceStore}), else as octets.
    :ivar _codec: makes octets of datasets.
    :ivar _ttl: seconds that an entry is kept after its last change.
    :ivar _offload: calls a function with arguments in a thread; None to do without.
    """

    _store: ICacheStore
    _codec: Codec
    _ttl: float
    _offload: Offload | None = None
    _by_reference: bool = field(init=False)
    _locks: dict[str, DeferredLock] = field(factory=dict, init=False)
    _reads: dict[str, _Reading] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._by_reference = IReferenceStore.providedBy(self._store)

    @property
    def busy(self) -> int:
        """How many keys are being read or changed."""
        return len(self._locks.keys() | self._reads.keys())

    def hits(self, memo: HitMemo) -> CacheHits | None:
        """:return: what a memo has of these, where the very entry that was put is had back."""
        return memo.of(self._store)

    def peek(self, key: str) -> Entry | None:
        """:return: what is kept under a key, where the store need not be waited for."""
        if not self._by_reference:
            return None
        found = self._store.get_object(key)  # type: ignore[attr-defined]
        return found if type(found) is Entry else None

    async def get(self, key: str) -> Entry | None:
        """
        :return: what is kept under a key; without waiting where the store allows it.  It
            is not older than the last change that has ended.
        """
        if self._by_reference:
            return self.peek(key)
        entry = None
        for _ in range(_MOST_READS):
            reading = self._reads.get(key) or self._begin_reading(key)
            entry = await self._awaited(key, reading)
            if not reading.is_stale:
                break
        return entry

    async def _awaited(self, key: str, reading: _Reading) -> Entry | None:
        try:
            return await reading.work.wait()
        finally:
            # Not before all waiters have gone on: what the first of them does may be a change.
            if not reading.work.is_awaited and self._reads.get(key) is reading:
                del self._reads[key]

    async def change(self, key: str, change: Change,
                     still: Callable[[], bool] | None = None) -> bool:
        """
        Put something else in an entry's place, with no other change in between.

        :param change: makes the new entry of the one that is there; None removes it.
        :param still: given where that takes long: it is done in a thread, and what it makes is
            put only if this is true then.
        :return: whether the store keeps the new entry.
        """
        if not self._by_reference:
            return await self._alone(key, change)
        if still is not None and self._offload is not None:
            return await self._changed_meanwhile(key, change, still)
        return await self._put(key, change(self.peek(key)))

    async def _changed_meanwhile(self, key: str, change: Change, still: Callable[[], bool]) -> bool:
        assert self._offload is not None
        for _ in range(_MOST_READS):
            before = self.peek(key)
            entry = await self._offload(change, before)
            if not still():
                return False
            if self.peek(key) is before:
                return await self._put(key, entry)
        return await self._put(key, change(self.peek(key)))

    async def _put(self, key: str, entry: Entry | None) -> bool:
        if entry is None:
            await self._store.delete([key])
            return False
        kept: bool = self._store.put_object(  # type: ignore[attr-defined]
            key, entry, entry.nbytes, self._ttl)
        return kept

    @property
    def is_failing(self) -> bool:
        """Whether the store does not work at present, so that a miss may be its fault."""
        return bool(getattr(self._store, "is_failing", False))

    async def remove(self, key: str) -> None:
        """Forget what is kept under a key, also what is about to be."""
        if self._by_reference:
            await self._store.delete([key])
        else:
            await self._alone(key, None)

    async def _alone(self, key: str, change: Change | None) -> bool:
        lock = self._locks.setdefault(key, DeferredLock())
        await lock.acquire()
        try:
            return await self._changed(key, change)
        finally:
            lock.release()
            if not lock.locked and not lock.waiting:
                self._locks.pop(key, None)

    async def _changed(self, key: str, change: Change | None) -> bool:
        entry = None if change is None else change(await self._read(key))
        try:
            if entry is None:
                await self._store.delete([key])
                return False
            await self._store.put(key, await self._encoded(entry), self._ttl)
            return True
        finally:
            reading = self._reads.pop(key, None)
            if reading is not None:
                reading.is_stale = True

    def _begin_reading(self, key: str) -> _Reading:
        reading = self._reads[key] = _Reading()
        reading.work.start(self._read(key), _nothing)
        return reading

    async def _read(self, key: str) -> Entry | None:
        octets = await self._store.get(key)
        if octets is None:
            return None
        read = await self._computed(len(octets), self._codec.from_octets, octets)
        if read is None:
            return None
        dataset, headers, span = read
        return Entry(dataset, Headers(headers), span)

    async def _encoded(self, entry: Entry) -> bytes:
        octets: bytes = await self._computed(
            entry.nbytes, self._codec.to_octets, entry.dataset, entry.headers.pairs, entry.span)
        return octets

    async def _computed(self, size: int, function: Callable[..., Any], *args: Any) -> Any:
        if self._offload is None or size < _LARGE:
            return function(*args)
        return await self._offload(function, *args)


def _nothing() -> None:
    """Nothing is to be done when a read has ended: those who wait for it do."""
