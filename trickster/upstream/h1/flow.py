"""Since when a body is on its way over a connection."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

# Seconds after which a body that is not over counts as one that lasts, and after which one
# does whose reader keeps it waiting.
_LASTING_AFTER = 5.0
_HELD_FOR = 1.0
_NEVER = float("inf")


@define(eq=False)
class Flow:
    """
    Tells what takes long at another's pace from what an origin is at work on.

    One body is on its way at a time, that of a request or that of the response.
    """

    _clock: IReactorTime
    _since: float = field(default=_NEVER, init=False)
    _held_since: float = field(default=_NEVER, init=False)

    def begin(self) -> None:
        """A body is on its way from now on."""
        self._since = self._clock.seconds()

    def hold(self) -> None:
        """The body's reader wants no more for now."""
        self._held_since = self._clock.seconds()

    def go_on(self) -> None:
        """The body's reader wants more."""
        self._held_since = _NEVER

    def end(self) -> None:
        """No body is on its way."""
        self._since = self._held_since = _NEVER

    def lasts(self, now: float) -> bool:
        """
        :param now: the clock's seconds.
        :return: whether a body is on its way that takes long.
        """
        return now - self._since > _LASTING_AFTER or now - self._held_since >= _HELD_FOR
