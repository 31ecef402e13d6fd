"""Tests of C{trickster.stores.filesystem.value_file}."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.value_file import (
    FIRST_OCTETS,
    Place,
    date_of,
    header,
    needed,
    octets_on_disk,
    read_header,
)

KEYS = st.text() | st.text(st.characters(codec=None), max_size=50)


def read(octets: bytes) -> tuple[str, float, bytes] | None:
    """:return: key, deadline and value in a file; None where it has none."""
    found = read_header(octets, len(octets))
    if found is None or not found.is_of(octets[found.start:found.start + found.length]):
        return None
    return found.key, found.deadline, octets[found.start:found.start + found.length]


class ValueFileTests(SynchronousTestCase):
    """The octets of a file."""

    @given(KEYS, st.binary(), st.floats(allow_nan=False))
    def test_round_trip(self, key: str, value: bytes, deadline: float) -> None:
        """Key, value and deadline are read as they were written, whatever they are."""
        octets = header(key, value, deadline) + value
        self.assertEqual(read(octets), (key, deadline, value))
        self.assertEqual(needed(octets[:FIRST_OCTETS]), len(octets) - len(value))

    def test_every_octet_counts(self) -> None:
        """A file of which any bit is another one has no value."""
        octets = header("key", b"value", 7.0) + b"value"
        for place in range(len(octets)):
            for bit in range(8):
                changed = bytearray(octets)
                changed[place] ^= 1 << bit
                self.assertIsNone(read(bytes(changed)))

    def test_cut_off(self) -> None:
        """A file of which a part is missing, or that goes on, has no value."""
        octets = header("key", b"value", 7.0) + b"value"
        for length in range(len(octets)):
            self.assertIsNone(read(octets[:length]))
        self.assertIsNone(read(octets + b"\x00"))

    @given(st.binary(max_size=200))
    def test_anything(self, octets: bytes) -> None:
        """Any octets are read, and have no value."""
        self.assertIsNone(read(octets))
        self.assertIsNone(read(header("a", b"", 1.0)[:4] + octets))

    def test_no_time_at_all(self) -> None:
        """A deadline that is no date is none; one that never comes is."""
        self.assertIsNone(read(header("a", b"", float("nan"))))
        self.assertEqual(read(header("a", b"", inf)), ("a", inf, b""))

    def test_places(self) -> None:
        """Keys that differ have places that differ, with names that are safe on any system."""
        places = {Place.of(key) for key in ("", "a", "A", "/", "..", "\ud800", "a\x00")}
        self.assertEqual(len(places), 7)
        for place in places:
            self.assertRegex(place.name, r"\A[0-9a-f]{46}\Z")
            self.assertLess(place.shard, 256)

    def test_whole_blocks(self) -> None:
        """A file takes whole blocks, and one at least."""
        self.assertEqual([octets_on_disk(size) for size in (0, 1, 4096, 4097)],
                         [4096, 4096, 4096, 8192])

    def test_date(self) -> None:
        """The date of a file is that of its writing, to the second, and differs by content."""
        dates = {date_of(header("a", value, 1.0), 1_700_000_000.9) for value in (b"1", b"2")}
        self.assertEqual(len(dates), 2)
        self.assertEqual({date // 10**9 for date in dates}, {1_700_000_000})
