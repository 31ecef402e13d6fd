"""Tests of C{trickster.stores.typed_store}."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer_only

from trickster.errors import StoreError
from trickster.interfaces import ICacheStore
from trickster.keys.lease_key import lease_key
from trickster.remembering import SizedLRU
from trickster.stores.guard import GuardLimits, guarded
from trickster.stores.memory import MemoryStore
from trickster.stores.near_tier import NearTier
from trickster.stores.sealed import CHUNK, chunk_key, unsealed
from trickster.stores.typed_store import UNCHANGED, Kept, TypedStore
from trickster.testing.doubles import (
    BrokenOctetStore,
    BrokenStore,
    DictStore,
    PausedStore,
    PeekingStore,
    RecordingStore,
    SharedStore,
    SlowStore,
    at_once,
)

TTL = 60.0
# More than a value holds, and less than a chunk: with any more it is another chunk.
LONG = b"x" * (CHUNK // 2)


@frozen
class Words:
    """An entry of these tests."""

    text: bytes


@define
class WordsFormat:
    """Counts how often entries are made of octets, and octets of entries."""

    kinds: tuple[type, ...] = (Words,)
    read: int = 0
    made: int = 0
    refreshes: int = 0

    def parts(self, entry: Words) -> Sequence[bytes]:
        self.made += 1
        return [b"words:", entry.text]

    def parts_since(self, entry: Words, old: Words, head: bytes) -> Sequence[bytes | int]:
        return self.parts(entry)

    def entry(self, parts: Sequence[bytes]) -> Words | None:
        self.read += 1
        return Words(parts[1]) if parts[0] == b"words:" else None

    def refreshed(self, old: Words, parts: Any) -> Words | None:
        """:return: the entry, the octets of the old one where they are the same."""
        self.refreshes += 1
        return self.entry([old.text if part is None else part for part in parts])

    def size(self, entry: Words) -> int:
        return len(entry.text)


@define
class ManyWordsFormat(WordsFormat):
    """
    Has a part for each word; the first letters of the words are in the head.

    :ivar since: of each entry that was made of an old one: numbers of its words there, or letters.
    """

    since: list[list[bytes | int]] = field(factory=list)

    def parts(self, entry: Words) -> Sequence[bytes]:
        words = entry.text.split(b"|")
        return [bytes(word[0] for word in words), *words]

    def entry(self, parts: Sequence[bytes]) -> Words | None:
        return Words(b"|".join(parts[1:]))

    def parts_since(self, entry: Words, old: Words, head: bytes) -> Sequence[bytes | int]:
        """:return: numbers of the words that the old one has, too."""
        before = {word: number for number, word in enumerate(old.text.split(b"|"), 1)}
        parts = self.parts(entry)
        self.since.append([before.get(word, word[:1]) for word in parts[1:]])
        if head != self.parts(old)[0]:
            raise AssertionError(f"the first part of another entry: {head!r}")
        return [parts[0], *(before.get(word, word) for word in parts[1:])]

    def refreshed(self, old: Words, parts: Any) -> Words | None:
        """:return: the entry, with the old one's words of the same letters."""
        before = {word[0]: word for word in old.text.split(b"|")}
        return self.entry([parts[0], *(before[letter] if part is None else part
                                       for letter, part in zip(*parts[:1], parts[1:], strict=True))])


def added(word: bytes) -> Any:
    """:return: a change that adds a word."""
    return lambda entry: Kept(Words((b"" if entry is None else entry.text) + word), TTL)


class Stores(SynchronousTestCase):
    """Sets up typed stores over any store, on one clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)

    def typed(self, store: Any, near: NearTier | None = None) -> TypedStore[Words]:
        """:return: one that might be another process's, with a near tier of its own."""
        self.format = WordsFormat()
        return TypedStore(store, self.format, self.clock, near or NearTier())


