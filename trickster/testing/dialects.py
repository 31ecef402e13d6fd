"""
What every origin type and its dialect must do, as test cases to inherit from::

    class MyOriginTests(dialect_contract(my_origin, example), SynchronousTestCase):
        ...

where C{SynchronousTestCase} is C{twisted.trial.unittest}'s.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from trickster.bodies import read_all
from trickster.errors import NotATimeRange, Undecodable
from trickster.interfaces import INewestDialect, IOriginType, IQueryDialect
from trickster.messages import MalformedParams, Octets, Request, Response
from trickster.routes import Match, Route, Serve
from trickster.timeseries.dataset import Dataset, by_octets
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.planning import in_phase
from trickster.timeseries.query import TimeRangeQuery
from trickster.timeseries.wire import Codec

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

_MOST_CUTS = 200
_LARGEST = 1 << 24
_GARBAGE = (b"", b"\x00", b"<html>", b"null", b"[", b"{}", b"[[[]]]", b'"', b"0")
Rows = dict[bytes, list[tuple[int, bytes]]]


@frozen
class Example:
    """
    A request to an origin, and its answer.

    :ivar request: asks for at least four instants.
    :ivar answer: what an origin answers to it, to the octet; at least one series.
    :ivar now_ns: when it is sent.
    :ivar refused: requests that must not be served by range.
    :ivar undecodable: answers, with status 200, that must not be stored.
    :ivar newest: an answer to the request for the newest sample, where there are such.
    :ivar closed: whether an answer shows where it ends, as JSON does and CSV does not.
    """

    request: Request
    answer: bytes
    now_ns: int
    refused: tuple[Request, ...] = ()
    undecodable: tuple[bytes, ...] = ()
    newest: bytes | None = None
    closed: bool = True


class _OriginCases(_Base):
    origin_type: Any
    chosen: Any

    def test_provides(self) -> None:
        """The origin type has every member of its interfaces, with the right arguments."""
        verifyObject(IOriginType, self.origin_type)
        for route in self.origin_type.routes(self.chosen):
            if route.dialect is not None:
                verifyObject(IQueryDialect, route.dialect)
            if INewestDialect.providedBy(route.dialect):
                verifyObject(INewestDialect, route.dialect)

    def test_options_have_defaults(self) -> None:
        """Every option has a default; equal settings are equal options."""
        self.assertEqual(self.origin_type.options(), self.origin_type.options())

    def test_routes(self) -> None:
        """Each path is said once for each method, in a form that can be routed."""
        routes = self.origin_type.routes(self.chosen)
        ways = [(r.path, r.match, method) for r in routes for method in r.methods]
        self.assertTrue(routes)
        self.assertEqual(len(ways), len(set(ways)))
        for route in routes:
            self._assert_well_formed(route)

    def _assert_well_formed(self, route: Route) -> None:
        self.assertTrue(route.path.startswith("/"), route)
        self.assertIsInstance(route.serve, Serve)
        self.assertIsInstance(route.match, Match)
        self.assertTrue(route.methods and all(m == m.upper() for m in route.methods), route)
        self.assertTrue(route.ttl is None or route.ttl >= 0, route)
        self.assertTrue(all(h == h.lower() for h in route.key_headers), route)
        self.assertEqual(route.static is not None, route.serve is Serve.STATIC, route)

    def test_delta_needs_a_dialect(self) -> None:
        """A path that is served by range names its dialect."""
        for route in self.origin_type.routes(self.chosen):
            if route.serve is Serve.DELTA:
                self.assertIsNotNone(route.dialect, route)

    def test_probe(self) -> None:
        """A health check, where there is one, asks for a path."""
        probe = self.origin_type.probe(self.chosen)
        if probe is not None:
            self.assertTrue(probe.target.startswith(b"/"))


class _ExampleCases(_OriginCases):
    """What the cases of both inverse pairs of a dialect begin with."""

    example: Example

    def setUp(self) -> None:
        super().setUp()
        path = self.example.request.path.decode("ascii")
        # Exact paths are all that examples are of; without one, test_example says so.
        self.dialect: Any = next((r.dialect for r in self.origin_type.routes(self.chosen)
                             if r.path == path and r.serve is Serve.DELTA), None)
        self.query: TimeRangeQuery = _on_grid(self.query_of(self.example.request))
        extent = self.query.extent
        self.middle = evolve(self.query, extent=Extent(
            extent.start_ns + self.query.step_ns, extent.end_ns - self.query.step_ns))

    def query_of(self, request: Request) -> TimeRangeQuery:
        """:return: what a request asks for."""
        query: TimeRangeQuery = self.dialect.decode_request(request, self.example.now_ns)
        return query

    def decoded(self, query: TimeRangeQuery, octets: bytes) -> Dataset:
        """:return: what an answer says."""
        dataset: Dataset = self.dialect.decode_response(
            query, Response(200, body=Octets(octets)))
        return dataset

    def encoded(self, query: TimeRangeQuery, dataset: Dataset) -> bytes:
        """:return: the octets of an answer."""
        response = self.dialect.encode_response(query, dataset)
        self.assertEqual(response.status, 200)
        return bytes(self.successResultOf(Deferred.fromCoroutine(
            read_all(response.body, _LARGEST))))

    def whole(self) -> Dataset:
        """:return: what the example's answer says."""
        return self.decoded(self.query, self.example.answer)


