"""Tests of C{trickster.stores.filesystem.shard}."""

from __future__ import annotations

import os
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import StoreError
from trickster.stores.filesystem.directory import Directory
from trickster.stores.filesystem.shard import LOCK, LockedOut, Patience, remove


class Watched:
    """A patience that does something when it is first needed."""

    tries = 3

    def __init__(self, work: Callable[[], None]) -> None:
        self.left = [lambda: None, work]

    @property
    def pause(self) -> float:
        """Seconds: asked once to know how long all of it may take, and then for each pause."""
        if self.left:
            self.left.pop(0)()
        return 0.001


class LockTests(SynchronousTestCase):
    """One change in a shard at a time."""

    def setUp(self) -> None:
        """Make a shard."""
        path = Path(self.mktemp()).absolute()
        self.directory = Directory(str(path), Patience(3, 0.001))
        with self.directory.shard(1, make=True) as shard:
            self.lock = Path(shard.path, LOCK)

    def held(self) -> None:
        """Hold the lock until the end of the test, as another process does."""
        with self.directory.shard(1) as shard, shard.locked():
            pass
        fd = os.open(self.lock, os.O_RDWR)
        self.addCleanup(os.close, fd)
        flock(fd, LOCK_EX | LOCK_NB)

    def test_held_by_another(self) -> None:
        """A lock that another process does not let go is an error, after some tries."""
        self.held()
        with self.assertRaises(StoreError) as caught, self.directory.shard(1) as shard, \
                shard.locked():
            self.fail("two have it")
        self.assertIn("is locked by another process", str(caught.exception))

    def test_let_go(self) -> None:
        """A lock whose holder ends is free, as many times as it is needed."""
        with self.directory.shard(1) as shard:
            for _ in range(3):
                with shard.locked():
                    self.assertRaises(BlockingIOError, self._taken)

    def _taken(self) -> None:
        fd = os.open(self.lock, os.O_RDWR)
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        finally:
            os.close(fd)

    def test_let_go_by_error(self) -> None:
        """A change that fails lets the lock go."""
        with self.directory.shard(1) as shard:
            with self.assertRaises(ZeroDivisionError), shard.locked():
                raise ZeroDivisionError
            with shard.locked():
                pass

    def test_in_one_process(self) -> None:
        """Threads of one process exclude each other as well."""
        errors: list[Exception] = []

        def other() -> None:
            try:
                with self.directory.shard(1) as shard, shard.locked():
                    pass
            except StoreError as error:
                errors.append(error)

        with self.directory.shard(1) as shard, shard.locked():
            thread = Thread(target=other)
            thread.start()
            thread.join()
        self.assertIn("is locked for longer than", str(errors))

    def test_removed(self) -> None:
        """A lock file that was removed excludes none: the one in its place does."""
        self.held()
        self.lock.unlink()
        with self.directory.shard(1) as shard, shard.locked():
            self.assertRaises(BlockingIOError, self._taken)

    def test_removed_meanwhile(self) -> None:
        """A lock that is had after its file was removed is not taken for the one in its place."""
        self.lock.write_bytes(b"")
        holder = os.open(self.lock, os.O_RDWR)
        flock(holder, LOCK_EX)

        def let_go() -> None:
            self.lock.unlink()
            self.lock.write_bytes(b"")
            os.close(holder)

        with self.directory.shard(1) as shard, shard.locked(Watched(let_go)):
            self.assertRaises(BlockingIOError, self._taken)

    def test_part_of_the_store(self) -> None:
        """That a lock is not had is a failure of a part of the store only."""
        self.held()
        with self.assertRaises(LockedOut) as caught, self.directory.shard(1) as shard, \
                shard.locked():
            self.fail("two have it")
        self.assertTrue(caught.exception.is_partial)

    def test_something_else(self) -> None:
        """What is no file in the place of a lock is removed, and never followed or waited for."""
        target = self.lock.parent.parent / "target"
        for make in (lambda: self.lock.symlink_to(target), self.lock.mkdir,
                     lambda: os.mkfifo(self.lock)):
            make()
            with self.directory.shard(1) as shard, shard.locked():
                pass
            remove_any(self.lock)
        self.assertFalse(target.exists())


class RemoveTests(SynchronousTestCase):
    """Removing what has a name of ours."""

    def test_kinds(self) -> None:
        """Files, links, pipes and empty directories go; what is in a directory stays."""
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        (path / "file").write_bytes(b"")
        (path / "link").symlink_to("file")
        os.mkfifo(path / "pipe")
        (path / "empty").mkdir()
        (path / "full" / "within").mkdir(parents=True)
        fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        for name in ("link", "pipe", "empty", "full", "nothing"):
            remove(fd, name)
        self.assertEqual(sorted(os.listdir(path)), ["file", "full"])


def remove_any(path: Path) -> None:
    """Remove a file of any kind."""
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
