"""Tests of C{trickster.stores.lmdb.layout}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.lmdb.layout import (
    PIECE,
    START,
    DamagedError,
    Name,
    Record,
    Written,
    entry_of,
    key_of,
    peeked,
    scan_start,
    taken,
)

# Any text, lone surrogates too, and what looks like the key of a chunk.
_TEXTS = st.text(max_size=20) | st.text(alphabet="ab~0f\ud800", max_size=8) | st.just("k" * 441)
_KEYS = st.tuples(_TEXTS, st.sampled_from(["", "~" + "0f" * 16, "~0f", "~" + "0F" * 16])).map(
    "".join) | st.tuples(_TEXTS, st.just("x" * 500), _TEXTS).map("".join)


def read_back(key: str, value: bytes) -> tuple[Record, Written]:
    """:return: what is read of a value that expires at 9, and what was written."""
    name = Name.of(key)
    written = Written.of(name, value, 9.0, 7)
    return Record.read(name.record, written.record), written


class NameTests(SynchronousTestCase):
    """What keys are called."""

    @given(_KEYS, _KEYS)
    def test_each_is_itself(self, one: str, other: str) -> None:
        """Two keys have one name only where they are equal, and LMDB takes all of them."""
        names = Name.of(one).record, Name.of(other).record
        self.assertEqual(names[0] == names[1], one == other)
        self.assertTrue(all(0 < len(name) <= 511 for name in names))

    @given(_KEYS)
    def test_read_back(self, key: str) -> None:
        """A name, with what is kept of a long key, says which key it is of."""
        name = Name.of(key)
        self.assertEqual(key_of(name.record, name.rest), key)
        self.assertEqual(entry_of(name.record), name.entry)

    @given(_KEYS, st.integers(0, 600))
    def test_prefix(self, key: str, length: int) -> None:
        """The names of all keys that begin with a prefix begin with what is scanned for it."""
        self.assertTrue(Name.of(key).record.startswith(scan_start(key[:length])))

    def test_chunks(self) -> None:
        """The names of an entry's chunks begin with its own name, and those of others do not."""
        for key in ("a", "a" * 440, "ä" * 1000):
            entry = Name.of(key)
            chunk = Name.of(f"{key}~{'0f' * 16}")
            self.assertEqual((entry.entry, chunk.entry), (entry.record, entry.record))
            self.assertTrue(chunk.record.startswith(entry.record))
            self.assertFalse(Name.of(f"{key}~0f").record.startswith(entry.record))

    def test_no_name(self) -> None:
        """Octets that are the name of no key are damage."""
        self.assertRaises(DamagedError, key_of, b"\x80\xff", b"")
        self.assertRaises(DamagedError, key_of, b"a\xff", b"\x80")
        self.assertRaises(DamagedError, entry_of, b"a")


class RecordTests(SynchronousTestCase):
    """What stands under a name."""

    @given(_KEYS, st.sampled_from([0, 1, START, 3000, PIECE, PIECE + 1, 3 * PIECE, 50_000]))
    def test_read_back(self, key: str, size: int) -> None:
        """What is written is read, in pieces or not, of which none is larger than a page."""
        value = bytes(range(251)) * (size // 251 + 1)
        record, written = read_back(key, value)
        pieces = dict(written.pieces)
        self.assertEqual(list(record.piece_names()), list(pieces))
        whole = record.whole(list(pieces.values()))
        assert whole is not None
        self.assertEqual((whole[:record.length], record.deadline, record.number), (value, 9.0, 7))
        self.assertEqual(whole[record.length:], Name.of(key).rest)
        self.assertLessEqual(max(map(len, [written.record, *pieces.values()])), PIECE)

    def test_damaged_record(self) -> None:
        """A change of any octet of a record is noticed, and so is another place."""
        name, octets = Name.of("a").record, read_back("a", b"value" * 20)[1].record
        for index in range(len(octets)):
            changed = octets[:index] + bytes([octets[index] ^ 1]) + octets[index + 1:]
            self.assertRaises(DamagedError, Record.read, name, changed)
            self.assertRaises(DamagedError, Record.read, name, octets[:index])
        self.assertRaises(DamagedError, Record.read, Name.of("b").record, octets)

    def test_damaged_piece(self) -> None:
        """A value of which a piece is missing, damaged, or another one's is none."""
        record, written = read_back("a", bytes(range(256)) * 64)
        pieces = [octets for _, octets in written.pieces]
        self.assertIsNotNone(record.whole(pieces))
        for wrong in (pieces[:-1], [*pieces[1:], pieces[0]], [b"", *pieces[1:]],
                      [pieces[0][:-1] + b"\x00", *pieces[1:]]):
            self.assertIsNone(record.whole(wrong))

    def test_peeked(self) -> None:
        """How a value begins is told until its deadline, as far as the record has it."""
        for size in (0, 10, 3000, 50_000):
            value = bytes(range(250)) * (size // 250) + b"x" * (size % 250)
            octets = memoryview(read_back("k" * 500, value)[1].record)
            for length in (1, 20, START):
                self.assertEqual(peeked(octets, 8.9, length), value[:length])
            self.assertIsNone(peeked(octets, 9.0, 20))
            self.assertIn(peeked(octets, 0.0, 1000), (value[:1000], None))
        octets = memoryview(read_back("a", b"x" * 999)[1].record)
        self.assertEqual(peeked(octets, 0, 990), b"x" * 990)

    def test_peeked_at_something_else(self) -> None:
        """Octets that are no record begin with nothing, whatever they are."""
        octets = read_back("a", b"value" * 20)[1].record
        for wrong in (b"", octets[:20], b"XXXX" + octets[4:], octets[:50]):
            self.assertIsNone(peeked(memoryview(wrong), 0.0, 40))

    def test_taken(self) -> None:
        """An entry counts for more than its octets, and for less than that half again and 1.5 KiB."""
        for size in (0, 200, 4000, 20_000, 1 << 20):
            self.assertGreater(taken(b"n" * 100, size), size)
            self.assertLess(taken(b"n" * 100, size), 1.5 * (size + 1024))
