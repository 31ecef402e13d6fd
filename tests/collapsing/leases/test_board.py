"""Tests of L{trickster.collapsing.leases.board}: who fetches what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.leases.board import (
    MOST_HELD,
    MOST_RESULT,
    Board,
    Claim,
    State,
    is_fenced,
)

INSTANTS = st.integers(-5, 40)
SPANS = st.lists(st.tuples(INSTANTS, st.integers(0, 6)).map(lambda s: (s[0], s[0] + s[1])),
                 max_size=3)
STEPS = st.lists(st.tuples(
    st.sampled_from(("claim", "beside", "takeover", "beat", "end", "drop", "forget")),
    st.integers(0, 3), SPANS, st.integers(0, 10)), max_size=25)


def instants(spans: list[tuple[int, int]]) -> set[int]:
    """:return: all of them, one by one; too simple to be wrong."""
    if not spans:
        return set(range(-10, 60))
    return {instant for start, end in spans for instant in range(start, end + 1)}


class BoardTests(SynchronousTestCase):
    """A board says who fetches what."""

    def test_empty(self) -> None:
        """Where there is nothing, no one is at work."""
        board = Board.decoded(None)
        self.assertEqual((board.newest, board.claims, board.is_held), (0, (), False))

    def test_claimed(self) -> None:
        """A claim has the next token, and not less than the least one."""
        made = Board().claimed("a", (), 7)
        assert made is not None
        self.assertEqual((made.claim.token, made.board.newest), (7, 7))
        ended = made.board.ended("a", State.STORED)
        assert ended is not None
        again = ended.claimed("b", (), 3)
        assert again is not None
        self.assertEqual(again.claim.token, 8)
        self.assertEqual([one.holder for one in again.board.claims], ["b"])

    def test_held_by_another(self) -> None:
        """What another one holds is claimed only over its end, or beside it."""
        made = Board().claimed("a", [(1, 5)], 0)
        assert made is not None
        self.assertIsNone(made.board.claimed("b", [(5, 6)], 0))
        self.assertIsNotNone(made.board.claimed("b", [(6, 7)], 0))
        over = made.board.claimed("b", [(5, 6)], 0, ["a"])
        beside = made.board.claimed("b", [(5, 6)], 0, is_beside=True)
        assert over is not None and beside is not None
        self.assertEqual([one.holder for one in over.board.claims], ["b"])
        self.assertEqual([one.holder for one in beside.board.claims], ["a", "b"])

    def test_holder_that_has_lost(self) -> None:
        """Who holds nothing any more changes nothing."""
        board = Board()
        self.assertEqual((board.beaten("a"), board.ended("a", State.STORED), board.without("a")),
                         (None, None, None))
        made = board.claimed("a", (), 0)
        assert made is not None
        ended = made.board.ended("a", State.GIVEN, b"x")
        assert ended is not None
        self.assertEqual((ended.beaten("a"), ended.ended("a", State.STORED), ended.without("a")),
                         (None, None, None))

    def test_bounds(self) -> None:
        """So many hold something at a time, and so much of what has ended is kept; it is read."""
        board = Board()
        for number in range(MOST_HELD):
            made = board.claimed(f"{number}", [(number, number)], 0)
            assert made is not None
            board = made.board
        self.assertIsNone(board.claimed("x", [(-1, -1)], 0))
        for number in range(MOST_HELD):
            ended = board.ended(f"{number}", State.GIVEN, bytes(MOST_RESULT))
            assert ended is not None
            board = ended
        self.assertLessEqual(sum(len(one.result) for one in board.claims), 4 * MOST_RESULT)
        self.assertEqual(board.claims[-1].holder, f"{MOST_HELD - 1}")
        self.assertEqual(Board.decoded(board.encoded()), board)

    def test_not_sayable(self) -> None:
        """What cannot be written, so that it is read again, is not claimed."""
        self.assertIsNone(Board().claimed("a", [(0, 1 << 63)], 0))
        self.assertIsNone(Board().claimed("a", [(n, n) for n in range(257)], 0))

    def test_greatest_token(self) -> None:
        """Tokens end where they could not be read any more."""
        made = Board((1 << 62) - 1).claimed("a", (), 0)
        assert made is not None
        again = made.board.claimed("b", (), 0, ["a"])
        assert again is not None
        self.assertEqual(Board.decoded(again.board.encoded()), again.board)

    @given(STEPS)
    def test_against_sets(self, steps: list[tuple[str, int, list[tuple[int, int]], int]]) -> None:
        """
        Two hold the same instant only where one of them claimed it beside; tokens grow; and what
        is written is read again.
        """
        board, beside = Board(), set[str]()
        for number, (what, which, spans, least) in enumerate(steps):
            held = [one for one in board.claims if one.is_held]
            one = held[which % len(held)].holder if held else "none"
            after: Board | None = None
            if what in ("claim", "beside", "takeover"):
                dead = [each.holder for each in held] if what == "takeover" else []
                made = board.claimed(f"h{number}", spans, least, dead, is_beside=what == "beside")
                free = all(not instants(list(each.spans)) & instants(spans) for each in held)
                self.assertEqual(made is not None, free or what != "claim")
                if made is not None:
                    after = made.board
                    self.assertGreaterEqual(made.claim.token, max(board.newest + 1, least))
                    beside |= {made.claim.holder} if what == "beside" else set()
            elif what == "beat":
                after = board.beaten(one)
            elif what == "end":
                after = board.ended(one, State.STORED)
            elif what == "drop":
                after = board.without(one)
            else:
                after = Board(board.newest)
            board = board if after is None else after
            taken: set[int] = set()
            for each in board.claims:
                if each.is_held and each.holder not in beside:
                    self.assertFalse(taken & instants(list(each.spans)))
                    taken |= instants(list(each.spans))
            self.assertEqual(Board.decoded(board.encoded()), board)


class OctetsTests(SynchronousTestCase):
    """Boards as octets."""

    board = Board(9, (Claim("a", 8, [(1, 2)], 3), Claim("b", 9, [], 0, State.GIVEN, b"x")))

    def test_round_trip(self) -> None:
        """What was written is read again."""
        self.assertEqual(Board.decoded(self.board.encoded()), self.board)

    @given(st.binary(max_size=80))
    def test_foreign(self, octets: bytes) -> None:
        """What is nothing of ours is an empty board."""
        self.assertEqual(Board.decoded(octets), Board())
        self.assertEqual(Board.decoded(self.board.encoded()[:20] + octets), Board())

    @given(st.integers(0, 60), st.integers(1, 255))
    def test_torn(self, place: int, change: int) -> None:
        """What is damaged is an empty board, wherever it is."""
        octets = bytearray(self.board.encoded())
        octets[place % len(octets)] ^= change
        self.assertEqual(Board.decoded(bytes(octets)), Board())
        self.assertEqual(Board.decoded(self.board.encoded()[:place % len(octets)]), Board())

    def test_begins_alike_only_where_equal(self) -> None:
        """The first octets of a board tell it from others."""
        other = self.board.beaten("a")
        assert other is not None
        self.assertNotEqual(other.encoded()[:20], self.board.encoded()[:20])


class FencingTests(SynchronousTestCase):
    """What was fetched under an older claim takes no newer one's place."""

    @given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
    def test_against_a_model(self, stores: list[tuple[int, bool]]) -> None:
        """However late they come, the newest claim's is what stays; without one, the last is."""
        stored, newest = 0, 0
        for token, _ in stores:
            if not is_fenced(token, stored):
                stored = max(token, stored)
            newest = max(newest, token)
            self.assertEqual(stored, newest)
            self.assertEqual(is_fenced(token, stored), 0 < token < newest)
