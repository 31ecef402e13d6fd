"""Durations and sizes as people write them: C{1h30m}, C{14d}, C{512MiB}."""

from __future__ import annotations

import re
from decimal import Decimal

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
    "d": 86400 * 1_000_000_000,
    "w": 7 * 86400 * 1_000_000_000,
    "mo": 730 * 3600 * 1_000_000_000,
    "y": 8760 * 3600 * 1_000_000_000,
}
# What formatting uses: without months and years, whose lengths surprise readers.
_WRITTEN = ("d", "h", "m", "s", "ms", "us", "ns")

_OCTETS = {
    "": 1, "B": 1,
    "K": 1000, "KB": 1000, "KI": 1 << 10, "KIB": 1 << 10,
    "M": 1000**2, "MB": 1000**2, "MI": 1 << 20, "MIB": 1 << 20,
    "G": 1000**3, "GB": 1000**3, "GI": 1 << 30, "GIB": 1 << 30,
    "T": 1000**4, "TB": 1000**4, "TI": 1 << 40, "TIB": 1 << 40,
}
_BINARY = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_TERM = re.compile(rf"({_NUMBER})(ns|us|\u00b5s|\u03bcs|ms|mo|s|m|h|d|w|y)")
_BARE_NUMBER = re.compile(rf"[-+]?{_NUMBER}")
_SIZE = re.compile(rf"([-+]?)({_NUMBER}) ?([A-Za-z]*)")

MAX_SIZE = 2**63 - 1
_MAX_TEXT = 64


class UnitError(ValueError):
    """A text is no duration, or no size; the message says what would be one."""


def parse_duration(text: str) -> float:
    """
    Read a duration such as C{1h30m}, C{14d}, C{1.5h} or C{250ms}.

    A day is 24 h, a week 7 d, a month (C{mo}) 730 h and a year (C{y}) 8760 h.

    :param text: may begin with a sign; C{0} needs no unit.
    :return: seconds.
    :raises UnitError: it is no duration.
    """
    stripped = text.strip()
    negative = stripped.startswith("-")
    unsigned = stripped[1:] if stripped[:1] in ("-", "+") else stripped
    if unsigned == "0":
        return 0.0
    total = _nanoseconds(unsigned, stripped)
    if total > 2**63 - 1:
        raise UnitError(f"{_shown(stripped)} is longer than 292 years")
    seconds = float(total / 1_000_000_000)
    return -seconds if negative else seconds


def _nanoseconds(unsigned: str, text: str) -> Decimal:
    if _BARE_NUMBER.fullmatch(text) and len(text) <= _MAX_TEXT:
        raise UnitError(f"{text} has no unit; for seconds write {text}s")
    total, position = Decimal(0), 0
    # What is longer is no duration, and would be looked through from each of its digits.
    for term in _TERM.finditer(unsigned) if len(unsigned) <= _MAX_TEXT else ():
        if term.start() != position:
            break
        total += Decimal(term[1]) * _NANOSECONDS[term[2]]
        position = term.end()
    if not unsigned or position != len(unsigned):
        raise UnitError(
            f"{_shown(text)} is not a duration; write one like 90s, 1h30m or 14d "
            "(units ns us ms s m h d w mo y)"
        )
    return total


def format_duration(seconds: float) -> str:
    """
    :param seconds: any finite number; rounded to nanoseconds.
    :return: the shortest plain spelling, such as C{1h30m}; L{parse_duration} reads it.
    """
    left = round(Decimal(repr(float(seconds))) * 1_000_000_000)
    sign, left = ("-", -left) if left < 0 else ("", left)
    pieces = []
    for unit in _WRITTEN:
        count, left = divmod(left, _NANOSECONDS[unit])
        if count:
            pieces.append(f"{count}{unit}")
    return sign + "".join(pieces) if pieces else "0s"


def parse_size(text: str) -> int:
    """
    Read a size such as C{536870912}, C{512MiB} (binary) or C{512MB} (decimal).

    :param text: may begin with a sign; digits may be grouped with underscores.
    :return: octets.
    :raises UnitError: it is no size, or no whole number of octets.
    """
    stripped = text.strip()
    found = _SIZE.fullmatch(stripped.replace("_", "")) if len(stripped) <= _MAX_TEXT else None
    factor = _OCTETS.get(found[3].upper()) if found else None
    if found is None or factor is None:
        raise UnitError(
            f"{_shown(stripped)} is not a size; write octets, or a number with a unit like "
            "512MiB or 10MB (units B KB MB GB TB KiB MiB GiB TiB)"
        )
    octets = Decimal(found[2]) * factor
    if octets != octets.to_integral_value():
        raise UnitError(f"{_shown(stripped)} is not a whole number of octets")
    if octets > MAX_SIZE:
        raise UnitError(f"{_shown(stripped)} is more than 8 EiB")
    return -int(octets) if found[1] == "-" else int(octets)


def format_size(octets: int) -> str:
    """
    :return: the size in the largest binary unit that divides it, such as C{512MiB}, or
        plain octets; L{parse_size} reads it.
    """
    for unit, factor in _BINARY:
        if octets and octets % factor == 0:
            return f"{octets // factor}{unit}"
    return str(octets)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "...")
