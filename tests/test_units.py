"""Tests of L{trickster.units}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.units import (
    UnitError,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)

_SECOND = 10**9
_NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND,
                "h": 3600 * _SECOND, "d": 86400 * _SECOND, "w": 604800 * _SECOND,
                "mo": 730 * 3600 * _SECOND, "y": 8760 * 3600 * _SECOND}


class DurationTests(SynchronousTestCase):
    """Durations that are parsed."""

    def test_every_spelling(self) -> None:
        """Go's durations and the longer units are read; fractions and sums are."""
        for text, seconds in {
            "0": 0.0, "90s": 90.0, "1h30m": 5400.0, "14d": 1_209_600.0, "1.5h": 5400.0,
            "250ms": 0.25, "1w": 604_800.0, "1mo": 2_628_000.0, "1y": 31_536_000.0,
            "1m1mo": 2_628_060.0, "1m30s500ms": 90.5, ".5s": 0.5, "5.s": 5.0, "-3s": -3.0,
            "+3s": 3.0, "100ns": 1e-7, "7us": 7e-6, "7\u00b5s": 7e-6, "7\u03bcs": 7e-6,
            " 5s ": 5.0,
        }.items():
            self.assertEqual(parse_duration(text), seconds, text)

    def test_bare_number(self) -> None:
        """A number without a unit is refused, and the fix is spelled out."""
        with self.assertRaises(UnitError) as caught:
            parse_duration("15")
        self.assertEqual(str(caught.exception), "15 has no unit; for seconds write 15s")

    def test_nonsense(self) -> None:
        """A text that is no duration is refused with an example of one."""
        for text in ("", "-", "s", "1", "1.5", "5 s", "5x", "1h30", "5sec", "1e3s", "--5s",
                     "5s!", "h1", "\u0665s", "1" * 80 + "s", "1,5s", "infs", "nan"):
            self.assertRaises(UnitError, parse_duration, text)

    def test_too_long(self) -> None:
        """A duration longer than the original can count is refused."""
        self.assertRaises(UnitError, parse_duration, "293y")
        self.assertGreater(parse_duration("292y"), 9e9)

    @given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(_NANOSECONDS))),
                    min_size=1, max_size=5))
    def test_sums(self, terms: list[tuple[int, str]]) -> None:
        """A duration is the sum of its terms, in any order."""
        expected = sum(count * _NANOSECONDS[unit] for count, unit in terms)
        if expected < 2**63:
            read = parse_duration("".join(f"{count}{unit}" for count, unit in terms))
            self.assertEqual(read, expected / _SECOND)

    @given(st.text(alphabet="0123456789.nuµmshdwoy-+ ", max_size=12))
    def test_never_crashes(self, text: str) -> None:
        """Any text is a finite duration or a UnitError."""
        try:
            self.assertLess(abs(parse_duration(text)), 1e10)
        except UnitError as error:
            self.assertTrue(str(error))


class FormatDurationTests(SynchronousTestCase):
    """Durations that are formatted."""

    def test_spelling(self) -> None:
        """A duration is formatted with the largest units first, and without zero ones."""
        for seconds, text in {0: "0s", 90: "1m30s", 5400: "1h30m", 0.25: "250ms",
                              -3: "-3s", 86400: "1d", 1e-9: "1ns", 90000: "1d1h"}.items():
            self.assertEqual(format_duration(seconds), text)

    @given(st.integers(-10**15, 10**15))
    def test_round_trip(self, nanoseconds: int) -> None:
        """A formatted duration is parsed as the same number."""
        seconds = nanoseconds / 1e9
        self.assertEqual(parse_duration(format_duration(seconds)), seconds)


class SizeTests(SynchronousTestCase):
    """Sizes that are parsed and formatted."""

    def test_every_spelling(self) -> None:
        """Octets, decimal and binary units are read, in any case."""
        for text, octets in {
            "0": 0, "536870912": 536870912, "1_000": 1000, "512MiB": 512 << 20,
            "512MB": 512_000_000, "1.5GiB": 3 << 29, "2k": 2000, "2Ki": 2048, "3 TB": 3 * 10**12,
            "10B": 10, "-1": -1, "1tib": 1 << 40,
        }.items():
            self.assertEqual(parse_size(text), octets, text)

    def test_nonsense(self) -> None:
        """A text that is no size, or not a whole number of octets, is refused."""
        for text in ("", "x", "MiB", "1.5", "0.3B", "5XB", "5 5", "9EiB", "8388608TiB",
                     "1" * 70, "0x10", "1e3", "5MiB/s"):
            self.assertRaises(UnitError, parse_size, text)

    def test_format(self) -> None:
        """A size is formatted in the largest binary unit that divides it, else in plain octets."""
        for octets, text in {0: "0", 1000: "1000", 1024: "1KiB", 3 << 29: "1536MiB"}.items():
            self.assertEqual(format_size(octets), text)

    @given(st.integers(0, 2**62))
    def test_round_trip(self, octets: int) -> None:
        """A formatted size is parsed as the same number."""
        self.assertEqual(parse_size(format_size(octets)), octets)
