"""Tests of L{trickster.config.document.scalars}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.problems import Place
from trickster.config.document.scalars import READERS, WrongValue, guessed, kind_given, text_of
from trickster.config.document.settings import Facts
from trickster.config.document.tree import Listing, Scalar, Table

PLACE = Place("t.yaml", 1, 1)


def scalar(text: str, kind: str) -> Scalar:
    """:return: a value that YAML takes for that kind."""
    return Scalar(text, kind, PLACE)


class ScalarTests(SynchronousTestCase):
    """Values of one type each."""

    def test_text(self) -> None:
        """A text is what is written, not what YAML takes it for; a choice is as it is declared."""
        for text, kind in (("8.0", "float"), ("off", "bool"), ("x", "str")):
            self.assertEqual(text_of(scalar(text, kind), Facts()), text)
        self.assertEqual(text_of(scalar("FAST", "str"), Facts(choices=("slow", "fast"))), "fast")

    def test_bounds(self) -> None:
        """The bounds themselves are within; without a bound, plain numbers may be negative."""
        bounded = Facts(minimum=-2, maximum=3)
        for number in range(-4, 6):
            value = scalar(str(number), "int")
            self.assertEqual(READERS[int](value, Facts()), number)
            if -2 <= number <= 3:
                self.assertEqual(READERS[int](value, bounded), number)
                self.assertEqual(READERS[float](value, bounded), number)
            else:
                self.assertRaises(WrongValue, READERS[int], value, bounded)
                self.assertRaises(WrongValue, READERS[float], value, bounded)

    def test_units(self) -> None:
        """Durations are in seconds, sizes in octets, and neither is below 0 unless it may be."""
        self.assertEqual(READERS[float](scalar("250ms", "str"), Facts(unit="duration")), 0.25)
        self.assertEqual(READERS[int](scalar("1KiB", "str"), Facts(unit="size")), 1024)
        self.assertRaises(WrongValue, READERS[int], scalar("-1", "int"), Facts(unit="size"))
        self.assertEqual(READERS[int](scalar("-1", "int"), Facts(unit="size", minimum=-1)), -1)

    def test_other_shapes(self) -> None:
        """A list, a mapping and nothing are no value of any type."""
        for tree in (Listing((), PLACE), Table({}, PLACE), scalar("", "null")):
            for read in (text_of, *READERS.values()):
                self.assertRaises(WrongValue, read, tree, Facts())

    def test_secret(self) -> None:
        """What stands where another shape should is not shown, and neither is a secret."""
        self.assertNotIn("hunter2", kind_given(scalar("hunter2", "str")))
        wrong = self.assertRaises(
            WrongValue, READERS[bool], scalar("hunter2", "str"), Facts(secret=True))
        self.assertNotIn("hunter2", str(wrong.text))

    def test_guessed(self) -> None:
        """A key of any type has YAML's type, or a text where Python has no such number."""
        for text, kind, value in (("yes", "bool", True), ("-5", "int", -5), ("1.5", "float", 1.5),
                                  ("0x5", "int", "0x5"), (".inf", "float", ".inf"),
                                  ("2024-01-01", "timestamp", "2024-01-01")):
            self.assertEqual(guessed(scalar(text, kind)), value)
