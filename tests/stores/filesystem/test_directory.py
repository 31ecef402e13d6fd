"""Tests of C{trickster.stores.filesystem.directory}."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.directory import OWN, Directory, MissingShard, UnsafeDirectory


def mode(path: Path) -> int:
    """:return: the bits of who may do what."""
    return stat.S_IMODE(path.lstat().st_mode)


class DirectoryTests(SynchronousTestCase):
    """Where the files are."""

    def setUp(self) -> None:
        """Name a directory that is not there."""
        self.base = Path(self.mktemp(), "cache").absolute()
        self.base.parent.mkdir(mode=0o700)
        self.directory = Directory(str(self.base))

    def refused(self) -> str:
        """:return: why the directory is not to be trusted."""
        with self.assertRaises(UnsafeDirectory) as caught:
            self.directory.check()
        return str(caught.exception)

    def test_made(self) -> None:
        """What is missing is made, its parents too, for no other user to look into."""
        self.base = self.base / "a" / "b"
        self.directory = Directory(f"{self.base}/")
        self.directory.check()
        with self.directory.shard(7, make=True) as shard:
            self.assertTrue(stat.S_ISDIR(os.fstat(shard.fd).st_mode))
        self.assertEqual([mode(path) for path in (
            self.base, self.base / OWN, self.base / OWN / "07")], [0o700] * 3)
        self.assertEqual(self.directory.shards(), [7])

    def test_nothing_made_by_reading(self) -> None:
        """To look for values makes no directory for them."""
        with self.assertRaises(MissingShard), self.directory.shard(7):
            self.fail("there is none")
        self.assertEqual(self.directory.shards(), [])

    def test_link(self) -> None:
        """A symbolic link in the place of the directory is refused, wherever it leads."""
        other = self.base.parent / "other"
        other.mkdir()
        for target in (other, self.base.parent / "nowhere"):
            self.base.unlink(missing_ok=True)
            self.base.symlink_to(target)
            self.assertIn("is a symbolic link", self.refused())
        self.assertEqual(list(other.iterdir()), [])

    def test_own_link(self) -> None:
        """So is one in the place of what is the store's own in it."""
        other = self.base.parent / "other"
        other.mkdir(mode=0o700)
        self.base.mkdir()
        (self.base / OWN).symlink_to(other)
        self.assertIn("is a symbolic link", self.refused())

    def test_shard_link(self) -> None:
        """A link in the place of a shard is not followed: it is removed by the first write."""
        other = self.base.parent / "other"
        other.mkdir()
        self.directory.check()
        (self.base / OWN / "07").symlink_to(other)
        with self.assertRaises(MissingShard), self.directory.shard(7):
            self.fail("it was followed")
        with self.directory.shard(7, make=True) as shard:
            self.assertFalse(os.path.samestat(os.fstat(shard.fd), other.stat()))

    def test_shard_file(self) -> None:
        """So is a file."""
        self.directory.check()
        (self.base / OWN / "07").write_bytes(b"")
        with self.directory.shard(7, make=True):
            self.assertTrue((self.base / OWN / "07").is_dir())

    def test_others_may_write(self) -> None:
        """A directory that all may write to is refused, and one of the store's own that a group may."""
        for path, bits in ((self.base, 0o777), (self.base, 0o1777), (self.base / OWN, 0o770)):
            path.mkdir(exist_ok=True)
            path.chmod(bits)
            self.assertIn(f"{path} may be written by others: its mode is {bits:o}",
                          self.refused())
            path.chmod(0o700)
        self.base.chmod(0o775)
        self.directory.check()

    def test_of_another_user(self) -> None:
        """A directory of another user is refused."""
        if os.geteuid() != 0:
            raise SkipTest("only root can give a directory away")
        for path in (self.base, self.base / OWN):
            path.mkdir(mode=0o700, exist_ok=True)
            os.chown(path, 65534, 0)
            self.assertIn(f"{path} belongs to user 65534", self.refused())
            os.chown(path, 0, 0)
        self.directory.check()

    def test_in_a_file(self) -> None:
        """Where there can be no directory, the error of the system names the path."""
        self.base.write_bytes(b"")
        for base in (self.base, self.base / "a"):
            with self.assertRaises(OSError) as caught, Directory(str(base)).opened():
                self.fail("it was opened")
            self.assertIn(str(self.base), str(caught.exception))

    def test_removed_meanwhile(self) -> None:
        """What is removed is made anew by the next one who needs it."""
        with self.directory.shard(7, make=True):
            (self.base / OWN / "07").rmdir()
            (self.base / OWN).rmdir()
            self.base.rmdir()
        with self.directory.shard(7, make=True):
            self.assertTrue((self.base / OWN / "07").is_dir())

    def test_no_descriptors_left(self) -> None:
        """All that is opened is closed, where it is refused too."""
        self.directory.check()
        before = os.listdir("/proc/self/fd")
        with self.directory.shard(7, make=True):
            pass
        with self.assertRaises(MissingShard), self.directory.shard(8):
            pass
        (self.base / OWN).chmod(0o777)
        self.refused()
        self.base.chmod(0o777)
        self.refused()
        self.assertEqual(os.listdir("/proc/self/fd"), before)
