"""A timer that is cheap to move."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


def _nothing() -> None:
    """There is no callback."""


@define
class Deadline:
    """
    Calls back once when a time has come that is moved or lifted at every request.

    To move it on, or lift it, touches no timer of the reactor's: the one there is fires
    early, sees that there is time left, and is set again.
    """

    _clock: IReactorTime
    _expired: Callable[[], object]
    _at: float | None = field(default=None, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)

    @property
    def at(self) -> float | None:
        """The clock's seconds at which it is reached; None where it is lifted."""
        return self._at

    def set(self, delay: float) -> None:
        """
        :param delay: seconds from now; 0 lifts the deadline.
        """
        if not delay:
            self._at = None
            return
        self._at = at = self._clock.seconds() + delay
        if self._call is None:
            self._call = self._clock.callLater(delay, self._fired)
        elif self._call.getTime() > at:
            self._call.reset(delay)

    def lift(self) -> None:
        """There is no deadline until the next L{set}."""
        self._at = None

    def stop(self) -> None:
        """Leave nothing behind, and never call back any more."""
        self._at = None
        # What is called back most often has this: it would wait for the collector of cycles.
        self._expired = _nothing
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _fired(self) -> None:
        self._call = None
        at = self._at
        if at is None:
            return
        left = at - self._clock.seconds()
        if left > 0:
            self._call = self._clock.callLater(left, self._fired)
        else:
            self._at = None
            self._expired()
