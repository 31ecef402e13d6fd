"""Tests of L{trickster.config.options.workers}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.config.options.workers import MOST, number_of


def uncounted() -> int:
    """The cores are counted only where that is asked for."""
    raise AssertionError


class NumberTests(SynchronousTestCase):
    """How many workers there are to be."""

    @given(st.integers(1, MOST))
    def test_number(self, number: int) -> None:
        """A number is that number, with zeros or spaces around it even."""
        for text in (f"{number}", f" {number}\n", f"00{number}"):
            self.assertEqual(number_of(text, uncounted), number)

    def test_auto(self) -> None:
        """As many as there are cores; one at least, and no more than there may be."""
        for cores, number in ((0, 1), (1, 1), (8, 8), (MOST + 1, MOST)):
            for text in ("auto", " Auto "):
                self.assertEqual(number_of(text, lambda cores=cores: cores), number)

    def test_none(self) -> None:
        """What is no such number is a L{ValueError} that says what is expected."""
        for text in ("", "0", "00", "-1", "+1", "1.0", "1e1", "0x2", "1_0", "two", "autos",
                     str(MOST + 1), "9" * 5000, "\u0662", "\xb2"):
            error = self.assertRaises(ValueError, number_of, text, uncounted)
            self.assertEqual(str(error), "expected a number from 1 to 256, or auto")