class EveryStoreTests(Stores):
    """In any kind of store, entries are kept, changed and forgotten alike."""

    def each(self) -> Iterable[TypedStore[Words]]:
        """:return: typed stores over all kinds of stores, bare and guarded."""
        for store in (DictStore(self.clock), SharedStore(self.clock), MemoryStore(self.clock)):
            yield self.typed(store)
            yield self.typed(guarded(store, "c", self.clock))

    def test_get(self) -> None:
        """An entry that was put is found until it expires."""
        for typed in self.each():
            self.assertIsNone(at_once(typed.get("a")))
            self.assertTrue(at_once(typed.put("a", Words(b"one"), TTL)))
            self.assertEqual(at_once(typed.get("a")), Words(b"one"))
            self.clock.advance(TTL + 1)
            self.assertIsNone(at_once(typed.get("a")))

    def test_change(self) -> None:
        """A change gets what is there, or nothing, and what it makes takes its place."""
        for typed in self.each():
            at_once(typed.delete(["a"]))
            for word, text in ((b"one", b"one"), (b"two", b"onetwo")):
                self.assertTrue(at_once(typed.change("a", added(word))))
                self.assertEqual(at_once(typed.get("a")), Words(text))

    def test_change_to_nothing(self) -> None:
        """A change to None removes the entry."""
        for typed in self.each():
            at_once(typed.put("a", Words(b"one"), TTL))
            self.assertFalse(at_once(typed.change("a", lambda _: None)))
            self.assertIsNone(at_once(typed.get("a")))

    def test_change_nothing(self) -> None:
        """A change may leave an entry as it is, with the time that it has left."""
        for typed in self.each():
            at_once(typed.put("a", Words(b"one"), TTL))
            self.clock.advance(TTL - 1)
            self.assertFalse(at_once(typed.change("a", lambda _: UNCHANGED)))
            self.assertEqual(at_once(typed.get("a")), Words(b"one"))
            self.clock.advance(2)
            self.assertIsNone(at_once(typed.get("a")))

    def test_delete(self) -> None:
        """Deleted entries are gone, small and large ones, and the others are not."""
        for typed in self.each():
            for key, size in (("a", 3), ("b", 3 * CHUNK), ("c", 3)):
                at_once(typed.put(key, Words(b"x" * size), TTL))
            at_once(typed.delete(["a", "b"]))
            self.assertEqual([at_once(typed.get(key)) for key in "abc"],
                             [None, None, Words(b"xxx")])

    def test_purge(self) -> None:
        """A purge removes what is under keys that begin so, and tells how much it was."""
        for typed in self.each():
            for key, size in (("a.1", 3), ("a.2", 3 * CHUNK), ("a", 3), ("b.1", 3)):
                at_once(typed.put(key, Words(b"x" * size), TTL))
            self.assertEqual(at_once(typed.purge("a.")), 2)
            self.assertEqual([at_once(typed.get(key)) for key in ("a.1", "a.2")], [None, None])
            self.assertEqual(sorted(at_once(typed.store.keys(""))), ["a", "b.1"])

    def test_purge_without_leases(self) -> None:
        """What tells who fetches an entry is none, and stays."""
        store = DictStore(self.clock)
        typed = self.typed(store)
        at_once(typed.put("a.1", Words(b"one"), TTL))
        at_once(store.put(lease_key("a.1"), b"lease", TTL))
        self.assertEqual(at_once(typed.purge("a.")), 1)
        self.assertEqual(at_once(store.keys("")), [lease_key("a.1")])

    def test_foreign(self) -> None:
        """What another program has put is nothing, and may be replaced."""
        for typed in self.each():
            at_once(typed.store.put("a", b"foreign", TTL))
            self.assertIsNone(at_once(typed.get("a")))
            self.assertTrue(at_once(typed.change("a", added(b"one"))))
            self.assertEqual(at_once(typed.get("a")), Words(b"one"))

    def test_failing(self) -> None:
        """A store that fails looks empty, and keeps nothing."""
        broken = guarded(BrokenStore(), "c", self.clock)
        for typed in (self.typed(broken), self.typed(BrokenOctetStore())):
            self.assertIsNone(at_once(typed.get("a")))
            self.assertFalse(at_once(typed.put("a", Words(b"one"), TTL)))
            self.assertFalse(at_once(typed.change("a", added(b"one"))))
            at_once(typed.delete(["a"]))
            self.assertIsNone(at_once(typed.get("a")))
            self.assertEqual(at_once(typed.purge("")), 0)
        self.flushLoggedErrors()


class ReferenceTests(Stores):
    """A store that keeps objects."""

    def test_as_it_is(self) -> None:
        """The very entry is kept, and is there without waiting."""
        typed, entry = self.typed(MemoryStore(self.clock)), Words(b"one")
        at_once(typed.put("a", entry, TTL))
        self.assertIs(typed.peek("a"), entry)
        self.assertEqual((self.format.made, self.format.read), (0, 0))

    def test_other_kinds(self) -> None:
        """An object of another class under the key is no entry."""
        store = MemoryStore(self.clock)
        store.put_object("a", object(), 10, TTL)
        self.assertIsNone(self.typed(store).peek("a"))

    def test_purge_of_many(self) -> None:
        """A purge of many entries lets others have a turn."""
        store = MemoryStore(self.clock)
        typed = self.typed(store)
        for number in range(1200):
            at_once(typed.put(f"a.{number}", Words(b"x"), TTL))
        purged = Deferred.fromCoroutine(typed.purge("a."))
        self.assertNoResult(purged)
        for _ in range(5):
            self.clock.advance(0)
        self.assertEqual(self.successResultOf(purged), 1200)
        self.assertEqual(store.objects, 0)

    def test_octets_wait(self) -> None:
        """An entry in a store of octets is not available without waiting."""
        typed = self.typed(DictStore(self.clock))
        at_once(typed.put("a", Words(b"one"), TTL))
        self.assertIsNone(typed.peek("a"))


