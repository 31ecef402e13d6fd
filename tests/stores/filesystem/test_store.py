"""Tests of C{trickster.stores.filesystem.store}."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO, ENOSPC, EROFS
from fcntl import LOCK_EX, flock
from typing import Any

from tests.stores.filesystem.storecase import StoreCase, away
from trickster.errors import StoreError
from trickster.stores.filesystem.directory import OWN, UnsafeDirectory
from trickster.stores.filesystem.files import write
from trickster.stores.filesystem.shard import LOCK, Patience
from trickster.stores.filesystem.store import FilesystemOptions, FilesystemStore, filesystem
from trickster.stores.filesystem.value_file import Place
from trickster.stores.limits import StoreLimits
from trickster.testing.runtime import FakeRuntime

CHUNK = "~" + "0" * 32


class LifetimeTests(StoreCase):
    """From one process to the next."""

    def test_nothing_made_early(self) -> None:
        """To make a store makes nothing in the file system; to start it does."""
        store = self.stores.at(FakeRuntime(self.clock), self.path)
        self.assertFalse(self.path.exists())
        store.startService()
        self.addCleanup(self.stopped, store)
        self.assertTrue((self.path / OWN).is_dir())

    def test_no_path(self) -> None:
        """What is no path at all is refused when the store is made."""
        for path in ("", "a\x00b"):
            with self.assertRaises(ValueError):
                filesystem.store("a", FilesystemOptions(cache_path=path), StoreLimits(),
                                 FakeRuntime())

    async def test_private(self) -> None:
        """No other user can read what is kept."""
        await self.store().put("a", b"1", 60.0)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (self.path / OWN).rglob("*")}
        self.assertEqual(modes, {0o700, 0o600})

    def test_unsafe(self) -> None:
        """A directory that others may write to keeps the store from starting."""
        self.path.mkdir()
        self.path.chmod(0o777)
        store = self.stores.at(FakeRuntime(self.clock), self.path)
        self.assertRaises(UnsafeDirectory, store.startService)
        self.assertFalse(store.running)

    async def test_unsafe_later(self) -> None:
        """One that becomes so while the store runs has its operations fail."""
        store = self.store()
        await store.put("a", b"1", 60.0)
        (self.path / OWN).chmod(0o777)
        with self.assertRaises(StoreError):
            await store.get("a")

    async def test_usage_after_restart(self) -> None:
        """How full it is, and which entry goes first, is known again after a restart."""
        store = self.store()
        for key in "abc":
            await store.put(key, b"1", 600.0)
        await store.get("a")
        self.clock.advance(3.0)
        before = store.usage()
        await store.stopService()
        store = self.store(max_objects=3)
        self.assertEqual((store.usage().objects, store.usage().octets),
                         (before.objects, before.octets))
        await store.put("d", b"1", 600.0)
        self.assertEqual(sorted(await store.keys("")), ["a", "c", "d"])

    async def test_without_index(self) -> None:
        """Without a saved index, or with one that is too old, the directory tells: oldest first."""
        for limits in ({}, {"index_expiry": 1.0}):
            away(self.path)
            store = self.store()
            for key in "cab":
                await store.put(key, b"1", 600.0)
                self.clock.advance(1.0)
            await store.get("c")
            await store.stopService()
            if not limits:
                (self.path / OWN / "index").unlink()
            self.clock.advance(2.0)
            store = self.store(max_objects=3, **limits)
            self.assertEqual(store.usage().objects, 3)
            await store.put("d", b"1", 600.0)
            self.assertEqual(sorted(await store.keys("")), ["a", "b", "d"])
            await store.stopService()

    async def test_smaller_limit(self) -> None:
        """A limit that is smaller after a restart is heeded at once."""
        store = self.store()
        for number in range(10):
            await store.put(f"{number}", b"1", 600.0)
        await store.stopService()
        store = self.store(max_octets=5 * 4096)
        self.clock.advance(3.0)
        self.assertEqual((store.usage().objects, len(self.values())), (5, 5))

    async def test_index_lies(self) -> None:
        """A saved index that is older than what is there is put right, and gives no answer."""
        store = self.store()
        for key in "abc":
            await store.put(key, b"1", 600.0)
        await store.stopService()
        saved = (self.path / OWN / "index").read_bytes()
        store = self.store()
        await store.delete(["a"])
        await store.put("b", b"2" * 9000, 600.0)
        await store.put("d", b"2", 600.0)
        expected = store.usage()
        await store.stopService()
        (self.path / OWN / "index").write_bytes(saved)
        store = self.store()
        self.assertEqual([await store.get(key) for key in "abcd"],
                         [None, b"2" * 9000, b"1", b"2"])
        self.clock.advance(3.0)
        self.assertEqual(store.usage(), expected)

    async def test_saved_by_and_by(self) -> None:
        """The index is saved when it has changed, each flush interval, and not in between."""
        store, index = self.store(flush_interval=5.0), self.path / OWN / "index"
        self.clock.advance(5.0)
        self.assertFalse(index.exists())
        await store.put("a", b"1", 600.0)
        self.clock.advance(4.0)
        self.assertFalse(index.exists())
        self.clock.advance(1.0)
        first = index.stat()
        self.clock.advance(5.0)
        self.assertTrue(os.path.samestat(first, index.stat()))
        await store.put("b", b"1", 600.0)
        self.clock.advance(5.0)
        self.assertFalse(os.path.samestat(first, index.stat()))

    async def test_uses_are_saved_at_the_end(self) -> None:
        """That entries are used is no reason to save the index, but for the last time."""
        store, index = self.store(flush_interval=5.0), self.path / OWN / "index"
        await store.put("a", b"1", 600.0)
        self.clock.advance(5.0)
        first = index.stat()
        for _ in range(3):
            await store.get("a")
            self.clock.advance(5.0)
        self.assertTrue(os.path.samestat(first, index.stat()))
        await store.stopService()
        self.assertFalse(os.path.samestat(first, index.stat()))

    async def test_large_index_is_saved_less(self) -> None:
        """The larger the index is, the less often it is saved."""
        store, index = self.store(flush_interval=1.0), self.path / OWN / "index"
        for number in range(10):
            await store.put(f"{number}" + "x" * 60_000, b"1", 600.0)
        self.clock.advance(1.0)
        first = index.stat()
        for seconds, is_same in ((5.0, True), (5.0, False)):
            await store.put("a", b"%f" % seconds, 600.0)
            self.clock.advance(seconds)
            self.assertEqual(os.path.samestat(first, index.stat()), is_same)

    async def test_killed(self) -> None:
        """What a process leaves that is killed while it writes goes once it is old."""
        store = self.store()
        await store.put("a", b"1", 6000.0)
        wall = FakeRuntime(self.clock).wall()
        left = [self.file("a").with_name(f"{self.file('a').name}.1f-2-0.tmp"),
                self.path / OWN / "index.1f-2-0.tmp"]
        for path in left:
            path.write_bytes(b"x")
            os.utime(path, (wall, wall))
        self.clock.advance(30.0)
        self.assertTrue(all(path.exists() for path in left))
        self.clock.advance(31.0)
        self.assertFalse(any(path.exists() for path in left))
        self.assertEqual(await store.get("a"), b"1")

    async def test_reaped(self) -> None:
        """What has expired is removed each reap interval, with chunks, and told once an entry."""
        store = self.store(reap_interval=7.0)
        for key in ("a", "a" + CHUNK, "b"):
            await store.put(key, b"1", 5.0 if key != "b" else 600.0)
        self.clock.advance(6.0)
        self.assertEqual(len(self.values()), 3)
        self.clock.advance(1.0)
        self.assertEqual((len(self.values()), store.usage().objects), (1, 1))
        self.assertEqual(self.told, [("eviction", "ttl")])

    async def test_reaped_by_writing(self) -> None:
        """What has expired goes before a value is put, and so before any other makes room."""
        store = self.store(reap_interval=1000.0, max_objects=2)
        await store.put("a", b"1", 600.0)
        await store.put("b", b"1", 5.0)
        self.clock.advance(6.0)
        await store.put("c", b"1", 600.0)
        self.assertEqual(self.told, [("eviction", "ttl")])
        self.assertEqual(sorted(await store.keys("")), ["a", "c"])

    async def test_used_entries_stay(self) -> None:
        """An entry that is only peeked at is used, and not the first to go."""
        store = self.store(max_objects=3)
        for key in "abc":
            await store.put(key, b"1", 600.0)
        self.assertEqual(store.peek("a", 1), b"1")
        self.clock.advance(3.0)
        await store.put("d", b"1", 600.0)
        self.assertEqual(sorted(await store.keys("")), ["a", "c", "d"])

    async def test_nothing_written_by_hits(self) -> None:
        """A hit writes nothing to the value's file."""
        store = self.store()
        await store.put("a", b"1", 600.0)
        before = self.file("a").stat()
        for _ in range(3):
            await store.get("a")
            store.peek("a", 1)
        self.assertEqual((self.file("a").stat().st_mtime_ns, self.file("a").stat().st_ctime_ns),
                         (before.st_mtime_ns, before.st_ctime_ns))

    async def test_no_time_to_live(self) -> None:
        """A value that has no time to live is not put, and takes away what was there."""
        store = self.store()
        for ttl in (0.0, -1.0, float("nan")):
            await store.put("a", b"1", 600.0)
            self.assertFalse(await store.put("a", b"2", ttl))
            self.assertIsNone(await store.get("a"))
            self.assertFalse(await store.replace("a", b"2", ttl, None))

    async def test_looking_after_fails(self) -> None:
        """Where the directory cannot be looked after, that is told, and tried again."""
        self.path.write_bytes(b"")
        store = self.store()
        with self.assertRaises(StoreError):
            await store.put("a", b"1", 60.0)
        self.path.unlink()
        self.assertTrue(await store.put("a", b"1", 2.0))
        self.clock.advance(3.0)
        self.assertEqual(self.values(), [])


