"""Entries of a cache in any kind of store: the one place that knows objects from octets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from trickster.collapsing.waiters import SharedWork
from trickster.errors import StoreError
from trickster.interfaces import ICompareAndSetStore, IReferenceStore
from trickster.stores.key_locks import KeyLocks
from trickster.stores.near_tier import NearTier
from trickster.stores.sealed import (
    LONGER,
    MOST_CHUNKS,
    Chunk,
    Sealed,
    chunk_key,
    is_chunk_key,
    joined,
    seal,
    unsealed,
)

E = TypeVar("E")
Offload = Callable[..., Awaitable[Any]]

# Octets from which making them, or reading them, would hold the reactor.
_LARGE = 1 << 20
# Reads until one is not outdated when it ends, and writes until none comes in between.
_MOST_READS = 3
_MOST_WRITES = 5
# Entries that are deleted before others have a turn: some milliseconds.
_A_TURN = 500
# Chunks that are read at a time.
_AT_ONCE = 8


class EntryFormat(Protocol[E]):
    """What a cache keeps, as objects and as octets."""

    @property
    def kinds(self) -> tuple[type, ...]:
        """The classes of entries; anything else in a store is none."""

    def octets(self, entry: E) -> bytes:
        """The octets of which L{entry} makes an equal entry."""

    def entry(self, octets: bytes) -> E | None:
        """The entry; None where the octets are not exactly what L{octets} makes."""

    def size(self, entry: E) -> int:
        """About how many octets of memory an entry takes."""


@frozen(slots=True)
class Kept(Generic[E]):
    """
    What a change puts in the place of an entry.

    :ivar ttl: seconds that it is kept, more than 0.
    """

    entry: E
    ttl: float


class Unchanged(Enum):
    """What a change gives where an entry is to stay as it is."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@frozen
class _Read(Generic[E]):
    """
    What is under a key.

    :ivar octets: as the store gave them; None where there is nothing.
    :ivar chunks: those of the entry; none where it cannot be read, since one may be missing.
    :ivar entry: None where there is nothing, or nothing that can be read.
    """

    octets: bytes | None = None
    chunks: tuple[Chunk, ...] = ()
    entry: E | None = None


@frozen
class _Placed:
    """
    A sealed entry, and where its chunks are.

    :ivar held: those of them that are in the store already.
    :ivar octets: what is put under the key of the entry.
    """

    sealed: Sealed
    chunks: tuple[Chunk, ...]
    held: tuple[Chunk, ...] = ()
    octets: bytes = field(init=False, default=Factory(
        lambda self: self.sealed.value(self.chunks), takes_self=True))

    def new(self) -> Iterator[tuple[Chunk, bytes]]:
        """:return: the chunks that are to be put, and their octets."""
        held = frozenset(self.held)
        for chunk, octets in zip(self.chunks, self.sealed.pieces, strict=True):
            if chunk not in held:
                yield chunk, bytes(octets)


@define(eq=False)
class _Reading(Generic[E]):
    """
    A key on its way from the store to those who wait for it.

    :ivar is_stale: whether the key has been changed since the first of them came.
    """

    work: SharedWork[_Read[E]] = field(factory=SharedWork)
    is_stale: bool = False


