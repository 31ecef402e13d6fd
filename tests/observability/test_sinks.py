"""Tests of C{trickster.observability.sinks}."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import define, field
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trickster.observability.lines import ILineSink
from trickster.observability.sinks import (
    BufferedSink,
    IDestination,
    PublisherSink,
    RotatedFile,
    Stream,
    destination,
)

MIB = 1 << 20


@implementer(IDestination)
@define
class Paper:
    """
    Keeps what is written.

    :ivar room: octets that it takes from now on.
    """

    written: list[bytes] = field(factory=list)
    room: int = 1 << 40
    error: OSError | None = None
    is_open: bool = False

    def open(self) -> None:
        """See L{IDestination.open}."""
        self.is_open = True

    def write(self, octets: bytes) -> bytes:
        """See L{IDestination.write}."""
        if self.error is not None:
            raise self.error
        self.written.append(octets[:self.room])
        return octets[self.room:]

    def close(self) -> None:
        """See L{IDestination.close}."""
        self.is_open = False


class BufferedSinkTests(SynchronousTestCase):
    """Lines wait for each other, but not for long."""

    def setUp(self) -> None:
        """Start a sink."""
        self.clock, self.paper = Clock(), Paper()
        self.sink = BufferedSink(self.paper, self.clock)
        self.sink.startService()

    def test_provides(self) -> None:
        """It is a sink over a destination."""
        verifyObject(ILineSink, self.sink)
        for one in (self.paper, RotatedFile("x"), Stream(1)):
            verifyObject(IDestination, one)

    def test_once_a_second(self) -> None:
        """The lines of a second are written together."""
        for line in "abc":
            self.sink.write(line)
            self.clock.advance(0.25)
        self.assertEqual(self.paper.written, [])
        self.clock.advance(0.25)
        self.assertEqual(self.paper.written, [b"a\nb\nc\n"])

    def test_many(self) -> None:
        """Many lines do not wait until they are too many to be written at once."""
        for _ in range(5):
            self.sink.write("x" * 100_000)
        self.assertEqual([len(octets) for octets in self.paper.written], [300_003])

    def test_nothing(self) -> None:
        """Where nothing is said, nothing is written, and nobody waits."""
        self.clock.advance(9)
        self.assertEqual((self.paper.written, self.clock.getDelayedCalls()), ([], []))

    def test_stop(self) -> None:
        """At the end, everything is written."""
        self.sink.write("a")
        self.sink.stopService()
        self.assertEqual((self.paper.written, self.paper.is_open), ([b"a\n"], False))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_before_the_start(self) -> None:
        """Lines from before the start are kept, and nothing is opened for them."""
        paper = Paper()
        sink = BufferedSink(paper, self.clock)
        sink.write("a")
        sink.flush()
        self.assertEqual((paper.written, self.clock.getDelayedCalls()), ([], []))
        sink.startService()
        self.assertEqual(paper.written, [b"a\n"])

    def test_surrogates(self) -> None:
        """No text is impossible to write."""
        self.sink.write("\udcff")
        self.sink.flush()
        self.assertEqual(self.paper.written, [b"\\udcff\n"])

    def test_no_room(self) -> None:
        """What could not be written goes first the next time."""
        self.paper.room = 3
        self.sink.write("abcd")
        self.clock.advance(1)
        self.paper.room = 99
        self.sink.write("e")
        self.clock.advance(1)
        self.assertEqual(b"".join(self.paper.written), b"abcd\ne\n")

    def test_bounded(self) -> None:
        """A reader that has stopped costs lines, not memory, and is told how many."""
        self.paper.room = 0
        for _ in range(10):
            self.sink.write("x" * MIB)
        self.assertEqual(self.sink.dropped, 6)
        self.paper.room = 1 << 40
        self.sink.flush()
        self.sink.write("a")
        self.sink.flush()
        self.assertIn(b'a\ntime=1970-01-01T00:00:01.000Z app=trickster level=warn '
                      b'event="log lines were dropped" count=6\n',
                      self.paper.written[-1].replace(b"00.000Z", b"01.000Z"))

    def test_full_disk(self) -> None:
        """Lines that cannot be written are lost and counted; the program goes on."""
        self.paper.error = OSError(28, "No space left on device")
        self.sink.write("a")
        self.clock.advance(1)
        self.assertEqual(self.sink.dropped, 1)
        self.paper.error = None
        self.sink.write("b")
        self.clock.advance(1)
        self.assertIn(b"count=1", self.paper.written[0])


class RotatedFileTests(SynchronousTestCase):
    """A log file."""

    def setUp(self) -> None:
        """Open one that is put aside after ten octets."""
        self.path = Path(self.mktemp())
        self.file = RotatedFile(str(self.path), 10, 2)
        self.file.open()
        self.addCleanup(self.file.close)

    def test_appends(self) -> None:
        """What there was before is kept."""
        self.file.write(b"1\n")
        self.file.close()
        self.file.open()
        self.file.write(b"2\n")
        self.assertEqual(self.path.read_bytes(), b"1\n2\n")

    def test_put_aside(self) -> None:
        """Large files are put aside, and only so many of them are kept."""
        for digit in b"1234":
            self.file.write(bytes([digit]) * 11)
        names = sorted(path.name for path in self.path.parent.iterdir())
        name = self.path.name
        self.assertEqual(names, [name, f"{name}.1", f"{name}.2"])
        self.assertEqual(self.path.read_bytes(), b"4" * 11)

    def test_moved_away(self) -> None:
        """When somebody else moves the file away, a new one is begun."""
        self.file.write(b"1\n")
        self.path.rename(f"{self.path}.moved")
        self.file.write(b"2\n")
        self.assertEqual(self.path.read_bytes(), b"2\n")

    def test_cannot_be_opened(self) -> None:
        """A directory that is not there is found out at the start."""
        self.assertRaises(OSError, RotatedFile("/nonexistent/x.log").open)


class StreamTests(SynchronousTestCase):
    """A pipe that somebody reads, or not."""

    def setUp(self) -> None:
        """Make a pipe."""
        self.reader, writer = os.pipe()
        self.addCleanup(os.close, self.reader)
        self.stream = Stream(writer)
        self.stream.open()
        os.close(writer)
        self.addCleanup(self.stream.close)

    def test_written(self) -> None:
        """What is written can be read."""
        self.assertEqual(self.stream.write(b"abc\n"), b"")
        self.assertEqual(os.read(self.reader, 99), b"abc\n")

    def test_full(self) -> None:
        """A full pipe takes what it has room for, and nobody waits for it."""
        octets = os.urandom(MIB)
        rest = self.stream.write(octets)
        taken = os.read(self.reader, MIB)
        self.assertTrue(0 < len(rest) < MIB)
        self.assertEqual(taken + rest, octets)

    def test_file(self) -> None:
        """A file takes everything."""
        path = Path(self.mktemp())
        with path.open("wb") as file:
            stream = Stream(file.fileno())
            stream.open()
        self.assertEqual(stream.write(b"x" * MIB), b"")
        stream.close()
        self.assertEqual(path.stat().st_size, MIB)

    def test_closed_twice(self) -> None:
        """Closing again does nothing."""
        self.stream.close()
        self.stream.close()


class OtherTests(SynchronousTestCase):
    """Where else lines may go."""

    def test_publisher(self) -> None:
        """Lines may be events of Twisted's log; braces in them mean nothing."""
        with capturedLogs() as events:
            PublisherSink(Logger("trickster.access")).write("uri=/{x}")
        self.assertEqual((events[0]["log_level"], events[0]["line"]), (LogLevel.info, "uri=/{x}"))

    def test_destination(self) -> None:
        """Standard output and error are streams, all else is a file."""
        self.assertEqual([getattr(destination(path), "number", None)
                          for path in ("", "-", "/dev/stdout", "/dev/stderr", "/x.log")],
                         [1, 1, 1, 2, None])
