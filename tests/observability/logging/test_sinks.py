"""Tests of C{trickster.observability.logging.sinks}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observability.logging.doubles import Paper
from trickster.observability.logging.destinations import IDestination, RotatedFile, Stream
from trickster.observability.logging.lines import ILineSink
from trickster.observability.logging.sinks import BufferedSink, PublisherSink

MIB = 1 << 20


class BufferedSinkTests(SynchronousTestCase):
    """Lines are buffered for up to a second."""

    def setUp(self) -> None:
        """Start a sink."""
        self.clock, self.paper = Clock(), Paper()
        self.sink = BufferedSink(self.paper, self.clock)
        self.sink.startService()

    def test_provides(self) -> None:
        """A buffered sink provides C{ILineSink}, and files and streams provide C{IDestination}."""
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
        """Without lines nothing is written, and no call is scheduled."""
        self.clock.advance(9)
        self.assertEqual((self.paper.written, self.clock.getDelayedCalls()), ([], []))

    def test_stop(self) -> None:
        """All lines are written when the sink stops."""
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
        """A text with lone surrogates can be written."""
        self.sink.write("\udcff")
        self.sink.flush()
        self.assertEqual(self.paper.written, [b"\\udcff\n"])

    def test_no_room(self) -> None:
        """Lines for which there was no room are written first the next time."""
        self.paper.room = 3
        self.sink.write("abcd")
        self.clock.advance(1)
        self.paper.room = 99
        self.sink.write("e")
        self.clock.advance(1)
        self.assertEqual(b"".join(self.paper.written), b"abcd\ne\n")

    def test_bounded(self) -> None:
        """A reader that has stopped costs lines, not memory, and a line counts the lost ones."""
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

    def test_dropped_is_told(self) -> None:
        """Dropped lines are counted in a line as soon as there is room, without further lines."""
        self.paper.room = 0
        for _ in range(5):
            self.sink.write("x" * MIB)
        self.paper.room = 1 << 40
        self.clock.pump([1.0, 1.0])
        self.assertIn(b'event="log lines were dropped" count=1\n', self.paper.written[-1])
        self.assertEqual((self.sink.dropped, self.clock.getDelayedCalls()), (0, []))

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

    def test_broken_pipe(self) -> None:
        """Lines that waited for room are counted as well when it turns out that none will come."""
        self.paper.room = 3
        self.sink.write("abcd")
        self.sink.write("efgh")
        self.clock.advance(1)
        self.paper.error = BrokenPipeError(32, "Broken pipe")
        self.sink.write("i")
        self.clock.advance(1)
        self.assertEqual(self.sink.dropped, 3)

    def test_full_disk_for_long(self) -> None:
        """The count of lost lines stays right, however long a disk is full, and ends its timer."""
        self.paper.error = OSError(28, "No space left on device")
        for _ in range(3):
            self.sink.write("a")
            self.clock.pump([1.0] * 5)
        self.assertEqual(self.sink.dropped, 3)
        self.paper.error = None
        self.clock.advance(1)
        self.assertIn(b"count=3", self.paper.written[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OtherTests(SynchronousTestCase):
    """Lines may go to Twisted's log."""

    def test_publisher(self) -> None:
        """A line may be an event of Twisted's log, in which braces mean nothing."""
        with capturedLogs() as events:
            PublisherSink(Logger("trickster.access")).write("uri=/{x}")
        self.assertEqual((events[0]["log_level"], events[0]["line"]), (LogLevel.info, "uri=/{x}"))