class NearTierTests(Stores):
    """The near tier of decoded entries."""

    def test_once(self) -> None:
        """A version of an entry is decoded once, however often it is a hit."""
        store = SharedStore(self.clock)
        at_once(self.typed(store).put("a", Words(b"one"), TTL))
        typed = self.typed(store)
        entries = {id(at_once(typed.get("a"))) for _ in range(5)}
        self.assertEqual((len(entries), self.format.read), (1, 1))

    def test_own_writes(self) -> None:
        """An entry that this process has put need not be decoded."""
        typed = self.typed(SharedStore(self.clock))
        at_once(typed.put("a", Words(b"x" * 3 * CHUNK), TTL))
        at_once(typed.get("a"))
        self.assertEqual(self.format.read, 0)

    def test_others_writes(self) -> None:
        """An entry that another process has put is seen at the next lookup."""
        store = SharedStore(self.clock)
        ours, others = self.typed(store), self.typed(store)
        for text in (b"one", b"two", b"x" * 2 * CHUNK, b"three"):
            at_once(others.put("a", Words(text), TTL))
            self.assertEqual(at_once(ours.get("a")), Words(text))

    def test_others_deletions(self) -> None:
        """An entry that another process deleted is not answered from the near tier."""
        store = SharedStore(self.clock)
        ours, others = self.typed(store), self.typed(store)
        at_once(ours.put("a", Words(b"one"), TTL))
        at_once(others.delete(["a"]))
        self.assertIsNone(at_once(ours.get("a")))

    def test_bounded(self) -> None:
        """The near tier keeps no more octets than its limit."""
        near = NearTier(SizedLRU(5000))
        typed = self.typed(DictStore(self.clock), near)
        for number in range(100):
            at_once(typed.put(f"{number}", Words(b"x" * 1000), TTL))
        self.assertLessEqual(near.kept.octets, 5000)
        self.assertEqual(at_once(typed.get("1")), Words(b"x" * 1000))
        self.assertEqual(self.format.read, 1)

    def test_none(self) -> None:
        """A near tier with a limit of 0 keeps nothing, so each hit is decoded."""
        typed = self.typed(DictStore(self.clock), NearTier(SizedLRU(0)))
        at_once(typed.put("a", Words(b"one"), TTL))
        for _ in range(3):
            self.assertEqual(at_once(typed.get("a")), Words(b"one"))
        self.assertEqual(self.format.read, 3)


class ReadsNoted(PeekingStore):
    """Notes which values are read."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.read: list[str] = []

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        self.read.append(key)
        return await PeekingStore.get(self, key)


class PeekingTests(Stores):
    """Stores that tell at once which version of an entry they have."""

    def setUp(self) -> None:
        super().setUp()
        self.store = PeekingStore(self.clock)

    def test_at_once(self) -> None:
        """What was read or put is known without waiting, bare and guarded."""
        for store in (self.store, guarded(self.store, "c", self.clock)):
            ours = self.typed(store)
            self.assertTrue(ours.peeks)
            at_once(ours.put("a", Words(b"one"), TTL))
            self.assertEqual(ours.peek("a"), Words(b"one"))
            other = self.typed(store)
            self.assertIsNone(other.peek("a"))
            found = at_once(other.get("a"))
            self.assertIs(other.peek("a"), found)

    def test_without_reading(self) -> None:
        """A hit of an entry that is decoded reads no octets of the value."""
        store = ReadsNoted(self.clock)
        typed = self.typed(store)
        at_once(typed.put("a", Words(b"one"), TTL))
        self.assertEqual([at_once(typed.get("a")) for _ in range(3)], [Words(b"one")] * 3)
        self.assertEqual(store.read, [])

    def test_others(self) -> None:
        """What another process has put, deleted, or let expire is not what was there before."""
        ours, others = self.typed(self.store), self.typed(self.store)
        at_once(ours.put("a", Words(b"one"), TTL))
        at_once(others.put("a", Words(b"two"), TTL))
        self.assertIsNone(ours.peek("a"))
        self.assertEqual(at_once(ours.get("a")), Words(b"two"))
        at_once(others.delete(["a"]))
        self.assertIsNone(ours.peek("a"))
        at_once(ours.put("a", Words(b"three"), TTL))
        self.clock.advance(TTL + 1)
        self.assertIsNone(ours.peek("a"))

    def test_waiting(self) -> None:
        """A store that cannot tell gives nothing at once, and is asked."""
        typed = self.typed(SharedStore(self.clock))
        at_once(typed.put("a", Words(b"one"), TTL))
        self.assertEqual((typed.peeks, typed.peek("a")), (False, None))
        self.assertEqual(at_once(typed.get("a")), Words(b"one"))


class Stamped(PeekingStore):
    """
    Tells in addition whether anything has changed.

    :ivar stamped: how often something has; None while it cannot say.
    :ivar peeked: keys, in the order in which their values' beginnings were asked for.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.stamped: int | None = 0
        self.peeked: list[str] = []

    def stamp(self) -> int | None:
        """See L{IPeekingStore}."""
        return self.stamped

    def peek(self, key: str, length: int) -> bytes | None:
        """See L{IPeekingStore.peek}."""
        self.peeked.append(key)
        return PeekingStore.peek(self, key, length)


