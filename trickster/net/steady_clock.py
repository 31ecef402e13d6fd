"""A clock for timers and ages, which the setting of the wall clock does not move."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field

Seconds = Callable[[], float]


def elapsed() -> Seconds:
    """
    :return: seconds since some moment in the past, that never go back.  Where the system can
        tell them, those in which the machine was suspended count: what has become stale
        meanwhile is not fresh when it wakes.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return partial(time.clock_gettime, time.CLOCK_MONOTONIC if boot is None else boot)


@define(eq=False)
class SteadyClock:
    """
    Seconds since the epoch as they were when this was made, and those that have elapsed since.

    They are what delays, deadlines and ages are counted in, and comparable with what the wall
    clock said at the start; what is shown as a date is the wall clock's business.

    Two processes have two such clocks, which differ by how far the wall clock was set between
    their starts.  A store that outlives its process, or is shared, is read with the clock of
    another one than it was written with: its times to live are off by that much, as they
    would be with the wall clock itself.

    :ivar _wall: seconds since the epoch, which may jump; asked once.
    :ivar _elapsed: seconds that never go back, such as L{elapsed} gives.
    """

    _wall: Seconds
    _elapsed: Seconds
    _offset: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._offset = self._wall() - self._elapsed()

    def seconds(self) -> float:
        """
        See C{twisted.internet.interfaces.IReactorTime.seconds}.

        :return: since the epoch, as far as the wall clock was right at the start; never less
            than before.
        """
        return self._offset + self._elapsed()


def keep_steady(reactor: Any, wall: Seconds, since: Seconds) -> None:
    """
    Have a reactor's delayed calls, and all who ask it for the time, go by a steady clock.

    What is scheduled already goes on: at this moment the two clocks say the same.

    :param reactor: of Twisted, whose clock is the wall clock by default.
    :param since: as L{elapsed}.
    """
    if not isinstance(getattr(reactor.seconds, "__self__", None), SteadyClock):
        reactor.seconds = SteadyClock(wall, since).seconds
