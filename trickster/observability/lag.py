"""How late the reactor is: the wait that every request has."""

from __future__ import annotations

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from trickster.observability.counters import Histogram


@define(eq=False, slots=False)
class ReactorLag(Service):
    """
    Asks to be called again and again, and observes how late that happens.

    :ivar lags: counts them, in seconds.
    :ivar interval: seconds between two calls.
    """

    clock: IReactorTime
    lags: Histogram
    interval: float = 0.25
    _call: IDelayedCall | None = field(default=None, init=False)

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._again()

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _again(self) -> None:
        due = self.clock.seconds() + self.interval
        self._call = self.clock.callLater(self.interval, self._called, due)

    def _called(self, due: float) -> None:
        self.lags.observe(max(0.0, self.clock.seconds() - due))
        self._again()
