"""Tests of L{trickster.stores.octet_entries}: how chunks move."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from random import Random
from typing import Any

import zstandard
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import StoreError
from trickster.stores.chunking import Chunking
from trickster.stores.near_tier import NearTier
from trickster.stores.octet_entries import OctetEntries
from trickster.stores.sealed import CHUNK, digest_of, is_chunk_key
from trickster.testing.doubles import DictStore, RecordingStore, at_once

TTL = 60.0
NOISE = Random(1).randbytes(100_000)


@frozen
class Text:
    """An entry of these tests."""

    octets: bytes


@define
class TextFormat:
    """A head, and the octets of a text."""

    kinds: tuple[type, ...] = (Text,)

    def parts(self, entry: Text) -> Sequence[bytes]:
        return [b"text", entry.octets]

    def parts_since(self, entry: Text, old: Text, head: bytes) -> Sequence[bytes | int]:
        return self.parts(entry)

    def entry(self, parts: Sequence[bytes]) -> Text | None:
        return Text(parts[1])

    def refreshed(self, old: Text, parts: Sequence[bytes | None]) -> Text | None:
        return old if parts[1] is None else Text(parts[1])

    def size(self, entry: Text) -> int:
        return len(entry.octets)


@define(eq=False)
class WaitingStore(DictStore):
    """
    Does nothing until the test says so.

    :ivar waiting: what is asked, and has not been done.
    :ivar most: of these at any time.
    """

    waiting: list[tuple[str, str, Deferred[None]]] = field(factory=list, init=False)
    most: int = 0

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        await self._wait("get", key)
        return await super().get(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        await self._wait("put", key)
        await super().put(key, value, ttl)

    def go_on(self, which: int = 0) -> str:
        """:return: the key of what goes on."""
        _, key, waiting = self.waiting.pop(which)
        waiting.callback(None)
        return key

    def fail(self) -> None:
        """Let what waits longest fail."""
        self.waiting.pop(0)[2].errback(StoreError("no"))

    def _wait(self, operation: str, key: str) -> Deferred[None]:
        self.waiting.append((operation, key, Deferred()))
        self.most = max(self.most, len(self.waiting))
        return self.waiting[-1][2]


def different(count: int, length: int) -> bytes:
    """:return: so many times as many octets, none of which are like others."""
    return b"".join(number.to_bytes(4, "big") * (length // 4) for number in range(count))


def entries_of(store: Any, **chunking: int) -> OctetEntries[Text]:
    """:return: the entries in a store; none is decoded yet."""
    return OctetEntries(store, TextFormat(), Clock(), NearTier(), None, Chunking(**chunking))


class MovingTests(SynchronousTestCase):
    """Chunks on their way to a store, and from it."""

    def written(self, store: WaitingStore, **chunking: int) -> Deferred[bool]:
        """:return: fires when an entry of ten chunks is written."""
        entries = entries_of(store, octets=400, **chunking)
        return Deferred.fromCoroutine(entries.put("a", Text(different(10, 400)), TTL))

    def test_writes(self) -> None:
        """As many chunks of an entry are written at a time as may be, and no more."""
        for writes, most in ((1, 1), (3, 3), (16, 10)):
            store = WaitingStore(Clock())
            done = self.written(store, writes=writes)
            while store.waiting:
                store.go_on(-1)
            self.assertTrue(self.successResultOf(done))
            self.assertEqual(store.most, most)

    def test_value_last(self) -> None:
        """The value is written when all chunks are, in whatever order these end."""
        store = WaitingStore(Clock())
        done = self.written(store, writes=16)
        for left in range(10, 0, -1):
            self.assertEqual(len(store.waiting), left)
            self.assertTrue(is_chunk_key(store.go_on(left // 2)))
        self.assertEqual([key for _, key, _ in store.waiting], ["a"])
        store.go_on()
        self.assertTrue(self.successResultOf(done))

    def test_chunk_fails(self) -> None:
        """Where a chunk cannot be written no other one begins, and the value is not written."""
        store = WaitingStore(Clock())
        done = self.written(store, writes=3)
        store.fail()
        while store.waiting:
            store.go_on()
        self.assertFalse(self.successResultOf(done))
        self.assertEqual((len(store.entries), "a" in store.entries), (2, False))

    def test_reads(self) -> None:
        """As many chunks of an entry are read at a time as may be, and no more."""
        for reads, most in ((1, 1), (3, 3), (16, 10)):
            store = WaitingStore(Clock())
            full = DictStore(store.clock)
            at_once(entries_of(full, octets=400).put("a", Text(different(10, 400)), TTL))
            store.entries.update(full.entries)
            reading = Deferred.fromCoroutine(entries_of(store, reads=reads).read("a"))
            while store.waiting:
                store.go_on(-1)
            self.assertEqual(self.successResultOf(reading).entry, Text(different(10, 400)))
            self.assertEqual(store.most, most)

    def test_large_chunks(self) -> None:
        """Of large chunks fewer are on their way at a time, so that those of many entries fit."""
        store = WaitingStore(Clock())
        entry = Text(different(10, CHUNK))
        done = Deferred.fromCoroutine(entries_of(store).put("a", entry, TTL))
        self.assertEqual(len(store.waiting), 4)
        done.cancel()
        self.failureResultOf(done, CancelledError)


class PackedTests(SynchronousTestCase):
    """What is compressed in a store, and what is made of what was changed there."""

    def stored(self, text: bytes, **chunking: int) -> RecordingStore:
        """:return: a store with an entry of a text."""
        store = RecordingStore(Clock())
        self.assertTrue(at_once(entries_of(store, **chunking).put("a", Text(text), TTL)))
        return store

    def test_octets_written(self) -> None:
        """Values and chunks are compressed where that pays, and no larger where it does not."""
        for text, most in ((b"[1,2]," * 1000, 500), (NOISE[:6000], 6200),
                           (b"[1,2]," * 30_000, 2000), (NOISE, len(NOISE) + 500)):
            for chunking in ({}, {"octets": 5000}):
                written = sum(octets for _, octets in self.stored(text, **chunking).puts)
                self.assertLess(written, most + len(text) // 50)

    def test_same_chunks(self) -> None:
        """A chunk is the same one whether it was compressed or not: its digest is of what it holds."""
        noisy, plain = ({key for key, _ in self.stored(head + b"x" * 4000, octets=4000).puts}
                        for head in (NOISE[:4000], b"y" * 4000))
        self.assertEqual(len(noisy & plain), 2)  # the value, and the chunk after the first
        (first,) = noisy - plain
        self.assertTrue(is_chunk_key(first))

    def test_damaged(self) -> None:
        """A value or chunk that is cut, longer, or changed in any octet is a miss, and no error."""
        for text in (b"[1,2]," * 200, NOISE[:700]):
            store = self.stored(text, octets=1 << 20 if text[0] == 91 else 300)
            whole = dict(store.entries)
            for key, (octets, deadline) in whole.items():
                for at in range(len(octets)):
                    for wrong in (octets[:at], octets[:at] + b"x" + octets[at:],
                                  octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]):
                        store.entries[key] = wrong, deadline
                        found = at_once(entries_of(store).read("a")).entry
                        self.assertIn(found, (None, Text(text)))
                        self.assertTrue(found is None or key != "a")
                store.entries[key] = octets, deadline
            self.assertEqual(at_once(entries_of(store).read("a")).entry, Text(text))

    def test_bombs(self) -> None:
        """A value or chunk that stands for more than one may is a miss, and takes no memory."""
        bomb = b"\1" + zstandard.ZstdCompressor().compress(bytes(64 << 20))
        value = b"TkS3" + digest_of(bomb) + bomb
        store = self.stored(NOISE[:4000], octets=2000)
        chunk = next(filter(is_chunk_key, store.entries))
        for key, wrong in (("a", value), (chunk, bomb)):
            before = store.entries[key]
            store.entries[key] = wrong, before[1]
            tracemalloc.start()
            try:
                self.assertIsNone(at_once(entries_of(store).read("a")).entry)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(peak, 1 << 20)
            store.entries[key] = before

    def test_in_a_thread(self) -> None:
        """What is large is compressed in a thread, chunk by chunk where the entry is large."""
        sizes: list[int] = []

        async def offload(function: Any, *args: Any) -> Any:
            sizes.append(sum(len(arg) for arg in args if isinstance(arg, bytes | memoryview)))
            return function(*args)

        text = b"[1,2]," * (CHUNK // 6 + 1)
        for times, most in ((1, 0), (9, CHUNK)):
            store = DictStore(Clock())
            entries = OctetEntries(store, TextFormat(), Clock(), NearTier(), offload)
            at_once(entries.put("a", Text(text * times), TTL))
            self.assertEqual(max(sizes), most)


class AnySizeTests(SynchronousTestCase):
    """Entries in chunks of any size."""

    @given(st.integers(0, 3000), st.integers(1, 2000), st.integers(1, 2000))
    def test_there_and_back(self, length: int, octets: int, others: int) -> None:
        """However entries are cut, what is read is what was put; also by who cuts them otherwise."""
        store, entry = RecordingStore(Clock()), Text((bytes(range(256)) * 12)[:length])
        self.assertTrue(at_once(entries_of(store, octets=octets).put("a", entry, TTL)))
        for chunking in ({"octets": octets}, {"octets": others}, {}):
            self.assertEqual(at_once(entries_of(store, **chunking).read("a")).entry, entry)
