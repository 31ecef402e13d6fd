"""Probes of one origin: at intervals, and on demand."""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from trickster.bodies import BodyTooLarge, drain, read_all
from trickster.errors import RequestError
from trickster.interfaces import IResponder
from trickster.messages import Octets, Request, Response, octets_of
from trickster.upstream.health.plan import ProbePlan
from trickster.upstream.health.state import Health, State, Verdict

_LARGEST_BODY = 1 << 20
_SHORTEST_JITTER = 0.01
_LONGEST_JITTER = 1.0


@define(eq=False, slots=False)
class HealthCheck(Service):
    """
    Probes an origin, and keeps what is thought of it.

    As a service it probes at intervals, unless the interval is 0.

    :ivar backend: its name.
    :ivar provider: its provider's.
    :ivar origin: answers the probes; no cache may stand before it.
    :ivar random: a number from 0 up to 1: probes of many origins are not to coincide.
    :ivar wall: seconds since the epoch, for dates; the clock's where not given.
    :ivar health: what is thought of the origin; one that was known before may be given.
    :ivar on_change: told of every change of state.
    :ivar on_latency: told how many seconds each probe took.
    """

    backend: str
    provider: str
    origin: IResponder
    plan: ProbePlan
    clock: IReactorTime
    random: Callable[[], float]
    on_change: Callable[[Health], None] = field(default=lambda health: None, kw_only=True)
    on_latency: Callable[[float], None] = field(default=lambda seconds: None, kw_only=True)
    wall: Callable[[], float] = field(kw_only=True, default=Factory(
        lambda self: self.clock.seconds, takes_self=True))
    health: Health = field(factory=Health, kw_only=True)
    log: Logger = field(factory=Logger, kw_only=True)
    _next: IDelayedCall | None = field(default=None, init=False)
    _probing: Deferred[None] | None = field(default=None, init=False)

    def startService(self) -> None:
        """Begin to probe, soon."""
        super().startService()
        if self.plan.interval > 0:
            if self.health.state is State.UNCHECKED:
                self.health = Health(State.INITIALIZING, self.wall())
            self._next = self.clock.callLater(self._jitter(), self._round)

    def stopService(self) -> None:
        """Probe no more."""
        super().stopService()
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._probing is not None:
            self._probing.cancel()

    async def probe(self) -> Verdict:
        """
        Ask the origin once, now.  What is thought of it in the long run stays as it is.

        :return: what was found; never raises for what an origin does.
        """
        started = self.clock.seconds()
        asking = Deferred.fromCoroutine(self._fault())
        asking.addTimeout(self.plan.timeout, self.clock)
        try:
            fault = await asking
        except DeferredTimeout:
            fault = f"no answer in {self.plan.timeout:g} s"
        except CancelledError:
            raise
        except RequestError as error:
            fault = error.detail or error.reason.value
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the probing
            self.log.failure("Probing {backend} failed", backend=self.backend)
            fault = type(error).__name__
        seconds = max(0.0, self.clock.seconds() - started)
        self.on_latency(seconds)
        return Verdict(fault, seconds)

    async def _fault(self) -> str:
        response = await self.origin.respond(_fresh(self.plan.request))
        body = await self._body(response)
        return self.plan.expectation.fault(response.status, response.headers, body)

    async def _body(self, response: Response) -> bytes:
        if self.plan.expectation.body is None:
            await drain(response.body, _LARGEST_BODY)
            return b""
        try:
            return bytes(await read_all(response.body, _LARGEST_BODY))
        except BodyTooLarge as error:
            raise RequestError(str(error)) from error

    def _round(self) -> None:
        self._probing = Deferred.fromCoroutine(self._probe_and_note())
        self._probing.addBoth(self._rest)

    async def _probe_and_note(self) -> None:
        verdict = await self.probe()
        before = self.health
        self.health = before.after(verdict, self.wall(), self.plan.thresholds)
        if self.health.state is not before.state:
            self._tell(self.health)
            self.on_change(self.health)

    def _tell(self, health: Health) -> None:
        if health.state is State.PASSING:
            self.log.info("Backend {backend} is healthy", backend=self.backend)
        else:
            self.log.error("Backend {backend} is unhealthy: {detail}", backend=self.backend,
                           detail=health.detail)

    def _rest(self, _: object) -> None:
        self._probing = None
        if self.running:
            self._next = self.clock.callLater(self.plan.interval + self._jitter(), self._round)

    def _jitter(self) -> float:
        spread = min(_LONGEST_JITTER, self.plan.interval)
        return _SHORTEST_JITTER + self.random() * max(0.0, spread - _SHORTEST_JITTER)


def _fresh(request: Request) -> Request:
    # A body is read once; the plan's is asked for again and again.
    return request.with_body(Octets(octets_of(request.body) or b""))
