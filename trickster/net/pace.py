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
        """A reader waits, from now on."""
        if self._since is None:
            self._since = now

    def brought(self, now: float, octets: int) -> None:
        """Octets have come, and the reader waits no more."""
        self._waited += 0.0 if self._since is None else now - self._since
        self._since = None
        self._brought += octets

    def left(self, now: float) -> float:
        """
        :return: seconds of the period that are left, if there is waiting from now on; after
            the last of them, a new period begins.  0 where the client was too slow.
        """
        waited = self._waited + (0.0 if self._since is None else now - self._since)
        if waited < self.period:
            return self.period - waited
        if self._brought < max(1.0, self.rate * waited):
            return 0.0
        self._waited, self._brought = 0.0, 0
        self._since = None if self._since is None else now
        return self.period
