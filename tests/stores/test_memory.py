"""Tests of C{trickster.stores.memory}."""

from __future__ import annotations

import gc
from typing import Any

from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from trickster.config.document.settings import keys_of
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb.store import LmdbStore
from trickster.stores.memory import OVERHEAD, MemoryOptions, MemoryStore, memory
from trickster.testing.doubles import at_once
from trickster.testing.runtime import FakeRuntime
from trickster.testing.stores import (
    metered_store_contract,
    reference_store_contract,
    verify_store_type,
)

ROOM = 10 * (OVERHEAD + 101)


class MemoryStoreContractTests(reference_store_contract(MemoryStore),  # type: ignore[misc]
                               metered_store_contract(MemoryStore), TestCase):
    """The store contract, for the memory store."""


class BoundsTests(SynchronousTestCase):
    """The bounds of a memory store."""

    def setUp(self) -> None:
        """Make a store for ten entries of a hundred octets."""
        self.clock = Clock()
        self.events: list[tuple[str, str]] = []
        self.store = MemoryStore(self.clock, ROOM)
        self.store.tell(self.note)

    def note(self, event: str, reason: str) -> None:
        """Keep an event."""
        self.events.append((event, reason))

    def fill(self, names: str, octets: int = 100, ttl: float = 60.0) -> None:
        """Put an object under each letter."""
        for name in names:
            self.store.put_object(name, name, octets, ttl)

    def held(self) -> str:
        """:return: the letters that are there, in their order of use."""
        return "".join(at_once(self.store.keys("")))

    def test_collector(self) -> None:
        """Octets in a memory store are not tracked by the garbage collector."""
        store = MemoryStore(self.clock)
        gc.collect()
        before = len(gc.get_objects())
        for number in range(5000):
            at_once(store.put(f"key {number}", b"value", 60.0))
        gc.collect()
        self.assertLess(len(gc.get_objects()) - before, 500)

    def test_counts_honestly(self) -> None:
        """The size of an entry is that of its key, its value and its overhead."""
        self.store.put_object("key", object(), 100, 60)
        self.assertEqual((self.store.octets, self.store.objects), (103 + OVERHEAD, 1))

    def test_replacing_subtracts(self) -> None:
        """A replaced value counts no more."""
        self.store.put_object("key", object(), 100, 60)
        self.store.put_object("key", object(), 50, 60)
        self.assertEqual((self.store.octets, self.store.objects), (53 + OVERHEAD, 1))

    def test_deleting_subtracts(self) -> None:
        """An entry that is deleted counts no more."""
        self.fill("abc")
        at_once(self.store.delete("abc"))
        self.assertEqual((self.store.octets, self.store.objects), (0, 0))

    def test_least_recently_used_goes(self) -> None:
        """The least recently used entry is evicted when there is no room."""
        self.fill("abcdefghij")
        self.store.get_object("a")
        self.fill("k")
        self.assertEqual(self.held(), "cdefghijka")
        self.assertEqual(self.events, [("eviction", "size_bytes")])

    def test_scan(self) -> None:
        """A dashboard that was asked for twice survives any number of queries that are asked once."""
        self.fill("abc")
        for name in "abc":
            self.store.get_object(name)
        for number in range(1000):
            self.fill(chr(1000 + number))
            self.assertLessEqual(self.store.octets, ROOM)
        self.assertEqual("".join(filter(self.store.get_object, "abc")), "abc")

    def test_refreshed(self) -> None:
        """A value that takes the place of another survives queries that are asked once, too."""
        self.fill("aa")
        self.fill("bcdefghijklmnopqrstuvwxyz")
        self.assertEqual(self.held(), "rstuvwxyza")

    def test_replaced_objects(self) -> None:
        """An object in the place of another costs no other one its place."""
        self.fill("abcdefghijj")
        self.assertEqual((self.held(), self.events), ("abcdefghij", []))

    def test_larger_than_a_segment(self) -> None:
        """A value that fits into the store only is kept, also when it is used or put again."""
        self.fill("aabb")
        for _ in range(2):
            self.store.put_object("c", "c", ROOM - 1 - OVERHEAD, 60)
            self.assertEqual([self.store.get_object("c") for _ in range(3)], ["c"] * 3)
            self.assertEqual((self.held(), self.store.octets), ("c", ROOM))

    def test_one_object(self) -> None:
        """Where there is room for one entry, it is the one that was put last."""
        self.store = MemoryStore(self.clock, 0, 1)
        self.fill("aab")
        self.assertEqual((self.held(), self.store.get_object("b")), ("b", "b"))
        self.fill("bc")
        self.assertEqual(self.held(), "c")

    def test_known_again(self) -> None:
        """A key that had to go for want of room is protected as soon as it is put again."""
        self.store = MemoryStore(self.clock, 0, 5, counters=1 << 24)
        self.fill("abcdef")
        self.fill("a")
        self.fill("uvwxyz")
        self.assertEqual(self.held(), "wxyza")

    def test_counters_take_room(self) -> None:
        """Counters count as octets of the store, and take a sixteenth of them at most."""
        for counters, taken in ((100, 100), (10**9, ROOM // 16), (0, 0)):
            store = MemoryStore(self.clock, ROOM, counters=counters)
            self.assertEqual((store.octets, store.usage().octets), (taken, taken))
            for size, is_kept in ((ROOM - taken, True), (ROOM - taken + 1, False)):
                self.assertIs(store.put_object("", 1, size - OVERHEAD, 60), is_kept)
                self.assertLessEqual(store.octets, ROOM)

    def test_large_one_takes_several_places(self) -> None:
        """A large value evicts as many entries as it needs, and no more."""
        self.fill("abcdefghij")
        self.fill("k", octets=100 + 101 + OVERHEAD)
        self.assertEqual(self.held(), "cdefghijk")

    def test_too_large(self) -> None:
        """What is larger than the store is refused, and empties nothing else."""
        self.fill("ab")
        self.assertFalse(self.store.put_object("c", "c", ROOM, 60))
        self.assertEqual(self.held(), "ab")
        self.assertEqual(self.events, [("refusal", "size_bytes")])

    def test_too_large_replacement(self) -> None:
        """A refused value still outdates what was there before it."""
        self.fill("ab")
        self.store.put_object("a", "a", ROOM, 60)
        self.assertEqual(self.held(), "b")

    def test_number_of_objects(self) -> None:
        """The number of entries can be limited as well as their size."""
        self.store = MemoryStore(self.clock, 0, 2)
        self.store.tell(self.note)
        self.fill("abc")
        self.assertEqual(self.held(), "bc")
        self.assertEqual(self.events, [("eviction", "size_objects")])

    def test_no_limits(self) -> None:
        """A limit of zero is no limit."""
        self.store = MemoryStore(self.clock, 0, 0)
        self.fill("abcdefghijklmnop", octets=1 << 40)
        self.assertEqual(self.store.objects, 16)

    def test_hostile_size(self) -> None:
        """A negative size makes no room."""
        self.store.put_object("a", object(), -10**9, 60)
        self.assertEqual(self.store.octets, 1 + OVERHEAD)

    def test_no_time(self) -> None:
        """What would be gone at once is not kept, and outdates what was there."""
        for ttl in (0.0, -1.0, float("nan")):
            self.fill("a")
            self.assertFalse(self.store.put_object("a", object(), 1, ttl))
            self.assertEqual((self.held(), self.store.octets), ("", 0))

    def test_forever(self) -> None:
        """An infinite time never ends."""
        self.fill("a", ttl=float("inf"))
        self.clock.advance(10**12)
        self.assertEqual(self.store.get_object("a"), "a")
        self.assertEqual(at_once(self.store.delete(["a"])), 1)

    def test_expiry_is_noted(self) -> None:
        """An expired entry that is looked up is removed, and its expiry is reported."""
        self.fill("a", ttl=1)
        self.clock.advance(1)
        self.assertIsNone(self.store.get_object("a"))
        self.assertEqual((self.store.octets, self.events), (0, [("eviction", "ttl")]))


class TurningClock(Clock):
    """A clock on which the next turn of the reactor is a millisecond later."""

    def callLater(self, delay: float, *args: Any, **kwargs: Any) -> Any:
        """See L{Clock.callLater}, which has turns of no duration."""
        return super().callLater(max(delay, 0.001), *args, **kwargs)


class ReapingTests(SynchronousTestCase):
    """Expired entries do not wait to be asked for."""

    def setUp(self) -> None:
        """Start a store."""
        self.clock = TurningClock()
        self.store = MemoryStore(self.clock)
        self.store.startService()

    def fill(self, count: int, ttl: float) -> None:
        """Put many objects."""
        for number in range(count):
            self.store.put_object(f"{ttl}/{number}", number, 1, ttl)

    def test_provides(self) -> None:
        """A memory store provides IService."""
        verifyObject(IService, self.store)

    def test_reaped(self) -> None:
        """The reaper removes expired entries and leaves the others."""
        self.fill(5, 2.0)
        self.fill(7, 20.0)
        self.clock.advance(3.0)
        self.assertEqual(self.store.objects, 7)

    def test_bounded_turns(self) -> None:
        """However many expire at once, no turn of the reactor is long."""
        self.fill(2500, 2.0)
        counts = []
        for seconds in (3.0, 0.001, 0.001):
            self.clock.advance(seconds)
            counts.append(self.store.objects)
        self.assertEqual(counts, [1500, 500, 0])

    def test_goes_on(self) -> None:
        """Expired entries are removed again and again."""
        for _ in range(3):
            self.fill(5, 2.0)
            self.clock.pump([3.0, 0.001])
            self.assertEqual(self.store.objects, 0)

    def test_stopped(self) -> None:
        """A stopped store holds nothing and waits for nothing."""
        self.fill(5, 2.0)
        self.store.stopService()
        self.assertEqual((self.store.objects, self.store.octets), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_used_after_stop(self) -> None:
        """Requests that are still under way after the stop find a working store."""
        self.store.stopService()
        self.fill(1, 2.0)
        self.assertEqual(self.store.get_object("2.0/0"), 0)
        self.store.stopService()


class ManyKeysTests(SynchronousTestCase):
    """Looking through many keys."""

    def test_in_turns(self) -> None:
        """A listing of many keys yields to the reactor, and leaves out keys deleted meanwhile."""
        clock = Clock()
        store = MemoryStore(clock, 0)
        for number in range(20_001):
            store.put_object(f"{number:05}", number, 1, 60)
        looking = Deferred.fromCoroutine(store.keys(""))
        self.assertNoResult(looking)
        at_once(store.delete(["20000"]))
        clock.advance(0)
        self.assertEqual(len(self.successResultOf(looking)), 20_000)


class TypeTests(SynchronousTestCase):
    """The store type plugin."""

    def test_type(self) -> None:
        """
        The memory store's plugin provides the interface, under the name that configurations use.
        """
        verify_store_type(memory)
        self.assertEqual(memory.name, "memory")

    def made(self, own: int, index: int) -> MemoryStore:
        """:return: a store of these limits."""
        return memory.store("default", MemoryOptions(max_size_bytes=own),
                            StoreLimits(max_octets=index, max_objects=9),
                            FakeRuntime(Clock()))

    def test_smaller_limit(self) -> None:
        """The smaller of both limits counts, where both are set."""
        limits = [self.made(*pair).max_octets for pair in ((5, 9), (9, 5), (0, 7), (7, 0), (0, 0))]
        self.assertEqual(limits, [5, 5, 7, 7, 0])

    def test_counters(self) -> None:
        """The option C{num_counters} is how many counters of keys there are."""
        store = memory.store("default", MemoryOptions(num_counters=7),
                             StoreLimits(), FakeRuntime(Clock()))
        self.assertEqual((store.counters, store.octets), (7, 7))

    def shared(self, own: int, index: StoreLimits) -> LmdbStore:
        """:return: a cache of which several processes share the memory."""
        store = memory.store("default", MemoryOptions(max_size_bytes=own, file="/run/a.memory"),
                             index, FakeRuntime())
        assert isinstance(store, LmdbStore)
        return store

    def test_file(self) -> None:
        """Where processes share it, its memory is a file, of which nothing is opened yet."""
        store = self.shared(0, StoreLimits())
        self.assertEqual(store.path, "/run/a.memory")
        verifyObject(IService, store)

    def test_limits_of_file(self) -> None:
        """The limits are those of memory: the smaller one on octets, and all others."""
        for own, index, most in ((10, 20, 10), (20, 10, 10), (0, 20, 20), (20, 0, 20), (0, 0, 0)):
            store = self.shared(own, StoreLimits(max_octets=index, max_objects=7,
                                                 backoff_octets=3))
            self.assertEqual(store.limits, StoreLimits(max_octets=most, max_objects=7,
                                                       backoff_octets=3))

    def test_file_is_no_key(self) -> None:
        """The file is no key of a configuration: only a supervisor says it."""
        [key] = [key for key in keys_of(MemoryOptions) if key.name == "file"]
        self.assertTrue(key.facts.hidden)

    def test_other_options(self) -> None:
        """The options for number and interval are those of the index."""
        store = self.made(5, 5)
        self.assertEqual((store.max_objects, store.reap_interval), (9, 3.0))


@frozen
class Naive:
    """The same store, as slow and simple as can be: two lists in order of use."""

    room: int
    most: int
    once: list[tuple[str, int, float]] = field(factory=list)
    again: list[tuple[str, int, float]] = field(factory=list)

    def size(self) -> int:
        """:return: the octets of all."""
        return sum(entry[1] for entry in self.once + self.again)

    def put(self, key: str, octets: int, deadline: float) -> None:
        """Put, and drop the first but this one while there is too much."""
        is_used_again = self.drop(key)
        octets += len(key) + OVERHEAD
        if octets <= self.room:
            self.add((key, octets, deadline), is_used_again)
        while self.size() > self.room or len(self.once + self.again) > self.most:
            self.drop(next(entry[0] for entry in self.once + self.again if entry[0] != key))

    def get(self, key: str, now: float) -> bool:
        """Look, and move to the end of those that were used again."""
        for entry in self.once + self.again:
            if entry[0] == key:
                self.drop(key)
                if entry[2] > now:
                    self.add(entry, is_used_again=True)
                    return True
        return False

    def add(self, entry: tuple[str, int, float], is_used_again: bool) -> None:
        """Add to the one list or the other, and move what is too much there."""
        if not is_used_again or not self.fits([entry]):
            self.once.append(entry)
            return
        self.again.append(entry)
        while not self.fits(self.again):
            self.once.append(self.again.pop(0))

    def fits(self, entries: list[tuple[str, int, float]]) -> bool:
        """:return: whether these are four fifths of all that there may be, or less."""
        return (5 * sum(entry[1] for entry in entries) <= 4 * self.room
                and 5 * len(entries) <= 4 * self.most)

    def drop(self, key: str) -> bool:
        """Delete."""
        before = len(self.once + self.again)
        for entries in (self.once, self.again):
            entries[:] = [entry for entry in entries if entry[0] != key]
        return len(self.once + self.again) < before


_keys = st.sampled_from("abcdefgh")
_steps = st.lists(st.one_of(
    st.tuples(st.just("put"), _keys, st.integers(0, 5 * OVERHEAD), st.integers(1, 9)),
    st.tuples(st.just("get"), _keys),
    st.tuples(st.just("drop"), _keys),
    st.tuples(st.just("wait"), st.floats(0, 4)),
), max_size=40)


class ModelTests(SynchronousTestCase):
    """The store against the naive one."""

    @given(_steps)
    @settings(max_examples=150)
    def test_same(self, steps: list[tuple[Any, ...]]) -> None:
        """The memory store and the naive one have the same entries, and the same to go next."""
        clock = Clock()
        store = MemoryStore(clock, 6 * OVERHEAD, 5)
        naive = Naive(6 * OVERHEAD, 5)
        for step in steps:
            self._do(step, clock, store, naive)
            self.assertEqual(store.octets, naive.size())
            live = [key for key, _, deadline in naive.once + naive.again
                    if deadline > clock.seconds()]
            self.assertEqual(at_once(store.keys("")), live)

    def _do(self, step: tuple[Any, ...], clock: Clock, store: MemoryStore, naive: Naive) -> None:
        if step[0] == "put":
            store.put_object(step[1], step[1], step[2], step[3])
            naive.put(step[1], step[2], clock.seconds() + step[3])
        elif step[0] == "get":
            found = store.get_object(step[1]) is not None
            self.assertEqual(found, naive.get(step[1], clock.seconds()))
        elif step[0] == "drop":
            at_once(store.delete([step[1]]))
            naive.drop(step[1])
        else:
            clock.advance(step[1])
