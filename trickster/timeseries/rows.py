"""
Runs of encoded rows: the origin's own octets, cut by time without being decoded.

A row is one sample as the origin spelled it, such as C{[1700000000,"1.5"]}; rows stand in
time order, with a comma between them.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from attrs import frozen

SECOND_NS = 1_000_000_000
_BORDER = b"],["
_BISECT_AFTER = 6
_NEAR = 384  # octets around the place where a row is expected
_LONGEST_INSTANT = 64  # what is longer is cut: no clock is so fine, and Python reads no more


class Rows(Protocol):
    """A run of rows of one series, in time order; a value."""

    @property
    def first_ns(self) -> int:
        """The instant of the first row."""

    @property
    def last_ns(self) -> int:
        """The instant of the last row."""

    @property
    def nbytes(self) -> int:
        """Octets of memory that it holds on to."""

    def encoded(self) -> memoryview | bytes:
        """:return: the rows' octets, without the brackets around them all."""

    def cropped(self, start_ns: int, end_ns: int) -> Rows | None:
        """:return: the rows from one instant to another, both inclusive; None for no row."""

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row."""

    def compacted(self) -> Rows:
        """:return: an equal run that holds on to no more octets than it uses."""


def decimal_ns(text: bytes, unit_ns: int) -> int:
    """
    Read an unsigned or negative decimal number exactly.

    :param text: such as C{b"1700000000.123"}; no exponent.
    :param unit_ns: nanoseconds in one of its units, a power of ten.
    :return: nanoseconds; what is finer is cut off.
    :raises ValueError: it is no such number.
    """
    whole, point, fraction = text.partition(b".")
    if not point:
        return int(whole) * unit_ns
    if not fraction.isdigit():
        raise ValueError(f"not a decimal number: {text!r}")
    part = int(fraction) * unit_ns // 10 ** len(fraction)
    return int(whole) * unit_ns + (-part if whole.startswith(b"-") else part)


@frozen(slots=True)
class TextRows:
    """
    Rows that are JSON arrays with a timestamp first and no array inside, without white space.

    Nothing but the border rows is read until the rows are cut.  Where an origin breaks its
    word, and rows between them are out of order, a cut still ends, and still holds rows of it
    only.

    :ivar octets: a buffer that holds them.
    :ivar start: where the first row's bracket is.
    :ivar end: just after the last row's bracket.
    :ivar unit_ns: nanoseconds in one unit of the timestamps.
    """

    octets: bytes
    start: int
    end: int
    first_ns: int
    last_ns: int
    unit_ns: int = SECOND_NS

    @classmethod
    def of(cls, octets: bytes, unit_ns: int = SECOND_NS) -> TextRows:
        """
        :param octets: at least one row.
        :raises ValueError: the border rows have no timestamp, or are in the wrong order.
        """
        last = _last_row(octets, 0, len(octets))
        first_ns = _instant(octets, 0, unit_ns)
        last_ns = _instant(octets, last, unit_ns)
        if first_ns > last_ns or (first_ns == last_ns and last):
            raise ValueError("rows out of order")
        return cls(octets, 0, len(octets), first_ns, last_ns, unit_ns)

    @property
    def nbytes(self) -> int:
        """Octets of memory that it holds on to."""
        return len(self.octets)

    def encoded(self) -> memoryview | bytes:
        """:return: the rows' octets, copied only when there are few."""
        if self.start == 0 and self.end == len(self.octets):
            return self.octets
        if self.end - self.start < 8192:
            return self.octets[self.start:self.end]
        return memoryview(self.octets)[self.start:self.end]

    def cropped(self, start_ns: int, end_ns: int) -> TextRows | None:
        """:return: the rows from one instant to another, both inclusive; None for no row."""
        first_ns, last_ns = self.first_ns, self.last_ns
        if start_ns <= first_ns and last_ns <= end_ns:
            return self
        if start_ns > last_ns or end_ns < first_ns:
            return None
        start, end = self.start, self.end
        if start_ns > first_ns:
            start, first_ns = self._first_from(start_ns)
        if end_ns < last_ns:
            end, last_ns = self._last_until(end_ns)
            if end <= start:
                return None
        return TextRows(self.octets, start, end, first_ns, last_ns, self.unit_ns)

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row."""
        position = self.start
        while position < self.end:
            border = self.octets.find(_BORDER, position, self.end)
            after = self.end if border < 0 else border + 1
            yield _instant(self.octets, position, self.unit_ns), self.octets[position:after]
            position = after + 1

    def compacted(self) -> TextRows:
        """:return: an equal run that holds on to no more octets than it uses."""
        if self.end - self.start == len(self.octets):
            return self
        return TextRows(self.octets[self.start:self.end], 0, self.end - self.start,
                        self.first_ns, self.last_ns, self.unit_ns)

    def followed_by(self, later: TextRows) -> TextRows:
        """:return: both runs' rows, copied together; their units are the same."""
        octets = b",".join((self.encoded(), later.encoded()))
        return TextRows(octets, 0, len(octets), self.first_ns, later.last_ns, self.unit_ns)

    def _first_from(self, instant_ns: int) -> tuple[int, int]:
        """:return: where the first row begins that is not earlier, and its instant."""
        row = self._row_at(instant_ns)
        if row >= 0:
            return row, instant_ns
        row = self._row_at_or_after(instant_ns)
        return row, _instant(self.octets, row, self.unit_ns)

    def _last_until(self, instant_ns: int) -> tuple[int, int]:
        """:return: where the last row ends that is not later, and its instant."""
        row = self._row_at(instant_ns)
        if row >= 0:
            return self.octets.index(b"]", row) + 1, instant_ns
        end = self._row_at_or_after(instant_ns + 1) - 1
        row = _last_row(self.octets, self.start, end)
        return end, _instant(self.octets, row, self.unit_ns)

    def _row_at(self, instant_ns: int) -> int:
        """:return: where the row of an instant begins, if it is about where to expect; or -1."""
        text = _spelled(instant_ns, self.unit_ns)
        if text is None:
            return -1
        start, length = self.start, self.end - self.start
        guess = start + (instant_ns - self.first_ns) * length // (self.last_ns - self.first_ns)
        return self.octets.find(text, max(start, guess - _NEAR), min(self.end, guess + _NEAR))

    def _row_at_or_after(self, instant_ns: int) -> int:
        """
        :param instant_ns: later than the first row and not later than the last.
        :return: where the first row begins that is not earlier.
        """
        octets = self.octets
        low, low_ns = self.start, self.first_ns
        high, high_ns = _last_row(octets, low, self.end), self.last_ns
        tries = 0
        while True:
            guess = (low + high) // 2
            if tries < _BISECT_AFTER:  # rows are of about one width, so guess by time
                guess = low + (instant_ns - low_ns) * (high - low) // (high_ns - low_ns) + 2
            tries += 1
            row = octets.rfind(_BORDER, low, min(guess, high)) + 2
            if row < 2:
                row = octets.find(_BORDER, low, high) + 2
                if row < 2 or row == high:
                    return high
            row_ns = _instant(octets, row, self.unit_ns)
            if row_ns < instant_ns:
                low, low_ns = row, row_ns
            else:
                high, high_ns = row, row_ns


