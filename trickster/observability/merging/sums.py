"""What several numbers are together, where some of them may be unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import fsum, isfinite, isnan, nan

# Of the numbers of several processes, in any order, the one of all; NaN is a number not known.
Rule = Callable[[Iterable[float]], float]


def added(values: Iterable[float]) -> float:
    """:return: the sum of those that are known, as near as a float can be to it."""
    known = _known(values)
    try:
        return fsum(known) if known else nan
    except (OverflowError, ValueError):  # beyond all floats, or of both infinities
        return sum(known)


def largest(values: Iterable[float]) -> float:
    """:return: the largest of those that are known."""
    return max(_known(values), default=nan)


def least(values: Iterable[float]) -> float:
    """:return: the least of those that are known."""
    return min(_known(values), default=nan)


def limits_added(values: Iterable[float]) -> float:
    """:return: what limits allow together; 0 where there is one that is 0: no limit."""
    return _unless_unlimited(values, added)


def largest_limit(values: Iterable[float]) -> float:
    """:return: the largest limit; 0 where there is one that is 0: no limit."""
    return _unless_unlimited(values, largest)


def condensed(values: Sequence[float]) -> tuple[float, ...]:
    """
    :return: a few numbers of which the sum is exactly that of these: so a sum that numbers are
        added to again and again never goes down by what is lost in rounding.
    """
    parts: list[float] = []
    while True:
        rest = added([*values, *(-part for part in parts)])
        if parts and not (rest and isfinite(rest)):
            return tuple(parts)
        parts.append(rest)
        if not isfinite(rest):
            return (rest,)


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if not isnan(value)]


def _unless_unlimited(values: Iterable[float], rule: Rule) -> float:
    given = list(values)
    return 0.0 if 0 in given else rule(given)
