"""The directory of one supervisor: sockets of its workers, and the memory that they share."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, field
from twisted.logger import Logger

_PREFIX = "trickster-workers-"
_LOCK = "lock"
# Octets of a file in memory for an octet of a cache: pages that were freed and are not yet used
# again, and those that are not quite full.
_ROOM = 1.25


def usual_places() -> Sequence[str]:
    """:return: directories in which the directory may be, the best one first: it is in memory."""
    return ("/dev/shm", tempfile.gettempdir())


def free_octets(place: str) -> int:
    """
    :return: octets that can be written to a file system.
    :raises OSError: it is not there.
    """
    state = os.statvfs(place)
    return state.f_bavail * state.f_frsize


@define(eq=False)
class Places:
    """
    A directory that only the user of the process can look into.

    It is removed with the supervisor; what a supervisor has left that was killed is removed by
    the next one.

    :ivar candidates: directories in which it may be, the best one first.
    :ivar free: octets that can be written in one of them; raises L{OSError}.
    """

    _log = Logger()

    candidates: Callable[[], Sequence[str]] = usual_places
    free: Callable[[str], int] = free_octets
    _directory: Path | None = field(default=None, init=False)
    _lock: int = field(default=-1, init=False)

    @property
    def directory(self) -> Path:
        """:return: the directory, between L{open} and L{close}."""
        assert self._directory is not None
        return self._directory

    def open(self, needed: int) -> None:
        """
        Make the directory.

        :param needed: most octets of the caches whose memory is shared in it.
        :raises OSError: it cannot be made.
        """
        candidates = self.candidates()
        for place in candidates:
            _remove_left(place)
        place = self._roomy(candidates, int(needed * _ROOM))
        made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=place))
        self._lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Others find it only now, and that it is in use.
        self._directory = made.rename(made.with_name(made.name[1:]))

    def close(self) -> None:
        """Remove the directory, and all that is in it.  Idempotent."""
        if self._directory is not None:
            _remove(self._directory)
            os.close(self._lock)
        self._directory, self._lock = None, -1

    def _roomy(self, candidates: Sequence[str], needed: int) -> str:
        found = {place: free for place in candidates if (free := self._free(place)) is not None}
        for place, free in found.items():
            if free >= needed:
                return place
        if not found:
            return candidates[-1]
        most = max(found, key=lambda place: found[place])
        self._log.warn(
            "Caches in memory that workers share may take {needed} MiB, and {place} has room for "
            "{free} MiB: what is used least goes before the limit of the cache is reached",
            needed=needed >> 20, place=most, free=found[most] >> 20)
        return most

    def _free(self, place: str) -> int | None:
        try:
            return self.free(place) if os.access(place, os.W_OK | os.X_OK) else None
        except OSError:
            return None


def _remove_left(place: str) -> None:
    for left in _left(place):
        with suppress(OSError):
            lock = os.open(left / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left)
            finally:
                os.close(lock)


def _remove(directory: Path) -> None:
    # The lock goes last: a directory without it would be left for good, were this the end.
    with suppress(OSError):
        for path in sorted(directory.iterdir(), key=lambda path: path.name == _LOCK):
            path.unlink()
    shutil.rmtree(directory, ignore_errors=True)


def _left(place: str) -> Iterable[Path]:
    with suppress(OSError):
        for path in Path(place).iterdir():
            if path.name.startswith(_PREFIX) and _is_ours(path):
                yield path


def _is_ours(path: Path) -> bool:
    # Another user's directory may be made to look like one, or be a link to something of ours.
    with suppress(OSError):
        state = path.lstat()
        return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid()
    return False
