"""Refusals that are told later, in their order, by one timer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@define(eq=False)
class Postponed:
    """
    A refusal that is told later.

    :ivar due: the clock's seconds at which it is told.
    :ivar tell: sends it.
    """

    _queue: Postponements
    due: float
    tell: Callable[[], None]

    def drop(self) -> None:
        """It will not be told; harmless where it has been."""
        self._queue.drop(self)

    def hurry(self) -> None:
        """Tell it now."""
        self.drop()
        self.tell()


@define(eq=False)
class Postponements:
    """
    Refusals that wait to be told.

    There is one timer for all: to set one for each would take longer than to refuse.  There is
    none where no refusal waits.

    :ivar most: refusals that may wait at a time, each of which takes a descriptor.
    """

    clock: IReactorTime
    most: int
    _waiting: OrderedDict[Postponed, None] = field(factory=OrderedDict, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def add(self, delay: float, tell: Callable[[], None]) -> Postponed | None:
        """
        Tell a refusal later, after all that came before it.

        :param delay: seconds, more than 0.
        :param tell: sends it.
        :return: None where too many wait already: it is to be told now.
        """
        if len(self._waiting) >= self.most:
            return None
        now = self.clock.seconds()
        postponed = Postponed(self, now + delay, tell)
        self._waiting[postponed] = None
        self._set_timer(now)
        return postponed

    def drop(self, postponed: Postponed) -> None:
        """
        Do not tell a refusal.

        :param postponed: one of these; harmless where it has been told or dropped.
        """
        self._waiting.pop(postponed, None)
        timer = self._timer
        if not self._waiting and timer is not None and timer.active():
            timer.cancel()
            self._timer = None

    def _set_timer(self, now: float) -> None:
        if self._timer is None and self._waiting:
            due = next(iter(self._waiting)).due
            self._timer = self.clock.callLater(max(0.0, due - now), self._tell)

    def _tell(self) -> None:
        now = self.clock.seconds()
        # The timer stays until the end, though it has fired: a client that is told may ask
        # again in the same octets, and be put off again, which must not set another one.
        try:
            while self._waiting and next(iter(self._waiting)).due <= now:
                self._waiting.popitem(last=False)[0].tell()
        finally:
            self._timer = None
            self._set_timer(now)
