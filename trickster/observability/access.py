"""The outermost responder: every answer is counted, logged and told what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trickster.errors import Reason, RequestError, UpstreamBroke, UpstreamError
from trickster.interfaces import IBody, IDuplex, IRefuser, IResponder
from trickster.messages import Headers, Octets, Outcome, Request, Response, Status
from trickster.net.tracebacks import forget_traceback
from trickster.observability.accesslog import AccessEntry, EntryLog
from trickster.observability.counters import CLIENT_GONE, RouteCounters, RouteLabels
from trickster.observability.decisionlog import Notes
from trickster.observability.forms import form_of
from trickster.observability.metrics import Metrics
from trickster.observability.refusals import SpelledRefusal, defect, refusal
from trickster.observability.resultheader import result_fields, without_result
from trickster.spans import Place, Span

_GONE = Outcome(status=Status.ERROR, reason=Reason.CLIENT_GONE)


@frozen(slots=False)  # which is made in less time
class _Exchange:
    """A request whose answer's body is still on its way."""

    request: Request
    span: Span
    status: int
    outcome: Outcome
    started: float
    to_headers: float


def _telling(headers: Headers, outcome: Outcome) -> Headers:
    return Headers(without_result(headers.pairs) + result_fields(outcome))


@implementer(IResponder, IRefuser)
@define(eq=False)
class Observed:
    """
    Counts and logs what an inner responder answers, and adds the fields that say how.

    It stands outermost, once for all that a listener serves: where in the configuration a
    request is answered, the request's L{Span} tells it afterwards.

    A L{RequestError} becomes an answer here, so that it is observed like any other; so
    does an unexpected failure, which is logged with its traceback.

    :ivar access_log: None for no log.
    :ivar refuser: refuses requests, by raising an error, that C{inner} is not to be asked.
    """

    inner: IResponder
    metrics: Metrics
    access_log: EntryLog | None
    clock: IReactorTime
    refuser: IRefuser | None = None
    log: Logger = field(factory=Logger)
    _counters: dict[Place, RouteCounters] = field(factory=dict, init=False)
    _seconds: Callable[[], float] = field(
        init=False, default=Factory(lambda self: self.clock.seconds, takes_self=True))

    async def respond(self, request: Request) -> Response:
        """
        Answer as the inner responder does, and also where that raises an error, unless it is
        cancelled.

        :param request: gets a span here where it has none yet.
        :return: the answer, with the fields that say how it came about.  One whose body is whole
            is counted and logged now, another when its body is at its end or closed.
        """
        started = self._seconds()
        span = request.span
        if span is None:
            span = Span()
            request = request.with_span(span)
        if self.access_log is not None and self.access_log.wants_notes:
            request = evolve(request, noted=Notes())
        try:
            response = await self.inner.respond(request)
        except CancelledError:
            waited = self._since(started)
            self._finish(_Exchange(request, span, CLIENT_GONE, _GONE, started, waited), 0, waited)
            raise
        except RequestError as error:
            response = refusal(error, _path(request, span), span.place.spelling)
            forget_traceback(error)  # a plugin may keep it, and its frames have the request
        except Exception:  # noqa: BLE001 - a plugin may stand inside; the client gets an answer
            self.log.failure("Answering {method} {path} failed", method=request.method,
                             path=span.place.path)
            response = defect(_path(request, span), span.place.spelling)
        return self._observed(request, span, response, started)

    async def refused(self, request: Request, error: RequestError) -> Response:
        """
        See L{IRefuser.refused}; only where there is a C{refuser}.

        :param request: its body is closed, and not read.
        :param error: why; the answer has its status.
        :return: the answer that tells it, counted and logged like any other.
        """
        assert self.refuser is not None
        started, span = self._seconds(), request.span or Span()
        try:
            response = await self.refuser.refused(request.with_span(span), error)
        except RequestError as raised:
            response = refusal(raised, _path(request, span), span.place.spelling)
        return self._observed(request, span, response, started)

    def _observed(self, request: Request, span: Span, response: Response, started: float
                  ) -> Response:
        outcome, body, status = response.outcome, response.body, response.status
        to_headers = self._seconds() - started
        if to_headers < 0:
            to_headers = 0.0  # as in _since, without a call
        octets: int | None = None
        if request.method == b"HEAD" or status in (204, 304):
            octets = 0
        elif type(body) is Octets:
            octets = len(body.octets)
        if octets is not None:
            place = span.place
            counters = self._counters.get(place) or self._counters_of(place)
            counters.count(request.method, status, outcome, to_headers, to_headers, octets)
            if self.access_log is not None:
                self._log(_Exchange(request, span, status, outcome, started, to_headers),
                          octets, to_headers)
        else:
            kind = _CountedDuplex if IDuplex.providedBy(body) else _CountedBody
            body = kind(body, self, _Exchange(
                request, span, status, outcome, started, to_headers))
        told = response.headers
        # Small hits have the very same fields and outcome time and again.
        is_repeated = outcome.status is Status.HIT and type(response.body) is Octets
        headers = told.derived(_telling, outcome) if is_repeated else _telling(told, outcome)
        return Response(status, headers, body, outcome, response.phrase)

    def instead(self, exchange: _Exchange, error: RequestError) -> Response:
        """:return: what a client is told that has seen nothing yet of an answer that broke."""
        request, span = exchange.request, exchange.span
        response = refusal(error, _path(request, span), span.place.spelling)
        headers = response.headers.with_added(*result_fields(response.outcome))
        return response.with_headers(headers)

    def _since(self, started: float) -> float:
        # The clock may have been set back meanwhile.
        return max(0.0, self._seconds() - started)

    def ended(self, exchange: _Exchange, octets: int) -> None:
        """
        The body of an answer is over, one way or the other.

        :param octets: of the body that have been read.
        """
        self._finish(exchange, octets, self._since(exchange.started))

    def _finish(self, exchange: _Exchange, octets: int, to_end: float) -> None:
        place = exchange.span.place
        counters = self._counters.get(place) or self._counters_of(place)
        counters.count(exchange.request.method, exchange.status, exchange.outcome,
                       exchange.to_headers, to_end, octets)
        self._log(exchange, octets, to_end)

    def _log(self, exchange: _Exchange, octets: int, to_end: float) -> None:
        if self.access_log is None:
            return
        place = exchange.span.place
        self.access_log.write(AccessEntry(
            _as_answered(exchange), self._counters[place].labels, exchange.status,
            exchange.outcome, octets, exchange.to_headers, to_end,
            form_of(exchange.request, exchange.span) if place.has_forms else b""))

    def _counters_of(self, place: Place) -> RouteCounters:
        labels = RouteLabels(place.backend, place.provider, place.path, place.in_frontend)
        counters = self._counters[place] = self.metrics.route(labels)
        return counters