class StampTests(Stores):
    """Stores that tell that nothing has changed."""

    def setUp(self) -> None:
        super().setUp()
        self.store = Stamped(self.clock)
        self.entries = self.typed(self.store)
        at_once(self.entries.put("a", Words(b"one"), TTL))
        self.store.stamped = 1
        self.assertEqual(self.entries.peek("a"), Words(b"one"))
        self.store.peeked.clear()

    def test_unchanged(self) -> None:
        """As long as nothing has changed, the store is not asked for what is known."""
        self.assertEqual([self.entries.peek("a") for _ in range(3)], [Words(b"one")] * 3)
        self.assertEqual(self.store.peeked, [])

    def test_changed(self) -> None:
        """Once anything has changed, it is asked once, and what another process has put is told."""
        self.store.stamped = 2
        self.assertEqual([self.entries.peek("a") for _ in range(3)], [Words(b"one")] * 3)
        self.assertEqual(self.store.peeked, ["a"])
        at_once(self.typed(self.store).put("a", Words(b"two"), TTL))
        self.store.stamped = 3
        self.assertIsNone(self.entries.peek("a"))
        self.assertEqual(at_once(self.entries.get("a")), Words(b"two"))

    def test_purged(self) -> None:
        """
        Under a stamp, nothing is remembered by purges that were looked at before it: one may have
        come in between.
        """
        class Trusting:
            """Has looked a moment ago, and would see another table now."""

            is_current = True

            def looks_current(self) -> bool:
                """:return: no."""
                return False

        trusting: Any = Trusting()
        self.entries.purges = trusting
        self.store.stamped = 2
        self.assertIsNone(self.entries.peek("a"))

    def test_now_and_then(self) -> None:
        """It is asked again after half a second: it learns of the use, and may have expired."""
        self.clock.advance(0.5)
        self.assertEqual([self.entries.peek("a") for _ in range(3)], [Words(b"one")] * 3)
        self.assertEqual(self.store.peeked, ["a"])
        self.clock.advance(TTL)
        self.assertIsNone(self.entries.peek("a"))

    def test_unknown(self) -> None:
        """A store that cannot say is asked each time."""
        self.store.stamped = None
        self.assertEqual([self.entries.peek("a") for _ in range(3)], [Words(b"one")] * 3)
        self.assertEqual(self.store.peeked, ["a"] * 3)

    def test_many(self) -> None:
        """What is remembered of many entries is bounded, and keeps none of them in memory."""
        for number in range(10_001):
            at_once(self.entries.put(str(number), Words(b"x"), TTL))
            self.entries.peek(str(number))
        self.assertLessEqual(len(self.entries._peeked), 10_000)
        self.assertEqual(self.entries.peek("a"), Words(b"one"))
        found = self.entries.peek("a")
        self.entries._near.kept.clear()
        del found
        self.assertIsNone(self.entries.peek("a"))


@define(eq=False)
class Forgetful(SharedStore):
    """Fails to put some of the chunks that it is given."""

    failures: int = 0

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if "~" in key and self.failures:
            self.failures -= 1
            raise StoreError("busy")
        await super().put(key, value, ttl)


@define(eq=False)
class Unread(SharedStore):
    """Fails to read some of the chunks."""

    failures: int = 0

    async def get(self, key: str) -> bytes | None:
        if "~" in key and self.failures:
            self.failures -= 1
            raise StoreError("busy")
        return await super().get(key)


