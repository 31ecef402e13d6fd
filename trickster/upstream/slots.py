"""A bound on how much happens at a time, with a queue in front of it."""

from __future__ import annotations

from collections import deque

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Overloaded

# How much of the estimated interval each new one makes up.
_WEIGHT = 0.1
# A queue that takes longer than this, in seconds, and than so many answers of the origin one
# after the other, is no burst but overload: it would stay as long for as long as the load does.
_PROMPT = 0.75
_ROUNDS = 4


@define(eq=False)
class Slots:
    """
    So many may be taken at a time; later requests wait, first come, first served.

    A request that would probably wait for longer than it may is refused at once: what it would
    have waited for in vain is time in which its client could have turned elsewhere.

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
    _interval: float = field(default=0.0, init=False)
    _changed_at: float = field(default=0.0, init=False)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def expected_wait(self) -> float:
        """
        Seconds until a request that came now would have a slot: the usual interval between
        two that come free, for each request before it and for itself, and the time since the
        last one that did, which an origin that hangs makes long.
        """
        if not self.limit or self.taken < self.limit:
            return 0.0
        since = max(0.0, self.clock.seconds() - self._changed_at)
        return self._queueing + max(0.0, since - self._interval)

    @property
    def _queueing(self) -> float:
        return self._interval * (len(self._queue) + 1)

    @property
    def _bearable(self) -> float:
        # By Little's law, an answer takes the origin the interval times the slots.
        return max(_PROMPT, _ROUNDS * self._interval * self.limit)

    def try_take(self) -> bool:
        """:return: whether one was free, and is taken now; to be given back."""
        if self.limit and self.taken >= self.limit:
            return False
        self.taken += 1
        if self.taken == self.limit:
            self._changed_at = self.clock.seconds()
        return True

    async def take(self) -> None:
        """
        Take one, waiting for it if need be; to be given back.

        :raises Overloaded: too many wait already, or none will come free, or came free, in time.
        """
        if self.try_take():
            return
        expected = self.expected_wait
        if len(self._queue) >= self.queue_limit:
            raise Overloaded("too many requests wait for the origin", retry_after=expected)
        if expected > self.patience or self._queueing > self._bearable:
            raise Overloaded("the origin will have no connection free in time",
                             retry_after=expected)
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
        """One is free; it goes to the request that has waited longest."""
        if self.taken == self.limit:
            self._note_interval()
        if self._queue:
            self._queue.popleft().callback(None)
        else:
            self.taken -= 1

    def _note_interval(self) -> None:
        now = self.clock.seconds()
        interval = max(0.0, now - self._changed_at)
        self._changed_at = now
        self._interval += (interval - self._interval) * (_WEIGHT if self._interval else 1.0)

    def turn_away(self) -> None:
        """Let none wait any longer."""
        while self._queue:
            self._queue.popleft().errback(Overloaded("the proxy is being stopped"))

    def _give_up(self, waiting: Deferred[None]) -> None:
        self._queue.remove(waiting)
        waiting.errback(Overloaded("the origin had no connection free in time",
                                   retry_after=self.expected_wait))