def _last_row(octets: bytes, start: int, end: int) -> int:
    border = octets.rfind(_BORDER, start, end)
    return start if border < 0 else border + 2


@lru_cache(maxsize=256)
def _spelled(instant_ns: int, unit_ns: int) -> bytes | None:
    """:return: how a row of an instant begins, as the origins spell it; None if unsure."""
    whole, rest = divmod(instant_ns, unit_ns)
    if instant_ns < 0 or rest and (unit_ns != SECOND_NS or rest % 1_000_000):
        return None
    return b"[%d.%03d," % (whole, rest // 1_000_000) if rest else b"[%d," % whole


def _instant(octets: bytes, row: int, unit_ns: int) -> int:
    text = octets[row + 1:octets.find(b",", row)]
    if len(text) > _LONGEST_INSTANT:
        text = text[:_LONGEST_INSTANT]
    return int(text) * unit_ns if text.isdigit() else decimal_ns(text, unit_ns)


@frozen(slots=True)
class IndexedRows:
    """
    Rows of any form, with an index of where each begins.

    :ivar octets: a buffer that holds them, a comma between two.
    :ivar times: of each row, in nanoseconds.
    :ivar offsets: where each row begins, and one more: where one after the last would.
    :ivar low: the first row meant.
    :ivar high: one after the last row meant.
    """

    octets: bytes
    times: array[int]
    offsets: array[int]
    low: int
    high: int

    @classmethod
    def of(cls, rows: Sequence[tuple[int, bytes]]) -> IndexedRows:
        """
        :param rows: instants, ascending, and octets; at least one.
        :raises ValueError: they are not in order, or there are none.
        """
        try:
            times = array("q", (t for t, _ in rows))
        except OverflowError as error:
            raise ValueError("an instant out of range") from error
        if not times or any(a >= b for a, b in itertools.pairwise(times)):
            raise ValueError("rows out of order")
        offsets = array("q", [0])
        for _, octets in rows:
            offsets.append(offsets[-1] + len(octets) + 1)
        return cls(b",".join(o for _, o in rows), times, offsets, 0, len(rows))

    @property
    def first_ns(self) -> int:
        """The instant of the first row."""
        return self.times[self.low]

    @property
    def last_ns(self) -> int:
        """The instant of the last row."""
        return self.times[self.high - 1]

    @property
    def nbytes(self) -> int:
        """Octets of memory that it holds on to."""
        return len(self.octets) + 16 * len(self.times)

    def encoded(self) -> memoryview | bytes:
        """:return: the rows' octets."""
        return memoryview(self.octets)[self.offsets[self.low]:self.offsets[self.high] - 1]

    def cropped(self, start_ns: int, end_ns: int) -> IndexedRows | None:
        """:return: the rows from one instant to another, both inclusive; None for no row."""
        low = bisect_left(self.times, start_ns, self.low, self.high)
        high = bisect_right(self.times, end_ns, low, self.high)
        if (low, high) == (self.low, self.high):
            return self
        return IndexedRows(self.octets, self.times, self.offsets, low, high) if low < high else None

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row."""
        for i in range(self.low, self.high):
            yield self.times[i], self.octets[self.offsets[i]:self.offsets[i + 1] - 1]

    def compacted(self) -> IndexedRows:
        """:return: an equal run that holds on to no more octets than it uses."""
        if self.high - self.low == len(self.times):
            return self
        return IndexedRows(bytes(self.encoded()), self.times[self.low:self.high],
                           self._offsets_from(0), 0, self.high - self.low)

    def followed_by(self, later: IndexedRows) -> IndexedRows:
        """:return: both runs' rows, copied together."""
        octets = b",".join((self.encoded(), later.encoded()))
        own = self._offsets_from(0)
        return IndexedRows(
            octets, self.times[self.low:self.high] + later.times[later.low:later.high],
            own[:-1] + later._offsets_from(own[-1]), 0,
            self.high - self.low + later.high - later.low)

    def _offsets_from(self, start: int) -> array[int]:
        """:return: where the rows begin in a buffer that they stand in from C{start}."""
        shift = start - self.offsets[self.low]
        return array("q", [o + shift for o in self.offsets[self.low:self.high + 1]])


def appended(runs: tuple[Rows, ...], more: Rows, small: int = 4096) -> tuple[Rows, ...]:
    """
    Put a later run behind others.

    Small ones are copied together, so that a window that slides for days neither grows a
    run for each refresh nor holds on to each refresh's whole answer.

    :param runs: in time order, all earlier than C{more}.
    :param small: octets up to which a last run is copied rather than kept.
    """
    last = runs[-1] if runs else None
    if last is None:
        return (more,)
    if len(last.encoded()) > small or len(more.encoded()) > small:
        return (*runs, more)
    if isinstance(last, IndexedRows) and isinstance(more, IndexedRows):
        return (*runs[:-1], last.followed_by(more))
    if (isinstance(last, TextRows) and isinstance(more, TextRows)
            and last.unit_ns == more.unit_ns):
        return (*runs[:-1], last.followed_by(more))
    return (*runs, more)
