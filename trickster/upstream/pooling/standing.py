"""Whether a queue is a burst, which is served and gone, or one that stays."""

from __future__ import annotations

from attrs import define, field

# Where requests have waited long for such a time, in seconds, or for so many responses of the
# origin one after the other, that is no burst, unless fewer come than are served: for each
# request that is served as many at least must have come as this share says.
_STANDING = 0.6
_ROUNDS = 4
_FED = 0.9
# It is over when they wait for less than this share of what is bearable.
_SHARE = 1 / 3


@define(eq=False)
class LongWait:
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
        """
        :return: whether the queue stays as it is, or grows: about as many requests come as are
            served.  Of a burst, which is soon gone, fewer come.
        """
        return self.came >= _FED * self.went


@define(eq=False)
class StandingQueue:
    """
    Finds out a queue that stands, in the sense of controlled delay (RFC 8289): one
    that does not drain, but only makes all who come wait.

    :ivar long_wait: the one at present, if there is one.
    """

    long_wait: LongWait | None = field(default=None, init=False)

    def came(self) -> None:
        """A request came that has to wait, or is refused."""
        if self.long_wait is not None:
            self.long_wait.came += 1

    def went(self, now: float, since: float, bearable: float) -> None:
        """
        It is the turn of the first in the queue.

        :param now: the clock's seconds.
        :param since: the clock's seconds at which it came.
        :param bearable: seconds that are a long wait.
        """
        if now - since < _SHARE * bearable:
            self.long_wait = None
            return
        if self.long_wait is None:
            self.long_wait = LongWait(now)
        self.long_wait.went += 1

    def emptied(self) -> None:
        """None waits any more."""
        self.long_wait = None

    def stands(self, now: float, round_trip: float) -> bool:
        """
        :param now: the clock's seconds.
        :param round_trip: seconds that the origin takes for a response.
        :return: whether requests have waited long for such a time that it is no burst.
        """
        wait = self.long_wait
        return wait is not None and wait.is_fed and (
            now - wait.since > max(_STANDING, _ROUNDS * round_trip))
