"""Tests of C{trickster.observability.logging.unblocked}."""

from __future__ import annotations

import io
import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.logging.doubles import Paper
from trickster.observability.logging.unblocked import UnblockedFile, unblocked

MIB = 1 << 20


class UnblockedFileTests(SynchronousTestCase):
    """A file for Twisted's own logs."""

    def setUp(self) -> None:
        """Make one."""
        self.clock, self.paper = Clock(), Paper()
        self.file = UnblockedFile(self.paper, self.clock)

    def test_at_once(self) -> None:
        """Text for which there is room is written at once, and in full."""
        self.assertEqual(self.file.write("a\u20ac\udcff\n"), 4)
        self.file.flush()
        self.assertEqual(self.paper.written, ["a\u20ac\\udcff\n".encode()])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_observer(self) -> None:
        """Twisted's observers take it for a file of text."""
        self.assertTrue(self.file.writable())
        textFileLogObserver(self.file)({"log_format": "hello", "log_time": 0.0})
        self.assertIn(b"hello", b"".join(self.paper.written))

    def test_later(self) -> None:
        """The rest of a text is written when there is room, in order."""
        self.paper.room = 2
        self.file.write("abc")
        self.paper.room = 0
        self.file.write("def")
        self.clock.advance(1)
        self.paper.room = 99
        self.clock.advance(1)
        self.assertEqual(b"".join(self.paper.written), b"abcdef")

    def test_dropped(self) -> None:
        """Text beyond the bound is dropped, which is noted when there is room."""
        self.paper.room = 0
        for _ in range(10):
            self.file.write("x" * MIB)
        self.assertEqual(self.file.dropped, 6)
        self.paper.room = 1 << 40
        with capturedLogs() as events:
            self.clock.advance(1)
        self.assertEqual([formatEvent(event) for event in events],
                         ["log lines were dropped: 6"])
        self.assertEqual((self.file.dropped, len(b"".join(self.paper.written))), (0, 4 * MIB))

    def test_gone(self) -> None:
        """A pipe that was closed costs lines, and nothing else."""
        self.paper.error = BrokenPipeError()
        self.file.write("a")
        self.assertEqual(self.file.dropped, 1)

    def test_within_itself(self) -> None:
        """Text that a signal's handler writes during a write comes after the text being written."""
        file, written = self.file, []

        class Interrupted(Paper):
            def write(self, octets: bytes) -> bytes:
                if not written:
                    written.append(octets)
                    file.write("b")
                else:
                    written.append(octets)
                return b""

        file._destination = Interrupted()
        file.write("a")
        self.clock.advance(1)
        self.assertEqual(written, [b"a", b"b"])


class UnblockedTests(SynchronousTestCase):
    """Any file of the system may be made so."""

    def test_pipe(self) -> None:
        """A pipe that is not read does not block the writer."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with os.fdopen(writer, "w") as pipe:
            file = unblocked(pipe, Clock())
            self.addCleanup(file._destination.close)
        file.write("x" * MIB)
        self.assertEqual(set(os.read(reader, MIB)), {ord("x")})

    def test_what_was_written_before(self) -> None:
        """Text that was written before the file was made unblocked comes first."""
        path = Path(self.mktemp())
        with path.open("w") as plain:
            plain.write("1")
            file = unblocked(plain, Clock())
            self.addCleanup(file._destination.close)
            file.write("2")
        self.assertEqual(path.read_text(), "12")

    def test_no_file_of_the_system(self) -> None:
        """A file in memory stays as it is."""
        memory = io.StringIO()
        self.assertIs(unblocked(memory, Clock()), memory)