class _RequestCases(_ExampleCases):
    """Requests: decoding them, and encoding them again."""

    def test_example(self) -> None:
        """The example is worth its name: its path is served by range, for some instants."""
        path = self.example.request.path.decode("ascii")
        self.assertIn((path, Serve.DELTA), [
            (r.path, r.serve) for r in self.origin_type.routes(self.chosen)])
        self.assertGreaterEqual(self.query.extent.count(self.query.step_ns), 4)
        self.assertTrue(self.query.key)

    def test_requests_are_inverse(self) -> None:
        """A query is encoded to a request that decodes to it, wherever it was narrowed to."""
        start, end = self.query.extent
        for extent in (self.query.extent, self.middle.extent, Extent(start, start),
                       Extent(end, end), Extent(start - self.query.step_ns, end)):
            query = evolve(self.query, extent=extent)
            again = _on_grid(self.query_of(self.dialect.encode_request(query)))
            self.assertEqual(*(
                (q.extent, q.step_ns, q.key, q.lead_ns, q.tolerance_ns, q.wants_newest)
                for q in (again, query)))

    def test_encoded_twice(self) -> None:
        """A query that was narrowed and decoded can be narrowed again."""
        once = self.query_of(self.dialect.encode_request(self.query))
        twice = self.dialect.encode_request(evolve(once, extent=self.middle.extent))
        self.assertEqual(_on_grid(self.query_of(twice)).extent, self.middle.extent)

    def test_requests_are_left_alone(self) -> None:
        """What the client sent on is sent on: method, header fields, and where to."""
        encoded = self.dialect.encode_request(self.middle)
        for name in ("method", "path", "headers", "authority"):
            self.assertEqual(getattr(encoded, name), getattr(self.example.request, name))

    def test_decoding_requests_is_pure(self) -> None:
        """The same request at the same instant is the same query, also after other requests."""
        before = self.query_of(self.example.request)
        self.query_of(self.dialect.encode_request(self.middle))
        self.assertEqual(self.query_of(self.example.request), before)

    def test_refused(self) -> None:
        """What cannot be served by range is refused, with a reason and a way out."""
        bare = evolve(self.example.request, target=self.example.request.path, body=Octets())
        broken = evolve(bare, target=bare.path + b"?%zz=%")
        for request in (*self.example.refused, bare):
            with self.assertRaises(NotATimeRange) as caught:
                self.query_of(request)
            self.assertIn(caught.exception.fallback, ("proxy", "object"))
        with self.assertRaises((NotATimeRange, MalformedParams)):
            self.query_of(broken)


