"""Tests of L{trickster.workers.lines}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.workers.lines import Lines


def passed(*pieces: bytes, longest: int = 1 << 20) -> list[str]:
    """:return: the lines that are passed on of these pieces, and of their end."""
    taken: list[str] = []
    lines = Lines(taken.append, longest)
    for piece in pieces:
        lines.add(piece)
    lines.end()
    return taken


class LinesTests(SynchronousTestCase):
    """Octets in pieces become lines."""

    def test_whole(self) -> None:
        """A line is passed on once its end is there, and not before."""
        taken: list[str] = []
        lines = Lines(taken.append)
        lines.add(b"one\ntw")
        self.assertEqual(taken, ["one"])
        lines.add(b"o")
        self.assertEqual(taken, ["one"])
        lines.add(b"\n")
        self.assertEqual(taken, ["one", "two"])

    def test_rest(self) -> None:
        """What is left without an end is passed on when nothing more comes; nothing is not."""
        self.assertEqual(passed(b"one\ntw"), ["one", "tw"])
        self.assertEqual(passed(b"one\n"), ["one"])
        self.assertEqual(passed(), [])

    def test_character(self) -> None:
        """A character of which the octets come in two pieces is whole."""
        octets = "é\n".encode()
        self.assertEqual(passed(octets[:1], octets[1:]), ["é"])

    def test_no_text(self) -> None:
        """Octets that are no UTF-8 are shown as escapes."""
        self.assertEqual(passed(b"\xff\n"), ["\\xff"])

    def test_longest(self) -> None:
        """A line without an end is kept up to a limit, and then passed on as it is."""
        taken: list[str] = []
        lines = Lines(taken.append, 10)
        for _ in range(9):
            lines.add(b"x")
        self.assertEqual(taken, [])
        lines.add(b"x")
        self.assertEqual(taken, ["x" * 10])
        lines.add(b"y\n")
        self.assertEqual(taken, ["x" * 10, "y"])

    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1)),
           st.lists(st.integers(0, 200)))
    def test_anywhere(self, lines: list[str], cuts: list[int]) -> None:
        """Wherever the octets are cut, the lines are the same."""
        octets = "".join(f"{line}\n" for line in lines).encode()
        places = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
        pieces = [octets[start:end] for start, end in pairwise(places)]
        self.assertEqual(passed(*pieces), lines)
