"""What the delta cache keeps under a key, and how it is changed without losing anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, evolve, frozen

from trickster.collapsing.hit_memo import CacheHits, HitMemo
from trickster.messages import Headers
from trickster.ranges.entry import Entry
from trickster.stores.typed_store import Kept, Offload, TypedStore
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.wire import Codec, Pairs

Change = Callable[[Entry | None], Entry | None]

_MOST_READS = 3


@frozen
class RangeFormat:
    """
    The form of entries (L{trickster.stores.typed_store.EntryFormat}).

    :ivar codec: makes octets of datasets.
    """

    codec: Codec
    kinds: tuple[type, ...] = (Entry,)

    def parts(self, entry: Entry) -> list[bytes]:
        """:return: the octets of which L{entry} makes an equal entry."""
        return self.codec.to_parts(entry.dataset, entry.headers.pairs, entry.span)

    def entry(self, parts: Sequence[bytes]) -> Entry | None:
        """:return: the entry; None where the octets are not what L{parts} makes."""
        return _entry_of(self.codec.from_parts(parts))

    def refreshed(self, old: Entry, parts: Sequence[bytes | None]) -> Entry | None:
        """
        :param parts: as for L{entry}, with None for each that C{old} has, too.
        :return: the entry, most of whose rows are those of the old one; None where that takes
            all parts.
        """
        read = _entry_of(self.codec.refreshed(parts, old.dataset))
        return read and evolve(read, dataset=read.dataset.compacted())

    def size(self, entry: Entry) -> int:
        """:return: octets of memory that an entry takes."""
        return entry.nbytes


@define
class Entries:
    """
    The entries of one path.

    :ivar _typed: what they are kept in.
    :ivar _ttl: seconds that an entry is kept after its last change.
    :ivar _offload: calls a function with arguments in a thread; None to do without.
    """

    _typed: TypedStore[Entry]
    _ttl: float
    _offload: Offload | None = None

    @property
    def busy(self) -> int:
        """How many keys are being read or changed."""
        return self._typed.busy

    def hits(self, memo: HitMemo) -> CacheHits | None:
        """:return: what a memo has of these, where entries are known without waiting."""
        return memo.of(self._typed)

    def peek(self, key: str) -> Entry | None:
        """:return: what is kept under a key, where the store need not be waited for."""
        return self._typed.peek(key)

    async def get(self, key: str) -> Entry | None:
        """
        :return: what is kept under a key; without waiting where the store allows it.  It
            is not older than the last change that has ended.
        """
        return await self._typed.get(key)

    async def change(self, key: str, change: Change,
                     still: Callable[[], bool] | None = None) -> bool:
        """
        Put something else in an entry's place, with no other change in between.

        :param change: makes the new entry of the one that is there; None removes it.
        :param still: given where that takes long: it is done in a thread, and what it makes is
            put only if this is true then.
        :return: whether the store keeps the new entry.
        """
        if still is None or self._offload is None or not self._typed.is_by_reference:
            return await self._typed.change(key, lambda entry: self._kept(change(entry)))
        for _ in range(_MOST_READS):
            before = self.peek(key)
            entry = await self._offload(change, before)
            if not still():
                return False
            if self.peek(key) is before:
                return await self._typed.change(key, partial(_instead, self._kept(entry)))
        return await self._typed.change(key, lambda entry: self._kept(change(entry)))

    def _kept(self, entry: Entry | None) -> Kept[Entry] | None:
        return None if entry is None else Kept(entry, self._ttl)

    @property
    def is_failing(self) -> bool:
        """Whether the store does not work at present, so that a miss may be its fault."""
        return self._typed.is_failing

    async def remove(self, key: str) -> None:
        """Forget what is kept under a key, also what is about to be."""
        await self._typed.delete((key,))

    async def purge(self, prefix: str) -> int:
        """
        Forget what is kept under keys that begin so.

        :return: how many entries there were.
        """
        return await self._typed.purge(prefix)


def _entry_of(read: tuple[Dataset, Pairs, int] | None) -> Entry | None:
    if read is None:
        return None
    dataset, headers, span = read
    return Entry(dataset, Headers(headers), span)


def _instead(kept: Kept[Entry] | None, _: Entry | None) -> Kept[Entry] | None:
    return kept
