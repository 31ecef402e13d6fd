"""Tests of C{trickster.timeseries.row_format}: where rows are, and of when."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.row_format import SECOND_NS, RowFormat, decimal_ns

MS = 1_000_000


class DecimalTests(SynchronousTestCase):
    """Decimal numbers, read exactly."""

    def test_whole(self) -> None:
        """A whole number is read as so many units."""
        self.assertEqual(decimal_ns(b"1700000000", SECOND_NS), 1_700_000_000 * SECOND_NS)
        self.assertEqual(decimal_ns(b"-2", MS), -2 * MS)

    def test_fraction(self) -> None:
        """Fractions are exact where floating point is not."""
        self.assertEqual(decimal_ns(b"1700000000.123456789", SECOND_NS), 1700000000123456789)
        self.assertEqual(decimal_ns(b"-0.5", SECOND_NS), -SECOND_NS // 2)
        self.assertEqual(decimal_ns(b"0.100", MS), 100_000)

    def test_too_fine(self) -> None:
        """A fraction finer than a nanosecond is cut off, so that any number has an instant."""
        self.assertEqual(decimal_ns(b"1.0000000019", SECOND_NS), SECOND_NS + 1)

    def test_no_number(self) -> None:
        """Text that is not a decimal number is refused."""
        for text in (b"", b".", b"1.", b"x", b"1.x", b"1e3", b"1.5e3", b"1.-5", b"--1", b'"1"'):
            with self.subTest(text=text), self.assertRaises(ValueError):
                decimal_ns(text, SECOND_NS)

    @given(st.integers(-10**19, 10**19), st.sampled_from([SECOND_NS, MS, 1000, 1]))
    def test_every_nanosecond(self, time_ns: int, unit_ns: int) -> None:
        """Each instant that can be written as a decimal number is read back exactly."""
        text = format(Decimal(time_ns) / unit_ns, "f").encode()
        self.assertEqual(decimal_ns(text, unit_ns), time_ns)


class RowFormatTests(SynchronousTestCase):
    """The timestamp in a row."""

    def test_instant(self) -> None:
        """A timestamp is read from any column, in any unit, wherever the row begins."""
        for rows, octets, row in (
                (RowFormat(b",", b",", b"[", b"]"), b'[1,"2"],[1700,"3"]', 8),
                (RowFormat(b",", b"]", b"[", b"]", b",", 1), b"[2,1],[3,1700]", 6),
                (RowFormat(b"\n", b" ", unit_ns=MS), b"1 2\n1700000 3", 4),
                (RowFormat.delimited(b"\t", 2, 3), b"a\tb\t1\nc\td\t1700", 6),
                (RowFormat.delimited(b",", 1, 3), b"a,1,b\nc,1700,d\n", 6),
                (RowFormat.delimited(b",", 0, 1), b"1\n1700", 2)):
            self.assertEqual(rows.instant(octets, row), 1700 * SECOND_NS, octets)

    def test_no_instant(self) -> None:
        """A row without a timestamp is an error."""
        for rows, octets in ((RowFormat(b",", b","), b"x,1"), (RowFormat(b",", b","), b""),
                             (RowFormat.delimited(b"\t", 1), b"x"),
                             (RowFormat.delimited(b"\t", 1), b"x\t")):
            with self.assertRaises(ValueError):
                rows.instant(octets, 0)

    def test_impossible(self) -> None:
        """A format without a border between rows, or with endless timestamps, is refused."""
        for wrong in ((b"", b","), (b",", b"")):
            with self.assertRaises(ValueError):
                RowFormat(*wrong)
        for unit in (0, -1):
            with self.assertRaises(ValueError):
                RowFormat(b",", b",", unit_ns=unit)

    def test_equal(self) -> None:
        """Formats are values; how one is recognised is no part of what it is."""
        one = RowFormat.delimited(b"\t")
        self.assertEqual(one, RowFormat(b"\n", b"\t", delimiter=b"\t"))
        self.assertEqual(hash(one), hash(RowFormat(b"\n", b"\t", delimiter=b"\t")))
        self.assertNotEqual(one, RowFormat.delimited(b"\t", unit_ns=MS))


class DelimitedTests(SynchronousTestCase):
    """Lines of TSV and CSV."""

    def test_canonical(self) -> None:
        """A canonical line has the right number of fields and a whole number as its timestamp."""
        for rows, octets in ((RowFormat.delimited(b"\t"), b"1\ta"),
                             (RowFormat.delimited(b"\t"), b"1\ta\n2\t\n3\tb,c"),
                             (RowFormat.delimited(b",", 1, 3), b"a,1,b\n,2,"),
                             (RowFormat.delimited(b",", 0, 1), b"1\n2")):
            self.assertTrue(rows.canonical(octets), octets)

    def test_another_form(self) -> None:
        """A line with quotes, other line ends or too many lines is not canonical."""
        for octets in (b"", b"\n", b"1\ta\n", b"\n1\ta", b"1\ta\n\n2\tb", b"1\ta\r\n2\tb", b"1\t\"a\"",
                       b"1", b"1\ta\tb", b"x\ta", b"\ta", b"1.5\ta", b"-1\ta", b" 1\ta",
                       b"1\ta\nx\tb\n3\tc", b"9" * 20 + b"\ta"):
            self.assertFalse(RowFormat.delimited(b"\t").canonical(octets), octets)

    @given(st.lists(st.lists(st.binary(max_size=3), min_size=1, max_size=3), max_size=4),
           st.integers(0, 2))
    @example([[b"1", b"a"], [b"2", b"b"]], 0)
    def test_as_taken_apart(self, lines: list[list[bytes]], column: int) -> None:
        """
        A delimited text is canonical exactly if each of its lines splits into the right columns.
        """
        octets = b"\n".join(b",".join(line) for line in lines)
        rows = RowFormat.delimited(b",", column, 3)
        split: list[Any] = [line.split(b",") for line in octets.split(b"\n")]
        expected = not set(octets) & set(b'"\r') and all(
            len(line) == 3 and line[column].isdigit() for line in split)
        self.assertEqual(rows.canonical(octets), expected)