@implementer_only(ICacheStore)
class ForgetfulAlone(Forgetful):
    """The same, of one process alone."""


@define(eq=False)
class SharedWithPaused(SharedStore):
    """Lets the test say when one key is put."""

    paused: PausedStore = field(factory=PausedStore)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if key == "b":
            await self.paused.put(key, value, ttl)
        else:
            await super().put(key, value, ttl)


class ChunkTests(Stores):
    """Large entries, which are kept in chunks."""

    def text(self, chunks: int, last: bytes = b"") -> bytes:
        """:return: words of so many chunks, of which no two are the same."""
        return b"".join(bytes([number]) * CHUNK for number in range(chunks)) + last

    def test_no_large_value(self) -> None:
        """No value is larger than a chunk and what tells of it."""
        store = RecordingStore(self.clock)
        at_once(self.typed(store).put("a", Words(self.text(5)), TTL))
        self.assertLess(max(size for _, size in store.puts), CHUNK + 1000)
        self.assertEqual(at_once(self.typed(store).get("a")), Words(self.text(5)))

    def test_only_what_is_new(self) -> None:
        """A change writes the chunks that are new, and deletes those that are not needed."""
        store = RecordingStore(self.clock)
        typed = self.typed(store)
        at_once(typed.put("a", Words(self.text(4)), TTL))
        store.puts.clear()
        at_once(typed.change("a", added(b"more")))
        self.assertLess(sum(size for _, size in store.puts), 1000)
        self.assertEqual(len(store.entries), 6)
        self.assertEqual(at_once(self.typed(store).get("a")), Words(self.text(4, b"more")))

    def test_kept_as_long(self) -> None:
        """An entry that is changed again and again keeps its chunks until its own end."""
        store = RecordingStore(self.clock)
        typed = self.typed(store)
        at_once(typed.put("a", Words(self.text(2)), TTL))
        for _ in range(9):
            self.clock.advance(TTL * 0.75)
            at_once(typed.change("a", added(b".")))
            self.assertEqual(len(store.puts) <= 30, True)
        self.clock.advance(TTL - 1)
        self.assertEqual(at_once(self.typed(store).get("a")), Words(self.text(2, b"." * 9)))

    def test_missing_chunk(self) -> None:
        """An entry of which a chunk is missing or damaged is none, and is put anew whole."""
        for damage in (lambda store, key: store.entries.pop(key),
                       lambda store, key: store.entries.update({key: (b"x", 1e12)})):
            store = RecordingStore(self.clock)
            at_once(self.typed(store).put("a", Words(self.text(3)), TTL))
            damage(store, next(key for key in store.entries if "~" in key))
            typed = self.typed(store)
            self.assertIsNone(at_once(typed.get("a")))
            at_once(typed.change("a", lambda _: Kept(Words(self.text(3)), TTL)))
            self.assertEqual(at_once(self.typed(store).get("a")), Words(self.text(3)))

    def test_unreadable(self) -> None:
        """What takes the place of an entry that cannot be read leaves none of its chunks."""
        store = RecordingStore(self.clock)
        at_once(self.typed(store).put("a", Words(self.text(3)), TTL))
        store.entries.pop(next(key for key in store.entries if "~" in key))
        at_once(self.typed(store).change("a", added(b"one")))
        self.assertEqual(list(store.entries), ["a"])

    def test_chunk_not_put(self) -> None:
        """An entry of which a chunk could not be put is not kept, and costs no earlier one."""
        more = b"\xff" * CHUNK
        for kind in (Forgetful, ForgetfulAlone):
            store = kind(self.clock)
            typed = self.typed(guarded(store, "c", self.clock))
            self.assertTrue(at_once(typed.put("a", Words(self.text(2)), TTL)))
            for put in (partial(typed.change, "a", added(more)),
                        partial(typed.put, "a", Words(more), TTL)):
                store.failures = 1
                self.assertFalse(at_once(put()), kind)
                for each in (typed, self.typed(store)):
                    self.assertEqual(at_once(each.get("a")), Words(self.text(2)), kind)
            self.assertTrue(at_once(typed.change("a", added(more))))
            self.assertEqual(at_once(self.typed(store).get("a")), Words(self.text(2) + more))
        self.flushLoggedErrors()

    def test_chunk_not_read(self) -> None:
        """An entry of which a chunk could not be read for once is not replaced by less."""
        store = Unread(self.clock)
        at_once(self.typed(store).put("a", Words(self.text(2)), TTL))
        typed = self.typed(guarded(store, "c", self.clock))
        store.failures = 1
        self.assertFalse(at_once(typed.change("a", added(b"one"))))
        self.assertTrue(at_once(typed.change("a", added(b"one"))))
        self.assertEqual(at_once(self.typed(store).get("a")), Words(self.text(2, b"one")))
        self.flushLoggedErrors()

    def test_no_room_on_the_way(self) -> None:
        """What a store is too slow to take is made ready once, and not kept."""
        paused = PausedStore()
        store = guarded(SharedWithPaused(self.clock, paused=paused), "c", self.clock,
                        limits=GuardLimits(pending_octets=CHUNK))
        typed = self.typed(store)
        other = Deferred.fromCoroutine(store.put("b", b"x" * CHUNK, TTL))
        self.assertFalse(at_once(typed.change("a", added(self.text(2)))))
        self.assertEqual(self.format.made, 1)
        paused.asked[0].callback(None)
        self.assertTrue(self.successResultOf(other))
        self.assertTrue(at_once(typed.change("a", added(self.text(2)))))

    def test_deleted(self) -> None:
        """A deleted entry leaves no chunk, also where another process had put it."""
        store = RecordingStore(self.clock)
        at_once(self.typed(store).put("a", Words(self.text(3)), TTL))
        at_once(self.typed(store).delete(["a"]))
        self.assertEqual(store.entries, {})

    def test_found_by_prefix(self) -> None:
        """A purge by how keys begin finds the chunks too."""
        store = RecordingStore(self.clock)
        at_once(self.typed(store).put("backend.a", Words(self.text(3)), TTL))
        self.assertEqual(len(at_once(store.keys("backend."))), len(store.entries))


