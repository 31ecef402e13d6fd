"""A bound on how much happens at a time, with a queue in front of it."""

from __future__ import annotations

from collections import deque

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Overloaded


@define(eq=False)
class Slots:
    """
    So many may be taken at a time; who comes later waits, first come, first served.

    :ivar limit: 0 for no bound.
    :ivar queue_limit: how many may wait.
    :ivar patience: seconds that each waits at most.
    :ivar taken: how many are in use now.
    """

    clock: IReactorTime
    limit: int
    queue_limit: int
    patience: float
    taken: int = field(default=0, init=False)
    _queue: deque[Deferred[None]] = field(factory=deque, init=False)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def try_take(self) -> bool:
        """:return: whether one was free, and is taken now; to be given back."""
        if self.limit and self.taken >= self.limit:
            return False
        self.taken += 1
        return True

    async def take(self) -> None:
        """
        Take one, waiting for it if need be; to be given back.

        :raises Overloaded: too many wait already, or none came free in time.
        """
        if self.try_take():
            return
        if len(self._queue) >= self.queue_limit:
            raise Overloaded("too many requests are waiting for the origin")
        await self._wait()

    async def _wait(self) -> None:
        waiting: Deferred[None] = Deferred(self._queue.remove)
        self._queue.append(waiting)
        giving_up = self.clock.callLater(self.patience, self._give_up, waiting)
        try:
            await waiting
        finally:
            if giving_up.active():
                giving_up.cancel()

    def give_back(self) -> None:
        """One is free; it goes to who has waited longest."""
        if self._queue:
            self._queue.popleft().callback(None)
        else:
            self.taken -= 1

    def turn_away(self) -> None:
        """Let nobody wait any longer."""
        while self._queue:
            self._queue.popleft().errback(Overloaded("the proxy is being stopped"))

    def _give_up(self, waiting: Deferred[None]) -> None:
        self._queue.remove(waiting)
        waiting.errback(Overloaded("the origin had no connection free in time"))
