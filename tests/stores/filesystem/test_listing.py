"""Tests of C{trickster.stores.filesystem.listing}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.listing import digest_of, listing, value_names
from trickster.stores.filesystem.value_file import Place

NAME = Place.of("a").name


class ListingTests(SynchronousTestCase):
    """What is in a directory."""

    def setUp(self) -> None:
        """Open a directory."""
        self.path = Path(self.mktemp()).absolute()
        self.path.mkdir()
        self.fd = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, self.fd)

    def test_names(self) -> None:
        """What has the name of a value is one, of whatever kind, and nothing else."""
        for name in (NAME, NAME[:-1], NAME.upper(), f"{NAME}0", "lock", "index", f"{NAME}.x.tmp"):
            (self.path / name).write_bytes(b"123")
        found = listing(self.fd, 1e9)
        self.assertEqual(list(value_names(self.fd)), [NAME])
        self.assertEqual({name: size for name, (_, _, size) in found.values.items()}, {NAME: 3})
        self.assertEqual(list(found.left), [])

    def test_places(self) -> None:
        """A name and the number of the shard tell the place."""
        self.assertEqual(digest_of(Place.of("a").shard, NAME), Place.of("a").digest)

    def test_left(self) -> None:
        """What was begun is left behind once it is old, or of a date to come."""
        for number, date in enumerate((0, 930, 950, 1000, 1050, 1100)):
            path = self.path / f"{NAME}.1f-2a-{number}.tmp"
            path.write_bytes(b"")
            os.utime(path, (date, date))
        left = sorted(int(name.split("-")[-1][0]) for name in listing(self.fd, 1000.0).left)
        self.assertEqual(left, [0, 1, 5])
