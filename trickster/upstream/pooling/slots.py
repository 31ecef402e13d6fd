"""A bound on how much happens at a time, with a queue in front of it."""

from __future__ import annotations

from typing import NoReturn

from attrs import Factory, define, field
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Overloaded
from trickster.upstream.pooling.occupancy import Occupancy
from trickster.upstream.pooling.queue import TurnQueue, TurnTooLate
from trickster.upstream.pooling.standing import StandingQueue

# In a queue that stands, requests wait for so many seconds at most, or for so many responses of
# the origin; that is still more than keeps all connections busy.
_TARGET = 0.3
_TARGET_ROUNDS = 2
# Those that came in when the queue seemed shorter than it was wait for so much longer.
_SLACK = 1.5


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
    _queue: TurnQueue = field(init=False, default=Factory(
        lambda self: TurnQueue(self.clock, self.patience), takes_self=True))
    _standing: StandingQueue = field(factory=StandingQueue, init=False)
    _changed_at: float = field(default=0.0, init=False)

    @property
    def taken(self) -> int:
        """:return: how many are in use now, at most L{limit} where that is not 0."""
        return self._occupancy.held

    @property
    def waiting(self) -> int:
        """:return: how many requests wait for one now, at most L{queue_limit}."""
        return len(self._queue.waiters)

    @property
    def expected_wait(self) -> float:
        """
        :return: seconds until a request that came now would have a slot; 0 where one is free.
            They are what those before it and it itself will usually take, and for how much
            longer than an answer takes none has come free, which an origin that hangs makes long.
        """
        if not self.limit or self.taken < self.limit:
            return 0.0
        since = self.clock.seconds() - self._changed_at
        return self._queueing + max(0.0, since - self._occupancy.mean)

    @property
    def _queueing(self) -> float:
        # One comes free in each such part of the time that an answer takes.
        return self._occupancy.mean / self.limit * (len(self._queue.waiters) + 1)

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
        if self.try_take():
            return
        self.admit()
        self._standing.came()
        try:
            await self._queue.wait()
        except TurnTooLate as error:
            raise Overloaded("the origin had no connection free in time",
                             retry_after=self.expected_wait) from error

    def admit(self) -> None:
        """
        Look whether a request may wait, where none is free.

        :raises Overloaded: too many wait already, or none will come free in time.
        """
        expected = self.expected_wait
        if len(self._queue.waiters) >= self.queue_limit:
            self._refuse("too many requests wait for the origin", expected)
        if self._is_in_vain(expected) or self._is_too_long():
            self._refuse("the origin will have no connection free in time", expected)

    def _refuse(self, why: str, expected: float) -> NoReturn:
        self._standing.came()
        raise Overloaded(why, retry_after=expected)

    def _is_in_vain(self, expected: float) -> bool:
        # What too few have shown is no reason to send one away; that none comes free at all is.
        is_known = self._occupancy.returned >= self.limit
        return (expected if is_known else expected - self._queueing) > self.patience

    def _is_too_long(self) -> bool:
        return (self._stands() and len(self._queue.waiters) >= self.limit
                and self._queueing > self._bearable)

    def give_back(self) -> None:
        """One is free; it goes to the request that has waited longest, if not for too long."""
        if self._occupancy.held == self.limit:
            self._changed_at = self.clock.seconds()
        self._occupancy.give_back()
        if self._queue.waiters:
            self._pass_on()
        elif self._standing.long_wait is not None:
            self._standing.emptied()

    def turn_away(self) -> None:
        """Let none wait any longer."""
        self._queue.turn_away(lambda: Overloaded("the proxy is being stopped"))

    def _pass_on(self) -> None:
        now = self.clock.seconds()
        self._standing.went(now, self._queue.waiters[0].since, self._bearable)
        if self._stands():
            # One that has waited for too long in a queue that stays makes all others wait as long.
            self._queue.refuse_before(now - _SLACK * self._bearable)
        if self._queue.waiters:
            self._occupancy.take()
            self._queue.pass_on()

    def _stands(self) -> bool:
        return self._standing.stands(self.clock.seconds(), self._occupancy.mean)
