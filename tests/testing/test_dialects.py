"""Tests of C{trickster.testing.dialects}: the contract finds dialects that break it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from attrs import Factory, evolve, frozen
from twisted.trial.reporter import TestResult
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.errors import Undecodable
from trickster.interfaces import INewestDialect
from trickster.messages import Headers, Octets, Request, Response
from trickster.origins.prometheus import Prometheus, PrometheusOptions, prometheus
from trickster.origins.promrange import PrometheusRange
from trickster.routes import Route, Serve
from trickster.testing.dialects import Example, dialect_contract, origin_contract
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent
from trickster.timeseries.query import TimeRangeQuery

START = 1_700_000_005
NOW_NS = 1_700_000_400 * 1_000_000_000
PATH = b"/api/v1/query_range"
ASKED = {"query": 'rate(m{a="b"}[5m])', "start": str(START), "end": f"{START + 309}.5",
         "step": "1m", "limit": "10"}


def matrix(**more: Any) -> bytes:
    rows = [[START + 60 * t, f"{t}.5"] for t in range(6)]
    histogram = {"count": "1", "sum": "0.5", "buckets": [[0, "0.25", "0.5", "1"]]}
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"a": "b"}, "values": rows},
        {"metric": {"a": "c"}, "values": rows[1:3], "histograms": [[START + 180, histogram]]},
        {"metric": {"a": "d"}, "histograms": [[START, histogram]]},
    ]}, **more}, separators=(",", ":")).encode()


def get(**more: str) -> Request:
    return Request(b"GET", PATH + b"?" + urlencode({**ASKED, **more}).encode(),
                   Headers(((b"Accept", b"application/json"),)))


EXAMPLE = Example(
    get(), matrix(), NOW_NS,
    refused=(get(step="0"), get(query="m @ end()"), evolve(get(), method=b"PUT")),
    undecodable=(matrix(warnings=["hm"]), matrix(isPartial=True), matrix(error="x")),
    newest=b'{"status":"success","data":{"resultType":"vector","result":'
           b'[{"metric":{"a":"b"},"value":[1700000399.500,"9"]}]}}')
FORM = evolve(EXAMPLE, request=Request(
    b"POST", PATH, Headers(((b"Content-Type", b"application/x-www-form-urlencoded"),)),
    Octets(urlencode({**ASKED, "query": "m offset -1h"}).encode())), refused=())


class GetTests(dialect_contract(prometheus, EXAMPLE), SynchronousTestCase):  # type: ignore[misc]
    """Prometheus, asked by GET."""


class PostTests(dialect_contract(prometheus, FORM), SynchronousTestCase):  # type: ignore[misc]
    """Prometheus, asked by POST."""


class LabelledTests(  # type: ignore[misc]
        dialect_contract(prometheus, EXAMPLE, PrometheusOptions(labels={"z": "1", "A": "2"})),
        SynchronousTestCase):
    """Prometheus with added labels keeps the contract."""


@frozen
class Unnarrowed(PrometheusRange):
    """Asks for what the client asked for, not for what is missing."""

    def encode_request(self, query: TimeRangeQuery) -> Request:
        """See L{IQueryDialect.encode_request}."""
        return query.request


@frozen
class Overspecific(PrometheusRange):
    """Makes another question of each extent."""

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        query = PrometheusRange.decode_request(self, request, now_ns)
        return evolve(query, key=f"{query.key} {query.extent}")


@frozen
class Credulous(PrometheusRange):
    """Takes anything for an answer."""

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{IQueryDialect.decode_response}."""
        try:
            return PrometheusRange.decode_response(self, query, response)
        except Undecodable:
            return PrometheusRange.decode_response(
                self, query, Response(200, body=Octets(EXAMPLE.answer)))


