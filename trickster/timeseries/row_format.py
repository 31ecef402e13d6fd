"""How an origin writes rows: where one begins, where the next, and which instant it is of."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from attrs import Factory, field, frozen

SECOND_NS = 1_000_000_000
_LONGEST_INSTANT = 64  # what is longer is cut: no clock is so fine, and Python reads no more


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


def _not_empty(_: object, attribute: object, octets: bytes) -> None:
    if not octets:
        raise ValueError(f"{attribute} is empty")


def _positive(_: object, attribute: object, number: int) -> None:
    if number <= 0:
        raise ValueError(f"{attribute} is not more than 0")


@frozen
class RowFormat:
    """
    Rows of JSON arrays, of lines, of TSV and of CSV, as one: octets between borders, each with
    a timestamp in a column of its own.  Formats that differ in C{canonical} alone are equal.

    :ivar separator: what stands between two rows, such as a line feed.  With what the rows
        around it end and begin with, it stands nowhere else: that is the border of rows.
    :ivar after: what ends the timestamp: the end of its column, or C{closing}.
    :ivar opening: what each row begins with, and no other place in a row is like it.
    :ivar closing: what each row ends with.
    :ivar delimiter: what ends each column before the timestamp's.
    :ivar column: how many columns stand before it.
    :ivar unit_ns: nanoseconds in one unit of the timestamps, which are decimal numbers.
    :ivar canonical: whether octets are rows of exactly this form, each with a timestamp that
        can be read: only then are they taken as they are.  What is of another form a dialect
        takes apart itself.
    :ivar border: what a row, and the one before it, meet in.
    :ivar skip: how far from there a row begins.
    :ivar beginning: gives what a row of an instant begins with, as most origins spell it; None
        if unsure.  Where C{opening} is empty, that is the border before it, too.
    """

    separator: bytes = field(validator=_not_empty)
    after: bytes = field(validator=_not_empty)
    opening: bytes = b""
    closing: bytes = b""
    delimiter: bytes = b""
    column: int = 0
    unit_ns: int = field(default=SECOND_NS, validator=_positive)
    canonical: Callable[[bytes], bool] = field(
        default=lambda octets: True, eq=False, repr=False, kw_only=True)
    border: bytes = field(init=False, eq=False, repr=False, default=Factory(
        lambda self: self.closing + self.separator + self.opening, takes_self=True))
    skip: int = field(init=False, eq=False, repr=False, default=Factory(
        lambda self: len(self.closing) + len(self.separator), takes_self=True))
    beginning: Callable[[int], bytes | None] = field(
        init=False, eq=False, repr=False, default=Factory(
            lambda self: self._beginnings(), takes_self=True))

    @classmethod
    def delimited(cls, delimiter: bytes, column: int = 0, columns: int = 2,
                  unit_ns: int = SECOND_NS) -> RowFormat:
        """
        :param delimiter: of columns, one octet: a tab or a comma.
        :param columns: how many each row has.
        :return: the format of lines of TSV and CSV, of which no field is quoted and each
            timestamp is a whole number.  There is no line feed behind the last.
        """
        last = column == columns - 1
        return cls(b"\n", b"\n" if last else delimiter, delimiter=delimiter, column=column,
                   unit_ns=unit_ns, canonical=_Lines(delimiter, column, columns).are_canonical)

    def _beginnings(self) -> Callable[[int], bytes | None]:
        # All series of an answer are cut at the same instants.
        return _unsure if self.column else lru_cache(maxsize=256)(
            partial(_beginning, self.opening or self.border, self.after, self.unit_ns))

    def instant(self, octets: bytes, row: int) -> int:
        """
        :param row: where a row begins.
        :return: its timestamp, in nanoseconds.
        :raises ValueError: there is none.
        """
        start = row + len(self.opening)
        if self.column:
            for _ in range(self.column):
                start = octets.index(self.delimiter, start) + len(self.delimiter)
        end = octets.find(self.after, start)
        text = octets[start:end] if end >= 0 else octets[start:]
        if len(text) > _LONGEST_INSTANT:
            text = text[:_LONGEST_INSTANT]
        unit_ns = self.unit_ns
        return int(text) * unit_ns if text.isdigit() else decimal_ns(text, unit_ns)


def _beginning(first: bytes, after: bytes, unit_ns: int, instant_ns: int) -> bytes | None:
    whole, rest = divmod(instant_ns, unit_ns)
    if instant_ns < 0 or rest and (unit_ns != SECOND_NS or rest % 1_000_000):
        return None
    text = b"%d.%03d" % (whole, rest // 1_000_000) if rest else b"%d" % whole
    return first + text + after


def _unsure(instant_ns: int) -> bytes | None:
    return None


@frozen
class _Lines:
    delimiter: bytes
    column: int
    columns: int
    _line: re.Pattern[bytes] = field(init=False, default=Factory(
        lambda self: re.compile(self._pattern()), takes_self=True))
    # To look for a line of another form takes no memory for those that are not.
    _other_line: re.Pattern[bytes] = field(init=False, default=Factory(
        lambda self: re.compile(rb"\n(?!%b)" % self._pattern()), takes_self=True))

    def are_canonical(self, octets: bytes) -> bool:
        """:return: whether octets are lines of so many plain fields, one of them an instant."""
        return self._line.match(octets) is not None and self._other_line.search(octets) is None

    def _pattern(self) -> bytes:
        between = re.escape(self.delimiter)
        fields = [rb'[^\n\r"%b]*' % between] * self.columns
        fields[self.column] = rb"[0-9]{1,19}"
        return between.join(fields) + rb"(?:\n|\Z)"
