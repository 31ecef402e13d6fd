"""Tests of C{trickster.stores.filesystem.files}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.files import Damaged, move, read, read_head, read_whole, write
from trickster.stores.filesystem.value_file import header


class FilesTests(SynchronousTestCase):
    """Files in a directory."""

    def setUp(self) -> None:
        """Open a directory."""
        self.path = Path(self.mktemp()).absolute()
        self.path.mkdir()
        self.fd = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, self.fd)

    def put(self, key: str, value: bytes) -> None:
        """Write a value, and put it in its place."""
        move(self.fd, write(self.fd, "a", (header(key, value, 7.0), value), 10**9), "a")

    def test_round_trip(self) -> None:
        """What is written is read, whatever its size and that of its key; its header alone, too."""
        for size in (0, 1, 4000, 4096, 131_000, 131_072, 1 << 20):
            for key in ("", "k" * 4096, "k" * 65_536):
                self.put(key, b"x" * size)
                found, head = read(self.fd, "a"), read_head(self.fd, "a")
                assert found is not None and head is not None
                self.assertEqual((found.header.key, found.value), (key, b"x" * size))
                self.assertEqual((head.header, head.value), (found.header, b""))
        self.assertEqual(os.listdir(self.path), ["a"])

    def test_date(self) -> None:
        """A file has the date that it is given."""
        self.put("a", b"")
        self.assertEqual((self.path / "a").stat().st_mtime_ns, 10**9)

    def test_not_written(self) -> None:
        """Of what cannot be written, nothing is left."""
        with self.assertRaises(OverflowError):
            write(self.fd, "a", (b"1", b"2"), 10**40)
        self.assertEqual(os.listdir(self.path), [])

    def test_name_is_taken(self) -> None:
        """A file that another one has left half-written is in the way of none."""
        names = {write(self.fd, "a", (b"1", b"2"), 10**9) for _ in range(3)}
        self.assertEqual(sorted(os.listdir(self.path)), sorted(names))
        self.assertEqual(len(names), 3)

    def test_nothing(self) -> None:
        """Where there is no file, there is nothing."""
        self.assertEqual([read(self.fd, "a"), read_head(self.fd, "a"),
                          read_whole(self.fd, "a", 10)], [None] * 3)

    def test_whole(self) -> None:
        """A file of any form is read up to a size."""
        (self.path / "a").write_bytes(b"12345")
        self.assertEqual([read_whole(self.fd, "a", most) for most in (5, 4)], [b"12345", None])

    def test_no_value(self) -> None:
        """A file without a value is a damaged one, told from that which takes its place."""
        (self.path / "a").write_bytes(b"12345")
        for reading in (read, read_head):
            with self.assertRaises(Damaged) as caught:
                reading(self.fd, "a")
            found = (self.path / "a").stat()
            self.assertEqual(caught.exception.stamp,
                             (found.st_ino, found.st_mtime_ns, found.st_size))
