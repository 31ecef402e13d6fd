"""Graphite's render API (https://graphite.readthedocs.io) as a Trickster origin type."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from attrs import field, frozen
from zope.interface import implementer

from trickster.errors import NotATimeRange, Reason, Undecodable
from trickster.interfaces import IOriginType, IQueryDialect
from trickster.messages import Headers, Octets, Params, Request, Response, octets_of
from trickster.routes import Match, Probe, Route, Serve
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery

SECOND_NS = 1_000_000_000
MOST_POINTS = 50_000  # of a series: five weeks of minutes
# Functions whose value at an instant depends on their arguments at that instant alone.
# Most others look at the whole range: derivative, movingAverage, summarize, highestMax, ...
POINTWISE = frozenset({
    "absolute", "alias", "aliasByNode", "aliasByTags", "aliasSub", "averageSeries", "avg",
    "diffSeries", "divideSeries", "group", "groupByNode", "groupByTags", "maxSeries", "minSeries",
    "multiplySeries", "offset", "scale", "seriesByTag", "sum", "sumSeries", "transformNull"})
UNDERSTOOD = frozenset({"target", "from", "until", "format", "maxDataPoints", "_"})
_EPOCH = re.compile(r"[0-9]{9,10}")  # eight digits are a date
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_JSON = Headers(((b"Content-Type", b"application/json"),))


class _Series(msgspec.Struct, forbid_unknown_fields=True):
    target: msgspec.Raw
    datapoints: list[tuple[msgspec.Raw, int]]  # the number stays as it was spelled
    tags: msgspec.Raw = msgspec.Raw()


@frozen
class Options:
    """
    The C{graphite} block of a backend.

    :ivar resolution: seconds between two points of the finest archive.  Graphite does not
        say which archive it is going to answer from; answers of another one are not kept.
    """

    resolution: float = field(default=60.0, metadata={
        "doc": "Seconds between two points.", "unit": "duration", "minimum": 1})


@implementer(IQueryDialect)
@frozen
class RenderDialect:
    """C{/render} with absolute times: from is exclusive, until is inclusive."""

    resolution: int

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        params = _params(request)
        names = {name for name, _ in params.pairs}
        if params.get_all("format") != ["json"] or not {"target"} <= names <= UNDERSTOOD:
            raise NotATimeRange(Reason.NOT_A_TIME_RANGE)
        for call in _CALL.findall(" ".join(params.get_all("target"))):
            if call not in POINTWISE:
                raise NotATimeRange(Reason.RANGE_DEPENDENT, call)
        step = self.resolution
        start, end = _epoch(params, "from") // step * step + step, _epoch(params, "until")
        if start > end:
            raise NotATimeRange(Reason.INVERTED_RANGE)
        if (end - start) // step >= MOST_POINTS:
            raise NotATimeRange(Reason.TOO_MANY_POINTS)
        for most in params.get_all("maxDataPoints"):
            if not most[:9].isdecimal() or int(most[:9]) <= (end - start) // step:
                raise NotATimeRange(Reason.RANGE_DEPENDENT, "it would consolidate")
        return TimeRangeQuery(
            request, repr(params.get_all("target")),
            Extent(start * SECOND_NS, end // step * step * SECOND_NS),
            step * SECOND_NS, lead_ns=step * SECOND_NS,  # a point stands for what follows it
            wants_newest=False, statement=params)

    def encode_request(self, query: TimeRangeQuery) -> Request:
        """See L{IQueryDialect.encode_request}."""
        start, end = (t // SECOND_NS for t in query.extent)
        asked = query.statement.replaced(
            **{"from": str(start - self.resolution), "until": str(end)}).encode()
        request, path = query.request, query.request.path
        if octets_of(request.body):
            return request.with_target(path).with_body(Octets(asked))
        return request.with_target(path + b"?" + asked).with_body(Octets())

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{IQueryDialect.decode_response}."""
        series: dict[bytes, list[tuple[int, bytes]]] = {}
        instants = range(query.extent.start_ns, query.extent.end_ns + 1, query.step_ns)
        try:
            for one in msgspec.json.decode(octets_of(response.body) or b"", type=list[_Series]):
                tags = b',"tags":' + bytes(one.tags) if bytes(one.tags) else b""
                rows = [(t * SECOND_NS, b"[%b,%d]" % (bytes(v), t)) for v, t in one.datapoints]
                # A coarser archive, or consolidation, shows in the instants.
                if [t for t, _ in rows if t in range(instants[0], instants[-1] + 1)] != [*instants]:
                    raise Undecodable("not all instants, or others")
                if series.setdefault(b'{"target":' + bytes(one.target) + tags, rows) is not rows:
                    raise Undecodable("the same series twice")
            return Dataset.from_rows(Extents(query.step_ns, (query.extent,)), series)
        except (ValueError, RecursionError) as error:
            raise Undecodable(str(error)) from error

    def encode_response(self, query: TimeRangeQuery, dataset: Dataset,
                        warnings: Sequence[str] = ()) -> Response:
        """See L{IQueryDialect.encode_response}.  There is no place for warnings."""
        instants = range(query.extent.start_ns, query.extent.end_ns + 1, query.step_ns)
        pieces = []
        for identity in dataset.series:
            rows = dict(dataset.rows(identity))
            # A series that one of the fetches did not have was null there.
            points = (rows.get(t, b"[null,%d]" % (t // SECOND_NS)) for t in instants)
            pieces.append(identity + b',"datapoints":[' + b",".join(points) + b"]}")
        return Response(200, _JSON, Octets(b"[" + b",".join(pieces) + b"]"))


def _params(request: Request) -> Params:
    form = octets_of(request.body) if request.method == b"POST" else b""
    if form and request.headers.get(b"content-type") != b"application/x-www-form-urlencoded":
        raise NotATimeRange(Reason.UNPARSABLE_BODY)
    return Params(Params.parse(form or b"").pairs + request.params.pairs)


def _epoch(params: Params, name: str) -> int:
    match params.get_all(name):
        case [text] if _EPOCH.fullmatch(text):
            return int(text)
    raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, name)


@implementer(IOriginType)
class Graphite:
    """Graphite's HTTP API: rendered as JSON, it is cached by range."""

    name = "graphite"
    options = Options

    def routes(self, options: Options) -> Sequence[Route]:
        """See L{IOriginType.routes}."""
        who = (b"authorization", b"x-grafana-user")
        return (
            Route("/render", Serve.DELTA, methods=("GET", "POST"), form=True, key_headers=who,
                  dialect=RenderDialect(max(1, int(options.resolution)))),
            Route("/metrics/find", Serve.OBJECT, ttl=30.0, key_headers=who),
            Route("/", Serve.PROXY, Match.PREFIX, ("*",)))

    def probe(self, options: Options) -> Probe:
        """See L{IOriginType.probe}."""
        return Probe(b"/version/")


graphite = Graphite()
