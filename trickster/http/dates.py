"""HTTP dates (RFC 9110 section 5.6.7), read as leniently as is safe and no more."""

from __future__ import annotations

import re
from calendar import timegm
from functools import lru_cache
from time import gmtime

_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun",
           b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SHORT = rb"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG = rb"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = rb"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_TIME = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"

_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        _SHORT + rb", (?P<day>\d\d) " + _MONTH + rb" (?P<year>\d{4}) " + _TIME + rb" GMT",
        _LONG + rb", (?P<day>\d\d)-" + _MONTH + rb"-(?P<year>\d\d) " + _TIME + rb" GMT",
        _SHORT + rb" " + _MONTH + rb" (?P<day>\d\d| \d) " + _TIME + rb" (?P<year>\d{4})",
    )
)

_LONGEST = len("Wednesday, 06-Nov-94 08:49:37 GMT")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parse_date(value: bytes, now: float) -> int | None:
    """
    :param value: of a field such as C{Date} or C{Expires}.
    :param now: seconds since the epoch: a two-digit year means the century that puts the
        date at most 50 years ahead.
    :return: seconds since the epoch, or None for anything that is not one of the three
        forms with the zone GMT: such an C{Expires} has already passed.
    """
    if len(value) > _LONGEST:
        return None
    return _parsed(value, gmtime(max(0.0, now)).tm_year)


@lru_cache(maxsize=1024)
def _parsed(value: bytes, year_now: int) -> int | None:
    for form in _FORMS:
        found = form.fullmatch(value)
        if found is not None:
            return _seconds(found, year_now)
    return None


def _seconds(found: re.Match[bytes], year_now: int) -> int | None:
    month = _MONTHS.index(found["month"].lower())
    day, hour, minute, second = (int(found[n]) for n in ("day", "hour", "minute", "second"))
    year = int(found["year"])
    if len(found["year"]) == 2:
        year = _full_year(year, year_now)
    if not 1 <= day <= _days_in(month, year) or hour > 23 or minute > 59 or second > 60:
        return None
    return timegm((year, month + 1, day, hour, minute, second))


def _full_year(short: int, year_now: int) -> int:
    earliest = year_now - 49
    return earliest + (short - earliest) % 100


def _days_in(month: int, year: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 if month == 1 and not leap else _LONGEST_MONTH[month]


@lru_cache(maxsize=256)
def _formatted(seconds: int) -> bytes:
    when = gmtime(seconds)
    return (f"{_DAYS[when.tm_wday]}, {when.tm_mday:02d} {_NAMES[when.tm_mon - 1]} "
            f"{when.tm_year:04d} {when.tm_hour:02d}:{when.tm_min:02d}:{when.tm_sec:02d} GMT"
            ).encode("ascii")


def format_date(seconds: float) -> bytes:
    """
    :param seconds: since the epoch; fractions are cut off.
    :return: an IMF-fixdate.
    """
    return _formatted(int(seconds))
