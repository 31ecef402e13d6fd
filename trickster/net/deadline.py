"""A time limit that moves often and is seldom reached."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from trickster.net.callbacks import ignore


@define(eq=False)
class Deadline:
    """
    Calls back once when a time has come that is moved or lifted at every message.

    There is one delayed call, however often the limit moves: to move it later, or to lift it,
    costs an assignment, and the call, when it comes too early, waits for the rest.
    """

    _clock: IReactorTime
    _expired: Callable[[], object]
    _at: float | None = field(default=None, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _call_at: float = field(default=0.0, init=False)

    @property
    def at(self) -> float | None:
        """:return: the clock's seconds at which it is reached; None for none, or where it was."""
        return self._at

    def set(self, seconds: float) -> None:
        """
        :param seconds: from now, as configured: 0 is for ever, and lifts the deadline.
        """
        if not seconds:
            self._at = None
            return
        self._at = at = self._clock.seconds() + seconds
        if self._call is None or self._call_at > at:
            self._wait(at, seconds)

    def move(self, seconds: float, latest: float | None = None) -> None:
        """
        :param seconds: from now.
        :param latest: a time of the clock that is not passed, however many C{seconds} are asked.
        """
        now = self._clock.seconds()
        at = now + seconds
        self._at = at = at if latest is None else min(at, latest)
        if self._call is None or self._call_at > at:
            self._wait(at, max(0.0, at - now))

    def lift(self) -> None:
        """There is no limit until the next L{set} or L{move}."""
        self._at = None

    def stop(self) -> None:
        """Leave nothing with the clock, and never call back any more."""
        self._at = None
        # What is called back most often has this: it would wait for the collector of cycles.
        self._expired = ignore
        self._cancel()

    def _cancel(self) -> None:
        if self._call is not None:
            call, self._call = self._call, None
            call.cancel()

    def _wait(self, at: float, seconds: float) -> None:
        self._cancel()
        self._call_at = at
        self._call = self._clock.callLater(seconds, self._fired)

    def _fired(self) -> None:
        self._call = None
        at = self._at
        if at is None:
            return
        left = at - self._clock.seconds()
        if left > 0:
            self._wait(at, left)
        else:
            self._at = None
            self._expired()
