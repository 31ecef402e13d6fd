"""A text file for logs of Twisted's own that drops lines instead of waiting."""

from __future__ import annotations

from io import TextIOBase
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from trickster.observability.logging.destinations import IDestination, Stream

# Seconds until more is tried, where there was no room, and where there was some.
_PAUSE = 1.0
_SHORT_PAUSE = 0.05
_MOST_BUFFERED = 4 << 20


class UnblockedFile(TextIOBase):
    """
    Writes at once what there is room for, and the rest when there is.

    Where too much waits, since what it goes to is not read, text is dropped, and an event of
    the log says how many times once there is room again.

    :ivar dropped: pieces of text, mostly a line each, that were dropped since then.
    """

    _log = Logger()

    def __init__(self, destination: IDestination, clock: IReactorTime) -> None:
        """
        :param destination: that is open.
        """
        super().__init__()
        self._destination = destination
        self._clock = clock
        self._waiting: list[bytes] = []
        self._size = 0
        self._is_writing = False
        self._next: IDelayedCall | None = None
        self.dropped = 0

    def writable(self) -> bool:
        """:return: True."""
        return True

    def write(self, text: str) -> int:
        """
        :param text: of a log.
        :return: how many characters it has, dropped or not.
        """
        octets = text.encode("utf-8", "backslashreplace")
        if self._size + len(octets) > _MOST_BUFFERED:
            self.dropped += 1
        else:
            self._waiting.append(octets)
            self._size += len(octets)
        self._push()
        return len(text)

    def flush(self) -> None:
        """Nothing: what there is room for is written already."""

    def _push(self) -> None:
        # A signal's handler may log while something is being written.
        if self._is_writing:
            return
        self._is_writing = True
        try:
            written = self._write_all()
        finally:
            self._is_writing = False
        if self._waiting and self._next is None:
            self._next = self._clock.callLater(_SHORT_PAUSE if written else _PAUSE, self._again)

    def _write_all(self) -> int:
        """:return: how many octets found room."""
        waiting, self._waiting = self._waiting, []
        size = sum(map(len, waiting))
        try:
            rest = self._destination.write(b"".join(waiting))
        except OSError:
            # A full disk, or a pipe that was closed: there is nowhere to say so.
            rest = b""
            self.dropped += len(waiting)
        if rest:
            self._waiting.insert(0, rest)
        self._size = sum(map(len, self._waiting))
        return size - len(rest)

    def _again(self) -> None:
        self._next = None
        self._push()
        if self.dropped and not self._waiting:
            dropped, self.dropped = self.dropped, 0
            self._log.warn("log lines were dropped: {count}", count=dropped)


def unblocked(file: Any, clock: IReactorTime) -> Any:
    """
    :param file: of text, such as C{sys.stdout}.
    :return: a file that writes to the same and never waits; the very same one where it is no
        file of the system.
    """
    try:
        file.flush()
        stream = Stream(file.fileno())
        stream.open()
    except (OSError, ValueError, AttributeError):
        return file
    return UnblockedFile(stream, clock)
