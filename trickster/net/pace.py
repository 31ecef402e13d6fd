"""Whether a client sends a request body fast enough."""

from __future__ import annotations

from attrs import define


@define
class Pace:
    """
    Counts only the time in which a reader waits for octets, in periods.

    :ivar period: seconds of waiting in which octets must have come; 0 for ever.
    :ivar rate: how many octets a second they must be, on average; one at least.
    """

    period: float
    rate: float
    _since: float | None = None
    _waited: float = 0.0
    _brought: int = 0

    def wanted(self, now: float) -> None:
        """
        A reader waits, from now on; harmless where one does already.

        :param now: seconds of a clock that is never set back, as for all that follows.
        """
        if self._since is None:
            self._since = now

    def brought(self, now: float, octets: int) -> None:
        """
        Octets have come, and the reader waits no more, until L{wanted} says so again.

        :param octets: how many came, those of framing among them.
        """
        self._waited += 0.0 if self._since is None else now - self._since
        self._since = None
        self._brought += octets

    def left(self, now: float) -> float:
        """
        Look how the period stands; one that is over, and in which enough has come, begins anew.

        :return: seconds of it that are left, if there is waiting from now on: more than 0, but
            0 where the client was too slow.
        """
        waited = self._waited + (0.0 if self._since is None else now - self._since)
        if waited < self.period:
            return self.period - waited
        if self._brought < max(1.0, self.rate * waited):
            return 0.0
        self._waited, self._brought = 0.0, 0
        self._since = None if self._since is None else now
        return self.period