class SharedTests(StoreCase):
    """Two processes with one directory."""

    async def test_seen_at_once(self) -> None:
        """What one has put, replaced or deleted, the other finds so at once."""
        one, other = self.store(), self.store()
        await one.put("a", b"1", 600.0)
        self.assertEqual((await other.get("a"), other.peek("a", 9)), (b"1", b"1"))
        self.assertTrue(await one.replace("a", b"2", 600.0, b"1"))
        self.assertIsNone(other.peek("a", 9))
        self.assertFalse(await other.replace("a", b"3", 600.0, b"1"))
        self.assertEqual((await other.get("a"), list(await other.keys(""))), (b"2", ["a"]))
        self.assertEqual(await other.delete(["a"]), 1)
        self.assertEqual((one.peek("a", 9), await one.get("a"), list(await one.keys(""))),
                         (None, None, []))

    async def test_same_value_again(self) -> None:
        """A value that is replaced by others of its size, any number of times, is not taken for one."""
        one, other = self.store(), self.store()
        for number in range(200):
            value = b"%03d" % number
            await one.put("a", value, 600.0)
            self.assertIn(other.peek("a", 3), (None, value))
            await other.get("a")

    async def test_usage(self) -> None:
        """Each learns, by and by, of what the other has put and deleted."""
        one, other = self.store(), self.store()
        await one.put("a", b"1" * 5000, 600.0)
        await one.put("b", b"1", 600.0)
        self.clock.advance(3.0)
        self.assertEqual(other.usage(), one.usage())
        await one.delete(["a"])
        self.clock.advance(3.0)
        self.assertEqual(other.usage(), one.usage())

    async def test_renewed(self) -> None:
        """What another one has put anew is not reaped by its old time."""
        one, other = self.store(), self.store()
        await one.put("a", b"1", 5.0)
        await other.put("a", b"2", 600.0)
        self.clock.advance(6.0)
        self.assertEqual((await one.get("a"), self.told), (b"2", []))

    async def test_renewed_keys(self) -> None:
        """The keys of values that another one has put anew are found, and of no others."""
        one, other = self.store(reap_interval=1000.0), self.store(reap_interval=1000.0)
        for key in "abc":
            await one.put(key, b"1", 5.0)
        await other.put("a", b"2", 600.0)
        await other.put("d", b"2", 600.0)
        await other.delete(["b"])
        self.clock.advance(6.0)
        self.assertEqual(sorted(await one.keys("")), ["a", "d"])

    async def test_limits(self) -> None:
        """What others have put makes room as well, once it is known."""
        one, other = self.store(max_objects=5), self.store(max_objects=5)
        for number in range(5):
            await one.put(f"{number}", b"1", 600.0)
        for number in range(5, 10):
            await other.put(f"{number}", b"1", 600.0)
        self.clock.advance(3.0)
        self.assertLessEqual(len(self.values()), 5)

    @contextmanager
    def stopped_in_lock(self, key: str) -> Iterator[None]:
        """Another process has the lock of a key's shard meanwhile, and does nothing."""
        fd = os.open(self.file(key).with_name(LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        flock(fd, LOCK_EX)
        try:
            yield
        finally:
            os.close(fd)

    async def test_stopped_process(self) -> None:
        """A process that is stopped within a change costs others that change, and no reading."""
        store = self.impatient()
        await store.put("a", b"1", 600.0)
        with self.stopped_in_lock("a"):
            for change in (store.put("a", b"2", 600.0), store.replace("a", b"2", 600.0, b"1"),
                           store.delete(["a"])):
                with self.assertRaises(StoreError):
                    await change
            self.assertEqual((await store.get("a"), store.peek("a", 1)), (b"1", b"1"))
            self.assertEqual(list(await self.store().keys("")), ["a"])
        self.assertTrue(await store.put("a", b"2", 600.0))
        self.assertEqual([path for path in self.values() if path.suffix], [])

    async def test_evicted_elsewhere(self) -> None:
        """What cannot be deleted, since another process is stopped, counts on; others go."""
        store = self.impatient(max_objects=2)
        await store.put("a", b"1", 600.0)
        await store.put("b", b"1", 600.0)
        with self.stopped_in_lock("a"):
            self.assertTrue(await store.put("c", b"1", 600.0))
            self.assertEqual(sorted(await store.keys("")), ["a", "c"])
            self.assertEqual(store.usage().objects, 2)

    async def test_compared_elsewhere(self) -> None:
        """A shard that cannot be locked does not keep others from being looked at."""
        store, other = self.impatient(), self.store()
        await store.put("a", b"1", 600.0)
        await store.put("b", b"1", 600.0)
        with self.stopped_in_lock("a"):
            self.file("a").unlink()
            await other.delete(["b"])
            self.clock.advance(3.0)
            self.assertEqual(store.usage().objects, 1)
        self.clock.advance(3.0)
        self.assertEqual(store.usage().objects, 0)

    async def test_not_expected(self) -> None:
        """A value that is not to be put, since another is there, costs no entry its place."""
        store = self.store(max_octets=4 * 4096)
        for key in "abcd":
            await store.put(key, b"1", 600.0)
        for expected in (None, b"11", b""):
            self.assertFalse(await store.replace("a", b"2" * 9000, 600.0, expected))
        self.assertEqual(store.usage().objects, 4)

    async def test_no_room(self) -> None:
        """Where others that are being written need all there is, a value is not put, nor is another."""
        store = self.store(max_octets=4 * 4096)
        await store.put("a", b"1", 600.0)
        index = store._upkeep.index
        room = index.reserve(Place.of("b"), "b", 3 * 4096)
        self.assertFalse(await store.replace("a", b"2" * 9000, 600.0, b"1"))
        self.assertEqual(await store.get("a"), b"1")
        self.assertFalse(await store.put("a", b"2" * 9000, 600.0))
        self.assertIsNone(await store.get("a"))
        index.release(room)
        self.assertTrue(await store.put("a", b"2" * 9000, 600.0))

    async def test_expired_elsewhere(self) -> None:
        """What has expired, and cannot be removed, is a miss, and holds up no other."""
        store = self.impatient()
        await store.put("a", b"1", 2.0)
        await store.put("b", b"1", 2.0)
        with self.stopped_in_lock("a"):
            self.clock.advance(3.0)
            self.assertEqual((await store.get("a"), len(self.values())), (None, 1))
            self.assertTrue(await store.put("c", b"1", 60.0))
        self.clock.advance(3.0)
        self.assertEqual(self.values(), [self.file("c")])

    def impatient(self, **limits: Any) -> FilesystemStore:
        """:return: a store that does not wait long for locks."""
        store = self.store(**limits)
        store._upkeep.directory.patience = Patience(2, 0.001)
        return store


class FailingDiskTests(StoreCase):
    """Disks that are full, or broken."""

    def failing(self, *errors: int, **limits: Any) -> FilesystemStore:
        """:return: a store, some of whose writes fail, one after the other; 0 for those that do not."""
        left = list(errors)

        def written(directory: int, name: str, parts: Any, date_ns: int) -> str:
            number = left.pop(0) if left else 0
            if number:
                raise OSError(number, os.strerror(number))
            return write(directory, name, parts, date_ns)

        store = self.store(**limits)
        store._values._write = written
        return store

    async def test_full(self) -> None:
        """On a full disk what has expired goes, and what was used least, and it is tried once more."""
        store = self.failing(0, 0, ENOSPC)
        await store.put("a", b"1", 600.0)
        await store.put("b", b"1", 600.0)
        self.assertTrue(await store.put("c", b"1", 600.0))
        self.assertEqual([await store.get(key) for key in "abc"], [None, None, b"1"])
        self.assertEqual(self.told, [("eviction", "size_bytes")] * 2)

    async def test_still_full(self) -> None:
        """Where that does not help, it is an error that names the path; other values stay usable."""
        store = self.failing(0, ENOSPC, ENOSPC)
        await store.put("a", b"1", 600.0)
        with self.assertRaises(StoreError) as caught:
            await store.replace("a", b"2", 600.0, b"1")
        self.assertIn(str(self.file("a").parent), str(caught.exception))
        self.assertIn("No space left", str(caught.exception))
        self.assertEqual(await store.get("a"), b"1")
        self.assertTrue(await store.put("a", b"2", 600.0))

    async def test_broken(self) -> None:
        """Any other failure is told as it is, and is not tried again."""
        store = self.failing(EROFS, EIO)
        for text in ("Read-only", "Input/output"):
            with self.assertRaises(StoreError) as caught:
                await store.put("a", b"1", 600.0)
            self.assertIn(text, str(caught.exception))
        self.assertTrue(await store.put("a", b"1", 600.0))
        self.assertEqual(store.usage().objects, 1)

    async def test_removed_meanwhile(self) -> None:
        """A directory that is removed while a value is written is made anew, and it is written."""
        store, left = self.store(), [None]

        def written(directory: int, name: str, parts: Any, date_ns: int) -> str:
            if left:
                left.pop()
                away(self.path)
            return write(directory, name, parts, date_ns)

        store._values._write = written
        self.assertTrue(await store.put("a", b"1", 600.0))
        self.assertEqual((await store.get("a"), left), (b"1", []))

    async def test_put_meanwhile(self) -> None:
        """What is to make room, and is put anew before it is deleted, stays."""
        store = self.store()
        await store.put("a", b"1", 600.0)
        victims = store._upkeep.index.oldest(1, "b")
        await store.put("a", b"2", 600.0)
        self.assertTrue(store._upkeep.evict(victims))
        self.assertEqual((await store.get("a"), store.usage().objects), (b"2", 1))

    async def test_room_given_back(self) -> None:
        """Room that was kept for what could not be written is given back."""
        store = self.failing(*[EIO] * 10, max_octets=8 * 4096)
        for number in range(10):
            with self.assertRaises(StoreError):
                await store.put(f"{number}", b"1" * 20_000, 600.0)
        self.assertTrue(await store.put("a", b"1" * 20_000, 600.0))
        self.assertTrue(await store.put("b", b"1", 600.0))
        self.assertEqual(store.usage().objects, 2)
