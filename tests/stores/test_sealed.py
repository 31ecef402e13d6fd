"""Tests of C{trickster.stores.sealed}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.sealed import CHUNK, chunk_key, joined, seal, stamp_of, unsealed

LARGE = b"".join(bytes([number]) * CHUNK for number in range(3)) + b"rest"


class SealedTests(SynchronousTestCase):
    """What is put is had back; nothing else is."""

    def test_small(self) -> None:
        """A small entry is in the value itself."""
        sealed = seal(b"octets")
        value = unsealed(sealed.value(()))
        self.assertEqual((value.inline, value.chunks), (b"octets", ()))

    def test_large(self) -> None:
        """A large one is in chunks, none of them larger than may be."""
        sealed = seal(LARGE)
        chunks = sealed.placed((), 100.0, 60.0)
        value = unsealed(sealed.value(chunks))
        self.assertEqual((value.inline, value.chunks), (b"", chunks))
        self.assertEqual([len(piece) for piece in sealed.pieces], [CHUNK, CHUNK, CHUNK, 4])
        self.assertEqual(joined([bytes(piece) for piece in sealed.pieces], chunks), LARGE)

    def test_chunks_missing(self) -> None:
        """Where a chunk is missing, cut, or another one's, there is no entry."""
        sealed = seal(LARGE)
        chunks = sealed.placed((), 100.0, 60.0)
        pieces: list[bytes | None] = [bytes(piece) for piece in sealed.pieces]
        for wrong in (None, b"", LARGE[:CHUNK - 1], pieces[1]):
            self.assertIsNone(joined([wrong, *pieces[1:]], chunks))

    def test_keys_of_chunks(self) -> None:
        """The key of a chunk begins as that of its entry, and tells its content."""
        chunks = seal(LARGE).placed((), 100.0, 60.0)
        keys = {chunk_key("backend.key", chunk) for chunk in chunks}
        self.assertEqual(len(keys), 4)
        self.assertTrue(all(key.startswith("backend.key~") for key in keys))

    def test_held(self) -> None:
        """A chunk that is held is used again, if it is kept for as long as the entry."""
        before = seal(LARGE).placed((), 100.0, 60.0)
        after = seal(LARGE + b"more").placed(before, 150.0, 60.0)
        self.assertEqual(after[:3], before[:3])
        self.assertNotEqual(after[3], before[3])
        late = seal(LARGE).placed(before, 170.0, 60.0)
        self.assertTrue(all(chunk.until >= 170.0 + 60.0 for chunk in late))
        self.assertEqual([chunk.digest for chunk in late], [chunk.digest for chunk in before])

    def test_stamp(self) -> None:
        """Another content has another stamp, and the same has the same."""
        values = [seal(octets).value(()) for octets in (b"a", b"b", b"a")]
        first, second, again = map(stamp_of, values)
        self.assertNotEqual(first, second)
        self.assertEqual(first, again)

    @given(st.binary(max_size=300), st.data())
    def test_damaged(self, octets: bytes, data: st.DataObject) -> None:
        """A value that is cut, extended or changed in any octet is none."""
        value = seal(octets).value(())
        at = data.draw(st.integers(0, len(value) - 1))
        changed = value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1:]
        for wrong in (value[:at], value + b"x", changed):
            self.assertRaises(ValueError, unsealed, wrong)
        self.assertEqual(unsealed(value).inline, octets)

    @given(st.one_of(st.none(), st.binary(max_size=100)))
    def test_foreign(self, octets: bytes | None) -> None:
        """What another program has put is none."""
        self.assertRaises(ValueError, unsealed, octets)
