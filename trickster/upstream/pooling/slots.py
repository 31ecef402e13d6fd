"""A bound on how much happens at a time, with a queue in front of it."""

from __future__ import annotations

from collections import deque
from typing import NoReturn

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Overloaded
from trickster.upstream.pooling.occupancy import Occupancy

# Where requests have waited long for such a time, in seconds, or for so many answers of the
# origin one after the other, that is no burst, unless fewer come than are served: for each
# request that is served as many at least must have come as this share says.
_STANDING = 0.6
_ROUNDS = 4
_FED = 0.9
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
class _LongWait:
    """
    A time for which the first of a queue has always waited long.

    :ivar since: the clock's seconds.
    :ivar came: how many requests have come in that time.
    :ivar went: how many have been served in it.
    """

    since: float
    came: int = 0
    went: int = 0

    @property
    def is_fed(self) -> bool:
        """Whether the queue stays as it is, or grows; a burst is served, and gone."""
        return self.came >= _FED * self.went


@define(eq=False)
class Slots:
    """
    So many may be taken at a time; later requests wait, first come, first served.

    A request that would probably wait for longer than it may is refused at once: what it would
    have waited for in vain is time in which its client could have turned elsewhere.

    :ivar limit: 0 for no bound.
    :ivar queue_limit: how many may wait.
    :ivar patience: seconds that each waits at most.
    """

    clock: IReactorTime
    limit: int
    queue_limit: int
    patience: float
    _occupancy: Occupancy = field(init=False, default=Factory(
        lambda self: Occupancy(self.clock), takes_self=True))
    _queue: deque[_Waiting] = field(factory=deque, init=False)
    _long_wait: _LongWait | None = field(default=None, init=False)
    _changed_at: float = field(default=0.0, init=False)

    @property
    def taken(self) -> int:
        """How many are in use now."""
        return self._occupancy.held

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def expected_wait(self) -> float:
        """
        Seconds until a request that came now would have a slot: what those before it and it
        itself will usually take, and for how much longer than an answer takes none has come
        free, which an origin that hangs makes long.
        """
        if not self.limit or self.taken < self.limit:
            return 0.0
        since = self.clock.seconds() - self._changed_at
        return self._queueing + max(0.0, since - self._occupancy.mean)

    @property
    def _queueing(self) -> float:
        # One comes free in each such part of the time that an answer takes.
        return self._occupancy.mean / self.limit * (len(self._queue) + 1)

    @property
    def _bearable(self) -> float:
        return max(_TARGET, _TARGET_ROUNDS * self._occupancy.mean)

    def try_take(self) -> bool:
        """:return: whether one was free, and is taken now; to be given back."""
        occupancy = self._occupancy
        if self.limit and occupancy.held >= self.limit:
            return False
        occupancy.take()
        if occupancy.held == self.limit:
            self._changed_at = self.clock.seconds()
        return True

    async def take(self) -> None:
        """
        Take one, waiting for it if need be; to be given back.

        :raises Overloaded: too many wait already, or none will come free, or came free, in time.
        """
        if not self.try_take():
            self.admit()
            self._note_coming()
            await self._wait()

    def admit(self) -> None:
        """
        Look whether a request may wait, where none is free.

        :raises Overloaded: too many wait already, or none will come free in time.
        """
        expected = self.expected_wait
        if len(self._queue) >= self.queue_limit:
            self._refuse("too many requests wait for the origin", expected)
        if self._is_in_vain(expected) or self._is_too_long():
            self._refuse("the origin will have no connection free in time", expected)

    def _refuse(self, why: str, expected: float) -> NoReturn:
        self._note_coming()
        raise Overloaded(why, retry_after=expected)

    def _is_in_vain(self, expected: float) -> bool:
        # What too few have shown is no reason to send one away; that none comes free at all is.
        is_known = self._occupancy.returned >= self.limit
        return (expected if is_known else expected - self._queueing) > self.patience

    def _is_too_long(self) -> bool:
        return (self._is_standing() and len(self._queue) >= self.limit
                and self._queueing > self._bearable)

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
        if self._occupancy.held == self.limit:
            self._changed_at = self.clock.seconds()
        self._occupancy.give_back()
        if self._queue:
            self._pass_on()
        else:
            self._long_wait = None

    def _pass_on(self) -> None:
        self._note_going()
        if self._is_standing():
            self._refuse_late()
        if self._queue:
            self._occupancy.take()
            self._queue.popleft().turn.callback(None)

    def _note_coming(self) -> None:
        if self._long_wait is not None:
            self._long_wait.came += 1

    def _note_going(self) -> None:
        now = self.clock.seconds()
        if now - self._queue[0].since < _SHARE * self._bearable:
            self._long_wait = None
            return
        if self._long_wait is None:
            self._long_wait = _LongWait(now)
        self._long_wait.went += 1

    def _is_standing(self) -> bool:
        """:return: whether requests have waited long for such a time that it is no burst."""
        wait = self._long_wait
        return wait is not None and wait.is_fed and (
            self.clock.seconds() - wait.since > max(_STANDING, _ROUNDS * self._occupancy.mean))

    def _refuse_late(self) -> None:
        """Who has waited for too long in a queue that stays makes all others wait as long."""
        since = self.clock.seconds() - _SLACK * self._bearable
        while self._queue and self._queue[0].since < since:
            self._queue.popleft().turn.errback(self._too_late())

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
