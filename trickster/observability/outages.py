"""Lines of the log about an origin that gives no usable answers, and about its recovery."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trickster.errors import UpstreamError

_PAUSE = 60.0  # seconds between two lines while an outage lasts
_MOST_BEGINNINGS = 5  # outages in that time that are told of at once


@define(eq=False)
class OutageLog:
    """
    Tells when requests to an origin begin to fail, once a minute while they do, and when one
    is answered again.

    An origin that fails and recovers over and over is told of a few times a minute; failures
    in between are counted, and the next line has their number.

    :ivar backend: its name.
    :ivar origin: host and port.
    """

    backend: str
    origin: str
    clock: IReactorTime
    log: Logger = field(factory=Logger)
    is_failing: bool = field(default=False, init=False)
    _is_told: bool = field(default=False, init=False)
    _since: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)
    _untold: int = field(default=0, init=False)
    _last_told: float = field(default=0.0, init=False)
    _beginnings: list[float] = field(factory=list, init=False)

    def failed(self, error: UpstreamError) -> None:
        """:param error: why a request got no usable answer."""
        now = self.clock.seconds()
        if not self.is_failing:
            self.is_failing, self._is_told, self._since, self._failures = True, False, now, 0
        self._failures += 1
        self._untold += 1
        if self._is_due(now):
            self._tell(error, now)

    def answered(self) -> None:
        """A request was answered whole, with any status."""
        if not self.is_failing:
            return
        self.is_failing = False
        if self._is_told:
            self._untold = 0
            self.log.info(
                "Origin {origin} of backend {backend} answers again, after {failures} failed "
                "requests in {seconds} s", origin=self.origin, backend=self.backend,
                failures=self._failures, seconds=round(self.clock.seconds() - self._since, 1))

    def _is_due(self, now: float) -> bool:
        if self._is_told:
            return now - self._last_told >= _PAUSE
        self._beginnings = [at for at in self._beginnings if now - at < _PAUSE]
        if len(self._beginnings) >= _MOST_BEGINNINGS:
            return False
        self._beginnings.append(now)
        return True

    def _tell(self, error: UpstreamError, now: float) -> None:
        failures, self._untold = self._untold, 0
        text = "Origin {origin} of backend {backend} fails: {cause}"
        if failures > 1:
            text += " ({failures} failed requests since the last such line)"
        self._is_told, self._last_told = True, now
        self.log.error(text, origin=self.origin, backend=self.backend,
                       cause=error.detail or error.reason.value, reason=error.reason.value,
                       failures=failures)
