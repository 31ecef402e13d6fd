"""
An origin type that exists nowhere, made of what is public: rows of lines, in two dialects.

C{/rows.tsv?metric=cpu&from=1700000040&to=1700000100&every=60} is answered with::

    # host-1
    1700000040	1.5
    1700000100	nan
    # end

and C{/rows.csv} with values first: C{1.5,1700000040}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen
from zope.interface import implementer

from trickster.errors import NotATimeRange, Reason, Undecodable
from trickster.interfaces import IOriginType, IQueryDialect
from trickster.messages import Headers, Octets, Request, Response, octets_of
from trickster.routes import Probe, Route, Serve
from trickster.timeseries.dataset import Dataset, RowFormat
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery

SECOND_NS = 1_000_000_000
PARAMS = {"metric", "from", "to", "every"}
TSV = RowFormat.delimited(b"\t")
CSV = RowFormat.delimited(b",", column=1)


@frozen
class Options:
    """Nothing beyond what every backend has."""


@implementer(IQueryDialect)
@frozen
class Lines:
    """Whole seconds, both ends inclusive."""

    rows: RowFormat
    kind: bytes

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        said = dict(request.params.pairs)
        if said.keys() != PARAMS or len(said) != len(request.params.pairs):
            raise NotATimeRange(Reason.NOT_A_TIME_RANGE)
        try:
            start, end, step = (int(said[name]) * SECOND_NS for name in ("from", "to", "every"))
        except ValueError as error:
            raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, str(error)) from error
        if step <= 0 or end < start:
            raise NotATimeRange(Reason.INVERTED_RANGE)
        return TimeRangeQuery(request, f"{step} {said['metric']}", Extent(start, end), step,
                              wants_newest=False, statement=request.params)

    def encode_request(self, query: TimeRangeQuery) -> Request:
        """See L{IQueryDialect.encode_request}."""
        start, end = (str(t // SECOND_NS) for t in query.extent)
        asked = query.statement.replaced(**{"from": start, "to": end}).encode()
        return query.request.with_target(query.request.path + b"?" + asked)

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{IQueryDialect.decode_response}."""
        before, *blocks = (b"\n" + (octets_of(response.body) or b"")).split(b"\n# ")
        if before or not blocks or blocks.pop() != b"end\n":
            raise Undecodable("not from beginning to end")
        series = {name: rows for name, _, rows in (block.partition(b"\n") for block in blocks)}
        if len(series) < len(blocks):
            raise Undecodable("the same series twice")
        extents = Extents(query.step_ns, (query.extent,))
        try:
            return Dataset.from_encoded(extents, series, self.rows)
        except ValueError:
            return self._taken_apart(extents, series)

    def _taken_apart(self, extents: Extents, series: Mapping[bytes, bytes]) -> Dataset:
        """:return: the same of rows in another form: with fractions, or other line ends."""
        try:
            return Dataset.from_rows(extents, {
                name: [(self._instant(row), row) for row in octets.splitlines()]
                for name, octets in series.items()}, separator=self.rows.separator)
        except (ValueError, IndexError) as error:
            raise Undecodable(str(error)) from error

    def _instant(self, row: bytes) -> int:
        fields = row.split(self.rows.delimiter)
        if len(fields) != 2:
            raise ValueError(f"not a row: {row!r}")
        return int(float(fields[self.rows.column]) * SECOND_NS)

    def encode_response(self, query: TimeRangeQuery, dataset: Dataset,
                        warnings: Sequence[str] = ()) -> Response:
        """See L{IQueryDialect.encode_response}.  There is no place for warnings."""
        fields = Headers(((b"Content-Type", self.kind),))
        return Response(200, fields, Octets(b"".join(_written(dataset))))


def _written(dataset: Dataset) -> Iterator[bytes | memoryview]:
    for name, rows in dataset.encoded():
        yield from (b"# ", name, b"\n", *rows, b"\n")
    yield b"# end\n"


@implementer(IOriginType)
@frozen
class ToyOrigin:
    """Two kinds of range queries."""

    name: str = "toy"
    options: type = Options

    def routes(self, options: Options) -> Sequence[Route]:
        """See L{IOriginType.routes}."""
        return (Route("/rows.tsv", Serve.DELTA, handler="tsv", dialect=Lines(TSV, b"text/tab")),
                Route("/rows.csv", Serve.DELTA, handler="csv", dialect=Lines(CSV, b"text/csv")))

    def probe(self, options: Options) -> Probe | None:
        """See L{IOriginType.probe}."""
        return None


toy = ToyOrigin()