@define(eq=False)
class Interrupted(SharedStore):
    """Lets another process act just before something is replaced."""

    others: list[Any] = field(factory=list)

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        if self.others:
            await self.others.pop()()
        return await super().replace(key, value, ttl, expected)


@define(eq=False)
class ReplacedWhileRead(SharedStore):
    """Lets another process act just before a chunk is read."""

    others: list[Any] = field(factory=list)

    async def get(self, key: str) -> bytes | None:
        if "~" in key and self.others:
            await self.others.pop()()
        return await super().get(key)


class TwoProcessesTests(Stores):
    """Writers of which none knows the other."""

    def test_nothing_lost(self) -> None:
        """What another process has kept meanwhile is changed, and not lost."""
        store = Interrupted(self.clock)
        ours, others = self.typed(store), self.typed(store)
        for number in range(3):
            store.others.append(lambda: others.change("a", added(b"other")))
            self.assertTrue(at_once(ours.change("a", added(b"own"))), number)
        self.assertEqual(at_once(ours.get("a")), Words(b"otherown" * 3))

    def test_tried_in_vain(self) -> None:
        """Chunks that were put for an entry which was not do not stay."""
        store = Interrupted(self.clock)
        ours, others = self.typed(store), self.typed(store)
        for number in range(3):
            store.others.append(lambda n=number: others.change("a", added(b"%d" % n * CHUNK)))
            self.assertTrue(at_once(ours.change("a", lambda entry: Kept(
                Words(b"%d own " % len(entry.text if entry else b"") * CHUNK), TTL))))
        needed = unsealed(store.entries["a"][0]).chunks
        self.assertEqual({key for key in store.entries if "~" in key},
                         {chunk_key("a", chunk) for chunk in needed})

    def test_replaced_while_read(self) -> None:
        """A reader whose chunks another process replaces meanwhile gets the newer version."""
        store = ReplacedWhileRead(self.clock)
        others, ours = self.typed(store), self.typed(store)
        at_once(others.put("a", Words(LONG), TTL))
        store.others.append(lambda: others.change("a", added(b"y")))
        self.assertEqual(at_once(ours.get("a")), Words(LONG + b"y"))

    def test_only_what_is_new(self) -> None:
        """Of a version that another process has put, parts that are decoded here are not read."""
        store = ReadsNoted(self.clock)
        ours, others = (TypedStore(store, ManyWordsFormat(), self.clock) for _ in range(2))
        texts = [bytes([letter]) * (CHUNK + letter) for letter in b"abcde"]
        at_once(others.put("a", Words(b"|".join(texts)), TTL))
        self.assertIsNotNone(at_once(ours.get("a")))
        at_once(others.put("a", Words(b"|".join([*texts[1:], b"f" * CHUNK])), TTL))
        store.read.clear()
        self.assertEqual(at_once(ours.get("a")), Words(b"|".join([*texts[1:], b"f" * CHUNK])))
        self.assertEqual(store.read, [
            "a", chunk_key("a", unsealed(store.entries["a"][0]).chunks[-1])])

    def test_made_of_parts(self) -> None:
        """Of an entry that is made of another one, only new parts are made, sealed and put."""
        for length in (100, CHUNK // 2, CHUNK + 100):
            store, form = RecordingStore(self.clock), ManyWordsFormat()
            ours = TypedStore(store, form, self.clock)
            words = [bytes([letter]) * (length + letter) for letter in b"abc"]
            at_once(ours.put("a", Words(b"|".join(words)), TTL))
            for letter in b"de":
                words = [*words[1:], bytes([letter]) * length]
                now = Words(b"|".join(words))
                store.puts.clear()
                self.assertTrue(at_once(ours.change("a", lambda entry, now=now: Kept(now, TTL))))
                self.assertEqual(form.since.pop(), [2, 3, bytes([letter])])
                self.assertEqual(at_once(self.with_format(store, ManyWordsFormat()).get("a")), now)
                last = unsealed(store.entries["a"][0]).parts[-1]
                self.assertEqual(
                    {key for key, _ in store.puts if "~" in key},
                    set() if isinstance(last, bytes) else {chunk_key("a", one) for one in last})

    def test_made_of_damaged_parts(self) -> None:
        """Where what is there is damaged, be it after its first octets, the entry is made anew."""
        for length in (100, CHUNK // 2):
            store, words = RecordingStore(self.clock), [b"a" * length, b"b" * length]
            ours = TypedStore(store, ManyWordsFormat(), self.clock)
            at_once(ours.put("a", Words(b"|".join(words)), TTL))
            octets, deadline = store.entries["a"]
            now = Words(b"|".join([*words, b"c"]))
            for wrong in (octets[:-1], octets[:30], octets[:20], octets[:-1] + b"?", octets + b"?"):
                store.entries["a"] = wrong, deadline
                self.assertTrue(at_once(ours.change("a", lambda entry, now=now: Kept(now, TTL))))
                self.assertEqual(at_once(self.with_format(store, ManyWordsFormat()).get("a")), now)
                self.assertEqual(at_once(ours.get("a")), now)
                octets, deadline = store.entries["a"]

    def with_format(self, store: Any, form: Any) -> TypedStore[Words]:
        """:return: one that might be another process's."""
        return TypedStore(store, form, self.clock)

    def test_made_of_parts_once_more(self) -> None:
        """Parts whose chunks would be gone before the entry are made and put once more."""
        store, form = RecordingStore(self.clock), ManyWordsFormat()
        ours = TypedStore(store, form, self.clock)
        words = [bytes([letter]) * CHUNK for letter in b"abc"]
        at_once(ours.put("a", Words(b"|".join(words)), TTL))
        made = 0
        for _ in range(9):
            self.clock.advance(TTL / 2)
            entry = at_once(ours.get("a"))
            assert entry is not None
            store.puts.clear()
            at_once(ours.change("a", lambda entry: Kept(entry, TTL)))
            made += len([key for key, _ in store.puts if "~" in key])
        self.assertEqual(made, 3 * 3)
        self.assertEqual(len(form.since), 6)

    def test_always_replaced(self) -> None:
        """A reader of an entry that is replaced each time it is read ends, with nothing."""
        store = ReplacedWhileRead(self.clock)
        others, ours = self.typed(store), self.typed(store)
        at_once(others.put("a", Words(LONG), TTL))
        store.others += [lambda: others.change("a", added(b"y"))] * 50
        self.assertIsNone(at_once(ours.get("a")))
        self.assertGreater(len(store.others), 40)

    def test_never_ending(self) -> None:
        """A change that always loses against another process stores nothing in the end."""
        store = Interrupted(self.clock)
        ours, others = self.typed(store), self.typed(store)
        for number in range(100):
            store.others.append(
                lambda number=number: others.put("a", Words(b"%d" % number), TTL))
        self.assertFalse(at_once(ours.change("a", added(b"own"))))
        self.assertGreater(len(store.others), 60)

    def test_slower(self) -> None:
        """A change loses nothing where another process, which is quicker, has many before it."""
        store = Interrupted(self.clock)
        ours, others = self.typed(store), self.typed(store)
        for number in range(20):
            store.others.append(
                lambda number=number: others.put("a", Words(b"%d" % number), TTL))
        self.assertTrue(at_once(ours.change("a", added(b"own"))))
        self.assertEqual(at_once(others.get("a")), Words(b"0own"))

    def test_deleted_meanwhile(self) -> None:
        """What was deleted meanwhile does not come back with a change."""
        store = Interrupted(self.clock)
        ours, others = self.typed(store), self.typed(store)
        at_once(ours.put("a", Words(b"old"), TTL))
        store.others.append(lambda: others.delete(["a"]))
        self.assertTrue(at_once(ours.change("a", added(b"new"))))
        self.assertEqual(at_once(others.get("a")), Words(b"new"))

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(["ours", "others"]), st.booleans(),
                              st.sampled_from([1, CHUNK])), max_size=5))
    def test_any_order(self, changes: list[tuple[str, bool, int]]) -> None:
        """Whichever process changes, and with any change in between, all that was kept is there."""
        self.setUp()
        store = Interrupted(self.clock)
        typed = {"ours": self.typed(store), "others": self.typed(store)}
        third = self.typed(store)
        expected = 0
        for who, is_interrupted, size in changes:
            if is_interrupted:
                store.others.append(lambda: third.change("a", added(b"i")))
                expected += 1
            at_once(typed[who].change("a", added(b"x" * size)))
            expected += size
        found = at_once(typed["ours"].get("a"))
        self.assertEqual(0 if found is None else len(found.text), expected)
        self.assertEqual(found, at_once(self.typed(store).get("a")))


