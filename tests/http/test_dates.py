"""HTTP dates."""

from __future__ import annotations

from email.utils import formatdate

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.dates import format_date, parse_date

NOW = 1_700_000_000.0  # in November 2023


class ParseDateTests(SynchronousTestCase):
    """HTTP dates have three forms, and no others."""

    def test_forms(self) -> None:
        """All three forms of a date mean the same instant, in any case."""
        for text in (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT",
                     b"Sun Nov  6 08:49:37 1994", b"SUN, 06 nov 1994 08:49:37 gmt"):
            self.assertEqual(parse_date(text, NOW), 784111777)

    def test_two_digit_years(self) -> None:
        """Years of two digits are at most 50 years ahead (RFC 9110 section 5.6.7)."""
        self.assertEqual(parse_date(b"Sunday, 01-Jan-73 00:00:00 GMT", NOW), 3250454400)
        self.assertEqual(parse_date(b"Sunday, 01-Jan-74 00:00:00 GMT", NOW), 126230400)
        self.assertEqual(parse_date(b"Sunday, 01-Jan-05 00:00:00 GMT", 4070908800.0), 4260211200)

    def test_impossible(self) -> None:
        """Dates that no calendar has are invalid."""
        for text in (b"Sun, 31 Feb 2022 08:49:37 GMT", b"Sun, 00 Nov 1994 08:49:37 GMT",
                     b"Sun, 29 Feb 2100 08:49:37 GMT", b"Sun, 06 Nov 1994 24:00:00 GMT",
                     b"Sun, 06 Nov 1994 08:60:37 GMT", b"Sun, 06 Nov 1994 08:49:61 GMT"):
            self.assertIsNone(parse_date(text, NOW), text)

    def test_leap(self) -> None:
        """Leap days and seconds exist."""
        self.assertIsNotNone(parse_date(b"Tue, 29 Feb 2000 23:59:60 GMT", NOW))

    def test_other_forms(self) -> None:
        """Dates in any other form are invalid."""
        for text in (b"", b"0", b"-1", b"784111777", b"1994-11-06T08:49:37Z",
                     b"Sun, 06 Nov 1994 08:49:37 +0000", b"Sun, 06 Nov 1994 08:49:37 GMT ",
                     "Sun, 0\u0666 Nov 1994 08:49:37 GMT".encode(),
                     b"Sunday, 06 Nov 1994 08:49:37 GMT", b"Sun, 06-Nov-94 08:49:37 GMT"):
            self.assertIsNone(parse_date(text, NOW), text)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 253402300799))
    def test_round_trip(self, seconds: int) -> None:
        """A date that is formatted is parsed as the same, and is what other servers write."""
        self.assertEqual(format_date(seconds), formatdate(seconds, usegmt=True).encode())
        self.assertEqual(parse_date(format_date(seconds), NOW), seconds)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=40))
    def test_never_raises(self, text: bytes) -> None:
        """Any octets are None, or a date."""
        self.assertIsNone(parse_date(text, NOW))
