"""Memory that a peak has left behind, given back to the system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_PAGES = "/proc/self/statm"
# Octets above what was needed after the last time from which on it is worth the while.
_SLACK = 32 << 20
# Giving back takes the kernel a tenth of a millisecond for each MiB, here as in freeing one large
# block, and the allocator is locked meanwhile: what allocates in the reactor's thread waits,
# though the work is done in another.  More octets than this are given back in a quiet moment, or
# when there has been none for so many looks.
_AT_ANY_TIME = 128 << 20
_MOST_DEFERRED = 20
_QUIET = 0.25  # of one processor


def resident() -> int:
    """
    :return: octets of this process that are in memory.
    :raises OSError: the system does not tell.
    """
    with open(_PAGES, "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def trimmer() -> Callable[[], None] | None:
    """:return: gives free memory back, where the C library (glibc) and the system can."""
    try:
        trim: Any = ctypes.CDLL(None).malloc_trim
        resident()
    except (AttributeError, OSError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int

    def give_back() -> None:
        trim(0)

    return give_back


@define(eq=False, slots=False)
class MemoryTrim(Service):
    """
    Looks now and then whether there was a peak and is none any more, and then gives back what
    the allocator keeps for the next one.

    :ivar clock: tells when to look.
    :ivar resident: as L{resident}.
    :ivar worked: seconds of processor time that this process has taken, as
        C{time.process_time} tells.
    :ivar trim: as L{trimmer} gives; it may take some milliseconds, and so goes to a thread.
    :ivar in_thread: calls a function in a thread.
    :ivar interval: seconds between two looks.
    """

    clock: IReactorTime
    resident: Callable[[], int]
    worked: Callable[[], float]
    trim: Callable[[], None]
    in_thread: Callable[[Callable[[], None]], Deferred[None]]
    interval: float = 15.0
    log: Logger = field(factory=Logger)
    _call: IDelayedCall | None = field(default=None, init=False)
    _least: int = field(default=0, init=False)
    _before: int = field(default=0, init=False)
    _worked: float = field(default=0.0, init=False)
    _deferred: int = field(default=0, init=False)

    def startService(self) -> None:
        """
        Begin to look.

        :raises OSError: the system does not tell.
        """
        super().startService()
        self._least = self._before = self.resident()
        self._worked = self.worked()
        self._look_later()

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look_later(self) -> None:
        if self.running and self._call is None:
            self._call = self.clock.callLater(self.interval, self._look)

    def _look(self) -> None:
        self._call = None
        if self._is_time():
            self._deferred = 0
            self.in_thread(self.trim).addCallback(self._trimmed).addErrback(self._failed)
        else:
            self._look_later()

    def _is_time(self) -> bool:
        now, before, is_quiet = self._told(), self._before, self._is_quiet()
        if now is None:
            return False
        self._before = now
        self._least = min(self._least, now)
        if now > before or now <= self._least + _SLACK:
            self._deferred = 0
            return False
        self._deferred += 1
        return (is_quiet or now <= self._least + _AT_ANY_TIME
                or self._deferred > _MOST_DEFERRED)

    def _told(self) -> int | None:
        try:
            return self.resident()
        except OSError:
            # No descriptor is free, say: there will be.
            return None

    def _is_quiet(self) -> bool:
        before, self._worked = self._worked, self.worked()
        return self._worked - before <= _QUIET * self.interval

    def _trimmed(self, _: None) -> None:
        # What is left is in use, or lies between what is.
        self._least = self._before = self._told() or self._before
        self._look_later()

    def _failed(self, failure: Any) -> None:
        self.log.failure("Giving memory back failed", failure)
        self._look_later()
