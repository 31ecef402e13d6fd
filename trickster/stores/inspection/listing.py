"""Looking into a cache: what it has, by and by, without keeping others waiting."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from trickster.keys.lease_key import is_lease_key
from trickster.purging.purges import TABLE_KEY, Purges
from trickster.purging.table import Judgement
from trickster.stores.guard import Guarded
from trickster.stores.inspection.described import Described
from trickster.stores.packing import unpacked
from trickster.stores.sealed import Value, chunk_key, is_chunk_key, unsealed

# Keys that are sorted, and entries that are looked at, before others have a turn: a millisecond.
_KEYS_A_TURN = 2000
_A_TURN = 50
# Entries that are looked at, and seconds that may take, for one answer.
_MOST_LOOKED_AT = 10_000
_PATIENCE = 2.0


class Describing(Protocol):
    """The form of some kind of entries, as far as it tells of them."""

    def described(self, entry: object, now: float) -> Described | None:
        """What there is to say of an entry; None of anything else."""

    def described_head(self, octets: bytes, now: float) -> Described | None:
        """The same, from the first of the octets that are made of it."""

    def left(self, described: Described, judgement: Judgement) -> Described | None:
        """What purges leave of it; None where that is nothing."""


@frozen
class Listed:
    """
    An entry of a cache.

    :ivar kept: seconds for which the store still keeps it; None where it does not tell.
    """

    described: Described
    kept: float | None


@frozen
class Wanted:
    """
    Which entries are to be listed.

    :ivar limit: how many at most.
    :ivar backend: whose; None for all.
    :ivar prefix: how their path begins, with nothing in it percent-encoded.
    :ivar after: the key, in the store, after which they begin.
    """

    limit: int
    backend: str | None = None
    prefix: bytes = b""
    after: str = ""


@frozen
class Listing:
    """
    Some entries of a cache.

    :ivar more: from where on there may be others; None where there are none.
    """

    entries: tuple[Listed, ...]
    more: str | None = None


@frozen
class StoreListing:
    """
    Lists what is in a store, and was not purged.

    :ivar formats: of all that may be in it.
    """

    store: Guarded
    purges: Purges
    formats: Sequence[Describing]
    clock: IReactorTime

    async def listed(self, wanted: Wanted) -> Listing:
        """
        :return: the entries by their keys in the store.  There may be fewer than are wanted, and
            more of them, where looking takes too long.
        """
        await self.purges.refreshed()
        keys, found, last = await self._keys(wanted), list[Listed](), wanted.after
        # From now, so that one key is looked at however long it took to find them.
        begun = self.clock.seconds()
        for count, key in enumerate(keys):
            is_long = count >= _MOST_LOOKED_AT or self.clock.seconds() - begun >= _PATIENCE
            if is_long or len(found) >= wanted.limit:
                return Listing(tuple(found), last)
            if count % _A_TURN == _A_TURN - 1:
                await deferLater(self.clock, 0)
            entry = await self._listed(key, wanted)
            if entry is not None:
                found.append(entry)
            last = key
        return Listing(tuple(found))

    async def _keys(self, wanted: Wanted) -> Iterator[str]:
        """:return: the keys that come into question, in their order."""
        prefix = "" if wanted.backend is None else f"{wanted.backend}."
        keys, runs = await self.store.keys(prefix), list[list[str]]()
        for start in range(0, len(keys), _KEYS_A_TURN):
            if start:
                await deferLater(self.clock, 0)
            runs.append(sorted(key for key in keys[start:start + _KEYS_A_TURN]
                               if key > wanted.after and key != TABLE_KEY
                               and not is_chunk_key(key) and not is_lease_key(key)))
        return heapq.merge(*runs)

    async def _listed(self, key: str, wanted: Wanted) -> Listed | None:
        inspected = await self.store.inspected(key)
        if inspected is None:
            return None
        form, found = await self._described(key, inspected.value)
        if form is None or found is None or found.generation:
            return None
        label = found.label
        if wanted.backend not in (None, label.backend) or not (
                label.plain_path.startswith(wanted.prefix)):
            return None
        if key != label.key and not await self._is_variant(key, label.key):
            return None
        left = form.left(found, self.purges.judged(label, found.mark))
        return None if left is None else Listed(left, inspected.ttl)

    async def _is_variant(self, key: str, of: str) -> bool:
        """:return: whether an entry is one of the variants that there are of another key."""
        inspected = await self.store.inspected(of)
        if inspected is None:
            return False
        _, found = await self._described(of, inspected.value)
        return found is not None and bool(found.generation) and (
            key.startswith(f"{of}.{found.generation}."))

    async def _described(self, key: str, value: object
                         ) -> tuple[Describing | None, Described | None]:
        now = self.clock.seconds()
        if not isinstance(value, bytes):
            return self._first((form, form.described(value, now)) for form in self.formats)
        try:
            sealed = unsealed(value)
        except ValueError:
            return None, None
        head = await self._head(key, sealed)
        size = sum(len(part) if isinstance(part, bytes) else sum(chunk.length for chunk in part)
                   for part in sealed.parts)
        form, found = self._first(
            (form, form.described_head(head, now)) for form in self.formats)
        return form, None if found is None else evolve(found, size=size)

    @staticmethod
    def _first(tried: Iterator[tuple[Describing, Described | None]]
               ) -> tuple[Describing | None, Described | None]:
        return next(((form, found) for form, found in tried if found is not None), (None, None))

    async def _head(self, key: str, sealed: Value) -> bytes:
        """:return: the first part of an entry; nothing where a piece of it is missing."""
        head = Value(sealed.parts[:1])
        pieces: list[bytes | None] = []
        for chunk in head.chunks:
            piece = await self.store.get(chunk_key(key, chunk))
            pieces.append(piece and unpacked(piece, chunk.length, chunk.length))
        parts = head.joined(pieces)
        return parts[0] or b"" if parts else b""
