"""
Instants and durations as the Prometheus HTTP API reads them.

Reading is strict where Prometheus is, and stricter where implementations differ: what is
refused here goes to the origin as it is, so that the origin's own word counts.
(https://prometheus.io/docs/prometheus/latest/querying/api/)
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache

from trickster.promql.facts import MILLISECOND_NS, SECOND_NS, duration_ns
from trickster.remembering import remembered

_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)T((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d{1,9}))?"
    r"(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII)
_LONGEST = 64  # characters of a time or a step; longer ones are the origin's to understand
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS = (1 << 63) - SECOND_NS  # what 64 bits of nanoseconds hold, with some room


@remembered(4 << 20)
def instant_ns(text: str) -> int:
    """
    :param text: Unix seconds as a decimal number, or RFC 3339.
    :return: nanoseconds since the epoch, on a whole millisecond, as Prometheus rounds it.
    :raises ValueError: it is neither, or before 1970, or far in the future.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    if text.isascii() and text.isdigit():
        total_ns = int(text) * SECOND_NS
    elif _DECIMAL.fullmatch(text):
        total_ns = _from_float(float(text))
    else:
        total_ns = _from_rfc3339(text)
    if not 0 <= total_ns < _LATEST_NS:
        raise ValueError(f"out of range: {text!r}")
    return total_ns // MILLISECOND_NS * MILLISECOND_NS


def _from_float(seconds: float) -> int:
    # The origin's own arithmetic: milliseconds, half away from zero, then nanoseconds.
    if not abs(seconds) < _LATEST_NS / SECOND_NS:
        raise ValueError("out of range")
    fraction, whole = math.modf(seconds)
    thousandths = abs(fraction * 1000)
    rounded = math.floor(thousandths)
    if thousandths - rounded >= 0.5:
        rounded += 1
    return int(whole) * SECOND_NS + int(math.copysign(rounded / 1000, fraction) * 1e9)


def _from_rfc3339(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time: {text!r}")
    day, clock, fraction, sign, hours, minutes = match.groups()
    since = datetime.fromisoformat(f"{day}T{clock}+00:00") - _EPOCH
    seconds = since.days * 86400 + since.seconds
    if sign:
        shift = int(hours) * 3600 + int(minutes) * 60
        seconds += -shift if sign == "+" else shift
    return seconds * SECOND_NS + int((fraction or "0").ljust(9, "0"))


@remembered(1 << 20)
def step_ns(text: str) -> int:
    """
    :param text: seconds as a decimal number, or a duration such as C{1h30m}.
    :return: nanoseconds; 0 and less are the caller's to refuse.
    :raises ValueError: it is neither.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    if _DECIMAL.fullmatch(text):
        nanoseconds = float(text) * 1e9
        if not abs(nanoseconds) < 1 << 62:
            raise ValueError(f"out of range: {text!r}")
        return int(nanoseconds)
    length = duration_ns(text)
    if length is None or length >= 1 << 62:
        raise ValueError(f"not a duration: {text!r}")
    return length


@lru_cache(maxsize=8192)
def seconds_text(time_ns: int) -> str:
    """:return: an instant on a whole millisecond, as Prometheus writes timestamps."""
    seconds, rest = divmod(time_ns // MILLISECOND_NS, 1000)
    return f"{seconds}.{rest:03}" if rest else str(seconds)


def instant_text(text: str) -> str:
    """
    :param text: an instant as the client wrote it.
    :return: the same instant in the one spelling that all of its spellings share; what cannot
        be read as it came, for the origin to understand.
    """
    try:
        return seconds_text(instant_ns(text))
    except ValueError:
        return text


def rounded_ns(text: str, to_ns: int, up: bool = False) -> int | None:
    """
    :param text: an instant, however it is spelled.
    :param to_ns: what to round to; 0 leaves everything as it is.
    :param up: whether to round up, not down.
    :return: the instant that whole seconds become; None where nothing is to be rounded: the
        instant is a multiple already, has a fraction of a second, which is meant to be exact,
        or cannot be read.
    """
    try:
        time_ns = instant_ns(text)
    except ValueError:
        return None
    if not to_ns or time_ns % SECOND_NS or time_ns % to_ns == 0:
        return None
    return (time_ns + (to_ns if up else 0)) // to_ns * to_ns
