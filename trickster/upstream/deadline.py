"""A time limit that moves often and is seldom reached."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


def _nothing() -> None:
    """Nothing is to be done."""


@define(eq=False)
class Deadline:
    """
    One delayed call, however often the limit moves: moving it later costs an assignment,
    and the call, when it comes too early, waits for the rest.

    :ivar on_expiry: called without arguments when the limit is reached.
    """

    _clock: IReactorTime
    on_expiry: Callable[[], None]
    _due: float | None = field(default=None, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _call_at: float = field(default=0.0, init=False)

    def move(self, seconds: float, latest: float | None = None) -> None:
        """
        :param seconds: from now.
        :param latest: a time of the clock that is not passed, however many C{seconds} are asked.
        """
        now = self._clock.seconds()
        due = now + seconds
        self._due = due = due if latest is None else min(due, latest)
        if self._call is None or self._call_at > due:
            self._cancel()
            self._wait(max(0.0, due - now))

    def lift(self) -> None:
        """There is no limit now; another may be set later."""
        self._due = None

    def stop(self) -> None:
        """There is no limit any more, ever, and nothing is left with the clock."""
        self._due = None
        # What is called most often has this: it would wait for the collector of cycles.
        self.on_expiry = _nothing
        self._cancel()

    def _cancel(self) -> None:
        if self._call is not None:
            call, self._call = self._call, None
            call.cancel()

    def _wait(self, seconds: float) -> None:
        self._call_at = self._clock.seconds() + seconds
        self._call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._call = None
        if self._due is None:
            return
        left = self._due - self._clock.seconds()
        if left > 0:
            self._wait(left)
            return
        self._due = None
        self.on_expiry()
