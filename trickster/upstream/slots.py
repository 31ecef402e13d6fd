"""A bound on how much happens at a time, with a queue in front of it."""

from __future__ import annotations

from collections import deque

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Overloaded

# How much of the estimated interval each new one makes up.
_WEIGHT = 0.1
# A queue that takes longer than this, in seconds, and than so many answers of the origin one
# after the other, is no burst but overload: it would stay as long for as long as the load does.
_PROMPT = 0.75
_ROUNDS = 4
# Fewer requests are not refused by what they will probably wait: how often connections come
# free is known only once they have done so for a while.
_SHORT = 256
# Where requests have waited long for such a time, in seconds, that is overload too.
_STANDING = 0.6
# They then wait for so long at most, or for so many answers of the origin; that is still more
# than keeps all connections busy.  It is over when they wait for less than this share of it.
_TARGET = 0.3
_TARGET_ROUNDS = 2
_SHARE = 1 / 3
# Those that came in when the queue seemed shorter than it was wait for so much longer.
_SLACK = 1.5


@frozen(eq=False)
class _Waiting:
    """
    One in the queue.

    :ivar since: the clock's seconds at which it came.
    :ivar turn: fires when a slot is its own.
    """

    since: float
    turn: Deferred[None]


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
    _queue: deque[_Waiting] = field(factory=deque, init=False)
    _standing_since: float | None = field(default=None, init=False)
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
    def _answer(self) -> float:
        # Seconds that an answer takes the origin, by Little's law.
        return self._interval * self.limit

    @property
    def _bearable(self) -> float:
        return max(_TARGET, _TARGET_ROUNDS * self._answer)

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
        if not self.try_take():
            self.admit()
            await self._wait()

    def admit(self) -> None:
        """
        Look whether a request may wait, where none is free.

        :raises Overloaded: too many wait already, or none will come free in time.
        """
        expected = self.expected_wait
        if len(self._queue) >= self.queue_limit:
            raise Overloaded("too many requests wait for the origin", retry_after=expected)
        if expected > self.patience or self._is_too_long():
            raise Overloaded("the origin will have no connection free in time",
                             retry_after=expected)

    def _is_too_long(self) -> bool:
        number = len(self._queue)
        if self._is_standing():
            return number >= self.limit and self._queueing > self._bearable
        return number >= _SHORT and (
            self._queueing > max(_PROMPT, _ROUNDS * self._answer))

    async def _wait(self) -> None:
        waiting = _Waiting(self.clock.seconds(), Deferred(self._leave))
        self._queue.append(waiting)
        giving_up = self.clock.callLater(self.patience, self._give_up, waiting)
        try:
            await waiting.turn
        finally:
            if giving_up.active():
                giving_up.cancel()

    def give_back(self) -> None:
        """One is free; it goes to the request that has waited longest, if not for too long."""
        if self.taken == self.limit:
            self._note_interval()
        if self._queue:
            self._note_standing()
            if self._is_standing():
                self._refuse_late()
        if self._queue:
            self._queue.popleft().turn.callback(None)
        else:
            self._standing_since = None
            self.taken -= 1

    def _note_standing(self) -> None:
        now = self.clock.seconds()
        if now - self._queue[0].since < _SHARE * self._bearable:
            self._standing_since = None
        elif self._standing_since is None:
            self._standing_since = now

    def _is_standing(self) -> bool:
        """:return: whether requests have waited long for such a time that it is no burst."""
        since = self._standing_since
        return since is not None and (
            self.clock.seconds() - since > max(_STANDING, _ROUNDS * self._answer))

    def _refuse_late(self) -> None:
        """Who has waited for too long in a queue that stays makes all others wait as long."""
        since = self.clock.seconds() - _SLACK * self._bearable
        while self._queue and self._queue[0].since < since:
            self._queue.popleft().turn.errback(self._too_late())

    def _note_interval(self) -> None:
        now = self.clock.seconds()
        interval = max(0.0, now - self._changed_at)
        self._changed_at = now
        self._interval += (interval - self._interval) * (_WEIGHT if self._interval else 1.0)

    def turn_away(self) -> None:
        """Let none wait any longer."""
        while self._queue:
            self._queue.popleft().turn.errback(Overloaded("the proxy is being stopped"))

    def _leave(self, turn: Deferred[None]) -> None:
        self._queue.remove(next(waiting for waiting in self._queue if waiting.turn is turn))

    def _give_up(self, waiting: _Waiting) -> None:
        self._queue.remove(waiting)
        waiting.turn.errback(self._too_late())

    def _too_late(self) -> Overloaded:
        return Overloaded("the origin had no connection free in time",
                          retry_after=self.expected_wait)
