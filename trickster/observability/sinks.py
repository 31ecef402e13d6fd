"""Where log lines go: buffered, bounded, written at most once a second or so."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable

from attrs import Factory, define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.logfile import LogFile
from zope.interface import Interface, implementer

from trickster.observability.lines import Fields, ILineSink, logfmt, timestamp

ROTATE_OCTETS = 256 << 20
KEPT_FILES = 8

_FLUSH_PAUSE = 1.0
_FLUSH_OCTETS = 256 << 10
_MOST_BUFFERED = 4 << 20


class IDestination(Interface):
    """Something that takes octets without delay."""

    def open() -> None:
        """
        Get ready to be written to.

        :raises OSError: it cannot be opened.
        """

    def write(octets: bytes) -> bytes:
        """
        :return: what could not be written without waiting.
        :raises OSError: it cannot be written to, maybe only now.
        """

    def close() -> None:
        """Write no more.  Idempotent."""


@implementer(IDestination)
@define(eq=False)
class RotatedFile:
    """
    A file that is put aside when it is large, and opened anew when somebody else has done
    that.

    :ivar rotate_octets: size at which it is put aside.
    :ivar kept: how many such files are kept.
    """

    path: str
    rotate_octets: int = ROTATE_OCTETS
    kept: int = KEPT_FILES
    _file: LogFile | None = field(default=None, init=False)

    def open(self) -> None:
        """See L{IDestination.open}."""
        self._file = LogFile.fromFullPath(
            self.path, rotateLength=self.rotate_octets, maxRotatedFiles=self.kept)

    def write(self, octets: bytes) -> bytes:
        """See L{IDestination.write}."""
        if self._file is None or self._file.closed or not self._is_in_place(self._file):
            self.close()
            self.open()
        assert self._file is not None
        self._file.write(octets)
        return b""

    def close(self) -> None:
        """See L{IDestination.close}."""
        if self._file is not None and not self._file.closed:
            self._file.close()

    def _is_in_place(self, file: LogFile) -> bool:
        try:
            there, here = os.stat(self.path), os.fstat(file._file.fileno())
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


@implementer(IDestination)
@define(eq=False)
class Stream:
    """
    A file descriptor that somebody else has opened, such as standard output.

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
        """See L{IDestination.write}."""
        rest = memoryview(octets)
        # A pipe that counts as writable takes at least PIPE_BUF octets without waiting.
        size = len(octets) if self._is_file else select.PIPE_BUF
        while rest and select.select((), (self._fd,), (), 0)[1]:
            rest = rest[os.write(self._fd, rest[:size]):]
        return bytes(rest)

    def close(self) -> None:
        """See L{IDestination.close}."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@implementer(ILineSink)
@define(eq=False, slots=False)
class BufferedSink(Service):
    """
    Collects lines, and writes them together.

    Lines that find no room, since what they are written to does not take them, are dropped
    and counted; once it does again, a line says how many there were.

    :ivar spell: makes that line.
    :ivar wall: seconds since the epoch, when it is made; the clock's where not given.
    """

    destination: IDestination
    clock: IReactorTime
    spell: Callable[[Fields], str] = logfmt
    wall: Callable[[], float] = Factory(lambda self: self.clock.seconds, takes_self=True)
    dropped: int = field(default=0, init=False)
    _lines: list[str] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _unsent: bytes = field(default=b"", init=False)
    _flushing: IDelayedCall | None = field(default=None, init=False)

    def startService(self) -> None:
        """
        Open the destination.

        :raises OSError: it cannot be opened.
        """
        self.destination.open()
        super().startService()
        self.flush()

    def stopService(self) -> None:
        """Write what there is, and close the destination."""
        super().stopService()
        self._flush_now()
        self._cancel()
        self.destination.close()

    def write(self, line: str) -> None:
        """See L{ILineSink.write}."""
        if self._size + len(self._unsent) >= _MOST_BUFFERED:
            self.dropped += 1
            return
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size >= _FLUSH_OCTETS and not self._unsent:
            self.flush()
        elif self._flushing is None and self.running:
            self._flushing = self.clock.callLater(_FLUSH_PAUSE, self.flush)

    def flush(self) -> None:
        """Write what there is, as far as that is possible now."""
        if not self.running:
            return
        self._cancel()
        self._flush_now()
        if self._unsent:
            self._flushing = self.clock.callLater(_FLUSH_PAUSE, self.flush)

    def _cancel(self) -> None:
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None

    def _flush_now(self) -> None:
        if not self._lines and not self._unsent:
            return
        count, octets = len(self._lines), self._taken()
        try:
            self._unsent = self.destination.write(octets)
        except OSError:
            # A full disk, say.  There is nowhere to complain but here, later.
            self._unsent = b""
            self.dropped += count

    def _taken(self) -> bytes:
        lines, self._lines, self._size = self._lines, [], 0
        if self.dropped and not self._unsent:
            lines.append(self.spell([
                ("time", timestamp(self.wall())), ("app", "trickster"),
                ("level", "warn"), ("event", "log lines were dropped"),
                ("count", self.dropped)]))
            self.dropped = 0
        text = "".join([line + "\n" for line in lines])
        return self._unsent + text.encode("utf-8", "backslashreplace")


# Of events that are whole lines already.
ACCESS_NAMESPACE = "trickster.access"


@implementer(ILineSink)
@define
class PublisherSink:
    """Passes lines on as events of C{twisted.logger}, to wherever those go."""

    log: Logger = field(factory=lambda: Logger(ACCESS_NAMESPACE))

    def write(self, line: str) -> None:
        """See L{ILineSink.write}."""
        self.log.info("{line}", line=line)


def destination(path: str) -> IDestination:
    """
    :param path: of a file, or C{""} or C{"-"} for standard output.
    """
    if path in ("", "-", "/dev/stdout"):
        return Stream(1)
    return Stream(2) if path == "/dev/stderr" else RotatedFile(path)
