"""Whether requests wait too long for their turn, so that some had better be refused."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trickster.frontend.postponing import Postponed, Postponements

# Turns must be late for so long, in seconds, before requests are refused: one pause is no
# overload ...
_INTERVAL = 0.5
# ... unless it is so many times as long as requests should wait, and at least so long.
_FAR_TOO_LATE = 3.0
_LONG_PAUSE = 0.5
# It is over when turns have been in time for so long: refusals are what makes them so.
_OVER_AFTER = 1.0
# Requests in a calm process of which one looks whether it still is, and the seconds that the
# work of one turn may take in such a process.
_SELDOM = 64
_CALM = 0.02
_TELL = 60.0
# A refusal is told after so many turns, and at most so many seconds.  Clients that ask again
# at once then spend that time waiting, and not ours.
_TURNS = 10.0
_LONGEST = 0.5
# Seconds for which the length of a turn tells something, and the part of it that counts in
# the next.
_PRESENT = 1.0
_DECAY = 0.7


@define
class Lateness:
    """
    Decides from how long turns of the reactor take: pure.

    In one turn, all requests are answered whose octets had come when it began, one after the
    other; the last has waited for all others.  The turns of an overloaded process are long,
    and stay so.  A request whose turn comes later than C{target} after the beginning is then
    refused, which is less work than to answer it, and so the next turn begins in time.

    :ivar target: seconds that a request should wait at most.
    """

    target: float
    _late_since: float | None = field(default=None, init=False)
    _late_at: float = field(default=float("-inf"), init=False)

    def refuses(self, waited: float, now: float) -> bool:
        """
        :param waited: seconds since the turn began.
        :return: whether a request is better refused.
        """
        if waited <= self.target:
            return False
        if waited > max(_FAR_TOO_LATE * self.target, _LONG_PAUSE):
            return True
        return self._late_since is not None and now - self._late_since >= _INTERVAL

    def ended(self, took: float, now: float) -> None:
        """
        A turn is over.

        :param took: seconds.
        """
        if took > self.target:
            self._late_at = now
            if self._late_since is None:
                self._late_since = now - took
        elif now - self._late_at >= _OVER_AFTER:
            self._late_since = None


@define
class Pause:
    """
    Decides from how long turns of the reactor take how long a refusal is put off: pure.

    Where there is time, clients are refused at once.  Where there is not, a client that asks
    again as soon as it is refused would take time that others need.
    """

    _turn: float = field(default=0.0, init=False)
    _at: float = field(default=float("-inf"), init=False)

    def ended(self, took: float, now: float) -> None:
        """
        A turn is over.

        :param took: seconds.
        """
        self._turn, self._at = max(took, _DECAY * self._turn), now

    def length(self, now: float) -> float:
        """:return: seconds; 0 for none."""
        if self._turn <= _CALM or now - self._at > _PRESENT:
            return 0.0
        return min(_LONGEST, _TURNS * self._turn)


@define(eq=False)
class Overload:
    """
    Watches the turns of the reactor, and tells which requests to refuse.

    When a turn ends is told by a call that is due at once, which makes the reactor poll once
    more; so that this costs a calm process next to nothing, it asks for that at few requests.

    :ivar clock: the reactor's.
    :ivar most_put_off: refusals that may wait at a time, each of which takes a descriptor.
    :ivar refused_total: how many requests were refused so far.
    """

    clock: IReactorTime
    lateness: Lateness
    most_put_off: int = 1024
    refused_total: int = field(default=0, init=False)
    _seconds: Callable[[], float] = field(init=False)
    _log: Logger = field(factory=Logger)
    _began: float | None = field(default=None, init=False)
    _until_look: int = field(default=_SELDOM, init=False)
    _told_at: float = field(default=float("-inf"), init=False)
    _pause: Pause = field(factory=Pause, init=False)
    _postponements: Postponements = field(init=False)

    @_seconds.default
    def _read_clock(self) -> Callable[[], float]:
        return self.clock.seconds

    @_postponements.default
    def _no_postponements(self) -> Postponements:
        return Postponements(self.clock, self.most_put_off)

    def refuses(self) -> bool:
        """:return: whether the request whose turn it is now is to be refused."""
        if self._began is None:
            self._until_look -= 1
            if self._until_look <= 0:
                self._began = self._seconds()
                self.clock.callLater(0, self._ended)
            return False
        now = self._seconds()
        return self.lateness.refuses(now - self._began, now)

    def refused(self) -> None:
        """A request was refused."""
        self.refused_total += 1
        now = self._seconds()
        if now - self._told_at >= _TELL:
            self._told_at = now
            self._log.warn("Overloaded: requests wait for more than {target} s for their turn, "
                           "and are refused ({count} so far)", target=self.lateness.target,
                           count=self.refused_total)

    def put_off(self, tell: Callable[[], None]) -> Postponed | None:
        """
        :param tell: sends a refusal.
        :return: what will be told later; None where the refusal is to be sent now.
        """
        pause = self._pause.length(self._seconds())
        return self._postponements.add(pause, tell) if pause else None

    def _ended(self) -> None:
        began, self._began = self._began, None
        now = self._seconds()
        took = 0.0 if began is None else now - began
        self.lateness.ended(took, now)
        self._pause.ended(took, now)
        self._until_look = 1 if took > _CALM else _SELDOM
