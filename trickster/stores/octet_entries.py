"""Entries in stores that keep octets: sealed, in chunks, and decoded once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from attrs import Factory, define, field, frozen
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime

from trickster.errors import StoreError
from trickster.interfaces import ICompareAndSetStore, IPeekingStore
from trickster.net.side_by_side import side_by_side
from trickster.purging.table import Judgement
from trickster.stores.chunking import Chunking
from trickster.stores.near_tier import NearEntry, NearTier
from trickster.stores.packing import Octets, Packer, unpacked
from trickster.stores.sealed import (
    LONGER,
    STAMP,
    Chunk,
    Content,
    Sealed,
    Value,
    chunk_key,
    content_of,
    seal,
    unsealed,
)

E = TypeVar("E")
Offload = Callable[..., Awaitable[Any]]

# Octets from which making them, or reading them, would hold the reactor.
_LARGE = 1 << 20
# A value is so much work, an octet compared with one of a chunk: it may be a list of chunks.
_LISTED = 16
# Likewise an octet that is compressed, and one of an entry that is sealed and placed.
_PACKED, _PLACED = 8, 4
# Octets of chunks of one entry that are on their way to the store, but for a chunk that is
# larger: stores take in so many entries at a time.
_ON_THE_WAY = 4 << 20
# Versions of an entry that are tried, where each is replaced while it is read.
_MOST_READS = 3


class EntryFormat(Protocol[E]):
    """What a cache keeps, as objects and as octets."""

    @property
    def kinds(self) -> tuple[type, ...]:
        """The classes of entries; anything else in a store is none."""

    def parts(self, entry: E) -> Sequence[Octets]:
        """
        The octets of which L{entry} makes an equal entry.  A part is written again only where
        it has changed, so what changes at each refresh, and little else, is the first of them.
        """

    def parts_since(self, entry: E, old: E, head: bytes) -> Sequence[Octets | int]:
        """
        The same; for a part that is one of those of another entry, too, of which the first is
        given, the number of that may stand, so that it need not be made again.
        """

    def entry(self, parts: Sequence[bytes]) -> E | None:
        """The entry; None where the octets are not exactly what L{parts} makes."""

    def refreshed(self, old: E, parts: Sequence[bytes | None]) -> E | None:
        """
        The entry, of which some parts, for which there is None, are to the octet those of
        another one; None where it takes these to make it.  The first is always there.
        """

    def surviving(self, entry: E, judgement: Judgement, now: float) -> E | None:
        """
        What a purge leaves of an entry, at a time in seconds of the clock.  Where there are
        purges, each entry has a C{mark}, and if that is not None, a C{label}
        (L{trickster.purging}).
        """

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


@frozen
class Read(Generic[E]):
    """
    What is under a key.

    :ivar octets: as the store gave them; None where there is nothing.
    :ivar chunks: those of the entry; none where it cannot be read, since one may be missing.
    :ivar entry: None where there is nothing, or nothing that can be read.
    :ivar spare: chunks that may be in the store besides, and that no entry needs once another
        is in the place of this one.
    """

    octets: bytes | None = None
    chunks: tuple[Chunk, ...] = ()
    entry: E | None = None
    spare: tuple[Chunk, ...] = ()


@frozen(slots=True)
class _New:
    """
    A chunk that is to be put.

    :ivar part: of the entry: its number; None where the octets are packed already.
    """

    chunk: Chunk
    octets: Octets
    part: int | None


@frozen
class _Placed:
    """
    An entry that takes the place of another: sealed, and where its chunks are.

    :ivar octets: what is put under the key of the entry.
    :ivar new: the chunks that are to be put.
    :ivar gone: chunks that may be in the store, and that this entry does not need, each once.
    """

    value: Value
    octets: bytes
    new: tuple[_New, ...]
    gone: tuple[Chunk, ...]

    @classmethod
    def of(cls, sealed: Sealed, value: Value, held: Iterable[Chunk], before: Iterable[Chunk]
           ) -> _Placed:
        """
        :param value: where the chunks of the sealed entry are.
        :param held: chunks that are known to be in the store.
        :param before: chunks of the other entry, and of what was tried in vain.
        """
        known, digests = {*held, *sealed.held}, {chunk.digest for chunk in value.chunks}
        numbers = (number for number, part in enumerate(value.parts)
                   if not isinstance(part, bytes) for _ in part)
        pieces = map(_New, value.chunks, sealed.pieces(), numbers)
        others = {chunk.digest: chunk for chunk in before}
        return cls(value, value.encoded(),
                   _packed_if_few(tuple(new for new in pieces if new.chunk not in known)),
                   tuple(chunk for digest, chunk in others.items() if digest not in digests))


@define(eq=False)
class OctetEntries(Generic[E]):
    """
    Reads and writes the entries of one cache in a store that keeps octets.

    What is written is sealed by a digest, and compressed where that pays.  A large entry is in
    chunks, each under a key of its own, so that a change writes what is new, and no value is
    larger than a mebibyte.  What was read or written last is also kept decoded, for as long as
    the store's octets are still the same: so a hit decodes a version of an entry once.

    A store that fails looks empty.

    :ivar store: an L{trickster.interfaces.ICacheStore}.
    :ivar _near: decoded entries, shared by all caches of the process; bounded.
    :ivar _offload: calls a function with arguments in a thread; None to do without.
    :ivar _chunking: how entries are cut, and how many chunks move at a time.
    :ivar compares: whether an entry is replaced only if it is still the one that was read.
    :ivar peeks: whether the store tells at once which version of an entry it has.
    """

    store: Any
    _format: EntryFormat[E]
    _clock: IReactorTime
    _near: NearTier
    _offload: Offload | None = None
    _chunking: Chunking = field(factory=Chunking)
    compares: bool = field(init=False, default=Factory(
        lambda self: bool(ICompareAndSetStore.providedBy(self.store)), takes_self=True))
    peeks: bool = field(init=False, default=Factory(
        lambda self: bool(IPeekingStore.providedBy(self.store)), takes_self=True))

    def peek(self, key: str) -> E | None:
        """
        :return: what is under a key, where it is decoded already and the store tells at once
            that it is still the same.
        """
        near = self._near.last(self, key) if self.peeks else None
        if near is None:
            return None
        begins = self.store.peek(key, STAMP)
        if begins != near.stamp:
            self._near.misses += begins is not None
            return None
        self._near.hits += 1
        return near.entry

    async def read(self, key: str) -> Read[E]:
        """:return: what is under a key."""
        octets = await self._got(key)
        for _ in range(_MOST_READS - 1):
            found = await self._read_of(key, octets)
            if octets is None or found.entry is not None:
                return found
            latest = await self._got(key)
            if latest == octets:
                return found
            # Another process has put a newer version meanwhile, which needs other chunks.
            octets = latest
        return await self._read_of(key, octets)

    async def _got(self, key: str) -> bytes | None:
        try:
            octets: bytes | None = await self.store.get(key)
        except StoreError:
            return None
        return octets

    async def _read_of(self, key: str, octets: bytes | None) -> Read[E]:
        """
        :param octets: of the value under the key.
        """
        if octets is None:
            self._near.drop(self, key)
            return Read()
        near = self._near.get(self, key, octets)
        if near is not None:
            return Read(octets, near.chunks, near.entry)
        try:
            value = await self._unsealed(octets)
        except ValueError:
            # Of another version, or damaged: nothing that could be given, but something that a
            # change would replace.
            return Read(octets)
        entry = await self._decoded(key, value)
        if entry is None:
            return Read(octets, spare=value.chunks)
        self._note(key, octets, entry, value)
        return Read(octets, value.chunks, entry)

    async def put(self, key: str, entry: E, ttl: float) -> bool:
        """
        Put an entry in the place of any other.

        :return: whether it is kept.
        """
        before = self._near.chunks(self, key) or ()
        # Whether the chunks before are in the store still was not looked at.
        placed = await self._placed(Kept(entry, ttl), Read(), before)
        put = partial(self.store.put, key, placed.octets, ttl)
        return await self._written(key, Kept(entry, ttl), placed, put)

    async def replace(self, key: str, made: Kept[E], before: Read[E],
                      tried: list[Chunk]) -> bool:
        """
        Put an entry in the place of the one that was read.

        :param tried: chunks of earlier tries, which go once this one succeeds; those of this
            one are added.
        :return: whether it is kept; not where another writer has put something meanwhile.
        """
        placed = await self._placed(made, before, (*before.chunks, *before.spare, *tried))
        tried += (new.chunk for new in placed.new)
        put = partial(self.store.put, key, placed.octets, made.ttl)
        if self.compares:
            put = partial(self.store.replace, key, placed.octets, made.ttl, before.octets)
        return await self._written(key, made, placed, put)

    async def forget(self, key: str) -> None:
        """Delete an entry, and the chunks that it is known to have."""
        chunks = self._near.chunks(self, key)
        if chunks is None:
            try:
                chunks = (await self._unsealed(await self.store.get(key))).chunks
            except (StoreError, ValueError):
                chunks = ()
        try:
            await self.removed(key, *(chunk_key(key, chunk) for chunk in chunks))
        finally:
            self._near.drop(self, key)

    async def removed(self, *keys: str) -> None:
        """Delete keys, if the store can."""
        try:
            await self.store.delete(keys)
        except StoreError:
            return

    async def _unsealed(self, octets: bytes | None) -> Value:
        """:raises ValueError: as L{unsealed}."""
        value: Value = await self._computed(_LISTED * len(octets or b""), unsealed, octets)
        return value

    async def _placed(self, made: Kept[E], there: Read[E], before: Sequence[Chunk]) -> _Placed:
        """
        :param there: what is in the store.
        :param before: chunks that may be in the store, and need not stay.
        """
        chunking, now, held = self._chunking, self._clock.seconds(), there.chunks

        def place() -> _Placed:
            sealed = seal(self._parts(made.entry, there, now + made.ttl), chunking.octets,
                          chunking.whole)
            return _Placed.of(sealed, sealed.placed(held, now, made.ttl), held, before)

        size = _PLACED * self._format.size(made.entry)
        placed: _Placed = await self._computed(size, place)
        return placed

    def _parts(self, entry: E, there: Read[E], until: float) -> Sequence[Octets | tuple[Chunk, ...]]:
        """
        :param until: seconds of the clock until which the entry is kept.
        :return: the octets of its parts, and the chunks of those that are in the store for as long.
        """
        if there.entry is None:
            return self._format.parts(entry)
        try:
            value = unsealed(there.octets)
        except ValueError:
            # How it begins tells which entry it was; the rest is damaged.
            return self._format.parts(entry)
        head = value.parts[0]
        if not isinstance(head, bytes) or any(chunk.until < until for chunk in value.chunks):
            return self._format.parts(entry)
        return [value.parts[part] if isinstance(part, int) else part
                for part in self._format.parts_since(entry, there.entry, head)]

    async def _written(self, key: str, made: Kept[E], placed: _Placed,
                       put: Callable[[], Awaitable[object]]) -> bool:
        """:return: whether it is put: a store that does not say so gives None for that."""
        if placed.value.is_too_large:
            return False
        try:
            # All before the value: who finds that finds all chunks.
            if not await self._chunks_put(key, placed.new, LONGER * made.ttl):
                return False
            if await put() is False:
                return False
        except StoreError:
            return False
        self._note(key, placed.octets, made.entry, placed.value)
        if placed.gone:
            await self.removed(*(chunk_key(key, chunk) for chunk in placed.gone))
        return True

    async def _chunks_put(self, key: str, new: Sequence[_New], ttl: float) -> bool:
        """
        :return: whether all are put.
        :raises StoreError: one is not.
        """
        largest = max((one.chunk.length for one in new), default=1)
        most = min(self._chunking.writes, max(1, _ON_THE_WAY // max(1, largest)))
        packer, in_turn = Packer(), DeferredLock()

        async def put(one: _New) -> bool:
            await in_turn.acquire()
            try:
                octets = await self._packed(packer, one)
            finally:
                in_turn.release()
            done = await self.store.put(chunk_key(key, one.chunk), octets, ttl)
            return done is not False

        return await side_by_side(put, new, most)

    async def _packed(self, packer: Packer, new: _New) -> bytes:
        if new.part is None:
            return bytes(new.octets)
        size = _PACKED * len(new.octets) if packer.tries(new.octets, new.part) else 0
        octets: bytes = await self._computed(size, packer.packed, new.octets, new.part)
        return octets

    def _note(self, key: str, octets: bytes, entry: E, value: Value) -> None:
        near = NearEntry(octets, entry, value.chunked, self._format.size(entry))
        self._near.put(self, key, near)

    async def _decoded(self, key: str, value: Value) -> E | None:
        old = self._near.last(self, key)
        if old is not None:
            known = frozenset(map(content_of, old.parts))
            if len(value.needed(known)) < len(value.chunks):
                # Another process has refreshed what is decoded here: only what is new is read.
                found = await self._made_of(key, value, known, partial(
                    self._format.refreshed, old.entry), old.size)
                if found is not None:
                    return found
        return await self._made_of(key, value, frozenset(), self._format.entry)

    async def _made_of(self, key: str, value: Value, known: frozenset[Content],
                       make: Callable[[Any], E | None], size: int = 0) -> E | None:
        """
        :param known: contents of parts that need not be read.
        :param make: makes an entry of its parts.
        :param size: octets that it goes through besides those that are read.
        """
        needed = value.needed(known)
        pieces: dict[int, bytes] = {}

        async def read(number: int) -> bool:
            piece = await self.store.get(chunk_key(key, needed[number]))
            if piece is not None:
                pieces[number] = piece
            return piece is not None

        try:
            if not await side_by_side(read, range(len(needed)), self._chunking.reads):
                return None
        except StoreError:
            return None

        def whole() -> E | None:
            plain = (unpacked(pieces[number], chunk.length, chunk.length)
                     for number, chunk in enumerate(needed))
            parts = value.joined(plain, known)
            return None if parts is None else make(parts)

        found: E | None = await self._computed(
            size + sum(chunk.length for chunk in needed), whole)
        return found

    async def _computed(self, size: int, function: Callable[..., Any], *args: Any) -> Any:
        if self._offload is None or size < _LARGE:
            return function(*args)
        return await self._offload(function, *args)


def _packed_if_few(new: tuple[_New, ...]) -> tuple[_New, ...]:
    """
    :return: with their octets packed, which then is done with the rest of the work; but not of a
        large entry, which would be in memory once more.
    """
    if sum(one.chunk.length for one in new) > _ON_THE_WAY:
        return new
    packer = Packer()
    return tuple(_New(one.chunk, packer.packed(one.octets, one.part or 0), None) for one in new)
