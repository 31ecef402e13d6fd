"""What log lines are written to: files and streams that never make the reactor wait."""

from __future__ import annotations

import errno
import os
import select
import stat
from contextlib import suppress

from attrs import define, field
from zope.interface import Interface, implementer

ROTATE_OCTETS = 256 << 20
KEPT_FILES = 8

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
# Owner, group and others, less the umask.
_MODE = 0o666


class IDestination(Interface):
    """Something that takes octets without delay."""

    def open() -> None:
        """
        Get ready to be written to.

        :raises OSError: it cannot be opened.
        """

    def write(octets: bytes) -> bytes:
        """
        :param octets: whole lines, after what was left the last time.
        :return: what could not be written without waiting; to be given again.
        :raises OSError: it cannot be written to, maybe only now; how much has been is not known.
        """

    def close() -> None:
        """Write no more.  Idempotent."""


@implementer(IDestination)
@define(eq=False)
class RotatedFile:
    """
    A file that is put aside when it is large, and opened anew when something else has done
    that.

    It is only ever appended to, so that another program may empty it meanwhile; and where it
    is a named pipe, what finds no room in it is not waited for.

    :ivar rotate_octets: size at which it is put aside.
    :ivar kept: how many such files are kept.
    """

    path: str
    rotate_octets: int = ROTATE_OCTETS
    kept: int = KEPT_FILES
    _fd: int = field(default=-1, init=False)
    _is_torn: bool = field(default=False, init=False)

    def open(self) -> None:
        """See L{IDestination.open}.  A named pipe without a reader is opened by and by."""
        try:
            self._fd = os.open(self.path, _FLAGS, _MODE)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise

    def write(self, octets: bytes) -> bytes:
        """
        Append lines, to a new file where this one has become large or is no longer in its place.

        :param octets: see L{IDestination.write}.
        :return: what a named pipe has no room for, which is all of it while the pipe has no
            reader; nothing of what goes to a file.
        :raises OSError: the file cannot be opened, or the disk is full.  A line that was cut off
            by that is ended before the next one.
        """
        if not self._is_in_place():
            self.close()
            self.open()
        if self._fd < 0:
            return octets
        if self._is_large():
            self._put_aside()
        # After a line that the disk had no room for to its end, another one begins.
        rest = memoryview(b"\n" + octets if self._is_torn else octets)
        try:
            while rest:
                self._is_torn = True
                rest = rest[os.write(self._fd, rest):]
        except BlockingIOError:
            self._is_torn = False
            return bytes(rest)
        self._is_torn = False
        return b""

    def close(self) -> None:
        """See L{IDestination.close}."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_in_place(self) -> bool:
        if self._fd < 0:
            return False
        try:
            there, here = os.stat(self.path), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _is_large(self) -> bool:
        status = os.fstat(self._fd)
        return stat.S_ISREG(status.st_mode) and status.st_size >= self.rotate_octets

    def _put_aside(self) -> None:
        # Where the directory cannot be written to, the file grows on.
        with suppress(OSError):
            for number in range(self.kept - 1, 0, -1):
                with suppress(FileNotFoundError):
                    os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")
            os.rename(self.path, f"{self.path}.1")
            self.close()
            self.open()


@implementer(IDestination)
@define(eq=False)
class Stream:
    """
    A file descriptor that was opened before, such as standard output.

    A pipe is written to only as far as it has room, so that a reader which has stopped
    reading does not stop the reactor.
    """

    number: int
    _fd: int = field(default=-1, init=False)
    _is_file: bool = field(default=False, init=False)

    def open(self) -> None:
        """See L{IDestination.open}."""
        self._fd = os.dup(self.number)
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)

    def write(self, octets: bytes) -> bytes:
        """
        :param octets: see L{IDestination.write}.
        :return: what there is no room for now.
        :raises OSError: its reader is gone, or the disk is full.
        """
        rest = memoryview(octets)
        # A pipe that counts as writable takes at least PIPE_BUF octets without waiting.
        size = len(octets) if self._is_file else select.PIPE_BUF
        while rest and self._has_room():
            rest = rest[os.write(self._fd, rest[:size]):]
        return bytes(rest)

    def close(self) -> None:
        """See L{IDestination.close}."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _has_room(self) -> bool:
        # Not select(), which knows no descriptors above 1023.
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))


def destination(path: str) -> IDestination:
    """
    :param path: of a file; C{""}, C{"-"} or C{"/dev/stdout"} for standard output, and
        C{"/dev/stderr"} for standard error.
    :return: what is written to, not opened yet.
    """
    if path in ("", "-", "/dev/stdout"):
        return Stream(1)
    return Stream(2) if path == "/dev/stderr" else RotatedFile(path)
