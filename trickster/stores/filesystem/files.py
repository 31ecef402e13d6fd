"""Reading and writing the files of values in a shard."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, ELOOP, ENXIO
from itertools import count
from threading import get_ident

from attrs import frozen

from trickster.stores.filesystem.shard import remove
from trickster.stores.filesystem.value_file import (
    FIRST_OCTETS,
    Header,
    needed,
    read_header,
)
from trickster.stores.sealed import Octets

# Nothing waits: a pipe in the place of a file is opened at once, and seen to be none.
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FILE = (ELOOP, ENXIO)
_SMALL = 1 << 17
TEMPORARY = ".tmp"

# Tells a file, as it is now, from all that had or will have its name.
Stamp = tuple[int, int, int]


class Damaged(Exception):
    """
    What has the name of a value is none.

    :ivar stamp: of the file.
    """

    def __init__(self, stamp: Stamp) -> None:
        super().__init__(stamp)
        self.stamp = stamp


@frozen
class Found:
    """
    What there is of a value.

    :ivar stat: of its file.
    """

    header: Header
    stat: os.stat_result
    value: bytes = b""


def stamp_of(found: os.stat_result) -> Stamp:
    """:return: the number, the date and the size of a file."""
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(directory: int, name: str) -> Found | None:
    """
    :param directory: the descriptor of a shard.
    :return: a value with its header; None where there is no file.
    :raises Damaged: the file is not as it was written, or no file of a value.
    """
    with _opened(directory, name) as opened:
        if opened is None:
            return None
        fd, there = opened
        header, beginning = _headed(
            fd, there, _SMALL if there.st_size <= _SMALL else FIRST_OCTETS)
        end = header.start + header.length
        value = beginning[header.start:end] if len(beginning) >= end else os.pread(
            fd, header.length, header.start)
        if not header.is_of(value):
            raise Damaged(stamp_of(there))
        return Found(header, there, value)


def read_head(directory: int, name: str) -> Found | None:
    """
    :param directory: the descriptor of a shard.
    :return: the header of a value, without the value; None where there is no file.
    :raises Damaged: as L{read}, but for the value, which is not looked at.
    """
    with _opened(directory, name) as opened:
        if opened is None:
            return None
        fd, there = opened
        return Found(_headed(fd, there, FIRST_OCTETS)[0], there)


def read_whole(directory: int, name: str, most: int) -> bytes | None:
    """
    :param directory: its descriptor.
    :param most: octets that are read.
    :return: the octets of a file of any form; None where there is none, or a larger one.
    :raises Damaged: it is no file.
    """
    with _opened(directory, name) as opened:
        if opened is None or opened[1].st_size > most:
            return None
        return os.pread(opened[0], most, 0)


def write(directory: int, name: str, parts: tuple[bytes, Octets], date_ns: int) -> str:
    """
    Write a file beside the one in whose place it is to be put.

    :param directory: the descriptor of a shard.
    :param name: of the file in whose place it will be.
    :param parts: its octets.
    :param date_ns: of its last change, in nanoseconds since the epoch.
    :return: its name.
    :raises OSError: it could not be written; nothing of it is left.
    """
    fd, temporary = _created(directory, name)
    try:
        try:
            _write_all(fd, parts)
            os.utime(fd, ns=(date_ns, date_ns))
        finally:
            os.close(fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    return temporary


def move(directory: int, temporary: str, name: str) -> os.stat_result:
    """
    Put a file that was written in the place of another one, at once.

    :param directory: the descriptor of a shard.
    :return: what the system says of it, in its new place.
    """
    try:
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except IsADirectoryError:
        remove(directory, name)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    return os.stat(name, dir_fd=directory, follow_symlinks=False)


@contextmanager
def _opened(directory: int, name: str) -> Iterator[tuple[int, os.stat_result] | None]:
    fd = _fd_of(directory, name)
    if fd is None:
        yield None
        return
    try:
        there = os.fstat(fd)
        if not stat.S_ISREG(there.st_mode):
            raise Damaged(stamp_of(there))
        yield fd, there
    finally:
        os.close(fd)


def _fd_of(directory: int, name: str) -> int | None:
    try:
        return os.open(name, _READING, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (*_NO_FILE, EACCES):
            raise
    # Where the directory cannot be searched, this is an error of the store's.
    raise Damaged(stamp_of(os.stat(name, dir_fd=directory, follow_symlinks=False)))


def _headed(fd: int, there: os.stat_result, length: int) -> tuple[Header, bytes]:
    """:return: the header of a file, and so many octets of its beginning, or more."""
    beginning = os.pread(fd, length, 0)
    start = needed(beginning)
    if start > len(beginning):
        beginning = os.pread(fd, start, 0)
    header = read_header(beginning, there.st_size)
    if header is None:
        raise Damaged(stamp_of(there))
    return header, beginning


def _created(directory: int, name: str) -> tuple[int, str]:
    for number in count():
        # A thread writes one file at a time.  There may be one of a thread that was killed, or
        # of a process in another container.
        temporary = f"{name}.{os.getpid():x}-{get_ident():x}-{number:x}{TEMPORARY}"
        with suppress(FileExistsError):
            return os.open(temporary, _WRITING, 0o600, dir_fd=directory), temporary
    raise AssertionError


def _write_all(fd: int, parts: tuple[bytes, Octets]) -> None:
    written = os.writev(fd, parts)
    for part in parts:
        rest = memoryview(part)[written:]
        written = max(0, written - len(part))
        while rest:
            rest = rest[os.write(fd, rest):]
