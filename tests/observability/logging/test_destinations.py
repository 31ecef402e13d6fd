"""Tests of C{trickster.observability.logging.destinations}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from trickster.observability.logging.destinations import RotatedFile, Stream, destination

MIB = 1 << 20


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
        """When another program moves the file away, a new one is begun."""
        self.file.write(b"1\n")
        self.path.rename(f"{self.path}.moved")
        self.file.write(b"2\n")
        self.assertEqual(self.path.read_bytes(), b"2\n")

    def test_emptied(self) -> None:
        """When something else empties the file, as copytruncate does, there is no hole in it."""
        self.file.write(b"12345\n")
        os.truncate(self.path, 0)
        self.file.write(b"2\n")
        self.assertEqual(self.path.read_bytes(), b"2\n")

    def test_emptied_is_not_large(self) -> None:
        """A file that was emptied is large only when it is so again."""
        self.file.write(b"x" * 11)
        os.truncate(self.path, 0)
        self.file.write(b"2\n")
        self.assertEqual([path.name for path in self.path.parent.iterdir()], [self.path.name])

    def test_cannot_be_put_aside(self) -> None:
        """A file that cannot be put aside grows on."""
        self.file.write(b"x" * 11)
        Path(f"{self.path}.1").touch()
        Path(f"{self.path}.2").mkdir()
        self.file.write(b"2\n")
        self.assertEqual(self.path.read_bytes(), b"x" * 11 + b"2\n")

    def test_pipe(self) -> None:
        """A named pipe takes what it has room for; what is not read is not waited for."""
        path = self.mktemp()
        os.mkfifo(path)
        file = RotatedFile(path)
        file.open()
        self.addCleanup(file.close)
        self.assertEqual(file.write(b"1\n"), b"1\n")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        octets = os.urandom(MIB)
        left = file.write(octets)
        self.assertTrue(0 < len(left) < MIB)
        self.assertEqual(os.read(reader, MIB) + left, octets)

    def test_torn(self) -> None:
        """After a line that a full disk cut off, the next begins on a line of its own."""
        file = RotatedFile("/dev/full")
        file.open()
        self.assertRaises(OSError, file.write, b"1\n")
        file.path = str(self.path)
        file.write(b"2\n")
        self.addCleanup(file.close)
        self.assertEqual(self.path.read_bytes(), b"\n2\n")

    def test_cannot_be_opened(self) -> None:
        """A directory that is not there is found out at the start."""
        self.assertRaises(OSError, RotatedFile("/nonexistent/x.log").open)


class StreamTests(SynchronousTestCase):
    """A pipe that is read, or not."""

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
        """A full pipe takes what it has room for, and is not waited for."""
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


class NameTests(SynchronousTestCase):
    """Where a path leads."""

    def test_destination(self) -> None:
        """Standard output and error are streams, all else is a file."""
        self.assertEqual([getattr(destination(path), "number", None)
                          for path in ("", "-", "/dev/stdout", "/dev/stderr", "/x.log")],
                         [1, 1, 1, 2, None])
