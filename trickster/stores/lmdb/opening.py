"""Opens a file of LMDB, once it is known to be a cache that is whole."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import ceil
from pathlib import Path
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from threading import Lock
from typing import Any

import lmdb
from attrs import define, field

from trickster.stores.lmdb.checking import (
    ABOUT,
    DAMAGED,
    FOREIGN,
    MOST_TABLES,
    TOTALS,
    ForeignFileError,
)
from trickster.stores.lmdb.layout import VERSION
from trickster.stores.lmdb.tables import Tables

# Seconds of the processor that looking through a file may take, and octets for which it has another
# one: many times what it does take.  How much longer it may be about it, on a machine that has other
# things to do.
_PATIENCE, _A_SECOND = 20.0, 8 << 20
_MOST_TIMES = 10
# Seconds after which it is seen whether the file is still there.
_A_LOOK = 0.5
# Octets to which a file is made as long as it is mapped; caches without a limit map more.
_FARTHEST = 64 << 30
# Statuses of a process that LMDB has ended, or that did not come to an end; those of others, like
# Ctrl-C, say nothing of the file.
_CRASHES = (-SIGSEGV, -SIGBUS, -SIGABRT, -SIGILL, -SIGFPE, -SIGXCPU)
# Transactions that read at the same time, in all processes: each has one, or a few in threads.
_MOST_READERS = 1022
# How often a file is opened that another process replaces at the same time.
_MOST_TRIES = 5
# Octets of LMDB's locks that are always the same: by what they are known, and their layout.
_LOCKS_HEAD = 8
_CREATED = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
# Of what may have been put in the place of a note: nothing is waited for, and no link followed.
_NOTE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_MOST_NOTED = 1000
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class LostError(Exception):
    """The file is no more what was opened: cut off, removed, or another one."""


class InUseError(Exception):
    """Other processes use the file, which is about to be replaced."""


class UncheckedError(Exception):
    """A file could not be looked through, which says nothing about it."""


@define(eq=False)
class OpenFile:
    """
    A file that is open, and mapped.

    :ivar env: of LMDB.
    :ivar _file: a descriptor of the file; while it is open, its lock says that it is in use.
    :ivar _locks: a descriptor of what LMDB keeps beside it; closed last, since the locks of LMDB
        go with any descriptor of it.
    :ivar replaced: what was wrong with the file in the place of which this one is.
    :ivar _size: octets that it had when it was last looked at.
    :ivar leases: how many threads use it.
    :ivar writing: held by the thread that changes it.
    """

    path: str
    env: Any
    _file: int
    _locks: int
    _totals: Any
    replaced: str | None = None
    _size: int = field(init=False)
    _locks_size: int = field(init=False)
    _locks_head: bytes = field(init=False)
    leases: int = field(default=0, init=False)
    writing: Any = field(factory=Lock, init=False, repr=False)
    caches: dict[bytes, Tables] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._size = os.fstat(self._file).st_size
        self._locks_size = os.fstat(self._locks).st_size
        self._locks_head = os.pread(self._locks, _LOCKS_HEAD, 0)

    def look(self) -> None:
        """
        See that what is mapped is there: to read beyond the end of a file ends the process.

        :raises LostError: it is not.
        """
        # Other threads look as well, and the file grows in between: what it had is asked first.
        known = self._size
        state = os.fstat(self._file)
        if state.st_size < known or not state.st_nlink:
            raise LostError(f"{self.path} was cut off or removed")
        if state.st_size != known:
            self._size = state.st_size
        if os.lseek(self._locks, 0, os.SEEK_END) < self._locks_size:
            raise LostError(f"{self.path}-lock was cut off")

    def look_closely(self) -> None:
        """
        See in addition that it is the file under its name.

        :raises LostError: it is not.
        """
        self.look()
        for path, descriptor in ((self.path, self._file), (f"{self.path}-lock", self._locks)):
            if not _is_at(path, descriptor):
                raise LostError(f"{path} was moved or replaced")
        if os.pread(self._locks, _LOCKS_HEAD, 0) != self._locks_head:
            raise LostError(f"{self.path}-lock was written over")

    def tables(self, bucket: bytes) -> Tables:
        """:return: those of a cache, which are made where they are not there yet; in a thread."""
        if bucket not in self.caches:
            with self.writing, self.env.begin(write=True) as txn:
                tables = Tables.of(self.env, bucket, self._totals, txn)
            self.caches[bucket] = tables
        return self.caches[bucket]

    def close(self) -> None:
        """Close it; what was the last process to use it notes that it is whole."""
        # LMDB writes into what it has mapped, which may have been cut off meanwhile.
        if os.fstat(self._locks).st_size < self._locks_size:
            os.ftruncate(self._locks, self._locks_size)
        self.env.close()
        os.close(self._locks)
        with suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(self.path, self._file):
                _note_state(self.path, _state(self._file))
        os.close(self._file)

    def discard(self) -> None:
        """Remove the file, so that all processes that have it open notice."""
        if _is_at(self.path, self._file):
            _removed(self.path)


def opened(path: str, map_size: int) -> OpenFile:
    """
    Open a file, in a thread; one that is damaged is removed, and begun anew.

    :param map_size: most octets that it may have, unless it has more.
    :return: which says of what it takes the place, if it does.
    :raises ForeignFileError: it is no cache, and left as it is.
    :raises InUseError: other processes use it, and are about to replace it.
    :raises UncheckedError: it cannot be looked through.
    :raises OSError: it cannot be opened.
    :raises lmdb.Error: likewise.
    """
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replaced = None
    for _ in range(_MOST_TRIES):
        with _locked(path) as (descriptor, is_alone), suppress(LostError):
            problem = _problem(path, descriptor) if is_alone else None
            if problem is None:
                _see_to_locks(path, is_alone)
                return _opened(path, descriptor, map_size, replaced)
            replaced = problem
            _removed(path)
    raise InUseError(f"{path} is replaced again and again")


@contextmanager
def _locked(path: str) -> Iterator[tuple[int, bool]]:
    """Lock a file: for this process alone where no other one uses it, which is told."""
    if os.path.islink(path):
        raise ForeignFileError(f"{path} is a symbolic link; name the file to which it leads")
    descriptor = os.open(path, _CREATED, 0o600)
    try:
        _refuse_strangers(path, os.fstat(descriptor))
        is_alone = _flock(descriptor, fcntl.LOCK_EX)
        if not is_alone:
            # Not for long: while another process looks through the file.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor, is_alone
    finally:
        os.close(descriptor)


def _refuse_strangers(path: str, state: os.stat_result) -> None:
    """:raises ForeignFileError: another user might have written what the file says."""
    if not stat.S_ISREG(state.st_mode):
        raise ForeignFileError(f"{path} is no file")
    if state.st_uid != os.geteuid():
        raise ForeignFileError(f"{path} belongs to user {state.st_uid}, and not to user "
                               f"{os.geteuid()}, as whom this process runs")
    if state.st_mode & 0o022:
        raise ForeignFileError(f"{path} can be written by other users; chmod go-w {path}")


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: str, descriptor: int, map_size: int, replaced: str | None) -> OpenFile:
    """
    :param descriptor: with the lock of the file, which a duplicate of it keeps.
    :raises LostError: another process has replaced the file meanwhile.
    """
    with ExitStack() as stack:
        locks = os.open(f"{path}-lock", _CREATED, 0o600)
        stack.callback(os.close, locks)
        kept = os.dup(descriptor)
        stack.callback(os.close, kept)
        _note_use(path)
        env = lmdb.open(
            path, map_size=max(map_size, os.fstat(descriptor).st_size), subdir=False,
            metasync=False, sync=False, mode=0o600, readahead=False, max_readers=_MOST_READERS,
            max_dbs=MOST_TABLES, max_spare_txns=1)
        stack.callback(env.close)
        _reach_far(kept, env.info()["map_size"])
        env.reader_check()
        file = OpenFile(path, env, kept, locks, _begun(env), replaced)
        file.look_closely()
        _flock(kept, fcntl.LOCK_SH)
        stack.pop_all()
        return file


def _reach_far(descriptor: int, map_size: int) -> None:
    """
    Have a file be as long as it is mapped, with a hole at its end that takes no room: where a
    page is damaged, and names another that was never written, that is empty.  Beyond the end of
    the file, to read it would end the process.
    """
    if map_size <= _FARTHEST and os.fstat(descriptor).st_size < map_size:
        # Where that is not allowed, the file is as good as it can be.
        with suppress(OSError):
            os.ftruncate(descriptor, map_size)


def _see_to_locks(path: str, is_alone: bool) -> None:
    """
    Have no locks that are left by other processes, or that others do not use.

    :raises InUseError: those in use were removed; who uses them will notice.
    """
    locks = Path(f"{path}-lock")
    if is_alone:
        _away(str(locks))
    elif not locks.exists() or not locks.stat().st_size:
        raise InUseError(f"{locks} is gone while others use it")


def _begun(env: Any) -> Any:
    with env.begin(write=True) as txn:
        about = env.open_db(ABOUT, txn=txn)
        txn.put(b"version", VERSION, db=about)
        return env.open_db(TOTALS, txn=txn)


def _problem(path: str, descriptor: int) -> str | None:
    """
    :return: what is wrong with a file; None where it is a cache that is whole, or empty.
    :raises ForeignFileError: it is none, and never was.
    """
    state = _state(descriptor)
    noted = _noted(path)
    if not state["size"] or noted == state:
        return None
    status, said = _looked_through(path, descriptor)
    if status == 0:
        return None
    if status not in (DAMAGED, FOREIGN, *_CRASHES):
        raise UncheckedError(f"{path} could not be looked through: status {status}: {said}")
    if status == FOREIGN or noted is None:
        raise ForeignFileError(f"{path} is no cache of this program, and left as it is: {said}")
    return said or f"looking through it ended with status {status}"


def _looked_through(path: str, descriptor: int) -> tuple[int, str]:
    """
    :return: the status in which a process of its own has looked through a file, and what it said.
    :raises LostError: the file was removed meanwhile.
    :raises UncheckedError: the process had no time for it.
    """
    about = os.fstat(descriptor)
    # Its hole takes no time.
    patience = _PATIENCE + min(about.st_size, about.st_blocks * 512) / _A_SECOND
    # It imports what this process would, and nothing from where it happens to run.
    command = [sys.executable, "-P", "-m", "trickster.stores.lmdb.checking", path,
               f"{ceil(patience)}"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    longest = _MOST_TIMES * patience
    with Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environ) as process:
        for _ in range(int(longest / _A_LOOK)):
            with suppress(TimeoutExpired):
                said = process.communicate(timeout=_A_LOOK)[0]
                return process.returncode, said.decode("utf-8", "replace").strip()[-500:]
            if not _is_at(path, descriptor):
                process.kill()
                raise LostError(f"{path} was removed while it was looked through")
        process.kill()
    raise UncheckedError(f"{path} could not be looked through in {longest:.0f} s")


def _is_at(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _removed(path: str) -> None:
    for one in (path, f"{path}-lock"):
        with suppress(FileNotFoundError):
            os.unlink(one)


def _away(path: str) -> None:
    """Remove what is beside the file; a directory in which there is something stays."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        os.rmdir(path)