@define(eq=False)
class TypedStore(Generic[E]):
    """
    The entries of one cache.

    A store that keeps objects (L{IReferenceStore}) is used as it is, and nothing waits.  In any
    other store an entry is sealed octets: large ones are cut into chunks, each under a key of
    its own, so that a change writes what is new, and no value is larger than a mebibyte.

    What was read or written last is also kept decoded (the near tier), for as long as the
    store's octets are still the same: so a hit decodes a version of an entry once.

    Changes of a key in this process are made one after the other.  Where other processes share
    the store, and it can compare and set (L{ICompareAndSetStore}), no change loses what another
    process has kept.

    A store that fails looks empty.

    :ivar store: what they are kept in.
    :ivar _near: decoded entries, shared by all caches of the process; bounded.
    :ivar _offload: calls a function with arguments in a thread; None to do without.
    :ivar locks: of the keys that are being changed; the same for all that use a store's keys.
    """

    store: Any
    _format: EntryFormat[E]
    _clock: IReactorTime
    _near: NearTier = field(factory=NearTier)
    _offload: Offload | None = None
    locks: KeyLocks = field(factory=KeyLocks)
    is_by_reference: bool = field(init=False)
    _compares: bool = field(init=False)
    _kinds: tuple[type, ...] = field(init=False, default=Factory(
        lambda self: self._format.kinds, takes_self=True))
    _reads: dict[str, _Reading[E]] = field(factory=dict, init=False)

    @is_by_reference.default
    def _keeps_objects(self) -> bool:
        return bool(IReferenceStore.providedBy(self.store))

    @_compares.default
    def _can_compare(self) -> bool:
        return bool(ICompareAndSetStore.providedBy(self.store))

    @property
    def busy(self) -> int:
        """How many keys are being read or changed."""
        return len(self.locks) + len(self._reads)

    @property
    def is_failing(self) -> bool:
        """Whether the store does not work at present, so that a miss may be its fault."""
        return bool(getattr(self.store, "is_failing", False))

    def peek(self, key: str) -> E | None:
        """:return: what is kept under a key, where the store need not be waited for."""
        if not self.is_by_reference:
            return None
        try:
            found = self.store.get_object(key)
        except StoreError:
            return None
        return found if type(found) in self._kinds else None

    async def get(self, key: str) -> E | None:
        """
        :return: what is kept under a key; without waiting where the store allows it.  It is
            not older than the last change of this process that has ended.
        """
        if self.is_by_reference:
            return self.peek(key)
        read: _Read[E] = _Read()
        for _ in range(_MOST_READS):
            reading = self._reads.get(key) or self._begin_reading(key)
            read = await self._awaited(key, reading)
            if not reading.is_stale:
                break
        return read.entry

    async def put(self, key: str, entry: E, ttl: float) -> bool:
        """
        Keep an entry in the place of any other.

        :param ttl: seconds, more than 0.
        :return: whether it is kept, as far as the store says.
        """
        if self.is_by_reference:
            return self._put_object(key, entry, ttl)
        return await self.locks.alone(key, lambda: self._put(key, entry, ttl))

    async def change(self, key: str,
                     change: Callable[[E | None], Kept[E] | Unchanged | None]) -> bool:
        """
        Put another entry in an entry's place, with no other change in between.

        :param change: makes the new entry of the one that is there; None removes it.  It may be
            called again, with what another process has kept meanwhile.
        :return: whether the new entry is kept, as far as the store says.
        """
        if not self.is_by_reference:
            return await self.locks.alone(key, lambda: self._changed(key, change))
        made = change(self.peek(key))
        if made is None:
            await self._removed(key)
        if made is None or made is UNCHANGED:
            return False
        return self._put_object(key, made.entry, made.ttl)

    async def delete(self, keys: Iterable[str]) -> None:
        """Forget what is kept under some keys, also what is about to be."""
        for key in keys:
            if self.is_by_reference:
                await self._removed(key)
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
        keys = [key for key in found if not is_chunk_key(key)]
        for start in range(0, len(keys), _A_TURN):
            if start:
                await deferLater(self._clock, 0)
            await self.delete(keys[start:start + _A_TURN])
        # Those that no entry has any more, but the store.
        await self._removed(*(key for key in found if is_chunk_key(key)))
        return len(keys)

    # Writing.

    def _put_object(self, key: str, entry: E, ttl: float) -> bool:
        try:
            kept: bool = self.store.put_object(key, entry, self._format.size(entry), ttl)
        except StoreError:
            return False
        return kept

    async def _put(self, key: str, entry: E, ttl: float) -> bool:
        held = self._near.chunks(self, key) or ()
        sealed = await self._sealed(entry)
        # Whether what was held still is, was not looked at.
        value = _Placed(sealed, sealed.placed((), self._clock.seconds(), ttl))
        kept = await self._written(key, value, ttl, partial(self.store.put, key, value.octets, ttl))
        return await self._known(key, entry, value, held, kept)

    async def _changed(self, key: str,
                       change: Callable[[E | None], Kept[E] | Unchanged | None]) -> bool:
        for _ in range(_MOST_WRITES):
            before = await self._read(key)
            made = change(before.entry)
            if made is None:
                await self._forget(key)
            if made is None or made is UNCHANGED:
                return False
            if await self._replaced(key, made, before):
                return True
            if not self._compares or self.is_failing:
                break
        return False

    async def _replaced(self, key: str, made: Kept[E], before: _Read[E]) -> bool:
        sealed, ttl = await self._sealed(made.entry), made.ttl
        chunks = sealed.placed(before.chunks, self._clock.seconds(), ttl)
        value = _Placed(sealed, chunks, before.chunks)
        put = partial(self.store.put, key, value.octets, ttl)
        if self._compares:
            put = partial(self.store.replace, key, value.octets, ttl, before.octets)
        kept = await self._written(key, value, ttl, put)
        return await self._known(key, made.entry, value, before.chunks, kept)

    async def _sealed(self, entry: E) -> Sealed:
        sealed: Sealed = await self._computed(
            self._format.size(entry), lambda: seal(self._format.octets(entry)))
        return sealed

    async def _written(self, key: str, value: _Placed, ttl: float,
                       put: Callable[[], Awaitable[object]]) -> bool:
        """:return: whether it is put: a store that compares nothing gives None for that."""
        if len(value.chunks) > MOST_CHUNKS:
            return False
        try:
            for chunk, octets in value.new():
                await self.store.put(chunk_key(key, chunk), octets, LONGER * ttl)
            return await put() is not False
        except StoreError:
            return False
        finally:
            self._outdate(key)

    async def _known(self, key: str, entry: E, value: _Placed, held: Iterable[Chunk],
                     kept: bool) -> bool:
        if kept:
            self._near.put(self, key, value.octets, entry, value.chunks,
                           self._format.size(entry))
            await self._drop_chunks(key, held, value.chunks)
        return kept

    async def _drop_chunks(self, key: str, held: Iterable[Chunk],
                           chunks: Iterable[Chunk]) -> None:
        kept = {chunk.digest for chunk in chunks}
        gone = [chunk_key(key, chunk) for chunk in held if chunk.digest not in kept]
        if gone:
            await self._removed(*gone)

    async def _forget(self, key: str) -> None:
        chunks = self._near.chunks(self, key)
        if chunks is None:
            try:
                chunks = unsealed(await self.store.get(key)).chunks
            except (StoreError, ValueError):
                chunks = ()
        try:
            await self._removed(key, *(chunk_key(key, chunk) for chunk in chunks))
        finally:
            self._outdate(key)
            self._near.drop(self, key)

    async def _removed(self, *keys: str) -> None:
        try:
            await self.store.delete(keys)
        except StoreError:
            return

    def _outdate(self, key: str) -> None:
        reading = self._reads.pop(key, None)
        if reading is not None:
            reading.is_stale = True

    # Reading.

    def _begin_reading(self, key: str) -> _Reading[E]:
        reading: _Reading[E] = _Reading()
        self._reads[key] = reading
        reading.work.start(self._read(key), _nothing)
        return reading

    async def _awaited(self, key: str, reading: _Reading[E]) -> _Read[E]:
        try:
            return await reading.work.wait()
        finally:
            # Not before all have been told: what the first of them does may be a change.
            if not reading.work.is_awaited and self._reads.get(key) is reading:
                del self._reads[key]

    async def _read(self, key: str) -> _Read[E]:
        try:
            octets: bytes | None = await self.store.get(key)
        except StoreError:
            octets = None
        if octets is None:
            self._near.drop(self, key)
            return _Read()
        near = self._near.get(self, key, octets)
        if near is not None:
            return _Read(octets, near.chunks, near.entry)
        try:
            value = unsealed(octets)
        except ValueError:
            # Of another version, or damaged: nothing that could be given, but something that a
            # change would replace.
            return _Read(octets)
        entry = await self._decoded(key, value.inline, value.chunks)
        if entry is not None:
            self._near.put(self, key, octets, entry, value.chunks,
                           self._format.size(entry))
        return _Read(octets, value.chunks if entry is not None else (), entry)

    async def _decoded(self, key: str, inline: bytes, chunks: Sequence[Chunk]) -> E | None:
        if not chunks:
            found: E | None = await self._computed(len(inline), self._format.entry, inline)
            return found
        pieces: list[bytes | None] = []
        try:
            for start in range(0, len(chunks), _AT_ONCE):
                some = chunks[start:start + _AT_ONCE]
                pieces += await gatherResults(
                    [self._chunk(chunk_key(key, chunk)) for chunk in some], consumeErrors=True)
        except FirstError:
            return None

        def whole() -> E | None:
            octets = joined(pieces, chunks)
            return None if octets is None else self._format.entry(octets)

        found = await self._computed(sum(chunk.length for chunk in chunks), whole)
        return found

    def _chunk(self, key: str) -> Deferred[bytes | None]:
        async def read() -> bytes | None:
            piece: bytes | None = await self.store.get(key)
            return piece

        return Deferred.fromCoroutine(read())

    async def _computed(self, size: int, function: Callable[..., Any], *args: Any) -> Any:
        if self._offload is None or size < _LARGE:
            return function(*args)
        return await self._offload(function, *args)


def _nothing() -> None:
    """Nothing is to be done when a read has ended: those who wait for it do."""
