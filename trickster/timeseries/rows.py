"""
Runs of encoded rows: the origin's own octets, cut by time without being decoded.

A row is one sample as the origin spelled it, such as C{[1700000000,"1.5"]}; rows stand in
time order, with a separator between them (L{RowFormat}).
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import evolve, frozen

from trickster.timeseries.row_format import RowFormat

_BISECT_AFTER = 6
_NEAR = 384  # octets around the place where a row is expected


class Rows(Protocol):
    """A run of rows of one series, in time order; a value."""

    @property
    def first_ns(self) -> int:
        """:return: the instant of the first row: a run has at least one."""

    @property
    def last_ns(self) -> int:
        """:return: the instant of the last row, which is never before that of the first."""

    @property
    def nbytes(self) -> int:
        """
        :return: octets of memory that it holds on to: of the whole buffer that its rows are cut
            from, which may be far more than theirs (L{compacted}).
        """

    @property
    def separator(self) -> bytes:
        """:return: what stands between two rows, and in an answer between a run and the next."""

    def encoded(self) -> memoryview | bytes:
        """:return: the rows' octets, without what stands around them all."""

    def cropped(self, start_ns: int, end_ns: int) -> Rows | None:
        """:return: the rows from one instant to another, both inclusive; None for no row."""

    def split(self, instant_ns: int) -> tuple[Rows, Rows]:
        """
        :param instant_ns: later than the first row, and not later than the last.
        :return: the rows before an instant, and the others; put together they are this run,
            to the octet.
        """

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row."""

    def compacted(self) -> Rows:
        """:return: an equal run that holds on to no more octets than it uses."""

    def shared_until(self, other: Rows) -> int | None:
        """
        :return: the last instant up to which this run and another one have the same rows, to the
            octet, from where both have begun; None where they have not, or share no time.
        """


@frozen(slots=True)
class TextRows:
    """
    Rows in the form of their origin, of which nothing but the border rows is read until they
    are cut.

    Where an origin breaks its word, and rows between them are out of order, a cut still ends,
    and still holds rows of it only.

    :ivar octets: a buffer that holds them.
    :ivar start: where the first row begins.
    :ivar end: just after the last row.
    :ivar format: of each row.
    """

    octets: bytes
    start: int
    end: int
    first_ns: int
    last_ns: int
    format: RowFormat

    @classmethod
    def of(cls, octets: bytes, rows: RowFormat) -> TextRows:
        """
        :param octets: at least one row, in the canonical form of C{rows}.
        :raises ValueError: the border rows have no timestamp, or are in the wrong order.
        """
        last = _last_row(octets, 0, len(octets), rows)
        first_ns = rows.instant(octets, 0)
        last_ns = rows.instant(octets, last) if last else first_ns
        if first_ns > last_ns or (first_ns == last_ns and last):
            raise ValueError("rows out of order")
        return cls(octets, 0, len(octets), first_ns, last_ns, rows)

    @property
    def nbytes(self) -> int:
        """:return: octets of the whole buffer that the rows are cut from."""
        return len(self.octets)

    @property
    def separator(self) -> bytes:
        """:return: that of its format."""
        return self.format.separator

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
        return TextRows(self.octets, start, end, first_ns, last_ns, self.format)

    def split(self, instant_ns: int) -> tuple[TextRows, TextRows]:
        """:return: the rows before an instant, and the others (L{Rows.split})."""
        row, first_ns = self._first_from(instant_ns)
        end = row - len(self.format.separator)
        last = _last_row(self.octets, self.start, end, self.format)
        last_ns = self.format.instant(self.octets, last)
        return (TextRows(self.octets, self.start, end, self.first_ns, last_ns, self.format),
                TextRows(self.octets, row, self.end, first_ns, self.last_ns, self.format))

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row."""
        position, rows = self.start, self.format
        while position < self.end:
            border = self.octets.find(rows.border, position, self.end)
            after = self.end if border < 0 else border + len(rows.closing)
            yield rows.instant(self.octets, position), self.octets[position:after]
            position = after + len(rows.separator)

    def compacted(self) -> TextRows:
        """:return: an equal run that holds on to no more octets than it uses."""
        if self.end - self.start == len(self.octets):
            return self
        return TextRows(self.octets[self.start:self.end], 0, self.end - self.start,
                        self.first_ns, self.last_ns, self.format)

    def shared_until(self, other: Rows) -> int | None:
        """:return: the last instant of the rows that both have, if all are the same then."""
        since, until = _overlap(self, other)
        if since > until or not isinstance(other, TextRows) or self.format != other.format:
            return None
        if self.octets is other.octets:
            return until
        ours, theirs = self.cropped(since, until), other.cropped(since, until)
        if ours is None or theirs is None or ours.encoded() != theirs.encoded():
            return None
        return until

    def followed_by(self, later: TextRows) -> TextRows:
        """:return: both runs' rows, copied together; their formats are the same."""
        octets = self.format.separator.join((self.encoded(), later.encoded()))
        return TextRows(octets, 0, len(octets), self.first_ns, later.last_ns, self.format)

    def _first_from(self, instant_ns: int) -> tuple[int, int]:
        """:return: where the first row begins that is not earlier, and its instant."""
        row = self._row_at(instant_ns)
        if row >= 0:
            return row, instant_ns
        row = self._row_at_or_after(instant_ns)
        return row, self.format.instant(self.octets, row)

    def _last_until(self, instant_ns: int) -> tuple[int, int]:
        """:return: where the last row ends that is not later, and its instant."""
        row = self._row_at(instant_ns)
        if row >= 0:
            border = self.octets.find(self.format.border, row, self.end)
            return border + len(self.format.closing) if border >= 0 else self.end, instant_ns
        end = self._row_at_or_after(instant_ns + 1) - len(self.format.separator)
        row = _last_row(self.octets, self.start, end, self.format)
        return end, self.format.instant(self.octets, row)

    def _row_at(self, instant_ns: int) -> int:
        """:return: where the row of an instant begins, if it is about where to expect; or -1."""
        rows = self.format
        beginning = rows.beginning(instant_ns)
        if beginning is None:
            return -1
        start, length = self.start, self.end - self.start
        guess = start + (instant_ns - self.first_ns) * length // (self.last_ns - self.first_ns)
        found = self.octets.find(beginning, max(start, guess - _NEAR), min(self.end, guess + _NEAR))
        return found if found < 0 or rows.opening else found + rows.skip

    def _row_at_or_after(self, instant_ns: int) -> int:
        """
        :param instant_ns: later than the first row and not later than the last.
        :return: where the first row begins that is not earlier.
        """
        octets, rows = self.octets, self.format
        border, skip, opening = rows.border, rows.skip, len(rows.opening)
        low, low_ns = self.start, self.first_ns
        high, high_ns = _last_row(octets, low, self.end, rows), self.last_ns
        tries = 0
        while True:
            guess = (low + high) // 2
            if tries < _BISECT_AFTER:  # rows are of about one width, so guess by time
                guess = low + (instant_ns - low_ns) * (high - low) // (high_ns - low_ns) + skip
            tries += 1
            # No border but those between the rows at low and at high.
            before = high + opening - 1
            found = octets.rfind(border, low, min(guess, before))
            if found < 0:
                found = octets.find(border, low, before)
                if found < 0:
                    return high
            row = found + skip
            row_ns = rows.instant(octets, row)
            if row_ns < instant_ns:
                low, low_ns = row, row_ns
            else:
                high, high_ns = row, row_ns


