"""Tests of L{trickster.compose.backends.backend}: what answers each path of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from tests.compose.backendcase import BackendCase
from tests.ranges.deltarig import FORM, NOW, range_request
from trickster.bodies import Pieces
from trickster.errors import Reason
from trickster.interfaces import IResponder
from trickster.messages import FastForward, Headers, Octets, Principal, Request, Response, Status
from trickster.observability.access import Observed
from trickster.origins.prometheus import Prometheus, PrometheusOptions
from trickster.origins.promrange import PrometheusRange
from trickster.purging.table import Kind, Purge, Scope
from trickster.ranges.plan import NotATimeRange
from trickster.routes import Route, Serve
from trickster.spans import Span
from trickster.testing.doubles import at_once
from trickster.timeseries.query import TimeRangeQuery

RANGE = "/api/v1/query_range"


class Whole(PrometheusRange):
    """A dialect that has every request answered whole."""

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, fallback="object")


@frozen
class WholePrometheus(Prometheus):
    """An origin type of that dialect."""

    def routes(self, options: PrometheusOptions) -> Sequence[Route]:
        """See L{IOriginType.routes}."""
        return [evolve(route, dialect=route.dialect and Whole())
                for route in Prometheus.routes(self, options)]


class Inverted(PrometheusRange):
    """A dialect to which every range is inverted."""

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        raise NotATimeRange(Reason.INVERTED_RANGE)


@frozen
class TwoDialects(Prometheus):
    """An origin type with another path, in another dialect."""

    def routes(self, options: PrometheusOptions) -> Sequence[Route]:
        """See L{IOriginType.routes}."""
        other = Route("/api/v1/other", Serve.DELTA, dialect=Inverted())
        return [*Prometheus.routes(self, options), other]





class RangeTests(BackendCase):
    """A backend's path of range queries."""

    def ranged(self, **said: Any) -> list[Response]:
        """:return: two answers to the same query, whose end is no multiple of its step."""
        ranges = self.entry(self.backend("prometheus", **said), RANGE).responder
        return [self.ask(ranges, range_request(NOW - 600, NOW + 30)) for _ in range(2)]

    def test_newest(self) -> None:
        """A newest sample is asked for unless that is switched off, or no answer is changed."""
        for said, wanted in (({}, 1), ({"fast_forward_disable": True}, 0),
                             ({"timeseries_step_mode": "phase"}, 0)):
            self.prometheus.newest.clear()
            first, _ = self.ranged(**said)
            self.assertEqual(len(self.prometheus.newest), wanted, said)
            self.assertIs(first.outcome.fast_forward,
                          FastForward.MISS if wanted else FastForward.OFF)

    def test_response_headers(self) -> None:
        """Response headers of a path are on responses of the cache as well, once each."""
        added = {"X-Added": "1", "Cache-Control": "max-age=5"}  # the last is kept of no answer
        answers = self.ranged(paths=[{"path": RANGE, "response_headers": added}])
        self.assertEqual([one.outcome.status for one in answers], [Status.KEY_MISS, Status.HIT])
        for name, value in ((b"x-added", b"1"), (b"cache-control", b"max-age=5")):
            self.assertEqual([one.headers.get_all(name) for one in answers], [[value]] * 2)

    def test_whole(self) -> None:
        """A range query answered whole by its dialect is kept for a minute, without a ttl."""
        ranges = self.entry(self.backend("prometheus", WholePrometheus()), RANGE).responder
        request = range_request(NOW - 600, NOW)
        statuses = [self.ask(ranges, request).outcome.status for _ in range(2)]
        self.clock.advance(59)
        statuses.append(self.ask(ranges, request).outcome.status)
        self.clock.advance(1)
        statuses.append(self.ask(ranges, request).outcome.status)
        self.assertEqual(statuses, [Status.KEY_MISS, Status.HIT, Status.HIT, Status.KEY_MISS])

    def test_purged(self) -> None:
        """A backend lists all its caches, and purges name what any of them has."""
        backend = self.backend("prometheus")
        asked = [(RANGE, range_request(NOW - 600, NOW)),
                 ("/api/v1/query", Request(b"GET", b"/api/v1/query?query=a&time=9"))]
        responders = [(self.entry(backend, path).responder, request) for path, request in asked]

        def statuses() -> list[Status]:
            return [self.ask(responder, request).outcome.status
                    for responder, request in responders]

        self.assertEqual([statuses(), statuses()],
                         [[Status.KEY_MISS] * 2, [Status.HIT] * 2])
        at_once(backend.purges.add(Purge(Scope(Kind.BACKEND, backend.name))))
        for cache in backend.caches:
            cache.outdate()
        self.assertEqual([statuses(), statuses()],
                         [[Status.KEY_MISS] * 2, [Status.HIT] * 2])

    def test_dialects(self) -> None:
        """A request is read in the dialect that its path's route names."""
        backend = self.backend("prometheus", TwoDialects())
        request = range_request(NOW - 600, NOW)
        other = evolve(request, target=request.target.replace(b"query_range", b"other"))
        found = [self.ask(self.entry(backend, path).responder, sent).outcome.reason
                 for path, sent in ((RANGE, request), ("/api/v1/other", other))]
        self.assertEqual(found, [Reason.KEY_MISS, Reason.INVERTED_RANGE])

    def test_proxy_only(self) -> None:
        """C{proxy_only} is the reason of every response on every path of the backend."""
        backend = self.backend("prometheus", proxy_only=True)
        for path, request in ((RANGE, range_request(NOW - 600, NOW)),
                              ("/api/v1/query", Request(b"GET", b"/api/v1/query?query=a&time=9"))):
            for _ in range(2):
                outcome = self.ask(self.entry(backend, path).responder, request).outcome
                self.assertEqual((outcome.status, outcome.reason),
                                 (Status.PROXY_ONLY, Reason.PROXY_ONLY))
        self.assertEqual(len(self.prometheus.requests), 4)


