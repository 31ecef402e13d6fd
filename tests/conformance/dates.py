"""Dates in every form that a sender may think of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

_PLACE = re.compile(r"\{([+-]?\d+)(?::(\w+))?\}")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Form = Callable[[datetime], str]


def _pattern(pattern: str, change: Callable[[str], str] = str) -> Form:
    return lambda when: change(pattern.format(
        when=when, day=_DAYS[when.weekday()], month=_MONTHS[when.month - 1], short=when.year % 100))


_IMF = "{day:.3}, {when.day:02} {month} {when:%Y} {when:%H:%M:%S} GMT"

FORMS: Mapping[str, Form] = MappingProxyType({
    "imf": _pattern(_IMF),
    "rfc850": _pattern("{day}, {when.day:02}-{month}-{short:02} {when:%H:%M:%S} GMT"),
    "asctime": _pattern("{day:.3} {month} {when.day:>2} {when:%H:%M:%S} {when:%Y}"),
    "lower": _pattern(_IMF, str.lower),
    "upper": _pattern(_IMF, str.upper),
    "utc": _pattern(_IMF.replace("GMT", "UTC")),
    "est": _pattern(_IMF.replace("GMT", "EST")),
    "offset": _pattern(_IMF.replace("GMT", "+0000")),
    "zoneless": _pattern(_IMF.replace(" GMT", "")),
    "two_digit_year": _pattern(_IMF.replace("{when:%Y}", "{short:02}")),
    "no_comma": _pattern(_IMF.replace(",", "")),
    "many_spaces": _pattern(_IMF.replace(" ", "  ")),
    "dashes": _pattern("{day:.3}, {when.day:02}-{month}-{when:%Y} {when:%H:%M:%S} GMT"),
    "periods": _pattern("{day:.3}, {when.day:02} {month} {when:%Y} {when:%H.%M.%S} GMT"),
    "short_hour": _pattern("{day:.3}, {when.day:02} {month} {when:%Y} 3:04:05 GMT"),
    "iso": _pattern("{when:%Y}-{when:%m-%dT%H:%M:%SZ}"),
    "epoch": lambda when: str(int(when.timestamp())),
})


def rendered(line: str, start: int) -> str:
    """
    :param line: perhaps with places for dates, such as C{{+10}} or C{{-5:rfc850}}.
    :param start: seconds since the epoch from which they count.
    """
    def date(found: re.Match[str]) -> str:
        when = datetime.fromtimestamp(start, UTC) + timedelta(seconds=int(found[1]))
        return FORMS[found[2] or "imf"](when)
    return _PLACE.sub(date, line)