def _state(descriptor: int) -> dict[str, Any]:
    """:return: what is another after each change of the file, or each start of the host."""
    state = os.fstat(descriptor)
    return {"inode": state.st_ino, "size": state.st_size, "modified": state.st_mtime_ns,
            "boot": _BOOT.read_text().strip() if _BOOT.exists() else os.urandom(8).hex()}


def _note_use(path: str) -> None:
    """Say that a file is a cache, and open; that takes no room on a disk that is full."""
    note = f"{path}-state"
    if os.path.lexists(note) and not stat.S_ISREG(os.lstat(note).st_mode):
        _away(note)
    os.close(os.open(note, _CREATED | os.O_TRUNC, 0o600))


def _note_state(path: str, state: dict[str, Any]) -> None:
    """Say in which state a file was closed."""
    new = f"{path}-state.{os.getpid()}"
    # Without a note it is looked through when it is opened, which is never wrong.
    with suppress(OSError):
        with open(os.open(new, _CREATED | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file)
        os.replace(new, f"{path}-state")
    Path(new).unlink(missing_ok=True)


def _noted(path: str) -> Any:
    """:return: the state that was noted; None where the file never was a cache."""
    try:
        return json.loads(_note(f"{path}-state")) or {}
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        # Not closed, or written over: there was a note, which says nothing.
        return {}


def _note(path: str) -> bytes:
    """
    :return: what a file says; nothing where something else is in its place.
    :raises FileNotFoundError: there is nothing.
    """
    try:
        descriptor = os.open(path, _NOTE)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        return b""
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, _MOST_NOTED) if is_file else b""
    finally:
        os.close(descriptor)
