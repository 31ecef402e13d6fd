"""Where log lines go: buffered, bounded, written at most once a second or so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import Factory, define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trickster.observability.logging.destinations import IDestination
from trickster.observability.logging.lines import Fields, ILineSink, logfmt, timestamp

_FLUSH_PAUSE = 1.0
_SHORT_PAUSE = 0.05  # where there was room for a part of it
_FLUSH_OCTETS = 256 << 10
_MOST_BUFFERED = 4 << 20


@implementer(ILineSink)
@define(eq=False, slots=False)
class BufferedSink(Service):
    """
    Collects lines, and writes them together.

    Lines that find no room, since what they are written to does not take them, are dropped
    and counted; once it does again, a line says how many there were.

    :ivar spell: makes that line.
    :ivar wall: seconds since the epoch, when it is made; the clock's where not given.
    :ivar dropped: how many were, of which no line has said so yet.
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
        """
        :param line: see L{ILineSink.write}.  It is written within about a second, or when there
            are many; it is dropped where four MiB wait already.
        """
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
        before = self._size + len(self._unsent)
        self._flush_now()
        if self._unsent or self.dropped:
            has_room = len(self._unsent) < before
            self._flushing = self.clock.callLater(
                _SHORT_PAUSE if has_room else _FLUSH_PAUSE, self.flush)

    def _cancel(self) -> None:
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None

    def _flush_now(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        told = 0
        if self.dropped and not self._unsent:
            told, self.dropped = self.dropped, 0
        octets = self._unsent + _encoded([*lines, self._of_dropped(told)] if told else lines)
        if not octets:
            return
        try:
            self._unsent = self.destination.write(octets)
        except OSError:
            # A full disk, say.  There is nowhere to complain but here, later.
            self.dropped += self._unsent.count(b"\n") + len(lines) + told
            self._unsent = b""

    def _of_dropped(self, count: int) -> str:
        return self.spell([
            ("time", timestamp(self.wall())), ("app", "trickster"), ("level", "warn"),
            ("event", "log lines were dropped"), ("count", count)])


def _encoded(lines: Sequence[str]) -> bytes:
    return "".join([line + "\n" for line in lines]).encode("utf-8", "backslashreplace")


# Of events that are whole lines already.
ACCESS_NAMESPACE = "trickster.access"


@implementer(ILineSink)
@define
class PublisherSink:
    """Passes lines on as events of C{twisted.logger}, to wherever those go."""

    log: Logger = field(factory=lambda: Logger(ACCESS_NAMESPACE))

    def write(self, line: str) -> None:
        """
        :param line: see L{ILineSink.write}.  It is the text of an event of level C{info} in
            L{ACCESS_NAMESPACE}.
        """
        self.log.info("{line}", line=line)
