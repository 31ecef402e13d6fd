"""Tests of C{trickster.stores.lmdb.opening}, C{checking} and C{environment}: damaged files."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import lmdb
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.lmdb.files import Files
from trickster.errors import StoreError
from trickster.stores.lmdb import kinds, opening
from trickster.stores.lmdb.checking import DAMAGED, FOREIGN, main
from trickster.stores.lmdb.store import LmdbStore


class FileTests(Files):
    """Has a store with some entries."""

    def filled(self) -> LmdbStore:
        """:return: a store with fifty entries."""
        store = self.opened()
        for number in range(50):
            self.given(store.put(f"{number}", self.value(number), 600.0))
        return store

    def value(self, number: int) -> bytes:
        """:return: that of an entry."""
        return f"{number}:".encode() * (1 + number * 97 % 5000)

    def check(self, store: LmdbStore) -> int:
        """Each value is the right one, or a miss, and the store works; give how many there are."""
        found = 0
        for number in range(50):
            value = self.given(store.get(f"{number}"))
            self.assertIn(value, (None, self.value(number)))
            found += value is not None
        self.assertTrue(self.given(store.put("after", b"1" * 9000, 600.0)))
        self.assertEqual(self.given(store.get("after")), b"1" * 9000)
        return found


class OpeningTests(FileTests):
    """How a file is made, and which ones are refused."""

    def test_private(self) -> None:
        """The file, and a directory that is missing, are the user's own."""
        self.path = self.path.parent / "a" / "b" / "file"
        self.filled()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode)
                 for path in (self.path.parent, *self.path.parent.iterdir())}
        self.assertEqual(modes, {"b": 0o700, "file": 0o600, "file-lock": 0o600,
                                 "file-state": 0o600})

    def test_hole(self) -> None:
        """The file is as long as it is mapped, so that no page is beyond its end, and takes little."""
        store = self.opened(max_octets=64 << 20)
        self.given(store.put("a", b"1", 60.0))
        about = self.path.stat()
        self.assertGreaterEqual(about.st_size, store.map_size)
        self.assertLess(about.st_blocks * 512, 1 << 20)

    def test_nothing_before_the_first_use(self) -> None:
        """To make a store opens nothing."""
        options = kinds.LmdbOptions(path=str(self.path))
        kinds.lmdb.store("x", options, self.opened().limits, self.runtime)
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def assertRefused(self, said: str) -> None:
        """All operations fail, and what there is stays as it is."""
        before = {path: path.read_bytes() for path in self.path.parent.iterdir()}
        store = self.opened()
        self.assertIn(said, self.failure(store.get("a"), StoreError))
        self.assertIn(said, self.failure(store.put("a", b"1", 60.0), StoreError))
        self.given(store.stopService())
        self.assertEqual({path: path.read_bytes() for path in self.path.parent.iterdir()}, before)

    def test_text(self) -> None:
        """A file that is something else is refused, and stays as it is."""
        self.path.write_bytes(b"Dear diary\n" * 1000)
        self.path.chmod(0o600)
        self.assertRefused("is no cache of this program, and left as it is")

    def test_other_database(self) -> None:
        """A file of LMDB that is no cache is refused, and stays as it is, damaged or not."""
        path = str(self.path)
        with lmdb.open(path, subdir=False, mode=0o600) as env, env.begin(write=True) as txn:
            txn.put(b"a", b"1" * 100_000)
        Path(f"{self.path}-lock").unlink()
        self.assertRefused("is no cache of this program, and left as it is")
        with self.path.open("r+b") as file:
            file.seek(4096 * 3)
            file.write(bytes(4096))
        self.assertRefused("is no cache of this program, and left as it is")

    def test_others_may_write(self) -> None:
        """A file that other users can write is refused: what it says would be theirs."""
        self.given(self.filled().stopService())
        self.path.chmod(0o666)
        self.assertRefused("can be written by other users")

    def test_no_file(self) -> None:
        """A directory, a pipe and a link to elsewhere are no files."""
        self.path.mkdir()
        self.assertIn("IsADirectoryError", self.failure(self.opened().get("a"), StoreError))
        self.path.rmdir()
        os.mkfifo(self.path, 0o600)
        self.assertIn("is no file", self.failure(self.opened().get("a"), StoreError))

    def test_works_again(self) -> None:
        """Once what is wrong is put right, the store works, without a restart."""
        self.path.mkdir()
        store = self.opened()
        self.failure(store.get("a"), StoreError)
        self.path.rmdir()
        self.assertTrue(self.given(store.put("a", b"1", 60.0)))

    def test_closed_well(self) -> None:
        """A file that was closed well, and not touched since, is not looked through."""
        self.given(self.filled().stopService())
        self.patch(sys, "executable", "/nowhere")
        store = self.opened()
        self.assertEqual(self.check(store), 50)
        self.given(store.stopService())
        os.utime(self.path)
        self.assertIn("/nowhere", self.failure(self.opened().get("a"), StoreError))


    def test_no_note(self) -> None:
        """What is in the place of the note of a file costs a look through it, and is replaced."""
        state = Path(f"{self.path}-state")
        for kind in (os.mkfifo, os.mkdir, self.endless, self.circle, self.dangling, self.large,
                     self.deep, self.nothing):
            self.given(self.filled().stopService())
            state.unlink()
            kind(state)
            store = self.opened()
            self.assertEqual(self.check(store), 50, kind)
            self.assertTrue(stat.S_ISREG(state.lstat().st_mode), kind)
            self.given(store.stopService())

    def endless(self, path: Path) -> None:
        """Have a link to what never ends."""
        path.symlink_to("/dev/zero")

    def circle(self, path: Path) -> None:
        """Have a link to itself."""
        path.symlink_to(path.name)

    def dangling(self, path: Path) -> None:
        """Have a link to what is not there, and is not to be made."""
        path.symlink_to(f"{path}-target")
        self.addCleanup(lambda: self.assertFalse(Path(f"{path}-target").exists()))

    def large(self, path: Path) -> None:
        """Have more than any note is."""
        with path.open("wb") as file:
            file.truncate(1 << 40)

    def deep(self, path: Path) -> None:
        """Have what cannot be read as a note."""
        path.write_bytes(b"[" * 100_000)

    def nothing(self, path: Path) -> None:
        """Have a note that says nothing."""
        path.write_bytes(b"null")

    def test_directory_of_locks(self) -> None:
        """An empty directory in the place of the locks is replaced by them."""
        self.given(self.filled().stopService())
        locks = Path(f"{self.path}-lock")
        locks.unlink()
        locks.mkdir()
        self.assertEqual(self.check(self.opened()), 50)


    def test_link(self) -> None:
        """A link in the place of the file is not followed, and once it is removed, all works."""
        target = self.path.parent / "target"
        for text in ("/dev/zero", str(target), self.path.name):
            self.path.symlink_to(text)
            store = self.opened()
            self.assertIn("is a symbolic link", self.failure(store.get("a"), StoreError))
            self.path.unlink()
            self.assertTrue(self.given(store.put("a", b"1", 60.0)))
            self.given(store.stopService())
            self.path.unlink()
        self.assertFalse(target.exists())

    def test_link_to_directory(self) -> None:
        """A link to the directory is: two names of one file are one cache."""
        linked = self.path.parent / "linked"
        linked.symlink_to(self.path.parent)
        self.given(self.opened().put("a", b"1", 60.0))
        self.path = linked / self.path.name
        self.assertEqual(self.given(self.opened().get("a")), b"1")
        self.assertEqual(len(self.runtime.shared("trickster.stores.lmdb", dict)), 1)