def _last_row(octets: bytes, start: int, end: int, rows: RowFormat) -> int:
    border = octets.rfind(rows.border, start, end)
    return start if border < 0 else border + rows.skip


@frozen(slots=True)
class IndexedRows:
    """
    Rows of any form, with an index of where each begins.

    :ivar octets: a buffer that holds them, a separator between two.
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
    separator: bytes = b","

    @classmethod
    def of(cls, rows: Sequence[tuple[int, bytes]], separator: bytes = b",") -> IndexedRows:
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
            offsets.append(offsets[-1] + len(octets) + len(separator))
        return cls(separator.join(o for _, o in rows), times, offsets, 0, len(rows), separator)

    @property
    def first_ns(self) -> int:
        """:return: the instant of the first row that is meant, not of the first in the index."""
        return self.times[self.low]

    @property
    def last_ns(self) -> int:
        """:return: the instant of the last row that is meant, not of the last in the index."""
        return self.times[self.high - 1]

    @property
    def nbytes(self) -> int:
        """:return: octets of the whole buffer and of the whole index that the rows are cut from."""
        return len(self.octets) + 16 * len(self.times)

    def encoded(self) -> memoryview | bytes:
        """:return: the rows' octets."""
        end = self.offsets[self.high] - len(self.separator)
        return memoryview(self.octets)[self.offsets[self.low]:end]

    def cropped(self, start_ns: int, end_ns: int) -> IndexedRows | None:
        """:return: the rows from one instant to another, both inclusive; None for no row."""
        low = bisect_left(self.times, start_ns, self.low, self.high)
        high = bisect_right(self.times, end_ns, low, self.high)
        if (low, high) == (self.low, self.high):
            return self
        return IndexedRows(self.octets, self.times, self.offsets, low, high,
                           self.separator) if low < high else None

    def split(self, instant_ns: int) -> tuple[IndexedRows, IndexedRows]:
        """:return: the rows before an instant, and the others (L{Rows.split})."""
        row = bisect_left(self.times, instant_ns, self.low, self.high)
        return evolve(self, high=row), evolve(self, low=row)

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row."""
        offsets, between = self.offsets, len(self.separator)
        for i in range(self.low, self.high):
            yield self.times[i], self.octets[offsets[i]:offsets[i + 1] - between]

    def compacted(self) -> IndexedRows:
        """:return: an equal run that holds on to no more octets than it uses."""
        if self.high - self.low == len(self.times):
            return self
        return IndexedRows(bytes(self.encoded()), self.times[self.low:self.high],
                           self._offsets_from(0), 0, self.high - self.low, self.separator)

    def shared_until(self, other: Rows) -> int | None:
        """:return: the last instant of the rows that both have, if all are the same then."""
        since, until = _overlap(self, other)
        if since > until or not isinstance(other, IndexedRows) or (
                self.separator != other.separator):
            return None
        if self.times is other.times:
            return until
        ours, theirs = self.cropped(since, until), other.cropped(since, until)
        if ours is None or theirs is None or ours._content != theirs._content:
            return None
        return until

    @property
    def _content(self) -> tuple[array[int], memoryview | bytes]:
        return self.times[self.low:self.high], self.encoded()

    def followed_by(self, later: IndexedRows) -> IndexedRows:
        """:return: both runs' rows, copied together; their separators are the same."""
        octets = self.separator.join((self.encoded(), later.encoded()))
        own = self._offsets_from(0)
        return IndexedRows(
            octets, self.times[self.low:self.high] + later.times[later.low:later.high],
            own[:-1] + later._offsets_from(own[-1]), 0,
            self.high - self.low + later.high - later.low, self.separator)

    def _offsets_from(self, start: int) -> array[int]:
        """:return: where the rows begin in a buffer that they stand in from C{start}."""
        shift = start - self.offsets[self.low]
        return array("q", [o + shift for o in self.offsets[self.low:self.high + 1]])


def _overlap(one: Rows, other: Rows) -> tuple[int, int]:
    return max(one.first_ns, other.first_ns), min(one.last_ns, other.last_ns)


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
    if (isinstance(last, IndexedRows) and isinstance(more, IndexedRows)
            and last.separator == more.separator):
        return (*runs[:-1], last.followed_by(more))
    if (isinstance(last, TextRows) and isinstance(more, TextRows)
            and last.format == more.format):
        return (*runs[:-1], last.followed_by(more))
    return (*runs, more)
