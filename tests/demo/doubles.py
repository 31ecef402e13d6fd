"""What the tests of several modules of the demonstration need."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from twisted.internet.task import Clock

from demo.api import Cost

_T = TypeVar("_T")

#: Seconds since the epoch.
NOW = 1_700_000_000
#: Queries that take no time.
CHEAP = Cost(0.0, 0.0)

def now_clock() -> Clock:
    """:return: a clock that stands at a fixed instant."""
    clock = Clock()
    clock.advance(NOW)
    return clock


def finished(work: Generator[None, None, _T]) -> _T:
    """:return: the result of something that lets others run in between."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            value: _T = done.value
            return value
