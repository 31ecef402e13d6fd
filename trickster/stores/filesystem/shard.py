"""A directory of some of the values, and the lock on changes in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EAGAIN, EISDIR, ELOOP, ENOTEMPTY
from fcntl import LOCK_EX, LOCK_NB, flock
from threading import Event, Lock

from attrs import frozen

from trickster.errors import StoreError

LOCK = "lock"
_LOCKING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_REPLACEMENTS = 5


class LockedOut(StoreError):
    """
    Another thread or process keeps the lock, since it is stopped for example; it has one of many.
    """

    is_partial = True


@frozen
class Patience:
    """
    How long a lock is waited for that another process holds.

    :ivar pause: seconds between two tries.
    """

    tries: int = 100
    pause: float = 0.01


@frozen
class Shard:
    """
    One of the directories with values, while it is open.

    :ivar fd: its descriptor.
    :ivar path: for errors.
    :ivar _busy: held by the thread of this process that changes files in it.
    """

    fd: int
    path: str
    _busy: Lock
    _patience: Patience

    @contextmanager
    def locked(self, patience: Patience | None = None) -> Iterator[None]:
        """
        Keep all others from changing files in it, other processes too.

        :param patience: where it is another than usual.
        :raises LockedOut: another one keeps it for too long.
        """
        patience = patience or self._patience
        limit = patience.tries * patience.pause
        if not self._busy.acquire(timeout=limit):
            raise LockedOut(f"{self.path} is locked for longer than {limit:g} s")
        try:
            fd = self._lock_held(patience)
            try:
                yield
            finally:
                os.close(fd)
        finally:
            self._busy.release()

    def _lock_held(self, patience: Patience) -> int:
        for _ in range(_MOST_REPLACEMENTS):
            fd = self._lock_opened()
            try:
                _wait_for(fd, self.path, patience)
                is_current = self._is_current(fd)
            except BaseException:
                os.close(fd)
                raise
            if is_current:
                return fd
            # It was removed while it was waited for: others lock the one in its place.
            os.close(fd)
        raise StoreError(f"{self.path}/{LOCK} is replaced again and again")

    def _lock_opened(self) -> int:
        try:
            return os.open(LOCK, _LOCKING, 0o600, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in (ELOOP, EISDIR, EACCES):
                raise
            remove(self.fd, LOCK)
        return os.open(LOCK, _LOCKING, 0o600, dir_fd=self.fd)

    def _is_current(self, fd: int) -> bool:
        try:
            there = os.stat(LOCK, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(fd))


def _wait_for(fd: int, path: str, patience: Patience) -> None:
    pausing = Event()
    for _ in range(patience.tries):
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except OSError as error:
            if error.errno not in (EAGAIN, EACCES):
                raise
            pausing.wait(patience.pause)
        else:
            return
    raise LockedOut(f"{path} is locked by another process")


def remove(directory: int, name: str) -> None:
    """
    Remove what has a name of ours, also where it is no plain file.  A directory in which there is
    something stays.

    :param directory: its descriptor.
    :param name: there need not be anything.
    """
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        _remove_empty(directory, name)


def _remove_empty(directory: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno != ENOTEMPTY:
            raise
