"""What the delta cache keeps under a key, and how it is changed without losing anything."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.defer import DeferredLock

from trickster.interfaces import ICacheStore, IReferenceStore
from trickster.messages import NO_HEADERS, Headers
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.planning import Uses
from trickster.timeseries.wire import Codec


@frozen(slots=True)
class Entry:
    """
    What is kept of one query.

    :ivar dataset: the samples, and what they cover.
    :ivar headers: the origin's header fields that go with every answer.
    :ivar span: the most timestamps before now that anybody asked for.
    :ivar uses: which extents were asked for when, the least recent first (C{lru} only).
    """

    dataset: Dataset
    headers: Headers = NO_HEADERS
    span: int = 0
    uses: Uses = ()

    @property
    def nbytes(self) -> int:
        """Octets that it counts for in a store."""
        return self.dataset.nbytes + 256


Change = Callable[[Entry | None], Entry | None]


@define
class Entries:
    """
    The entries in one store.

    :ivar _store: keeps them as objects where it can (L{IReferenceStore}), else as octets.
    :ivar _codec: makes octets of datasets.
    :ivar _ttl: seconds that an entry is kept after its last change.
    """

    _store: ICacheStore
    _codec: Codec
    _ttl: float
    _by_reference: bool = field(init=False)
    _locks: dict[str, DeferredLock] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._by_reference = IReferenceStore.providedBy(self._store)

    async def get(self, key: str) -> Entry | None:
        """:return: what is kept under a key; without waiting where the store allows it."""
        if self._by_reference:
            found = self._store.get_object(key)  # type: ignore[attr-defined]
            return found if type(found) is Entry else None
        octets = await self._store.get(key)
        return None if octets is None else self._decoded(octets)

    async def change(self, key: str, change: Change) -> bool:
        """
        Put something else in an entry's place, with no other change in between.

        :param change: makes the new entry of the one that is there; None removes it.
        :return: whether the store keeps the new entry.
        """
        if self._by_reference:
            return await self._changed(key, change)
        lock = self._locks.setdefault(key, DeferredLock())
        await lock.acquire()
        try:
            return await self._changed(key, change)
        finally:
            lock.release()
            if not lock.locked and not lock.waiting:
                self._locks.pop(key, None)

    async def remove(self, key: str) -> None:
        """Forget what is kept under a key."""
        await self._store.delete([key])

    async def _changed(self, key: str, change: Change) -> bool:
        entry = change(await self.get(key))
        if entry is None:
            await self._store.delete([key])
            return False
        if self._by_reference:
            kept: bool = self._store.put_object(  # type: ignore[attr-defined]
                key, entry, entry.nbytes, self._ttl)
            return kept
        dataset = self._codec.to_octets(entry.dataset, entry.headers.pairs, entry.span)
        await self._store.put(key, dataset, self._ttl)
        return True

    def _decoded(self, octets: bytes) -> Entry | None:
        read = self._codec.from_octets(octets)
        if read is None:
            return None
        dataset, headers, span = read
        return Entry(dataset, Headers(headers), span)
