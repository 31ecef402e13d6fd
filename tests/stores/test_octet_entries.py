"""Tests of L{trickster.stores.octet_entries}: how chunks move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from trickster.stores.sealed import CHUNK, is_chunk_key
from trickster.testing.doubles import DictStore, RecordingStore, at_once

TTL = 60.0


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


class AnySizeTests(SynchronousTestCase):
    """Entries in chunks of any size."""

    @given(st.integers(0, 3000), st.integers(1, 2000), st.integers(1, 2000))
    def test_there_and_back(self, length: int, octets: int, others: int) -> None:
        """However entries are cut, what is read is what was put; also by who cuts them otherwise."""
        store, entry = RecordingStore(Clock()), Text((bytes(range(256)) * 12)[:length])
        self.assertTrue(at_once(entries_of(store, octets=octets).put("a", entry, TTL)))
        for chunking in ({"octets": octets}, {"octets": others}, {}):
            self.assertEqual(at_once(entries_of(store, **chunking).read("a")).entry, entry)
