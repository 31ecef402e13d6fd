"""The store of files: processes that share it, that are killed, and whose disk is full."""

from __future__ import annotations

import contextlib
import os
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

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.damaging import taken_away
from tests.end_to_end.keeping import Keeping
from tests.end_to_end.waiting import PATIENCE
from tests.end_to_end.writing import KEYS, LIMIT, is_whole, opened, value_of
from trickster.errors import StoreError
from trickster.stores.filesystem.directory import OWN

_ROOT = Path(__file__).parents[2]


class Directory(SynchronousTestCase):
    """Has a directory for a cache."""

    def setUp(self) -> None:
        """Make one to have it in."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.within = Path(directory.name)
        self.path = self.within / "cache"

    def writing(self, what: str, mark: str, count: int) -> subprocess.Popen[bytes]:
        """:return: a process that writes, once it is about to begin."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.writing", str(self.path), what, mark,
             str(count)], cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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

    def files(self) -> list[Path]:
        """:return: all but locks."""
        return [path for path in (self.path / OWN).glob("??/*") if path.name != "lock"]


class ProcessesTests(Directory):
    """Processes that write into one directory."""

    def test_nothing_is_lost(self) -> None:
        """Two processes that replace the same values lose nothing of each other."""
        processes = [self.writing("add", mark, 300) for mark in "ab"]
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
        for round_number in range(12):
            processes = [self.writing("put", mark, 10**6) for mark in "ab"]
            if round_number % 4 == 3:
                self.said(processes[0], b"put")
            time.sleep(rng.uniform(0.0, 0.25))
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()
            if round_number % 4 == 3:
                self.check_all()

    def check_all(self) -> None:
        """Read every value, and put others."""
        store, found = opened(str(self.path)), 0
        for key in [f"{mark}{number}" for mark in "ab" for number in range(KEYS)]:
            value = self.result(store.get(key))
            self.assertTrue(value is None or is_whole(key, value))
            found += value is not None
        self.assertGreater(found, 0)
        self.assertLessEqual(store.usage().octets, LIMIT)
        self.assertTrue(self.result(store.put("after", value_of("after", 1), 600.0)))
        self.result(store.stopService())

    def test_stopped(self) -> None:
        """While a process is stopped within what it does, others answer, and write or say no."""
        process, store = self.writing("put", "a", 10**6), opened(str(self.path))
        self.said(process, b"put")
        for _ in range(20):
            time.sleep(0.02)
            process.send_signal(signal.SIGSTOP)
            self.check_stopped(store)
            process.send_signal(signal.SIGCONT)
        self.result(store.stopService())

    def check_stopped(self, store: Any) -> None:
        """Read and write beside a process that is stopped."""
        began = time.monotonic()
        for number in range(KEYS):
            value = self.result(store.get(f"a{number}"))
            self.assertTrue(value is None or is_whole(f"a{number}", value))
        put: list[object] = []
        Deferred.fromCoroutine(store.put("b0", value_of("b0", 1), 600.0)).addBoth(put.append)
        self.assertTrue(put[0] is True or put[0].check(StoreError))
        self.assertLess(time.monotonic() - began, PATIENCE)


class FullDiskTests(Directory):
    """A disk that is smaller than the cache may be."""

    def setUp(self) -> None:
        """Have a small disk."""
        super().setUp()
        if os.geteuid() != 0 or shutil.which("mount") is None:
            raise unittest.SkipTest("only root can mount a file system")
        self.disk = self.within / "disk"
        self.disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0755", "none", str(self.disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            raise unittest.SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)
        self.path = self.disk / "cache"

    def test_full(self) -> None:
        """On a full disk, what was used least goes for what is new, although the limit allows more."""
        store = opened(str(self.path), 100 << 20)
        for number in range(60):
            self.assertTrue(self.result(store.put(f"{number}", bytes([number]) * 200_000, 600.0)))
        self.assertEqual(self.result(store.get("59")), bytes([59]) * 200_000)
        self.assertEqual([path for path in self.files() if path.suffix], [])
        self.result(store.stopService())

    def test_full_of_others(self) -> None:
        """A disk that others have filled is an error of the store, and leaves nothing behind."""
        store = opened(str(self.path))
        self.assertTrue(self.result(store.put("a", b"1" * 1000, 600.0)))
        with (self.disk / "other").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        failure = self.failureResultOf(store.put("b", b"1" * 500_000, 600.0), StoreError)
        self.assertIn("No space left", str(failure.value))
        self.assertEqual([path for path in self.files() if path.suffix], [])
        (self.disk / "other").unlink()
        self.assertTrue(self.result(store.put("b", b"1" * 500_000, 600.0)))
        self.result(store.stopService())

    def test_read_only(self) -> None:
        """On a disk that is read-only, what is there is given, and what is new is an error."""
        store = opened(str(self.path))
        self.assertTrue(self.result(store.put("a", b"1" * 1000, 600.0)))
        subprocess.run(["mount", "-o", "remount,ro", str(self.disk)], check=True)
        failure = self.failureResultOf(store.put("b", b"1", 600.0), StoreError)
        self.assertIn("Read-only file system", str(failure.value))
        self.assertEqual(self.result(store.get("a")), b"1" * 1000)
        self.assertEqual(store.peek("a", 3), b"111")
        self.result(store.stopService())


class ProgramTests(Keeping, Directory):
    """Trickster with its entries in files."""

    def cache(self) -> dict[str, Any]:
        """:return: one in the directory."""
        return {"provider": "filesystem", "filesystem": {"cache_path": str(self.path)}}

    def test_outlives_the_process(self) -> None:
        """What one process has kept is a hit for the next, whether it was stopped or killed."""
        self.check_outlives()

    def test_damaged(self) -> None:
        """Where files are damaged, the origin is asked again, and the answers are right."""
        trickster = self.started()
        self.wait_for_hit(trickster, "/large")
        for file in self.files():
            octets = file.read_bytes()
            file.write_bytes(octets[:-1] + bytes([octets[-1] ^ 1]))
        trickster.stop()
        trickster = self.started()
        self.assertEqual(self.asked_of(trickster, "/large").lookup, "kmiss")
        self.wait_for_hit(trickster, "/large")

    def test_removed(self) -> None:
        """The directory may be removed while it runs."""
        trickster = self.started()
        self.wait_for_hit(trickster, "/a")
        taken_away(self.path)
        self.assertEqual(self.asked_of(trickster, "/b").lookup, "kmiss")
        self.wait_for_hit(trickster, "/b")
        self.assertTrue(self.files())

    def test_refused(self) -> None:
        """A directory that others may write to is told at the start, which ends there."""
        self.path.mkdir()
        self.path.chmod(0o777)
        with self.assertRaises(AssertionError) as caught:
            self.started()
        self.assertIn("may be written by others: its mode is 777", str(caught.exception))
