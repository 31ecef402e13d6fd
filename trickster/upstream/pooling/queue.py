"""Requests that wait for their turn, first come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class TurnTooLate(Exception):
    """A turn has not come in time."""


@frozen(eq=False)
class Waiter:
    """
    One in the queue.

    :ivar since: the clock's seconds at which it came.
    :ivar turn: fires when it is its turn.
    """

    since: float
    turn: Deferred[None]


@define(eq=False)
class TurnQueue:
    """
    Has requests wait, each for no longer than it may.

    :ivar patience: seconds that each waits at most.
    :ivar waiters: those that wait, first come, first.
    """

    _clock: IReactorTime
    patience: float
    waiters: deque[Waiter] = field(factory=deque, init=False)

    async def wait(self) -> None:
        """
        Wait for a turn.

        :raises TurnTooLate: it has not come in time.
        """
        waiter = Waiter(self._clock.seconds(), Deferred(self._left))
        self.waiters.append(waiter)
        giving_up = self._clock.callLater(self.patience, self._give_up, waiter)
        try:
            await waiter.turn
        finally:
            if giving_up.active():
                giving_up.cancel()

    def pass_on(self) -> None:
        """It is the turn of the first."""
        self.waiters.popleft().turn.callback(None)

    def refuse_before(self, since: float) -> None:
        """
        Let those wait no longer who have waited for too long.

        :param since: the clock's seconds before which they came.
        """
        while self.waiters and self.waiters[0].since < since:
            self.waiters.popleft().turn.errback(TurnTooLate())

    def turn_away(self, why: Callable[[], Exception]) -> None:
        """
        Let none wait any longer.

        :param why: makes the error for each.
        """
        while self.waiters:
            self.waiters.popleft().turn.errback(why())

    def _left(self, turn: Deferred[None]) -> None:
        self.waiters.remove(next(waiter for waiter in self.waiters if waiter.turn is turn))

    def _give_up(self, waiter: Waiter) -> None:
        self.waiters.remove(waiter)
        waiter.turn.errback(TurnTooLate())
