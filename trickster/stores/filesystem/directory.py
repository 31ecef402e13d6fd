"""The directory of a store: made where it is missing, and looked at before it is trusted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import ENOENT
from threading import Lock

from attrs import define, field

from trickster.errors import StoreError
from trickster.stores.filesystem.shard import Patience, Shard, remove

# Its number is that of the form of all that is in it: another form has a directory of its own.
OWN = "trickster-values-1"
SHARDS = 256
_OPENING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 5
_NAMES = tuple(f"{number:02x}" for number in range(SHARDS))


class UnsafeDirectory(StoreError):
    """Others can put something into the directory, or have made it."""


class MissingShard(FileNotFoundError):
    """There is no directory for some of the values, and so none of these."""


def _locks() -> tuple[Lock, ...]:
    return tuple(Lock() for _ in range(SHARDS))


@define(eq=False)
class Directory:
    """
    Where a store has its files.

    Nothing is kept open: each operation finds what is there now, also where all of it has been
    removed meanwhile, or made anew by another process.  The store's files are in one directory
    in the one that is configured; all else in there is let alone.

    :ivar path: as configured.
    """

    path: str
    patience: Patience = field(factory=Patience)
    _busy: tuple[Lock, ...] = field(init=False, factory=_locks, repr=False)

    @property
    def own(self) -> str:
        """:return: the path of the directory with the store's files."""
        return f"{self.path.rstrip('/')}/{OWN}"

    def check(self) -> None:
        """
        Make it where it is missing, and see whether it is to be trusted.

        :raises UnsafeDirectory: it is not.
        :raises OSError: it can neither be opened nor made.
        """
        os.close(self._made_base())
        with self.opened():
            return

    @contextmanager
    def opened(self) -> Iterator[int]:
        """
        :return: the descriptor of the directory with the store's files, which is made where it
            is missing.
        :raises UnsafeDirectory: others can put something into it.
        :raises OSError: it can neither be opened nor made.
        """
        with _naming(self.own):
            fd = self._own_opened()
            try:
                _refuse_strangers(os.fstat(fd), self.own, (os.geteuid(),), 0o022)
                yield fd
            finally:
                os.close(fd)

    @contextmanager
    def shard(self, number: int, *, make: bool = False) -> Iterator[Shard]:
        """
        :param number: from 0 to 255.
        :param make: whether it is made where it is missing.
        :return: a directory of some of the values.
        :raises MissingShard: it is missing.
        """
        path = f"{self.own}/{_NAMES[number]}"
        with self.opened() as own:
            fd = _shard_opened(own, _NAMES[number], make)
            try:
                with _naming(path):
                    yield Shard(fd, path, self._busy[number], self.patience)
            finally:
                os.close(fd)

    def shards(self) -> Sequence[int]:
        """:return: the numbers of those that there are."""
        with self.opened() as own:
            there = frozenset(os.listdir(own))
        return [number for number, name in enumerate(_NAMES) if name in there]

    def _own_opened(self) -> int:
        for _ in range(_TRIES):
            try:
                return os.open(self.own, _OPENING)
            except FileNotFoundError:
                self._make()
            except NotADirectoryError:
                if os.path.islink(self.own):
                    raise UnsafeDirectory(f"{self.own} is a symbolic link") from None
                raise
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), self.own)

    def _make(self) -> None:
        base = self._made_base()
        try:
            os.mkdir(OWN, 0o700, dir_fd=base)
        except FileExistsError:
            return
        finally:
            os.close(base)

    def _made_base(self) -> int:
        path = self.path.rstrip("/") or "/"
        if os.path.islink(path):
            raise UnsafeDirectory(
                f"{path} is a symbolic link; name the directory to which it leads")
        os.makedirs(path, 0o700, exist_ok=True)
        fd = os.open(path, _OPENING)
        try:
            _refuse_strangers(os.fstat(fd), path, (os.geteuid(), 0), 0o002)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _shard_opened(own: int, name: str, make: bool) -> int:
    for _ in range(_TRIES):
        try:
            return os.open(name, _OPENING, dir_fd=own)
        except FileNotFoundError:
            if not make:
                break
            _make_directory(own, name)
        except NotADirectoryError:
            # It has our name, and is in our directory: a link, for example, and never followed.
            if not make:
                break
            remove(own, name)
    raise MissingShard(ENOENT, os.strerror(ENOENT))


def _make_directory(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return


def _refuse_strangers(found: os.stat_result, path: str, owners: Sequence[int],
                      others: int) -> None:
    """
    :param owners: the users who may own it.
    :param others: the bits of its mode that must not be set.
    :raises UnsafeDirectory: it belongs to another one, or one of the bits is set.
    """
    if found.st_uid not in owners:
        raise UnsafeDirectory(f"{path} belongs to user {found.st_uid}, and not to user "
                              f"{os.geteuid()}, as whom Trickster runs")
    if found.st_mode & others:
        raise UnsafeDirectory(f"{path} may be written by others: its mode is "
                              f"{stat.S_IMODE(found.st_mode):o}")


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Have the errors of the system name a path, which they do not where it is a descriptor's."""
    try:
        yield
    except OSError as error:
        if not isinstance(error.filename, str) or not error.filename.startswith("/"):
            error.filename = path if error.filename is None else f"{path}/{error.filename}"
        raise
