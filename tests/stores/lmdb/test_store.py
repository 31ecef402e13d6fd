"""Tests of C{trickster.stores.lmdb.store}, and of the tables that it keeps."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.stores.lmdb.files import Files
from trickster.errors import StoreError
from trickster.interfaces import ICheckedOptions
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb import kinds
from trickster.stores.lmdb.store import LmdbStore
from trickster.stores.sealed import Chunk, chunk_key
from trickster.testing.runtime import FakeRuntime

_CHUNKS = [chunk_key("e", Chunk(bytes([number]) * 16, 1, 1.0)) for number in range(4)]


class UseTests(Files):
    """What goes first."""

    def kept(self, store: Any, keys: str) -> str:
        """:return: those of some keys that are there."""
        return "".join(key for key in keys if self.given(store.get(key)) is not None)

    def test_least_recently_used(self) -> None:
        """What was read, or peeked at, is used: of the others, the oldest goes first."""
        store = self.opened(max_objects=4)
        for key in "abcd":
            self.given(store.put(key, b"1", 60.0))
        self.given(store.get("a"))
        store.peek("b", 1)
        self.given(store.put("e", b"1", 60.0))
        self.given(store.put("f", b"1", 60.0))
        self.assertEqual(self.kept(store, "abcdef"), "abef")

    def test_no_write_for_a_hit(self) -> None:
        """Hits write nothing: what was used is written now and then, or with the next write."""
        store = self.opened(flush_interval=5.0)
        self.given(store.put("a", b"1", 60.0))
        self.clock.advance(1.0)
        before = self.path.stat().st_mtime_ns
        for _ in range(100):
            self.given(store.get("a"))
            store.peek("a", 1)
        self.clock.advance(3.9)
        self.assertEqual(self.path.stat().st_mtime_ns, before)
        self.clock.advance(0.2)
        self.assertNotEqual(self.path.stat().st_mtime_ns, before)

    def test_uses_outlive_the_process(self) -> None:
        """What one process has used is still what goes last in the next one."""
        store = self.opened(max_objects=2)
        for key in "ab":
            self.given(store.put(key, b"1", 60.0))
        self.given(store.get("a"))
        self.given(store.stopService())
        store = self.opened(max_objects=2)
        self.given(store.put("c", b"1", 60.0))
        self.assertEqual(self.kept(store, "abc"), "ac")

    def test_whole_entries(self) -> None:
        """A use of an entry is one of its chunks, and an entry goes with all of them."""
        store = self.opened(max_objects=6)
        for key in (*_CHUNKS, "e", "x"):
            self.given(store.put(key, b"1", 60.0))
        self.given(store.get("e"))
        self.given(store.put("y", b"1", 60.0))
        self.assertEqual(len(self.given(store.keys("e"))), 5)
        self.given(store.get("y"))
        self.given(store.put("z", b"1", 60.0))
        self.assertEqual(sorted(self.given(store.keys(""))), ["y", "z"])

    def test_larger_than_all(self) -> None:
        """An entry whose chunks together are more than may be kept is refused, and gone."""
        store, told = self.opened(max_objects=3), []
        store.tell(lambda *event: told.append(event))
        put = [self.given(store.put(key, b"1", 60.0)) for key in _CHUNKS]
        self.assertEqual((put, store.usage().objects), ([True, True, True, False], 0))
        self.assertEqual(told, [("refusal", "size_objects")])

    def test_backoff(self) -> None:
        """An eviction goes down to where the next puts do not lead to another one."""
        store, told = self.opened(max_objects=100, backoff_objects=20), []
        store.tell(lambda *event: told.append(event))
        for number in range(101):
            self.given(store.put(f"{number}", b"1", 60.0))
        self.assertEqual(store.usage().objects, 80)
        for number in range(20):
            self.given(store.put(f"more{number}", b"1", 60.0))
        self.assertEqual((store.usage().objects, len(told)), (100, 21))

    def test_expired_go_first(self) -> None:
        """Room is made of what has expired, before of what has not."""
        store, told = self.opened(max_objects=3, reap_interval=1000.0), []
        store.tell(lambda *event: told.append(event))
        for key, ttl in (("a", 60.0), ("b", 2.0), ("c", 60.0)):
            self.given(store.put(key, b"1", ttl))
        self.clock.advance(3.0)
        self.given(store.put("d", b"1", 60.0))
        self.assertEqual((self.kept(store, "abcd"), told), ("acd", [("eviction", "ttl")]))

    def test_reaped(self) -> None:
        """What has expired is removed by and by, however much it is."""
        store = self.opened(reap_interval=3.0)
        for number in range(250):
            self.given(store.put(f"{number}", b"1", 2.0))
        self.clock.pump([3.1, 0.0, 0.0, 0.0])
        self.assertEqual((store.usage().objects, store.usage().octets), (0, 0))


class SharingTests(Files):
    """Several caches of a process in one file."""

    def test_buckets(self) -> None:
        """Each has its own entries and limits; the file is open until the last one is stopped."""
        one, other = self.opened("one", max_objects=1), self.opened("two")
        for key in "ab":
            self.given(one.put(key, b"1", 60.0))
            self.given(other.put(key, b"2", 60.0))
        self.given(one.stopService())
        self.assertEqual(sorted(self.given(other.keys(""))), ["a", "b"])
        self.assertEqual((one.usage().objects, other.usage().objects), (1, 2))
        self.assertEqual(self.given(other.get("a")), b"2")

    def test_same_bucket(self) -> None:
        """Two caches of one bucket share it, as while a configuration replaces another."""
        one, other = self.opened(), self.opened()
        self.given(one.put("a", b"1", 60.0))
        self.assertEqual(self.given(other.get("a")), b"1")
        self.assertEqual(list(self.runtime.states["trickster.stores.lmdb"]),
                         [str(self.path.resolve())])

    def test_stamp(self) -> None:
        """What another cache of the file has put or deleted changes the stamp, in either bucket."""
        one, other = self.opened("one"), self.opened("two")
        self.given(one.put("a", b"1", 60.0))
        before = one.stamp()
        self.assertEqual(one.stamp(), before)
        self.given(other.put("b", b"1", 60.0))
        self.assertNotEqual(one.stamp(), before)
        self.assertEqual(one.stamp(), other.stamp())
        before = one.stamp()
        self.given(other.delete(["b"]))
        self.assertNotEqual(one.stamp(), before)

    def test_no_stamp(self) -> None:
        """A file that is not open, or is lost, has no stamp."""
        store = self.opened()
        self.assertIsNone(store.stamp())
        self.given(store.put("a", b"1", 60.0))
        self.assertIsNotNone(store.stamp())
        self.path.unlink()
        self.assertIsNone(store.stamp())

    def test_larger_limit(self) -> None:
        """A cache that may keep more than the one before makes the file larger."""
        one = self.opened(map_size=1 << 20)
        self.given(one.put("a", b"1", 60.0))
        other = self.opened(map_size=16 << 20)
        for number in range(4):
            self.assertTrue(self.given(other.put(f"{number}", bytes(1 << 20), 60.0)))
        self.assertEqual(self.given(one.get("a")), b"1")


class FullTests(Files):
    """A file that has no room."""

    def test_evicted(self) -> None:
        """Where the file is full before the limit is reached, the oldest go; no put fails."""
        store = self.opened(map_size=2 << 20, max_octets=1 << 30)
        for number in range(300):
            key, size = f"{number}", 1 + number * 7919 % 200_000
            self.assertTrue(self.given(store.put(key, bytes([number % 256]) * size, 60.0)))
            self.assertEqual(self.given(store.get(key)), bytes([number % 256]) * size)
        self.assertGreater(store.usage().octets, 512 << 10)
        self.given(store.stopService())
        self.assertEqual(self.problems(), [])

    def test_too_large(self) -> None:
        """What is larger than the file is an error of the store, and nothing after it is."""
        store = self.opened(map_size=1 << 20, max_octets=1 << 30)
        self.assertIn("full", self.failure(store.put("a", bytes(2 << 20), 60.0), StoreError))
        self.assertTrue(self.given(store.put("b", bytes(1 << 17), 60.0)))


_STEPS = st.lists(st.one_of(
    st.tuples(st.just("put"), st.sampled_from(["a", "b", "e", *_CHUNKS]),
              st.sampled_from([0, 1, 500, 5000, 90_000]), st.integers(1, 9)),
    st.tuples(st.just("replace"), st.sampled_from("abe"), st.integers(0, 9000), st.booleans()),
    st.tuples(st.just("delete"), st.sampled_from(["a", "b", "e", *_CHUNKS])),
    st.tuples(st.just("get"), st.sampled_from(["a", "b", "e", *_CHUNKS])),
    st.tuples(st.just("keys"), st.sampled_from(["", "a", "e", "e~", "e~0"])),
    st.tuples(st.just("wait"), st.floats(0.1, 4.0)),
    st.tuples(st.just("restart")),
), max_size=30)


class ModelTests(Files):
    """The store against a dictionary."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_STEPS)
    def test_same(self, steps: list[tuple[Any, ...]]) -> None:
        """Any order of calls gives what a dictionary gives, and the file is in order."""
        self.setUp()
        self.store, self.model = self.opened(), {}
        for number, step in enumerate(steps):
            getattr(self, f"_{step[0]}")(number, *step[1:])
        self.given(self.store.stopService())
        self.assertEqual(self.problems(), [])
        self.doCleanups()

    def _live(self) -> dict[str, bytes]:
        now = self.clock.seconds()
        return {key: value for key, (value, end) in self.model.items() if end > now}

    def _put(self, number: int, key: str, size: int, ttl: float) -> None:
        value = bytes([number]) * size
        self.assertTrue(self.given(self.store.put(key, value, ttl)))
        self.model[key] = value, self.clock.seconds() + ttl

    def _replace(self, number: int, key: str, size: int, is_right: bool) -> None:
        held = self._live().get(key)
        value, expected = bytes([number]) * size, held if is_right else b"wrong"
        put = self.given(self.store.replace(key, value, 5.0, expected))
        self.assertEqual(put, is_right)
        if put:
            self.model[key] = value, self.clock.seconds() + 5.0

    def _delete(self, number: int, key: str) -> None:
        self.assertEqual(self.given(self.store.delete([key])), key in self._live())
        self.model.pop(key, None)

    def _get(self, number: int, key: str) -> None:
        held = self._live().get(key)
        self.assertIn(self.store.peek(key, 9), (None, held and held[:9], held))
        self.assertEqual(self.given(self.store.get(key)), held)

    def _keys(self, number: int, prefix: str) -> None:
        self.assertEqual(sorted(self.given(self.store.keys(prefix))),
                         sorted(key for key in self._live() if key.startswith(prefix)))

    def _wait(self, number: int, seconds: float) -> None:
        self.clock.advance(seconds)

    def _restart(self, number: int) -> None:
        self.given(self.store.stopService())
        self.store = self.opened()


