"""Prometheus's C{query_range}: between HTTP messages and the time-series model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import evolve, frozen
from zope.interface import implementer

from trickster.bodies import Pieces
from trickster.errors import NotATimeRange, Reason
from trickster.interfaces import INewestDialect
from trickster.messages import (
    Headers,
    MalformedParams,
    Octets,
    Outcome,
    Params,
    Request,
    Response,
    media_type,
)
from trickster.origins.promjson import (
    decode_matrix,
    decode_vector,
    encode_matrix,
    label_order,
)
from trickster.origins.promtime import instant_ns, seconds_text, step_ns
from trickster.promql.facts import MILLISECOND_NS, SECOND_NS, Facts, facts
from trickster.remembering import remembered
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery

MOST_POINTS = 11_000  # more than this a series, and Prometheus answers 400
RANGE_PARAMS = ("start", "end", "step", "query", "_")
FORM = b"application/x-www-form-urlencoded"
_JSON = Headers(((b"Content-Type", b"application/json"),))
_SOME_SERIES = re.compile(r"[0-9]{1,9}")
_FEW_SERIES = 64  # up to these an answer is put together at once, and its length is known
_FEW_OCTETS = 262_144


@frozen(slots=True)
class _Parameters:
    """What a request's parameters say, for every client and time."""

    start_ns: int
    end_ns: int
    step_ns: int
    key: str
    params: Params
    facts: Facts
    most_series: int
    text: str


@implementer(INewestDialect)
@frozen
class PrometheusRange:
    """Range queries of Prometheus and of what speaks its API."""

    collation = staticmethod(label_order)

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """
        See L{trickster.interfaces.IQueryDialect.decode_request}.

        What Prometheus itself would refuse is refused here, so that the client gets its very
        answer.

        :param request: a GET, or a POST whose form and query together are the parameters.
        :param now_ns: not needed, since the API takes no relative times.
        :return: the query over the extent as it was asked for, which may be off the step's grid.
            Its C{statement} is the L{Params} of the request.
        :raises NotATimeRange: parameters are missing, malformed or ambiguous; the range is
            inverted, or has more than L{MOST_POINTS} steps; a step is no multiple of a
            millisecond; statistics are wanted, or no JSON; or samples of the expression depend on
            the range.
        """
        if request.method not in (b"GET", b"POST"):
            raise NotATimeRange(Reason.METHOD, request.method.decode("ascii", "replace"))
        _check_accept(request.headers.get(b"accept"))
        params = _parameters(request.path, request.query, _form(request))
        found = params.facts
        fixed_ns = None if found.fixed_ns is None else found.fixed_ns + found.ahead_ns
        return TimeRangeQuery(
            request, params.key, Extent(params.start_ns, params.end_ns), params.step_ns,
            lead_ns=found.ahead_ns, fixed_ns=fixed_ns, tolerance_ns=found.tolerance_ns,
            wants_newest=_wants_newest(request, found), most_series=params.most_series,
            statement=params.params, text=params.text)

    def encode_request(self, query: TimeRangeQuery) -> Request:
        """
        :param query: made by L{decode_request}; of another extent, maybe.
        :return: the client's request with C{start}, C{end} and C{step} for that extent, in whole
            milliseconds; in its form where it had one, else in the query string.  It relays no
            interim responses.
        """
        params: Params = query.statement
        start, end = query.extent
        return _with_params(query.request, params.replaced(
            start=seconds_text(start), end=seconds_text(end), step=_step_text(query.step_ns)))

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """
        :param query: whose extent the dataset covers; samples outside it are left out.
        :param response: a whole one with status 200; its body is an L{Octets}.
        :return: rows as the origin spelled them, numbers and histograms of a label set as two
            series.
        :raises Undecodable: it is no complete matrix, has warnings, statistics or samples off the
            step's grid, or says the same series twice.
        """
        body = response.body
        assert isinstance(body, Octets)
        extents = Extents(query.step_ns, (query.extent,))
        return decode_matrix(body.octets, extents)

    def encode_response(self, query: TimeRangeQuery, dataset: Dataset,
                        warnings: Sequence[str] = ()) -> Response:
        """
        :param query: not needed: the JSON says nothing of what was asked.
        :param dataset: of this dialect, its series in the order of L{label_order}.
        :param warnings: sentences for the member C{warnings}, which is left out where there are
            none.
        :return: a matrix.  A small body is there at once; a large one is put together as it is
            read, and its length is not known before.
        """
        pieces = encode_matrix(dataset, warnings)
        if len(dataset.series) <= _FEW_SERIES and dataset.encoded_bytes <= _FEW_OCTETS:
            return Response(200, _JSON, Octets(b"".join(pieces)), _NO_OUTCOME)
        return Response(200, _JSON, Pieces(pieces, None), _NO_OUTCOME)

    def encode_newest(self, query: TimeRangeQuery, at_ns: int) -> Request:
        """
        :param query: one that wants the newest sample, which tells that its path ends in
            C{query_range}.
        :param at_ns: nanoseconds since the epoch, on a whole millisecond.
        :return: an instant query for the same series, at the path beside that of the range query,
            with all other parameters.
        """
        params: Params = query.statement
        params = params.without("start", "end", "step").replaced(time=seconds_text(at_ns))
        target = query.request.target
        path = query.request.path
        instant = path[:-len(b"query_range")] + b"query" + target[len(path):]
        return _with_params(query.request.with_target(instant), params)

    def decode_newest(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """
        :param query: which was encoded; not needed, since the answer says what it has.
        :param response: a whole one with status 200; its body is an L{Octets}.
        :return: a row a series, at an instant on no grid; its extents are empty.
        :raises Undecodable: it is no complete vector or scalar, or has warnings or statistics.
        """
        body = response.body
        assert isinstance(body, Octets)
        return decode_vector(body.octets)


_NO_OUTCOME = Outcome()


def _form(request: Request) -> bytes:
    if request.method != b"POST":
        return b""
    body = request.body
    assert isinstance(body, Octets)
    if body.octets and media_type(request.headers) != FORM:
        kind = request.headers.joined(b"content-type") or b""
        raise NotATimeRange(Reason.UNPARSABLE_BODY, kind.decode("ascii", "replace"))
    if b"content-encoding" in request.headers:
        raise NotATimeRange(Reason.UNPARSABLE_BODY, "content-encoding")
    return body.octets


def _wants_newest(request: Request, found: Facts) -> bool:
    # Where the instant query is, only the usual path tells.
    return found.fast_forward and not found.ahead_ns and request.path.endswith(b"/query_range")


@remembered(8 << 20)
def _parameters(path: bytes, query: bytes, form: bytes) -> _Parameters:
    try:
        params = Params(Params.parse(form).pairs + Params.parse(query).pairs)
    except MalformedParams as error:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, str(error)) from error
    expression = _one(params, "query")
    start_ns = _instant(params, "start")
    end_ns = _instant(params, "end")
    step = _step(params)
    if end_ns < start_ns:
        raise NotATimeRange(Reason.INVERTED_RANGE)
    if (end_ns - start_ns) // step > MOST_POINTS:
        raise NotATimeRange(Reason.TOO_MANY_POINTS)
    if params.get("stats"):
        raise NotATimeRange(Reason.STATS_ASKED)
    found = facts(expression)
    if found.reason is not None:
        raise NotATimeRange(found.reason, found.detail)
    limit = params.get("limit") or ""
    return _Parameters(start_ns, end_ns, step, _key(path, expression, step, params), params, found,
                  int(limit) if _SOME_SERIES.fullmatch(limit) else 0, expression)


