"""The outermost responder: every answer is counted, logged and told what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trickster.errors import Reason, RequestError, UpstreamError
from trickster.interfaces import IBody, IDuplex, IRefusalFormat, IResponder
from trickster.messages import Headers, Octets, Outcome, Request, Response, Status
from trickster.observability.accesslog import AccessEntry, EntryLog
from trickster.observability.counters import CLIENT_GONE, RouteCounters, RouteLabels
from trickster.observability.decisionlog import Notes
from trickster.observability.forms import form_of, with_form_kept
from trickster.observability.metrics import Metrics
from trickster.observability.refusals import SpelledRefusal, defect, refusal
from trickster.observability.resultheader import result_fields, without_result

_GONE = Outcome(status=Status.ERROR, reason=Reason.CLIENT_GONE)


@frozen(slots=True)
class _Exchange:
    """A request whose answer's body is still on its way."""

    request: Request
    status: int
    outcome: Outcome
    started: float
    to_headers: float


def _telling(headers: Headers, outcome: Outcome) -> Headers:
    return Headers(without_result(headers.pairs) + result_fields(outcome))


@implementer(IResponder)
@define(eq=False)
class Observed:
    """
    Counts and logs what an inner responder answers, and adds the fields that say how.

    A L{RequestError} becomes an answer here, so that it is observed like any other; so
    does an unexpected failure, which is logged with its traceback.

    :ivar labels: where in the configuration the inner responder stands.
    :ivar access_log: None for no log.
    :ivar asks_by_form: whether forms are questions here, and so are logged.
    :ivar spelling: how the origin's clients expect refusals to be spelled; None for plain text.
    """

    inner: IResponder
    labels: RouteLabels
    metrics: Metrics
    access_log: EntryLog | None
    clock: IReactorTime
    spelling: IRefusalFormat | None = None
    asks_by_form: bool = False
    log: Logger = field(factory=Logger)
    _counters: RouteCounters = field(
        init=False, default=Factory(lambda self: self.metrics.route(self.labels),
                                    takes_self=True))
    _seconds: Callable[[], float] = field(
        init=False, default=Factory(lambda self: self.clock.seconds, takes_self=True))

    async def respond(self, request: Request) -> Response:
        """Answer as the inner responder does; see L{IResponder.respond}."""
        started = self._seconds()
        if self.access_log is not None:
            request = self._to_be_logged(request, self.access_log)
        try:
            response = await self.inner.respond(request)
        except CancelledError:
            waited = self._since(started)
            self._finish(_Exchange(request, CLIENT_GONE, _GONE, started, waited), 0, waited)
            raise
        except RequestError as error:
            response = refusal(error, request.path, self.spelling)
        except Exception:  # noqa: BLE001 - a plugin may stand inside; the client gets an answer
            self.log.failure("Answering {method} {path} failed", method=request.method,
                             path=self.labels.path)
            response = defect(request, self.spelling)
        return self._observed(request, response, started)

    def _to_be_logged(self, request: Request, access_log: EntryLog) -> Request:
        if access_log.wants_notes:
            request = evolve(request, noted=Notes())
        return with_form_kept(request) if self.asks_by_form else request

    def _observed(self, request: Request, response: Response, started: float) -> Response:
        outcome = response.outcome
        to_headers = self._since(started)
        exchange = _Exchange(request, response.status, outcome, started, to_headers)
        body = response.body
        if request.method == b"HEAD" or response.status in (204, 304):
            self._finish(exchange, 0, to_headers)
        elif type(body) is Octets:
            self._finish(exchange, len(body.octets), to_headers)
        else:
            kind = _CountedDuplex if IDuplex.providedBy(body) else _CountedBody
            body = kind(body, self, exchange)
        told = response.headers
        # Small hits have the very same fields and outcome time and again.
        is_repeated = outcome.status is Status.HIT and type(response.body) is Octets
        headers = told.derived(_telling, outcome) if is_repeated else _telling(told, outcome)
        return Response(response.status, headers, body, outcome, response.phrase)

    def instead(self, request: Request, error: RequestError) -> Response:
        """:return: what a client is told that has seen nothing yet of an answer that broke."""
        response = refusal(error, request.path, self.spelling)
        headers = response.headers.with_added(*result_fields(response.outcome))
        return evolve(response, headers=headers)

    def _since(self, started: float) -> float:
        # The clock may have been set back meanwhile.
        return max(0.0, self._seconds() - started)

    def ended(self, exchange: _Exchange, octets: int) -> None:
        """The body of an answer is over, one way or the other."""
        self._finish(exchange, octets, self._since(exchange.started))

    def _finish(self, exchange: _Exchange, octets: int, to_end: float) -> None:
        self._counters.count(exchange.request.method, exchange.status, exchange.outcome,
                             exchange.to_headers, to_end, octets)
        if self.access_log is not None:
            self.access_log.write(AccessEntry(
                exchange.request, self.labels, exchange.status, exchange.outcome, octets,
                exchange.to_headers, to_end,
                form_of(exchange.request) if self.asks_by_form else b""))


