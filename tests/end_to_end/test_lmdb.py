"""The store in a file of LMDB: processes that share it, that are killed, and whose disk is full."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from lmdb.verify import verify
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.end_to_end.keeping import Keeping
from tests.end_to_end.waiting import PATIENCE
from tests.end_to_end.writing import KEYS, LIMIT, is_whole, value_of
from tests.end_to_end.writing_lmdb import opened
from trickster.compose.threads import OwnThreads
from trickster.errors import StoreError
from trickster.net.runtime import PluginRuntime
from trickster.stores.guard import GuardLimits
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb import writing
from trickster.stores.lmdb.checking import contents
from trickster.stores.lmdb.kinds import LmdbOptions, lmdb

_ROOT = Path(__file__).parents[2]


class WithFile(SynchronousTestCase):
    """Has a file for a cache."""

    def setUp(self) -> None:
        """Make a directory to have it in."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.within = Path(directory.name)
        self.path = self.within / "cache.lmdb"

    def writing(self, *arguments: str) -> subprocess.Popen[bytes]:
        """:return: a process that writes, once it is about to begin."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.writing_lmdb", str(self.path), *arguments],
            cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.said(process, b"ready")
        return process

    def said(self, process: subprocess.Popen[bytes], word: bytes) -> None:
        """Return once a process has said something."""
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), word + b"\n")

    def result(self, coroutine: Any) -> Any:
        """:return: what a coroutine gives that waits for threads only."""
        return self.successResultOf(coroutine)

    def assertInOrder(self) -> None:
        """The file, which no process has open, is in order."""
        self.assertEqual([*verify(str(self.path)), *contents(str(self.path))], [])


class ProcessesTests(WithFile):
    """Processes that write into one file."""

    def test_nothing_is_lost(self) -> None:
        """Two processes that replace the same values lose nothing of each other."""
        processes = [self.writing("add", mark, "300") for mark in "ab"]
        for process in processes:
            _, errors = process.communicate(timeout=4 * PATIENCE)
            self.assertEqual((process.returncode, errors), (0, b""))
        store = opened(str(self.path))
        kept = [self.result(store.get(f"shared{number}")).split() for number in range(3)]
        self.assertEqual(
            sorted(mark for marks in kept for mark in marks),
            sorted(f"{mark}{number}".encode() for mark in "ab" for number in range(300)))
        self.result(store.stopService())

    def test_killed(self) -> None:
        """After any number of processes that were killed, each value is one that was put, whole."""
        rng = random.Random(7)
        for round_number in range(10):
            processes = [self.writing("put", mark, "1000000") for mark in "ab"]
            if round_number in (0, 9):
                self.said(processes[0], b"put")
            time.sleep(rng.uniform(0.0, 0.3))
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()
            self.assertInOrder()
        self.check_all()

    def check_all(self) -> None:
        """Read every value, and put others."""
        store, found = opened(str(self.path)), 0
        for key in [f"{mark}{number}" for mark in "ab" for number in range(KEYS)]:
            value = self.result(store.get(key))
            self.assertTrue(value is None or is_whole(key, value))
            found += value is not None
        self.assertGreater(found, 0)
        self.assertTrue(self.result(store.put("after", value_of("after", 1), 600.0)))
        self.assertLessEqual(store.usage().octets, LIMIT)
        self.result(store.stopService())

    def test_beside_writers(self) -> None:
        """While others write, what is read is whole, and the limit holds for all together."""
        store = opened(str(self.path))
        for mark in "ab":
            self.writing("put", mark, "1000000")
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            for key in [f"{mark}{number}" for mark in "ab" for number in range(KEYS)]:
                value = self.result(store.get(key))
                self.assertTrue(value is None or is_whole(key, value))
                begins = store.peek(key, 9)
                self.assertTrue(begins is None or begins.startswith(f"{key}:".encode()))
            self.result(store.put("own", value_of("own", 5), 600.0))
            self.assertLessEqual(store.usage().octets, LIMIT)
        self.result(store.stopService())

    def test_damaged_between(self) -> None:
        """Of a file that is damaged between two starts, nothing wrong is given."""
        for name in ("a", "b"):
            process = self.writing("put", name, "60")
            process.communicate(timeout=4 * PATIENCE)
            octets = bytearray(self.path.read_bytes())
            for start in range(0, len(octets), 40_000):
                octets[start:start + 100] = bytes(100)
            self.path.write_bytes(octets)
            store = opened(str(self.path))
            for number in range(KEYS):
                value = self.result(store.get(f"{name}{number}"))
                self.assertTrue(value is None or is_whole(f"{name}{number}", value))
            self.assertTrue(self.result(store.put("after", value_of("after", 1), 600.0)))
            self.result(store.stopService())
            self.assertInOrder()


class StoppedTests(WithFile, TestCase):
    """A process that is stopped while it holds the file."""

    async def test_stopped_writer(self) -> None:
        """What waits for it fails in time, and what is read does not wait; after it, all works."""
        threads = OwnThreads(reactor, "x")
        self.addCleanup(threads.stop)
        runtime = PluginRuntime(reactor, threads.call, time.time, random.random)
        store = lmdb.store("x", LmdbOptions(path=str(self.path)), StoreLimits(), runtime)
        store.startService()
        self.addCleanup(store.stopService)
        await store.put("a", b"1", 600.0)
        holder = self.writing("hold")
        began = time.monotonic()
        writes = [Deferred.fromCoroutine(store.put(f"{number}", b"2", 60.0)) for number in range(3)]
        reads = 0
        while not all(write.called for write in writes):
            self.assertEqual((await store.get("a"), store.peek("a", 1)), (b"1", b"1"))
            reads += not any(write.called for write in writes)
            await deferLater(reactor, 0.01)
        for write in writes:
            with self.assertRaises(StoreError):
                await write
        self.assertLess(time.monotonic() - began, PATIENCE)
        # Before the guard takes the store for hung, reading included.
        self.assertLess(writing.PATIENCE, GuardLimits().timeout)
        self.assertGreater(reads, 0)
        holder.kill()
        holder.wait()
        while True:
            try:
                self.assertTrue(await store.put("b", b"3", 60.0))
                break
            except StoreError:
                await deferLater(reactor, 0.01)
        self.assertEqual(sorted(await store.keys("")), ["a", "b"])


class FullDiskTests(WithFile):
    """A disk that is smaller than the cache may be."""

    def setUp(self) -> None:
        """Have a small disk."""
        super().setUp()
        disk = self.within / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0755", "none", str(disk)]
        if shutil.which("mount") is None or subprocess.run(
                mount, check=False, capture_output=True).returncode:
            raise unittest.SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=True)
        self.path = disk / "cache.lmdb"

    def test_full(self) -> None:
        """On a full disk, what was used least goes for what is new."""
        store = opened(str(self.path), 100 << 20)
        for number in range(60):
            self.assertTrue(self.result(store.put(f"{number}", bytes([number]) * 200_000, 600.0)))
            self.assertEqual(self.result(store.get(f"{number}")), bytes([number]) * 200_000)
        self.result(store.stopService())
        self.assertInOrder()

    def test_full_of_others(self) -> None:
        """On a disk that others have filled, nothing is lost, and nothing wrong is given."""
        store = opened(str(self.path))
        self.assertTrue(self.result(store.put("a", b"1" * 1000, 600.0)))
        (self.path.parent / "other").write_bytes(bytes(
            shutil.disk_usage(self.path.parent).free // 4096 * 4096))
        failed = self.failureResultOf(store.put("b", b"1" * 500_000, 600.0), StoreError)
        self.assertTrue(str(failed.value))
        self.assertIn(self.result(store.get("a")), (b"1" * 1000, None))
        (self.path.parent / "other").unlink()
        self.assertTrue(self.result(store.put("b", b"1" * 500_000, 600.0)))
        self.assertEqual(self.result(store.get("b")), b"1" * 500_000)
        self.result(store.stopService())
        self.assertInOrder()


class ProgramTests(Keeping, WithFile):
    """Trickster with its entries in a file."""

    def cache(self) -> dict[str, Any]:
        """:return: one in the file."""
        return {"provider": "lmdb", "lmdb": {"path": str(self.path)}}

    def test_outlives_the_process(self) -> None:
        """What one process has kept is a hit for the next, whether it was stopped or killed."""
        self.check_outlives()

    def test_shared(self) -> None:
        """What one process has kept is a hit for another one at the same time."""
        one, other = self.started(), self.started()
        for path in ("/a", "/large"):
            self.wait_for_hit(one, path)
            self.assertEqual(self.asked_of(other, path).lookup, "hit")

    def test_removed_and_damaged(self) -> None:
        """The file may be removed, cut off or written over while it runs: the answers are right."""
        trickster = self.started()
        for damage in (self.path.unlink, lambda: self.path.write_bytes(b""),
                       lambda: self.path.write_bytes(b"\xff" * 20_000)):
            for path in ("/a", "/large"):
                self.wait_for_hit(trickster, path)
            damage()
            for path in ("/a", "/large", "/b"):
                self.wait_for_hit(trickster, path)
        self.assertIsNone(trickster.process.poll())