class _AnswerCases(_ExampleCases):
    """Answers: decoding them, and encoding them again."""

    def test_covers(self) -> None:
        """An answer covers the extent of its query; its rows are in order, inside, and not none."""
        whole = self.whole()
        extent = self.query.extent
        self.assertEqual(whole.extents, Extents(self.query.step_ns, (extent,)))
        self.assertTrue(whole.series)
        for rows in rows_of(whole).values():
            instants = [t for t, _ in rows]
            self.assertTrue(instants)
            self.assertTrue(all(a < b for a, b in itertools.pairwise(instants)))
            self.assertTrue(extent.start_ns <= instants[0] <= instants[-1] <= extent.end_ns)

    def test_answers_are_inverse(self) -> None:
        """What was decoded is encoded to what decodes to the same, to the octet of each row."""
        whole = self.whole()
        again = self.decoded(self.query, self.encoded(self.query, whole))
        self.assertEqual((rows_of(again), list(again.series), again.kind),
                         (rows_of(whole), list(whole.series), whole.kind))

    def test_window(self) -> None:
        """A part of an answer is encoded and decoded as the answer to a narrower query."""
        part = self.whole().window(self.middle.extent)
        again = self.decoded(self.middle, self.encoded(self.middle, part))
        self.assertEqual((rows_of(again), again.extents), (rows_of(part), part.extents))

    def test_outside(self) -> None:
        """Of an answer to a wider query, only the query's own extent is taken."""
        part = self.whole().window(self.middle.extent)
        self.assertEqual(rows_of(self.decoded(self.middle, self.example.answer)), rows_of(part))

    def test_merged(self) -> None:
        """Parts that were queried apart are the whole, put together in any order."""
        whole, step = self.whole(), self.query.step_ns
        start, end = self.query.extent
        first = whole.window(Extent(start, start + step))
        second = self.decoded(evolve(self.query, extent=Extent(start + 2 * step, end)),
                              self.example.answer)
        for merged in (first.merged(second), second.merged(first)):
            self.assertEqual((rows_of(merged), merged.extents),
                             (rows_of(whole), whole.extents))

    def test_nothing(self) -> None:
        """An answer without any series is one."""
        nothing = Dataset(Extents(self.query.step_ns, (self.query.extent,)))
        again = self.decoded(self.query, self.encoded(self.query, nothing))
        self.assertEqual((rows_of(again), again.extents), ({}, nothing.extents))

    def test_stored(self) -> None:
        """A dataset is the same after it was written to a store and read again."""
        whole = self.whole()
        codec = Codec(getattr(self.dialect, "collation", by_octets))
        read = codec.from_parts(codec.to_parts(whole))
        assert read is not None
        self.assertEqual((rows_of(read[0]), read[0].kind), (rows_of(whole), whole.kind))
        self.assertIs(read[0].collation, whole.collation)

    def test_decoding_answers_is_pure(self) -> None:
        """The same answer says the same, also after others were decoded."""
        before = rows_of(self.whole())
        self.decoded(self.middle, self.example.answer)
        self.assertEqual(rows_of(self.whole()), before)

    def test_undecodable(self) -> None:
        """What is no answer, or not all of one, is not taken for one."""
        damaged = (*_GARBAGE, *_beginnings(self.example.answer)) if self.example.closed else ()
        for octets in (*self.example.undecodable, *damaged):
            with self.assertRaises(Undecodable, msg=repr(octets[-80:])):
                self.decoded(self.query, octets)

    def test_newest(self) -> None:
        """The newest sample is one row a series."""
        if self.example.newest is None:
            return
        request = self.dialect.encode_newest(self.query, self.example.now_ns)
        self.assertEqual(request.method, self.example.request.method)
        newest = self.dialect.decode_newest(
            self.query, Response(200, body=Octets(self.example.newest)))
        self.assertEqual({len(rows) for rows in rows_of(newest).values()}, {1})
        for octets in (*_GARBAGE, *_beginnings(self.example.newest)) if self.example.closed else ():
            with self.assertRaises(Undecodable, msg=repr(octets[-80:])):
                self.dialect.decode_newest(self.query, Response(200, body=Octets(octets)))


def origin_contract(origin_type: Any, options: Any = None) -> type:
    """
    :param origin_type: provides L{IOriginType}; asked for its routes and its probe.
    :param options: an instance of its options, or None for the defaults.
    :return: a mixin for a C{TestCase}, for origin types with or without a dialect.
    """
    chosen = origin_type.options() if options is None else options
    return type("OriginContract", (_OriginCases,),
                {"origin_type": origin_type, "chosen": chosen})


def dialect_contract(origin_type: Any, example: Example, options: Any = None) -> type:
    """
    :param origin_type: as in L{origin_contract}, whose tests are among these.
    :param example: of an exact path of the origin type that is served by range (C{Serve.DELTA});
        the dialect of that route is tested.
    :param options: an instance of its options, or None for the defaults.
    :return: a mixin for a C{TestCase}, for origin types with a dialect.
    """
    chosen = origin_type.options() if options is None else options
    return type("DialectContract", (_RequestCases, _AnswerCases),
                {"origin_type": origin_type, "chosen": chosen, "example": example})


def _on_grid(query: TimeRangeQuery) -> TimeRangeQuery:
    return query.over(in_phase(query.extent, query.step_ns))


def rows_of(dataset: Dataset) -> Rows:
    """:return: instants and octets of all rows, by series."""
    return {identity: list(dataset.rows(identity)) for identity in dataset.series}


def _beginnings(octets: bytes) -> list[bytes]:
    """:return: what may have come of an answer when the origin went away, at many points."""
    length = len(octets.rstrip())
    return [octets[:n] for n in (*range(0, length, length // _MOST_CUTS + 1), length - 1)]
