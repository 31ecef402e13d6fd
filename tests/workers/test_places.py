"""Tests of L{trickster.workers.places}."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from stat import S_IMODE

from tests.compose.logged import LoggedTestCase
from trickster.workers.places import Places, free_octets, usual_places

MIB = 1 << 20
LEFT = "trickster-workers-left"


class PlacesCase(LoggedTestCase):
    """Has two places in which directories may be."""

    def setUp(self) -> None:
        """Make them."""
        super().setUp()
        self.first, self.second = (Path(self.mktemp()).absolute() for _ in range(2))
        for place in (self.first, self.second):
            place.mkdir()

    def places(self, free: Mapping[Path, int] | None = None) -> Places:
        """
        :param free: octets; as many as one likes in either where None.
        :return: the directory of a supervisor, which is closed with the test.
        """
        def octets(place: str) -> int:
            return 1 << 40 if free is None else free[Path(place)]

        made = Places(lambda: (str(self.first), str(self.second)), octets)
        self.addCleanup(made.close)
        return made

    def opened(self, free: Mapping[Path, int] | None = None, needed: int = 0) -> Path:
        """:return: the directory that is made."""
        places = self.places(free)
        places.open(needed)
        return places.directory

    def left(self, name: str = LEFT, lock: str = "lock") -> Path:
        """:return: a directory that a supervisor has left."""
        made = self.first / name
        made.mkdir()
        for each in ("memory", lock):
            (made / each).write_bytes(b"x")
        return made


class DirectoryTests(PlacesCase):
    """The directory of a supervisor."""

    def test_private(self) -> None:
        """The directory is one that only the user of the process can enter."""
        made = self.opened()
        self.assertEqual(made.parent, self.first)
        self.assertTrue(made.name.startswith("trickster-workers-"))
        self.assertEqual(S_IMODE(made.stat().st_mode), 0o700)

    def test_closed(self) -> None:
        """The directory is removed with all that is in it, and closing it again is harmless."""
        places = self.places()
        places.close()
        places.open(0)
        made = places.directory
        (made / "memory").write_bytes(b"x")
        (made / "more").mkdir()
        for _ in range(2):
            places.close()
            self.assertEqual(list(self.first.iterdir()), [])

    def test_removed_by_others(self) -> None:
        """A directory that others have removed can be closed, and another one opened."""
        places = self.places()
        places.open(0)
        (places.directory / "lock").unlink()
        places.directory.rmdir()
        places.close()
        places.open(0)
        self.assertTrue(places.directory.is_dir())

    def test_descriptors(self) -> None:
        """No descriptor stays open, however often a directory is opened and closed."""
        before = len(os.listdir("/proc/self/fd"))
        places = self.places()
        for _ in range(3):
            self.left()
            places.open(0)
            places.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_nowhere(self) -> None:
        """Where there is no place for a directory, that is an L{OSError}."""
        for place in (self.first, self.second):
            place.rmdir()
        self.assertRaises(FileNotFoundError, self.places().open, 0)

    def test_usual(self) -> None:
        """The usual places are memory first, and the directory for temporary files then."""
        self.assertEqual(usual_places(), ("/dev/shm", tempfile.gettempdir()))
        self.assertGreater(free_octets(str(self.first)), 0)
        self.assertRaises(OSError, free_octets, str(self.first / "none"))


class RoomTests(PlacesCase):
    """Where the directory is, by the room that there is."""

    def test_first(self) -> None:
        """The first place is taken where it has room, with a quarter more than caches may take."""
        self.assertEqual(self.opened({self.first: 5 * MIB, self.second: 9 * MIB}, 4 * MIB).parent,
                         self.first)
        self.assertEqual(self.logged(), [])

    def test_second(self) -> None:
        """The second place is taken where the first one has not enough room."""
        made = self.opened({self.first: 5 * MIB - 1, self.second: 9 * MIB}, 4 * MIB)
        self.assertEqual((made.parent, self.logged()), (self.second, []))

    def test_too_little(self) -> None:
        """Where no place has enough room, the one with most is taken, and that is told."""
        made = self.opened({self.first: 3 * MIB, self.second: 2 * MIB}, 4 * MIB)
        self.assertEqual(made.parent, self.first)
        [line] = self.logged()
        self.assertIn(f"may take 5 MiB, and {self.first} has room for 3 MiB", str(line))

    def test_absent(self) -> None:
        """A place that is not there, or may not be written, is none."""
        self.first.rmdir()
        self.assertEqual(self.opened({self.second: 1}).parent, self.second)

    def test_unknown(self) -> None:
        """A place that does not tell how much room it has is none."""
        def octets(place: str) -> int:
            if place == str(self.first):
                raise OSError("cannot be told")
            return 0

        places = Places(lambda: (str(self.first), str(self.second)), octets)
        self.addCleanup(places.close)
        places.open(0)
        self.assertEqual(places.directory.parent, self.second)


class LeftTests(PlacesCase):
    """Directories that supervisors have left which were killed."""

    def test_removed(self) -> None:
        """A directory whose lock is free is removed by the next supervisor, in each place."""
        left = [self.left(), self.left(f"{LEFT}2"),
                self.left(f"{LEFT}3").rename(self.second / LEFT)]
        self.opened()
        self.assertEqual([each.exists() for each in left], [False] * 3)

    def test_in_use(self) -> None:
        """A directory whose lock is held is kept, and so is that of another supervisor."""
        other, left = self.opened(), self.left()
        with (left / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.opened()
        self.assertTrue((left / "memory").exists())
        self.assertTrue(other.is_dir())

    def test_foreign(self) -> None:
        """A directory of another user is not touched."""
        left = self.left()
        self.patch(os, "geteuid", lambda: 4_000_000_000)
        self.opened()
        self.assertTrue((left / "memory").exists())

    def test_links(self) -> None:
        """What links to something of ours is not followed: neither a directory nor a lock."""
        precious = self.second / "precious"
        precious.mkdir()
        for name in ("lock", "memory"):
            (precious / name).touch()
        (self.first / f"{LEFT}-1").symlink_to(precious)
        tricky = self.first / f"{LEFT}-2"
        tricky.mkdir()
        (tricky / "lock").symlink_to(precious / "lock")
        self.opened()
        self.assertEqual(sorted(each.name for each in precious.iterdir()), ["lock", "memory"])

    def test_others(self) -> None:
        """What is no directory of a supervisor is not touched: no file, and no other name."""
        file, other = self.first / LEFT, self.left("trickster-other")
        file.touch()
        self.opened()
        self.assertTrue(file.exists())
        self.assertTrue((other / "memory").exists())

    def test_one_of_several(self) -> None:
        """One that cannot be removed keeps none of the others."""
        (self.first / f"{LEFT}-1").mkdir()
        left = [self.left(f"{LEFT}-{number}") for number in (2, 3)]
        self.opened()
        self.assertEqual([each.exists() for each in left], [False] * 2)

    def test_killed_again(self) -> None:
        """A lock is what is removed last: a supervisor that is killed before leaves it."""
        left, removed = self.left(), []
        unlink = Path.unlink

        def noting(path: Path) -> None:
            removed.append(path.name)
            unlink(path)

        self.patch(Path, "unlink", noting)
        self.opened()
        self.assertEqual(removed, ["memory", "lock"])
        self.assertFalse(left.exists())