class UncheckedTests(FileTests):
    """A process that is to look through a file, and does not."""

    def test_it_does_not_begin(self) -> None:
        """Where that process fails, or is ended by others, the file stays, and is tried again."""
        self.given(self.filled().stopService())
        os.utime(self.path)
        octets = self.path.read_bytes()
        for number, does in enumerate(("exit 1", "kill -TERM $$", "kill -KILL $$")):
            script = self.path.parent / f"python{number}"
            script.write_text(f"#!/bin/sh\n{does}\n")
            script.chmod(0o700)
            patch = self.patch(sys, "executable", str(script))
            store = self.opened()
            self.assertIn("could not be looked through",
                          self.failure(store.get("1"), StoreError))
            self.assertEqual(self.path.read_bytes(), octets)
            patch.restore()
            self.given(store.stopService())
        self.assertEqual(self.check(self.opened()), 50)

    def test_no_time(self) -> None:
        """A file stays that is not looked through since the machine has other things to do."""
        self.given(self.filled().stopService())
        os.utime(self.path)
        script = self.path.parent / "python"
        script.write_text("#!/bin/sh\nexec sleep 600\n")
        script.chmod(0o700)
        executable = self.patch(sys, "executable", str(script))
        seconds = self.patch(opening, "_PATIENCE", 0.1)
        store = self.opened()
        self.assertIn("could not be looked through in", self.failure(store.get("1"), StoreError))
        executable.restore()
        seconds.restore()
        self.assertEqual(self.check(store), 50)

    def test_too_long(self) -> None:
        """A file that takes too much of the processor to be looked through is damaged."""
        endless = "from trickster.stores.lmdb.checking import limit; limit(1)\nwhile True: pass"
        done = subprocess.run([sys.executable, "-c", endless], check=False)
        self.assertEqual(done.returncode, -signal.SIGXCPU)
        self.given(self.filled().stopService())
        os.utime(self.path)
        script = self.path.parent / "python"
        script.write_text("#!/bin/sh\nkill -XCPU $$\n")
        script.chmod(0o700)
        self.patch(sys, "executable", str(script))
        self.assertEqual(self.check(self.opened()), 0)

    def test_removed_meanwhile(self) -> None:
        """A file that is removed while it is looked through is begun anew, and not waited for."""
        self.given(self.filled().stopService())
        os.utime(self.path)
        script = self.path.parent / "python"
        script.write_text(f"#!/bin/sh\nrm {self.path}\nexec sleep 600\n")
        script.chmod(0o700)
        self.patch(sys, "executable", str(script))
        self.assertEqual(self.check(self.opened()), 0)

    def test_crash(self) -> None:
        """Where LMDB ends that process, the file is damaged."""
        self.given(self.filled().stopService())
        os.utime(self.path)
        script = self.path.parent / "python"
        script.write_text("#!/bin/sh\nkill -SEGV $$\n")
        script.chmod(0o700)
        self.patch(sys, "executable", str(script))
        self.assertEqual(self.check(self.opened()), 0)