class WaitingTests(Stores):
    """A store that takes its time."""

    def setUp(self) -> None:
        super().setUp()
        self.store = PausedStore()
        self.asked = self.store.asked
        self.paused = self.typed(self.store)

    def start(self, awaitable: Awaitable[Any]) -> Deferred[Any]:
        """:return: what fires when it has ended."""
        async def awaiting() -> Any:
            return await awaitable

        return Deferred.fromCoroutine(awaiting())

    def test_read_once(self) -> None:
        """Simultaneous readers of a key share one lookup."""
        readers = [self.start(self.paused.get("a")) for _ in range(3)]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback(None)
        self.assertEqual([self.successResultOf(reader) for reader in readers], [None] * 3)

    def test_too_slow(self) -> None:
        """An entry that takes too long to read, piece by piece, is none; the store is left alone."""
        store = SlowStore(self.clock, is_slow=False)
        at_once(self.typed(store).put("a", Words(b"x" * 3 * CHUNK), TTL))
        store.is_slow = True
        guard = guarded(store, "c", self.clock, limits=GuardLimits(timeout=2.0))
        reading = Deferred.fromCoroutine(self.typed(guard).get("a"))
        self.clock.advance(1.5)
        store.steps.pop(0).callback(None)
        self.assertNoResult(reading)
        self.clock.advance(0.6)
        self.assertIsNone(self.successResultOf(reading))
        self.assertTrue(guard.is_failing)
        self.assertIsNone(at_once(self.typed(guard).get("b")))
        self.flushLoggedErrors()

    def test_not_older(self) -> None:
        """A lookup that began before a change ended is repeated."""
        reader = self.start(self.paused.get("a"))
        writer = self.start(self.paused.put("a", Words(b"new"), TTL))
        self.asked[1].callback(None)
        self.assertTrue(self.successResultOf(writer))
        self.asked[0].callback(None)
        self.assertNoResult(reader)
        self.asked[2].callback(None)
        self.assertIsNone(self.successResultOf(reader))

    def test_one_change_after_the_other(self) -> None:
        """Changes of one key wait for each other; those of another key do not."""
        self.start(self.paused.put("a", Words(b"1"), TTL))
        self.start(self.paused.put("a", Words(b"2"), TTL))
        self.start(self.paused.put("b", Words(b"3"), TTL))
        self.assertEqual(len(self.asked), 2)
        self.asked[0].callback(None)
        self.assertEqual(len(self.asked), 3)

    def test_all_leave(self) -> None:
        """When no reader waits for a look any more, it is cancelled, and the next one is new."""
        readers = [self.start(self.paused.get("a")) for _ in range(2)]
        for reader in readers:
            reader.addErrback(lambda _: None)
            reader.cancel()
        self.assertTrue(self.asked[0].called)
        self.start(self.paused.get("a"))
        self.assertEqual(len(self.asked), 2)
        self.asked[1].callback(None)

    def test_in_a_thread(self) -> None:
        """Large entries are encoded and decoded in a thread, and small ones are not."""
        offloaded = []

        async def offload(function: Any, *args: Any) -> Any:
            offloaded.append(function)
            return function(*args)

        store = DictStore(self.clock)
        for size, calls in ((100, 0), (2 * CHUNK, 2)):
            offloaded.clear()
            at_once(TypedStore(store, WordsFormat(), self.clock, NearTier(), offload).put(
                "a", Words(b"x" * size), TTL))
            at_once(TypedStore(store, WordsFormat(), self.clock, NearTier(), offload).get("a"))
            self.assertEqual(len(offloaded), calls)