def _key(path: bytes, expression: str, step: int, params: Params) -> str:
    # The order of different parameters means nothing to Prometheus, that of equal ones may.
    others = sorted((p for p in params.pairs if p[0] not in RANGE_PARAMS), key=_name_of)
    parts = (path.decode("latin-1"), expression, str(step), *(x for p in others for x in p))
    return "".join(f"{len(p)}:{p}" for p in parts)


def _name_of(pair: tuple[str, str]) -> str:
    return pair[0]


def _one(params: Params, name: str) -> str:
    values = params.get_all(name)
    if not values or not values[0]:
        raise NotATimeRange(Reason.MISSING_PARAMETER, name)
    if len(set(values)) > 1:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, f"several {name}")
    return values[0]


def _instant(params: Params, name: str) -> int:
    try:
        return instant_ns(_one(params, name))
    except ValueError as error:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, f"{name}: {error}") from error


def _step(params: Params) -> int:
    try:
        step = step_ns(_one(params, "step"))
    except ValueError as error:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, f"step: {error}") from error
    if step <= 0:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, "step is not more than 0")
    if step % MILLISECOND_NS:
        raise NotATimeRange(Reason.STEP_TOO_FINE)
    return step


def _check_accept(accept: bytes | None) -> None:
    # Mimir answers in protobuf to clients that ask for that; only JSON is kept.
    if accept is not None and b"json" not in accept and b"*/*" not in accept and (
            b"application/*" not in accept):
        raise NotATimeRange(Reason.NOT_A_TIME_RANGE, "accepts no JSON")


def _step_text(step: int) -> str:
    # A fraction of seconds would go through a float there, and could lose a millisecond.
    seconds, rest = divmod(step, SECOND_NS)
    return f"{step // MILLISECOND_NS}ms" if rest else str(seconds)


def _with_params(request: Request, params: Params) -> Request:
    """:return: the request with these parameters where it had its own."""
    body = request.body
    if isinstance(body, Octets) and request.method == b"POST" and body.octets:
        return evolve(request, target=request.path, body=Octets(params.encode()), interim=None)
    target = b"%b?%b" % (request.path, params.encode())
    return evolve(request, target=target, body=Octets(), interim=None)