class CheckingTests(FileTests):
    """A file is looked through before it is opened."""

    def test_in_order(self) -> None:
        """A file with entries of all sizes is in order."""
        self.given(self.filled().stopService())
        self.assertEqual(main(str(self.path)), 0)

    def test_statuses(self) -> None:
        """What is damaged, and what is no cache, are told apart."""
        self.given(self.filled().stopService())
        octets = self.path.read_bytes()
        self.path.write_bytes(octets[:len(octets) // 2])
        self.assertEqual(main(str(self.path)), DAMAGED)
        self.path.unlink()
        with lmdb.open(str(self.path), subdir=False) as env, env.begin(write=True) as txn:
            txn.put(b"a", b"1")
        self.assertEqual(main(str(self.path)), FOREIGN)

    def test_any_damage(self) -> None:
        """Whatever is written into a file between two starts, each value is right, or a miss."""
        rng = Random(3)
        for _ in range(12):
            self.given(self.filled().stopService())
            self.damage(rng)
            store = self.opened()
            self.check(store)
            self.given(store.stopService())
            self.assertEqual(self.problems(), [])

    def test_damaged_value(self) -> None:
        """A large value that was damaged between two starts costs no other its place."""
        self.given(self.filled().stopService())
        octets = self.path.read_bytes()
        with self.path.open("r+b") as file:
            file.seek(octets.index(b"31:" * 300))
            file.write(b"X")
        store = self.opened()
        self.assertEqual(self.check(store), 49)
        self.assertIsNone(self.given(store.get("31")))

    def damage(self, rng: Random) -> None:
        """Write something into the file, or cut it off."""
        size = self.path.stat().st_size
        with self.path.open("r+b") as file:
            kind = rng.randrange(5)
            if kind == 0:
                file.truncate(rng.randrange(size))
            elif kind == 1:
                file.write(rng.randbytes(8192))
            else:
                for _ in range(rng.choice((1, 30))):
                    file.seek(rng.randrange(size))
                    file.write(rng.randbytes(1 if kind == 2 else 8) if kind < 4 else bytes(4096))

    def test_beside_it(self) -> None:
        """What stands beside the file may be gone, or be anything."""
        for name in ("lock", "state"):
            for octets in (None, b"", b"\xff" * 100):
                self.given(self.filled().stopService())
                beside = Path(f"{self.path}-{name}")
                beside.unlink()
                if octets is not None:
                    beside.write_bytes(octets)
                store = self.opened()
                self.assertEqual(self.check(store), 50)
                self.given(store.stopService())

    def test_other_version(self) -> None:
        """A cache of another version of the layout is begun anew."""
        self.given(self.filled().stopService())
        with lmdb.open(str(self.path), subdir=False, max_dbs=2) as env:
            about = env.open_db(b"trickster")
            with env.begin(write=True) as txn:
                txn.put(b"version", b"0", db=about)
        store = self.opened()
        self.assertEqual(self.check(store), 0)
        self.assertEqual(len(self.flushLoggedErrors()), 0)


class LostTests(FileTests):
    """What happens to a file while it is open."""

    def test_cut_off(self) -> None:
        """A file that was cut off is not read any more, but begun anew."""
        store = self.filled()
        os.truncate(self.path, 8192)
        self.assertIsNone(store.peek("1", 9))
        self.assertEqual(self.check(store), 0)

    def test_removed(self) -> None:
        """A file that was removed is forgotten at once."""
        store = self.filled()
        self.path.unlink()
        self.assertIsNone(store.peek("1", 9))
        self.assertEqual(self.check(store), 0)

    def test_moved(self) -> None:
        """A file that was moved, or replaced by another, is noticed at the next write, or soon."""
        for octets in (None, b""):
            store = self.filled()
            self.path.rename(f"{self.path}-old")
            if octets is not None:
                self.path.write_bytes(octets)
                self.path.chmod(0o600)
            self.failure(store.put("a", b"1", 60.0), StoreError)
            self.assertEqual(self.check(store), 0)
            self.given(store.stopService())

    def test_locks(self) -> None:
        """What LMDB keeps beside the file may be cut off, written over, or removed."""
        locks = Path(f"{self.path}-lock")
        for change in (lambda: os.truncate(locks, 0), locks.unlink, lambda: self.overwrite(locks)):
            store = self.filled()
            change()
            self.failure(store.put("a", b"1", 60.0), StoreError)
            self.check(store)
            self.given(store.stopService())

    def overwrite(self, path: Path) -> None:
        """Write over how a file begins."""
        with path.open("r+b") as file:
            file.write(b"\xff" * 16)

    def test_damaged_piece(self) -> None:
        """A value that is damaged while it runs is a miss, and is replaced."""
        store = self.opened()
        self.given(store.put("a", b"needle" * 5000, 60.0))
        octets = self.path.read_bytes()
        with self.path.open("r+b") as file:
            file.seek(octets.rindex(b"needle"))
            file.write(b"NEEDLE")
        self.assertIsNone(self.given(store.get("a")))
        self.assertTrue(self.given(store.replace("a", b"new", 60.0, None)))
        self.assertEqual(self.given(store.get("a")), b"new")

    def test_damaged_record(self) -> None:
        """Where a record is damaged while it runs, all is begun anew."""
        store = self.filled()
        octets = self.path.read_bytes()
        with self.path.open("r+b") as file:
            start = octets.find(b"TkL1")
            while start >= 0:
                file.seek(start + 9)
                file.write(b"\xff\xff")
                start = octets.find(b"TkL1", start + 1)
        self.failure(store.get("1"), StoreError)
        self.assertEqual(self.check(store), 0)


class NoFileTests(SynchronousTestCase):
    """The process that looks through a file."""

    def test_gone(self) -> None:
        """A file that cannot be read has a status too."""
        with self.assertRaises(FileNotFoundError):
            main("/nowhere/file")
