"""How long what is taken one at a time is usually held."""

from __future__ import annotations

from math import exp

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

# Seconds after which what was counted counts for a third of what happens now: an origin that
# was slow some minutes ago says nothing of how it is.
_MEMORY = 30.0
_AGED_EVERY = 0.5


@define(eq=False)
class Occupancy:
    """
    How many are held, and for how long on average.

    By Little's law the time for which they are held is that for which all together have been,
    by how many have been given back.  No single one has to be followed for that, and where
    many come back at once it holds as well.

    :ivar held: how many are now.
    """

    clock: IReactorTime
    held: int = field(default=0, init=False)
    _seconds: float = field(default=0.0, init=False)
    _returned: float = field(default=0.0, init=False)
    _noted_at: float = field(default=0.0, init=False)
    _aged_at: float = field(default=0.0, init=False)

    def take(self) -> None:
        """One more is held."""
        self._note()
        self.held += 1

    def give_back(self) -> None:
        """One less is held."""
        self._note()
        self._returned += 1
        self.held -= 1

    @property
    def mean(self) -> float:
        """
        :return: seconds for which one is held on average, as it was of late; 0 where none has
            come back yet.
        """
        return self._seconds / self._returned if self._returned else 0.0

    @property
    def returned(self) -> float:
        """
        :return: how many have been given back of late: one of half a minute ago counts for a
            third, and older ones for less and less.
        """
        self._note()
        return self._returned

    def _note(self) -> None:
        now = self.clock.seconds()
        if now - self._aged_at > _AGED_EVERY:
            self._age(now)
        self._seconds += self.held * (now - self._noted_at)
        self._noted_at = now

    def _age(self, now: float) -> None:
        share = exp((self._aged_at - now) / _MEMORY)
        self._seconds *= share
        self._returned *= share
        self._aged_at = now
