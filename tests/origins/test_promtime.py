"""Tests of C{trickster.origins.promtime}."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.origins.promtime import (
    instant_ns,
    instant_text,
    rounded_ns,
    seconds_text,
    step_ns,
)

MS = 1_000_000
SECOND = 1000 * MS

NO_NUMBERS = ("", " ", "x", "NaN", "Inf", "-Inf", "+Inf", "infinity", "1e", ".", "e5", "1.2.3",
              "0x10", "0x1p-2", "1_000", " 1", "1 ", "1\n", "١٧٠٠", "²", "--1", "1e9999")


def as_go_reads(text: str) -> int:
    """
    :return: the millisecond that Prometheus makes of a number: whole seconds and the rest
        apart, the rest rounded to three decimals, half away from zero, then cut to whole
        nanoseconds, then to whole milliseconds.
    """
    fraction, whole = math.modf(float(text))
    thousandths = Fraction(fraction * 1000)
    rounded = math.floor(abs(thousandths) + Fraction(1, 2))
    nanoseconds = int(rounded / 1000 * 1e9)
    return (int(whole) * SECOND + nanoseconds) // MS


class InstantTests(SynchronousTestCase):
    """Instants as the API has them."""

    def test_examples(self) -> None:
        """Instants are read as numbers and as RFC 3339."""
        for text, milliseconds in (
                ("0", 0), ("1700000000", 1_700_000_000_000), ("+1700000000", 1_700_000_000_000),
                ("1704164645.781", 1_704_164_645_781), ("1700000000.", 1_700_000_000_000),
                (".5", 500), ("1.7e9", 1_700_000_000_000), ("1e3", 1_000_000),
                ("1700000000.0004", 1_700_000_000_000), ("1700000000.0006", 1_700_000_000_001),
                ("1700000000.9999", 1_700_000_001_000), ("0001700000000", 1_700_000_000_000),
                ("2024-01-02T03:04:05Z", 1_704_164_645_000),
                ("2024-01-02T03:04:05.123Z", 1_704_164_645_123),
                ("2024-01-02T03:04:05.123999999Z", 1_704_164_645_123),
                ("2024-01-02T03:04:05.1+02:00", 1_704_157_445_100),
                ("2024-01-01T19:34:05-07:30", 1_704_164_645_000),
                ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:00:00-01:00", 0)):
            with self.subTest(text=text):
                self.assertEqual(instant_ns(text), milliseconds * MS)

    def test_refused(self) -> None:
        """Instants that the origin would refuse are not read."""
        for text in (*NO_NUMBERS, "-1", "-0.5", "1e18", "9223372036.9", "9" * 30,
                     "0" * 30 + "1" * 40, "1" * 60_000,
                     "2024-01-02", "2024-01-02T03:04:05", "2024-01-02 03:04:05Z",
                     "2024-01-02t03:04:05z", "2024-13-02T03:04:05Z", "2024-02-30T03:04:05Z",
                     "2024-01-02T24:00:00Z", "2024-01-02T03:60:05Z", "2024-01-02T03:04:60Z",
                     "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+01:60",
                     "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05.1234567890Z",
                     "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
                     "9999-12-31T23:59:59-01:00", "٢٠٢٤-01-02T03:04:05Z",
                     "1969-12-31T23:59:59Z"):
            with self.subTest(text=text[:40]), self.assertRaises(ValueError):
                instant_ns(text)

    @settings(max_examples=300)
    @given(st.one_of(
        st.decimals(0, 4_000_000_000, places=6).map(lambda d: format(d, "f")),
        st.floats(0, 9e9).map(repr), st.integers(0, 9_000_000_000).map(str)))
    def test_as_go(self, text: str) -> None:
        """Any number is the instant that the origin reads in it."""
        self.assertEqual(instant_ns(text), as_go_reads(text) * MS)

    @given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),
           st.integers(-23 * 60, 23 * 60))
    def test_rfc3339(self, moment: datetime, minutes: int) -> None:
        """An instant of RFC 3339 is the same in any zone."""
        utc = moment.replace(tzinfo=UTC)
        local = (utc + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
        sign = "-" if minutes < 0 else "+"
        zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
        milliseconds = (utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        self.assertEqual(instant_ns(local + zone), milliseconds * MS)

    @given(st.integers(0, 9_000_000_000_000))
    def test_there_and_back(self, milliseconds: int) -> None:
        """An instant that is written is read as the same, by Trickster and by the origin."""
        text = seconds_text(milliseconds * MS)
        self.assertEqual(instant_ns(text), milliseconds * MS)
        self.assertEqual(as_go_reads(text), milliseconds)


class SecondsTextTests(SynchronousTestCase):
    """Instants as Prometheus writes them."""

    def test_examples(self) -> None:
        """Instants are written with three decimals, or none."""
        for milliseconds, text in ((0, "0"), (1, "0.001"), (1_700_000_000_000, "1700000000"),
                                   (1_700_000_000_500, "1700000000.500")):
            self.assertEqual(seconds_text(milliseconds * MS), text)


class StepTests(SynchronousTestCase):
    """Steps as the API has them."""

    def test_examples(self) -> None:
        """Steps are read as numbers of seconds, and as durations."""
        for text, nanoseconds in (
                ("60", 60 * SECOND), ("1m", 60 * SECOND), ("60s", 60 * SECOND),
                ("1h30m", 5400 * SECOND), ("1d", 86400 * SECOND), ("1w", 7 * 86400 * SECOND),
                ("1y", 365 * 86400 * SECOND), ("0.5", SECOND // 2), ("500ms", SECOND // 2),
                (".25", SECOND // 4), ("6e1", 60 * SECOND), ("0", 0), ("-5", -5 * SECOND),
                ("15.", 15 * SECOND)):
            with self.subTest(text=text):
                self.assertEqual(step_ns(text), nanoseconds)

    def test_refused(self) -> None:
        """What is neither a number of seconds nor a duration is refused."""
        for text in (*NO_NUMBERS, "m", "1M", "1h 30m", "30m1h", "-1m", "1.5m", "1e18", "9" * 20,
                     "999999999y", "9" * 60_000, "9" * 60_000 + "s", "٥m"):
            with self.subTest(text=text[:40]), self.assertRaises(ValueError):
                step_ns(text)


class SpellingTests(SynchronousTestCase):
    """Equal instants are spelled alike."""

    def test_alike(self) -> None:
        """In every spelling, whole seconds are a whole number."""
        for text in ("1795000014", "1795000014.0", "1795000014.000", "+1795000014",
                     "1.795000014e9", "001795000014", "2026-11-18T11:06:54Z",
                     "2026-11-18T12:06:54.000+01:00"):
            self.assertEqual(instant_text(text), "1795000014", text)

    def test_fractions(self) -> None:
        """Fractions of a second stay, to the millisecond that the origin reads."""
        self.assertEqual(instant_text("1795000014.50"), "1795000014.500")
        self.assertEqual(instant_text("2026-11-18T11:06:54.5Z"), "1795000014.500")

    def test_unreadable(self) -> None:
        """An instant that cannot be read stays as it is for the origin to judge."""
        for text in ("", "now", "-15", "1795000014123", "9" * 65, "٥", "2026-11"):
            self.assertEqual(instant_text(text), text)

    @given(st.integers(0, 9_000_000_000_000))
    def test_same_instant(self, milliseconds: int) -> None:
        """The one spelling is of the very same instant."""
        text = seconds_text(milliseconds * MS)
        self.assertEqual(instant_ns(instant_text(text)), instant_ns(text))


class RoundedInstantTests(SynchronousTestCase):
    """Instants made equal, so that dashboards share answers."""

    def test_down(self) -> None:
        """Whole seconds are rounded down, however they are spelled."""
        for text in ("1700000014", "1700000014.0", "1.700000014e9", "2023-11-14T22:13:34Z"):
            self.assertEqual(rounded_ns(text, 15 * SECOND), 1700000010 * SECOND, text)

    def test_up(self) -> None:
        """Whole seconds are rounded up where that is asked for."""
        self.assertEqual(rounded_ns("1700000001", 60 * SECOND, up=True), 1700000040 * SECOND)

    def test_left_alone(self) -> None:
        """Multiples, fractions of a second, and what cannot be read, are not rounded."""
        for text in ("1700000010", "", "now", "1.5", "-15", "2024-01-02T03:04:05.001Z", "9" * 13,
                     "١٧", "²"):
            self.assertIsNone(rounded_ns(text, 15 * SECOND), text)
        self.assertIsNone(rounded_ns("1700000014", 0))

    @given(st.integers(0, 10**9), st.integers(1, 10**4))
    def test_distance(self, seconds: int, to: int) -> None:
        """An instant is moved by less than the multiple to which it is rounded."""
        down, up = (rounded_ns(str(seconds), to * SECOND, up=way) for way in (False, True))
        if down is None or up is None:
            self.assertEqual((down, up, seconds % to), (None, None, 0))
        else:
            self.assertTrue(down < seconds * SECOND < up == down + to * SECOND)
            self.assertEqual(down % (to * SECOND), 0)