def _path(request: Request, span: Span) -> bytes:
    """:return: that was asked for, as the origin knows it."""
    return span.target.partition(b"?")[0] if span.target else request.path


def _as_answered(exchange: _Exchange) -> Request:
    """:return: the request as the backend that answered it knows it, for logs."""
    request, target = exchange.request, exchange.span.target
    return request.with_target(target) if target and target != request.target else request


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
        """:return: octets in all; None when not known."""
        length: int | None = self._inner.length
        return length

    async def read(self) -> bytes:
        """
        :return: as L{IBody.read}; with the end, the answer is counted and logged.
        :raises SpelledRefusal: the body broke before its first octet: the client can still be
            told, and it is known how.
        :raises RequestError: the body broke later; counted and logged as that.
        """
        try:
            octets = await self._inner.read()
            self._check(octets)
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

    def _check(self, octets: bytes) -> None:
        """:raises UpstreamBroke: there are more octets, or fewer, than the body's length."""
        length: int | None = self._inner.length
        if length is None:
            return
        found = self._octets + len(octets)
        if found > length or (not octets and found < length):
            raise UpstreamBroke(f"a body of {length} octets has {found}"
                                + (" at least" if octets else ""))

    def close(self) -> None:
        """See L{IBody.close}.  Before the end, it means that the client is gone."""
        whole = self._octets == self._inner.length
        self._end(self._exchange.status if whole else CLIENT_GONE,
                  None if whole else Reason.CLIENT_GONE)
        self._inner.close()

    def _broken_at_once(self, error: RequestError) -> SpelledRefusal:
        # The client has had nothing yet, and can still be told.
        instead = self._observed.instead(self._exchange, error)
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
        """:param octets: from the client; not counted."""
        await cast(IDuplex, self._inner).write(octets)

    def end(self) -> None:
        """See L{IDuplex.end}."""
        cast(IDuplex, self._inner).end()
