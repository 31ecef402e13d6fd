"""Tests of C{trickster.stores.filesystem.beginnings}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.beginnings import LENGTH, Beginnings


class BeginningsTests(SynchronousTestCase):
    """How values begin."""

    def setUp(self) -> None:
        """Have a file of a value."""
        self.path = Path(self.mktemp()).absolute()
        self.path.write_bytes(b"")
        self.beginnings = Beginnings(2)
        self.note("a", b"x" * 100)

    def note(self, key: str, value: bytes) -> None:
        """Note a value as it is now, for ten seconds."""
        self.beginnings.note(key, str(self.path), self.path.lstat(), (10.0, value))

    def test_unchanged(self) -> None:
        """Of a file that is as it was, so many octets are known, and no more than are kept."""
        self.assertEqual([self.beginnings.get("a", length, 9.0) for length in (0, 5, LENGTH)],
                         [b"", b"xxxxx", b"x" * LENGTH])
        self.assertIsNone(self.beginnings.get("a", LENGTH + 1, 9.0))

    def test_short(self) -> None:
        """A value that is shorter is known whole."""
        self.note("a", b"xy")
        self.assertEqual(self.beginnings.get("a", 1000, 9.0), b"xy")

    def test_over(self) -> None:
        """After its time, a value begins with nothing."""
        self.assertIsNone(self.beginnings.get("a", 5, 10.0))

    def test_changed(self) -> None:
        """A file that has changed in any way, or is gone, is not known."""
        for change in (lambda: self.path.write_bytes(b"1"), lambda: os.utime(self.path, (1, 1)),
                       lambda: self.path.chmod(0o400), self.replace, self.path.unlink):
            self.note("a", b"x")
            self.assertIsNotNone(self.beginnings.get("a", 5, 9.0))
            change()
            self.assertIsNone(self.beginnings.get("a", 5, 9.0))

    def replace(self) -> None:
        """Put a file with the same dates and size in the place of the file."""
        found, other = self.path.stat(), self.path.with_suffix(".other")
        other.write_bytes(b"2")
        os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
        other.replace(self.path)

    def test_bounded(self) -> None:
        """The beginnings of so many values are kept, of those that were noted last."""
        for key in "bca":
            self.note(key, b"x")
        self.assertEqual([self.beginnings.get(key, 5, 9.0) for key in "abc"], [b"x", None, b"x"])

    def test_unreadable(self) -> None:
        """Where the directory cannot be read, that is an error of the system."""
        self.beginnings.note("a", f"{self.path.parent}/{'x' * 300}", self.path.lstat(),
                             (10.0, b"x"))
        self.assertRaises(OSError, self.beginnings.get, "a", 5, 9.0)