class LimitedModelTests(Files):
    """The store in a file that is always full."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60_000)), max_size=80),
           st.sampled_from([{"max_octets": 150_000}, {"max_objects": 7},
                            {"max_octets": 150_000, "backoff_octets": 60_000}, {}]))
    def test_bounds(self, puts: list[tuple[int, int]], limits: dict[str, int]) -> None:
        """The limits hold after each put; what is there was put, and the file is in order."""
        self.setUp()
        store, model = self.opened(map_size=1 << 19, **limits), {}
        for number, (key, size) in enumerate(puts):
            model[f"{key}"] = bytes([number % 256]) * size
            self.assertTrue(self.given(store.put(f"{key}", model[f"{key}"], 60.0)))
            self.assertEqual(self.given(store.get(f"{key}")), model[f"{key}"])
            usage = store.usage()
            self.assertLessEqual(usage.octets, limits.get("max_octets", usage.octets))
            self.assertLessEqual(usage.objects, limits.get("max_objects", usage.objects))
        for key in self.given(store.keys("")):
            self.assertEqual(self.given(store.get(key)), model[key])
        self.given(store.stopService())
        self.assertEqual(self.problems(), [])
        self.doCleanups()


class ManyKeysTests(Files):
    """Keys in great number."""

    def test_in_turns(self) -> None:
        """All keys are found, though few are looked at in one transaction."""
        store = self.opened()
        keys = [f"{number:05}" for number in range(4100)]
        for start in range(0, len(keys), 4):
            for key in keys[start:start + 4]:
                Deferred.fromCoroutine(store.put(key, b"1", 60.0))
        self.assertEqual(sorted(self.given(store.keys("0"))), keys)
        self.assertEqual(self.given(store.delete(keys)), 4100)

    def test_long_keys(self) -> None:
        """Keys of any length are found, each by its own beginning."""
        store = self.opened()
        keys = ["k" * 440, "k" * 441, "k" * 100_000, "k" * 100_000 + "~" + "0f" * 16]
        for key in keys:
            self.given(store.put(key, key[:5].encode(), 60.0))
        self.assertEqual(sorted(self.given(store.keys("k" * 439))), keys)
        self.assertEqual(self.given(store.keys("k" * 99_999 + "k~")), keys[3:])


class KindTests(Files):
    """Where the options put the file."""

    def test_places(self) -> None:
        """The original's options say which file it is."""
        for kind, options, path in (
                (kinds.lmdb, kinds.LmdbOptions(), "trickster.lmdb"),
                (kinds.bbolt, kinds.BboltOptions(), "trickster.db"),
                (kinds.badger, kinds.BadgerOptions(), "/tmp/trickster/trickster.lmdb"),
                (kinds.badger, kinds.BadgerOptions(directory="/a"), "/a/trickster.lmdb"),
                (kinds.badger, kinds.BadgerOptions(directory="/a", value_directory="/b"),
                 "/b/trickster.lmdb"),
                (kinds.badger, kinds.BadgerOptions(directory="/a", value_directory=""),
                 "/a/trickster.lmdb")):
            store = kind.store("x", options, StoreLimits(), self.runtime)
            self.assertEqual(store.path, path)

    def test_refused(self) -> None:
        """What can be no file, or no bucket, is refused when the store is made."""
        for kind, options in ((kinds.lmdb, kinds.LmdbOptions(path="")),
                              (kinds.lmdb, kinds.LmdbOptions(path="a\x00")),
                              (kinds.badger, kinds.BadgerOptions(directory="")),
                              (kinds.bbolt, kinds.BboltOptions(bucket="")),
                              (kinds.bbolt, kinds.BboltOptions(bucket="b" * 401))):
            with self.assertRaises(ValueError):
                kind.store("x", options, StoreLimits(), self.runtime)

    def test_faults(self) -> None:
        """What is wrong with the options is told with its key."""
        for options, keys in ((kinds.LmdbOptions(path=""), ["path"]), (kinds.LmdbOptions(), []),
                              (kinds.BboltOptions(filename="", bucket=""), ["filename", "bucket"]),
                              (kinds.BadgerOptions(directory=""), ["directory"]),
                              (kinds.BadgerOptions(value_directory="a\x00"), ["value_directory"])):
            verifyObject(ICheckedOptions, options)
            self.assertEqual([key for key, _ in options.faults()], keys)


