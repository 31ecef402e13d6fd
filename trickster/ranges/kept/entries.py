"""What the delta cache keeps under a key, and how it is changed without losing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec
from attrs import define, evolve, frozen

from trickster.collapsing.hit_memo import CacheHits, HitMemo
from trickster.messages import Headers
from trickster.purging.label import Label
from trickster.purging.table import Judgement, Verdict
from trickster.ranges.kept.entry import Entry
from trickster.stores.inspection.described import Described
from trickster.stores.typed_store import Kept, Offload, TypedStore, Unchanged
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents
from trickster.timeseries.wire import Codec, Pairs

Change = Callable[[Entry | None], Entry | Unchanged | None]

_MOST_READS = 3


class _Beside(msgspec.Struct, array_like=True):
    span: int
    mark: int
    backend: str
    key: str
    group: str
    path: bytes
    target: bytes
    query: bytes | None
    token: int = 0


_reader = msgspec.msgpack.Decoder(_Beside)
_writer = msgspec.msgpack.Encoder()


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
        return self.codec.to_parts(entry.dataset, entry.headers.pairs, _beside(entry))

    def parts_since(self, entry: Entry, old: Entry, head: bytes) -> list[bytes | int]:
        """
        :param old: another entry, most often the one that this is made of.
        :param head: the first part of that.
        :return: the same, with the number of its part for each window that is as it was.
        """
        return self.codec.parts_since(entry.dataset, entry.headers.pairs, _beside(entry),
                                      old.dataset, head)

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

    def surviving(self, entry: Entry, judgement: Judgement, now: float) -> Entry | None:
        """
        :param now: not looked at.
        :return: what a purge leaves of an entry: a part of it, or a stale one, or none.
        """
        if judgement.verdict is Verdict.GONE:
            return None
        if judgement.spans:
            left = _left(entry.dataset.extents, judgement)
            if not left:
                return None
            entry = evolve(entry, dataset=entry.dataset.restricted(left))
        return evolve(entry, is_stale=True) if judgement.verdict is Verdict.STALE else entry

    def described(self, entry: object, now: float) -> Described | None:
        """
        :param now: not looked at.
        :return: what there is to say of an entry; None of anything else.
        """
        if not isinstance(entry, Entry):
            return None
        return Described(entry.label, entry.mark, entry.nbytes, extents=entry.dataset.extents)

    def described_head(self, octets: bytes, now: float) -> Described | None:
        """
        :param octets: the first of L{parts}.
        :param now: not looked at.
        :return: what there is to say of the entry, whose size is not known; None where the octets
            are not what L{parts} makes.
        """
        head = self.codec.head(octets)
        beside = None if head is None else _beside_of(head[1])
        if head is None or beside is None:
            return None
        return Described(_label_of(beside), beside.mark, extents=head[0])

    def left(self, described: Described, judgement: Judgement) -> Described | None:
        """:return: what purges leave of what was described; None where that is nothing."""
        held = described.extents
        if judgement.verdict is Verdict.GONE or held is None:
            return None
        left = _left(held, judgement)
        return evolve(described, extents=left) if left else None

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

    async def mark(self) -> int:
        """:return: the number of the newest purge, for what is asked for from now on."""
        return await self._typed.mark()

    @property
    def known_mark(self) -> int:
        """:return: the number of the newest purge that is known, without looking for newer ones."""
        purges = self._typed.purges
        return 0 if purges is None else purges.mark

    def surviving(self, entry: Entry) -> Entry | None:
        """:return: what purges leave of an entry that is about to be put."""
        return self._typed.surviving(entry)

    @property
    def busy(self) -> int:
        """How many keys are being read or changed."""
        return self._typed.busy

    def used(self, key: str) -> None:
        """Count that what is under a key was given, whole, to a client."""
        self._typed.used(key)

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

        :param change: makes the new entry of the one that is there; None removes it, and
            L{UNCHANGED} leaves it.
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

    def _kept(self, entry: Entry | Unchanged | None) -> Kept[Entry] | Unchanged | None:
        return Kept(entry, self._ttl) if isinstance(entry, Entry) else entry

    @property
    def is_failing(self) -> bool:
        """Whether the store does not work at present, so that a miss may be its fault."""
        return self._typed.is_failing

    async def remove(self, key: str) -> None:
        """Forget what is kept under a key, also what is about to be."""
        await self._typed.delete((key,))


def _entry_of(read: tuple[Dataset, Pairs, bytes] | None) -> Entry | None:
    if read is None:
        return None
    dataset, headers, octets = read
    beside = _beside_of(octets)
    if beside is None:
        return None
    return Entry(dataset, Headers(headers), beside.span, _label_of(beside), beside.mark,
                 token=beside.token)


def _beside(entry: Entry) -> bytes:
    label = entry.label
    return _writer.encode(_Beside(
        entry.span, entry.mark, label.backend, label.key, label.group, label.path, label.target,
        _octets(label.query), entry.token))


def _beside_of(octets: bytes) -> _Beside | None:
    try:
        return _reader.decode(octets)
    except ValueError:
        return None


def _label_of(beside: _Beside) -> Label:
    return Label(beside.backend, beside.key, beside.group, beside.path, beside.target, (),
                 _text(beside.query))


def _left(held: Extents, judgement: Judgement) -> Extents:
    return held - Extents.of(held.step_ns, _on_grid(judgement.spans, held))


def _on_grid(spans: Iterable[tuple[int, int]], held: Extents) -> Iterator[tuple[int, int]]:
    step = held.step_ns
    phase = held.spans[0].start_ns % step if held else 0
    for start, end in spans:
        yield start - (start - phase) % step, end + (phase - end) % step


def _octets(query: str | None) -> bytes | None:
    # What a client sent need not be text.
    return None if query is None else query.encode("utf-8", "surrogateescape")


def _text(query: bytes | None) -> str | None:
    return None if query is None else query.decode("utf-8", "surrogateescape")


def _instead(kept: Kept[Entry] | Unchanged | None, _: Entry | None
             ) -> Kept[Entry] | Unchanged | None:
    return kept