@frozen
class Greedy(PrometheusRange):
    """Keeps what it gets, not what was asked for."""

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{IQueryDialect.decode_response}."""
        wide = evolve(query, extent=Extent(0, 1 << 62))
        found = PrometheusRange.decode_response(self, wide, response)
        return evolve(found, extents=found.extents.since(0))


@frozen
class Lossy(PrometheusRange):
    """Rounds, as it encodes."""

    def encode_response(self, query: TimeRangeQuery, dataset: Dataset,
                        warnings: Sequence[str] = ()) -> Response:
        """See L{IQueryDialect.encode_response}."""
        response = PrometheusRange.encode_response(self, query, dataset, warnings)
        assert isinstance(response.body, Octets)
        return evolve(response, body=Octets(response.body.octets.replace(b'.5"', b'"')))


@frozen
class Forgetful(PrometheusRange):
    """Remembers from call to call."""

    seen: list[TimeRangeQuery] = Factory(list)

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        query = PrometheusRange.decode_request(self, request, now_ns)
        self.seen.append(query)
        return evolve(query, lead_ns=len(self.seen))


@implementer(INewestDialect)
class Half:
    """Has nothing but a claim."""


@frozen
class Like(Prometheus):
    """Prometheus with another dialect."""

    of: Any = None

    def routes(self, options: PrometheusOptions) -> Sequence[Route]:
        """See L{IOriginType.routes}."""
        return [evolve(route, dialect=route.dialect and self.of)
                for route in Prometheus.routes(self, options)]


@frozen
class OddRoutes(Prometheus):
    """Paths that cannot be routed."""

    odd: tuple[Route, ...] = ()

    def routes(self, options: PrometheusOptions) -> Sequence[Route]:
        """See L{IOriginType.routes}."""
        return self.odd


def failed(contract: type) -> set[str]:
    """:return: the tests of a contract that are not passed."""
    result = TestResult()
    case = type("Case", (contract, SynchronousTestCase), {})
    for name in dir(case):
        if name.startswith("test_"):
            case(name).run(result)
    return {test.id().rpartition(".")[2] for test, _ in result.failures + result.errors}


class DialectContractTests(SynchronousTestCase):
    """Dialects that break the contract."""

    def failed(self, dialect: Any) -> set[str]:
        return failed(dialect_contract(Like(of=dialect), EXAMPLE))

    def test_good(self) -> None:
        """The dialect from which the broken ones are made passes the contract."""
        self.assertEqual(self.failed(PrometheusRange()), set())

    def test_unnarrowed(self) -> None:
        """A dialect that does not ask the origin for the missing extents alone fails."""
        self.assertEqual(self.failed(Unnarrowed()),
                         {"test_requests_are_inverse", "test_encoded_twice"})

    def test_overspecific(self) -> None:
        """A dialect whose keys have the extent in them fails."""
        self.assertEqual(self.failed(Overspecific()), {"test_requests_are_inverse"})

    def test_credulous(self) -> None:
        """A dialect that decodes an incomplete response fails."""
        self.assertEqual(self.failed(Credulous()), {"test_undecodable"})

    def test_greedy(self) -> None:
        """A dialect that keeps samples outside of the extents asked for fails."""
        self.assertTrue({"test_covers", "test_outside"} <= self.failed(Greedy()))

    def test_lossy(self) -> None:
        """A dialect whose rows lose octets fails."""
        self.assertTrue({"test_answers_are_inverse", "test_window"} <= self.failed(Lossy()))

    def test_forgetful(self) -> None:
        """A dialect whose decoding depends on earlier requests fails."""
        self.assertIn("test_decoding_requests_is_pure", self.failed(Forgetful()))

    def test_half(self) -> None:
        """A dialect without methods fails."""
        self.assertIn("test_provides", self.failed(Half()))

    def test_none(self) -> None:
        """An origin type without a dialect fails where paths are served by range."""
        self.assertIn("test_delta_needs_a_dialect", self.failed(None))

    def test_poor_example(self) -> None:
        """An example of too few instants fails, and says so."""
        poor = evolve(EXAMPLE, request=get(end=str(START + 60)))
        self.assertIn("test_example", failed(dialect_contract(prometheus, poor)))


class OriginContractTests(SynchronousTestCase):
    """Origin types that break the contract."""

    def failed(self, *routes: Route) -> set[str]:
        return failed(origin_contract(OddRoutes(odd=routes)))

    def test_good(self) -> None:
        """Prometheus passes the contract of origin types."""
        self.assertEqual(failed(origin_contract(prometheus)), set())

    def test_odd_routes(self) -> None:
        """A route that cannot be routed fails, and so does an origin type without routes."""
        for odd in (Route("", Serve.PROXY), Route("x", Serve.PROXY),
                    Route("/", Serve.PROXY, methods=()), Route("/", Serve.STATIC),
                    Route("/", Serve.PROXY, methods=("get",)), Route("/", Serve.OBJECT, ttl=-1.0),
                    Route("/", Serve.OBJECT, key_headers=(b"Authorization",))):
            with self.subTest(route=odd):
                self.assertEqual(self.failed(odd), {"test_routes"})
        self.assertEqual(self.failed(), {"test_routes"})

    def test_twice(self) -> None:
        """Two routes for the same path and methods fail."""
        self.assertEqual(self.failed(Route("/", Serve.PROXY), Route("/", Serve.OBJECT)),
                         {"test_routes"})

    def test_no_origin_type(self) -> None:
        """An object that is no origin type fails, and the error says what is missing."""
        class Nothing:
            options = PrometheusOptions

        with self.assertRaises(AttributeError):
            failed(origin_contract(object()))
        self.assertIn("test_provides", failed(origin_contract(Nothing())))