class CountingRuntime(FakeRuntime):
    """
    A runtime that counts.

    :ivar calls: of functions in threads.
    """

    calls = 0

    async def in_thread(self, function: Any, *arguments: Any) -> Any:
        """Count, and call."""
        self.calls += 1
        return await super().in_thread(function, *arguments)


class ThreadTests(Files):
    """What is read in the reactor's thread, and what in others."""

    def setUp(self) -> None:
        """Have threads counted."""
        super().setUp()
        self.runtime = self.counting = CountingRuntime(self.clock)

    def threads(self, store: LmdbStore, key: str) -> tuple[int | None, int]:
        """:return: how long the value of a key is, and how many threads it took to read it."""
        before = self.counting.calls
        found = self.given(store.get(key))
        return None if found is None else len(found), self.counting.calls - before

    def test_on_a_disk(self) -> None:
        """
        What is not known to be in memory is read in a thread: what was neither read, nor missed, nor
        written not long ago, and what is large, also where it is put in the place of something
        small by another process.
        """
        store, other = self.opened(), self.opened()
        self.given(store.get("first"))  # which opens the file
        self.assertEqual([self.threads(store, "a") for _ in range(2)], [(None, 1), (None, 0)])
        self.given(other.put("a", b"x" * 100, 60.0))
        self.assertEqual([self.threads(store, "a") for _ in range(2)], [(100, 0), (100, 0)])
        self.given(other.put("a", b"x" * 100_000, 60.0))
        self.assertEqual([self.threads(store, "a") for _ in range(2)], [(100_000, 1)] * 2)

    def test_in_memory(self) -> None:
        """Of a file in memory, only what is large is."""
        options = kinds.LmdbOptions(path=str(self.path), is_private=True)
        store, other = (kinds.lmdb.store("one", options, StoreLimits(), self.runtime)
                        for _ in range(2))
        for each in (store, other):
            each.startService()
            self.addCleanup(lambda each=each: self.given(each.stopService()))
        self.given(other.put("a", b"x" * 100, 60.0))
        self.given(other.put("b", b"x" * 100_000, 60.0))
        self.assertEqual([self.threads(store, key) for key in "abc"],
                         [(100, 0), (100_000, 1), (None, 0)])
