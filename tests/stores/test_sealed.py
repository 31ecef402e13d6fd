"""Tests of C{trickster.stores.sealed}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.sealed import (
    CHUNK,
    INLINE,
    MOST_CHUNKS,
    MOST_SMALL_CHUNKS,
    Chunk,
    Value,
    chunk_key,
    entry_key,
    seal,
    stamp_of,
    unsealed,
)

LARGE = b"".join(bytes([number]) * CHUNK for number in range(3)) + b"rest"


def _value(octets: bytes) -> bytes:
    return seal([octets]).placed((), 100.0, 60.0).encoded()


class SealedTests(SynchronousTestCase):
    """Entries sealed in a value and its chunks."""

    def test_small(self) -> None:
        """A small entry is in the value itself, however many parts it has."""
        value = unsealed(seal([b"head", b"", b"octets"]).placed((), 100.0, 60.0).encoded())
        self.assertEqual((value.parts, value.chunks), ((b"head", b"", b"octets"), ()))
        self.assertEqual(value.joined([]), [b"head", b"", b"octets"])

    def test_large(self) -> None:
        """A large entry is split into chunks of at most the chunk's size."""
        sealed = seal([LARGE])
        placed = sealed.placed((), 100.0, 60.0)
        value = unsealed(placed.encoded())
        self.assertEqual(value, placed)
        self.assertEqual([len(piece) for piece in sealed.pieces()], [CHUNK, CHUNK, CHUNK, 4])
        self.assertEqual(value.joined(map(bytes, sealed.pieces())), [LARGE])

    def test_entry_of_chunk(self) -> None:
        """A chunk's key tells the entry's; an entry's own key is itself, whatever is in it."""
        for key in ("a", "", "a~b", "a~" + "0" * 31):
            self.assertEqual(entry_key(chunk_key(key, Chunk(b"\0" * 16, 1, 0.0))), key)
            self.assertEqual(entry_key(key), key)

    def test_parts(self) -> None:
        """A large entry has a small first part in the value, and each other part in chunks."""
        parts = [b"head", b"one", LARGE, b"", b"two"]
        sealed = seal(parts)
        value = unsealed(sealed.placed((), 100.0, 60.0).encoded())
        self.assertEqual(value.parts[0], b"head")
        self.assertEqual([len(part) for part in value.parts[1:]], [1, 4, 0, 1])
        self.assertEqual(value.joined(map(bytes, sealed.pieces())), parts)

    def test_large_head(self) -> None:
        """A large first part is in a chunk of its own, and not in the value."""
        sealed = seal([b"h" * (INLINE + 1), b"one"])
        value = sealed.placed((), 100.0, 60.0)
        self.assertEqual([chunk.length for chunk in value.chunks], [INLINE + 1, 3])
        self.assertLess(len(value.encoded()), 1000)

    def test_chunks_missing(self) -> None:
        """Where a chunk is missing, cut, or another one's, there is no entry."""
        sealed = seal([LARGE])
        value = sealed.placed((), 100.0, 60.0)
        pieces: list[bytes | None] = [bytes(piece) for piece in sealed.pieces()]
        for wrong in (None, b"", LARGE[:CHUNK - 1], pieces[1]):
            self.assertIsNone(value.joined([wrong, *pieces[1:]]))
        self.assertIsNone(value.joined(pieces[:-1]))

    def test_too_many_chunks(self) -> None:
        """A value that claims more chunks than are ever put is none."""
        chunk = Chunk(bytes(16), CHUNK, 1e9)
        self.assertEqual(len(unsealed(Value(((chunk,) * MOST_CHUNKS,)).encoded()).chunks),
                         MOST_CHUNKS)
        for parts in (((chunk,) * (MOST_CHUNKS + 1),), ((chunk,) * MOST_CHUNKS, (chunk,))):
            self.assertRaises(ValueError, unsealed, Value(parts).encoded())

    def test_too_many_small_chunks(self) -> None:
        """However small chunks are, there is an end to how many of them an entry has."""
        chunk = Chunk(bytes(16), 4096, 1e9)
        for count, is_too_large in ((MOST_SMALL_CHUNKS, False), (MOST_SMALL_CHUNKS + 1, True)):
            value = Value(((chunk,) * count,))
            self.assertIs(value.is_too_large, is_too_large)
        self.assertRaises(ValueError, unsealed, value.encoded())

    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.integers(1, 50),
           st.integers(0, 5))
    def test_any_chunk(self, parts: list[bytes], most: int, whole: int) -> None:
        """However an entry is cut, no chunk of it is larger than it may be, and it is read whole."""
        sealed = seal(parts, most, whole)
        value = unsealed(sealed.placed((), 100.0, 60.0).encoded())
        self.assertEqual(value.joined(map(bytes, sealed.pieces())), parts)
        self.assertTrue(all(0 < len(piece) <= most for piece in sealed.pieces()))
        self.assertEqual(value.parts[0], parts[0])
        is_whole = (not whole or len(parts) <= whole) and max(map(len, parts[1:]), default=0) <= most
        self.assertIs(all(isinstance(part, bytes) for part in value.parts[1:]),
                      is_whole or len(parts) == 1)

    def test_large_head_in_small_chunks(self) -> None:
        """The first part is no piece of what the others are: only its own size counts."""
        value = seal([b"h" * (INLINE + 1), b"one"], 2).placed((), 100.0, 60.0)
        self.assertEqual([[chunk.length for chunk in part] for part in value.chunked],
                         [[INLINE + 1], [2, 1]])

    def test_keys_of_chunks(self) -> None:
        """The key of a chunk begins as that of its entry, and tells its content."""
        chunks = seal([LARGE]).placed((), 100.0, 60.0).chunks
        keys = {chunk_key("backend.key", chunk) for chunk in chunks}
        self.assertEqual(len(keys), 4)
        self.assertTrue(all(key.startswith("backend.key~") for key in keys))

    def test_held(self) -> None:
        """A chunk that is held is used again, if it is kept for as long as the entry."""
        before = seal([LARGE]).placed((), 100.0, 60.0).chunks
        after = seal([LARGE + b"more"]).placed(before, 150.0, 60.0).chunks
        self.assertEqual(after[:3], before[:3])
        self.assertNotEqual(after[3], before[3])
        late = seal([LARGE]).placed(before, 170.0, 60.0).chunks
        self.assertTrue(all(chunk.until >= 170.0 + 60.0 for chunk in late))
        self.assertEqual([chunk.digest for chunk in late], [chunk.digest for chunk in before])

    def test_stamp(self) -> None:
        """Different contents have different stamps, and equal contents equal ones."""
        values = [_value(octets) for octets in (b"a", b"b", b"a")]
        first, second, again = map(stamp_of, values)
        self.assertNotEqual(first, second)
        self.assertEqual(first, again)

    @given(st.binary(max_size=300), st.data())
    def test_damaged(self, octets: bytes, data: st.DataObject) -> None:
        """A value that is cut, extended or changed in any octet gives no entry."""
        value = _value(octets)
        at = data.draw(st.integers(0, len(value) - 1))
        changed = value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1:]
        for wrong in (value[:at], value + b"x", changed):
            self.assertRaises(ValueError, unsealed, wrong)
        self.assertEqual(unsealed(value).parts, (octets,))

    @given(st.one_of(st.none(), st.binary(max_size=100)))
    def test_foreign(self, octets: bytes | None) -> None:
        """A value that another program has put gives no entry."""
        self.assertRaises(ValueError, unsealed, octets)