@implementer(IBody)
@define(eq=False)
class _CountedBody:
    """A body whose octets and whose end are noted."""

    _inner: IBody
    _observed: Observed
    _exchange: _Exchange
    _octets: int = field(default=0, init=False)
    _is_over: bool = field(default=False, init=False)

    @property
    def length(self) -> int | None:
        """Octets in all, where known."""
        length: int | None = self._inner.length
        return length

    async def read(self) -> bytes:
        """See L{IBody.read}."""
        try:
            octets = await self._inner.read()
        except CancelledError:
            self._end(CLIENT_GONE, Reason.CLIENT_GONE)
            raise
        except RequestError as error:
            if not self._octets:
                raise self._broken_at_once(error) from error
            self._end(self._exchange.status, error.reason, _status_of(error))
            raise
        except Exception as error:
            if not self._octets:
                self._observed.log.failure("The body of an answer broke")
                raise self._broken_at_once(RequestError()) from error
            # Not handled here, only noted.
            self._end(self._exchange.status, Reason.INTERNAL, Status.ERROR)
            raise
        if octets:
            self._octets += len(octets)
        else:
            self._end(self._exchange.status, None)
        return octets

    def close(self) -> None:
        """See L{IBody.close}.  Before the end, it means that the client is gone."""
        whole = self._octets == self._inner.length
        self._end(self._exchange.status if whole else CLIENT_GONE,
                  None if whole else Reason.CLIENT_GONE)
        self._inner.close()

    def _broken_at_once(self, error: RequestError) -> SpelledRefusal:
        # The client has had nothing yet, and can still be told.
        instead = self._observed.instead(self._exchange.request, error)
        self._end(instead.status, error.reason, instead.outcome.status)
        return SpelledRefusal(error, instead)

    def _end(self, status: int, reason: Reason | None, cache_status: Status | None = None) -> None:
        if self._is_over:
            return
        self._is_over = True
        exchange = self._exchange
        if reason is not None:
            outcome = evolve(exchange.outcome, reason=reason,
                             status=cache_status or exchange.outcome.status)
            exchange = evolve(exchange, status=status, outcome=outcome)
        self._observed.ended(exchange, self._octets)


def _status_of(error: RequestError) -> Status:
    return Status.PROXY_ERROR if isinstance(error, UpstreamError) else Status.ERROR


@implementer(IDuplex)
@define(eq=False)
class _CountedDuplex(_CountedBody):
    """The same for octets both ways; those of the answer's direction are counted."""

    async def write(self, octets: bytes) -> None:
        """See L{IDuplex.write}."""
        await cast(IDuplex, self._inner).write(octets)

    def end(self) -> None:
        """See L{IDuplex.end}."""
        cast(IDuplex, self._inner).end()
