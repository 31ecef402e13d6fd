"""Tests of C{trickster.collapsing.blocks}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.blocks import PIECE, Blocks


class BlocksTests(SynchronousTestCase):
    """A run of octets that grows at its end and is forgotten from its beginning."""

    def test_small_pieces(self) -> None:
        """Small pieces become one block as they come."""
        blocks = Blocks()
        for _ in range(100):
            blocks.append(b"abc")
        self.assertEqual((blocks.all(), blocks.size), ((b"abc" * 100,), 300))

    def test_joined(self) -> None:
        """Larger pieces are joined on request, and once there is enough of them."""
        blocks = Blocks()
        for _ in range(3):
            blocks.append(b"x" * 700_000)
            blocks.join_enough()
        self.assertEqual([len(block) for block in blocks.all()], [2_100_000])
        for _ in range(2):
            blocks.append(b"y" * 9000)
        self.assertEqual(len(blocks.all()), 3)
        blocks.join()
        self.assertEqual([len(block) for block in blocks.all()], [2_100_000, 18_000])

    def test_joined_is_left(self) -> None:
        """A joined block is not copied again for pieces that come later."""
        blocks = Blocks()
        blocks.append(b"a")
        blocks.join()
        [joined] = blocks.all()
        blocks.append(b"b")
        self.assertIs(blocks.all()[0], joined)

    def test_pieces_are_small(self) -> None:
        """A large block is given in pieces small enough not to delay other work."""
        blocks = Blocks()
        blocks.append(b"x" * (PIECE + 10))
        first, last = blocks.at(0), blocks.at(PIECE)
        assert first is not None and last is not None
        self.assertEqual((len(first), len(last)), (PIECE, 10))

    def test_forgotten(self) -> None:
        """Only whole blocks are forgotten, and forgotten octets are not given."""
        blocks = Blocks()
        for _ in range(3):
            blocks.append(b"x" * 9000)
        blocks.forget(17_999)
        self.assertEqual((blocks.first, blocks.size), (9000, 27_000))
        self.assertIsNone(blocks.at(8999))
        self.assertIsNotNone(blocks.at(9000))
        blocks.forget(blocks.size)
        self.assertEqual((blocks.first, blocks.all()), (27_000, ()))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.one_of(
        st.tuples(st.just("append"), st.integers(1, 20_000)),
        st.tuples(st.sampled_from(["join", "forget"]), st.integers(0, 60_000))), max_size=20))
    def test_any_offset(self, steps: list[tuple[str, int]]) -> None:
        """Every offset gives the octets that were appended there, or none."""
        blocks, appended = Blocks(), b""
        for name, number in steps:
            if name == "append":
                piece = bytes([len(appended) % 251]) * number
                appended += piece
                blocks.append(piece)
            elif name == "join":
                blocks.join()
            else:
                blocks.forget(number)
        self.assertEqual(blocks.size, len(appended))
        self.assertEqual(b"".join(blocks.all()), appended[blocks.first:])
        for offset in range(0, len(appended), 997):
            found = blocks.at(offset)
            self.assertEqual(found is None, offset < blocks.first)
            if found is not None:
                self.assertEqual(bytes(found), appended[offset:offset + len(found)])