class RoutedTests(BackendCase):
    """What a backend's routes say to the router and to the log."""

    def test_local(self) -> None:
        """A route with a static response is local, lest another spelling lead to the origin."""
        local = {"path": "/secret", "handler": "localresponse", "response_code": 403}
        backend = self.backend("prometheus", paths=[local])
        found = [self.entry(backend, path).is_local
                 for path in ("/secret", "/api/v1/admin", "/api/v1/query")]
        self.assertEqual(found, [True, True, False])

    def test_forms(self) -> None:
        """Forms are logged on routes whose forms are queries."""
        backend = self.backend("prometheus")
        observed = Observed(backend, backend.around.metrics, self.log, self.clock)
        whole, coming = b"query=a&time=9", Pieces.of([b"query=a&", b"time=9"])
        for path, body, form in ((b"/api/v1/query", Octets(whole), whole),
                                 (b"/api/v1/query", coming, whole), (b"/x", Octets(whole), b"")):
            self.ask(observed, Request(b"POST", path, Headers(FORM), body))
            self.assertEqual(self.log.written[-1].form, form, path)

    def test_nested(self) -> None:
        """
        A backend answers requests for any of its paths, and is observed from outside, as at
        the one of its paths that answers.
        """
        backend = self.backend("prometheus", paths=[{"path": "/quiet", "no_metrics": True}])
        for path, placed, is_counted in (
                (b"/api/v1/query", "/api/v1/query", True), (b"/quiet", "/quiet", False),
                (b"/elsewhere", "/", True)):
            span = Span()
            answer = self.ask(backend, Request(b"GET", path + b"?query=up&time=9", span=span))
            self.assertNotIn(b"x-trickster-result", answer.headers)
            self.assertEqual((span.place.backend, span.place.provider, span.place.path),
                             ("x", "prometheus", placed))
            self.assertEqual(span.place.in_frontend, is_counted)
            self.assertEqual(span.target, path + b"?query=up&time=9")


class PrincipalTests(BackendCase):
    """The principal that an authenticator has found is part of every key."""

    def asks(self, backend: IResponder, request: Request, origin: Any) -> list[int]:
        """:return: how often the origin was asked after each of several principals."""
        asked = []
        ann, bob = Principal("ann"), Principal("bob")
        for who in (ann, ann, bob, ann, bob, None, Principal("ann", (("role", "admin"),)), None):
            self.ask(backend, evolve(request, identity=who))
            asked.append(len(origin.requests))
        return asked

    def test_objects(self) -> None:
        """A principal's stored responses are given to no other, nor to requests without one."""
        self.web.script = [_fresh() for _ in range(9)]
        backend = self.backend("reverseproxycache")
        self.assertEqual(self.asks(backend, _request(b"GET"), self.web), [1, 1, 2, 2, 2, 3, 4, 4])

    def test_ranges(self) -> None:
        """Range queries of one principal share nothing with those of another, or of none."""
        backend = self.backend("prometheus", fast_forward_disable=True)
        request = range_request(NOW - 600, NOW)
        self.assertEqual(self.asks(backend, request, self.prometheus), [1, 1, 2, 2, 2, 3, 4, 4])


class ObjectTests(BackendCase):
    """Paths that are cached whole, and paths beside them."""

    def test_invalidated(self) -> None:
        """An unsafe request invalidates its target's responses, on an ambiguous path too."""
        for is_clear in (True, False):
            backend = self.backend("reverseproxycache")
            reading, changing = self.entry(backend, "/x"), self.entry(backend, "/x", "PUT")
            way = changing.responder if is_clear else changing.passing
            self.web.script = [_fresh(), Response(204), _fresh()]
            self.web.requests.clear()
            for responder, method in ((reading.responder, b"GET"), (reading.responder, b"GET"),
                                      (way, b"PUT"), (reading.responder, b"GET")):
                self.ask(responder, _request(method))
            self.assertEqual([one.method for one in self.web.requests], [b"GET", b"PUT", b"GET"])

    def test_ranges_answered_whole(self) -> None:
        """An unsafe request invalidates range queries of its target that are kept whole."""
        backend = self.backend("prometheus", WholePrometheus())
        backend.origin.counted = self.web
        entry = self.entry(backend, RANGE)
        asked = range_request(NOW - 600, NOW)
        self.web.script = [_fresh(), Response(204), _fresh()]
        found = [self.ask(way, evolve(asked, method=method)).outcome.status for way, method in (
            (entry.responder, b"GET"), (entry.responder, b"GET"), (entry.passing, b"PUT"),
            (entry.responder, b"GET"))]
        self.assertEqual([found[0], found[1], found[3]],
                         [Status.KEY_MISS, Status.HIT, Status.KEY_MISS])

    def test_passing(self) -> None:
        """An ambiguous path is passed through with the backend's headers, and its own reason."""
        backend = self.backend("reverseproxycache", request_headers={"X-Added": "1"})
        self.web.script = [Response(200, body=Octets(b"a"))]
        answer = self.ask(self.entry(backend, "/").passing, _request(b"GET"))
        self.assertIs(answer.outcome.reason, Reason.AMBIGUOUS_PATH)
        self.assertEqual(self.web.requests[-1].headers.get(b"x-added"), b"1")


def _request(method: bytes) -> Request:
    return Request(method, b"/x", authority=b"h")


def _fresh() -> Response:
    return Response(200, Headers(((b"Cache-Control", b"max-age=600"),)), Octets(b"a"))
