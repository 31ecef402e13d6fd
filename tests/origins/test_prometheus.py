"""Tests of C{trickster.origins.prometheus}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.errors import Reason
from trickster.interfaces import INewestDialect, IOriginType, IRefusalFormat
from trickster.messages import Params
from trickster.origins.prometheus import IDENTITY, PrometheusOptions, prometheus
from trickster.routes import Match, Route, Serve

PLAIN = PrometheusOptions()
LOOKUPS = ("/api/v1/series", "/api/v1/labels", "/api/v1/label/job/values")
LABELLED = PrometheusOptions(labels={"dc": "x", "env": "y"})


def route_of(path: str, method: str = "GET", options: PrometheusOptions = PLAIN) -> Route:
    """:return: the first route for a path, as those that route would find it."""
    return next(r for r in sorted(prometheus.routes(options), key=lambda r: (
        r.match is not Match.EXACT, -len(r.path))) if matches(r, path, method))


def matches(route: Route, path: str, method: str) -> bool:
    allowed = "*" in route.methods or method in route.methods
    return allowed and (path == route.path or (
        route.match is Match.PREFIX and path.startswith(route.path)))


class RefusalTests(SynchronousTestCase):
    """Errors are spelled as Prometheus's API spells them."""

    def test_provides(self) -> None:
        """The origin type provides a form for refusals."""
        verifyObject(IRefusalFormat, prometheus)

    def test_as_prometheus(self) -> None:
        """A refusal is JSON with Prometheus's error types, and its status stays."""
        for status, kind in ((400, "bad_data"), (404, "not_found"), (405, "bad_data"),
                             (408, "timeout"), (413, "bad_data"), (414, "bad_data"),
                             (422, "execution"), (500, "internal"), (501, "internal"),
                             (502, "unavailable"), (503, "unavailable"), (504, "timeout")):
            answer = prometheus.spelled_refusal(
                b"/api/v1/query", status, Reason.INTERNAL, 'it "broke"')
            assert answer is not None
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers.get(b"content-type"), b"application/json")
            self.assertEqual(json.loads(answer.body), {
                "status": "error", "errorType": kind, "error": 'it "broke"'})

    def test_elsewhere(self) -> None:
        """A refusal of a page outside of the API is plain text."""
        for path in (b"/", b"/graph", b"/federate", b"/api", b"/api/v2/x"):
            self.assertIsNone(prometheus.spelled_refusal(path, 400, Reason.INTERNAL, "x"))
        self.assertIsNotNone(prometheus.spelled_refusal(
            b"//api/v1/query", 400, Reason.INTERNAL, "x"))


class RoutesTests(SynchronousTestCase):
    """Which paths there are, and how each is served."""

    def assert_served(self, serve: Serve, *paths: str, method: str = "GET") -> None:
        for path in paths:
            with self.subTest(path=path):
                self.assertIs(route_of(path, method).serve, serve)

    def test_range(self) -> None:
        """Range queries are served by range, whether they are asked by GET or by POST."""
        for method in ("GET", "POST"):
            self.assert_served(Serve.DELTA, "/api/v1/query_range", method=method)
        self.assertTrue(route_of("/api/v1/query_range").form)

    def test_objects(self) -> None:
        """Responses that change seldom are cached whole, for half a minute."""
        paths = ["/api/v1/" + name for name in (
            "query", "series", "labels", "label/job/values", "metadata", "targets",
            "targets/metadata", "query_exemplars", "format_query", "parse_query",
            "status/config", "status/tsdb", "scrape_pools", "features", "alertmanagers")]
        self.assert_served(Serve.OBJECT, *paths)
        self.assertEqual({route_of(path).ttl for path in paths}, {30.0})

    def test_forms(self) -> None:
        """A path takes forms where Prometheus takes them."""
        for name in ("query", "series", "labels", "query_exemplars", "format_query"):
            route = route_of("/api/v1/" + name, "POST")
            self.assertEqual((route.serve, route.form), (Serve.OBJECT, True))

    def test_proxied(self) -> None:
        """Paths that change often, stream, write or are unknown are proxied, by any method."""
        for method in ("GET", "HEAD", "POST"):
            self.assert_served(
                Serve.PROXY, "/api/v1/alerts", "/api/v1/rules", "/api/v1/notifications/live",
                "/api/v1/write", "/api/v1/read", "/federate", "/", "/graph", "/static/x.js",
                "/-/healthy", "/api/v1/unheard_of", method=method)
        self.assert_served(Serve.PROXY, "/api/v1/metadata", method="POST")

    def test_admin(self) -> None:
        """Admin paths are refused, by any method."""
        for method in ("GET", "POST", "PUT", "DELETE"):
            route = route_of("/api/v1/admin/tsdb/delete_series", method)
            self.assertIs(route.serve, Serve.STATIC)
            assert route.static is not None
            self.assertEqual(route.static.status, 400)

    def test_identity(self) -> None:
        """The identity of a request is part of the key of everything that is stored."""
        for route in prometheus.routes(PLAIN):
            if route.serve in (Serve.DELTA, Serve.OBJECT):
                self.assertEqual(route.key_headers, IDENTITY)
        self.assertEqual(IDENTITY, (b"authorization", b"origin"))

    def test_browsers_number(self) -> None:
        """The parameter that browsers add to get past caches is no part of a key."""
        self.assertIn("_", route_of("/api/v1/query").ignored_params)


SECOND = 1_000_000_000


class RoundingTests(SynchronousTestCase):
    """Queries of near instants share a key."""

    def aligned(self, path: str, options: PrometheusOptions = PLAIN, **params: str
                ) -> tuple[dict[str, str], tuple[int | None, int | None] | None]:
        """:return: what is asked, and which extent in seconds is answered where another is."""
        route = route_of(path, options=options)
        assert route.normalise is not None
        asked = route.normalise(Params(tuple(params.items())))
        aligned = route.align(asked) if route.align is not None else None
        if aligned is None:
            return dict(asked.pairs), None
        start, end = (None if t is None else t // SECOND for t in aligned.extent)
        return dict(aligned.params.pairs), (start, end)

    def test_instant(self) -> None:
        """Instants are rounded down to a quarter of a minute, in all spellings alike."""
        for text in ("1700000014", "1700000014.0", "1.700000014e9", "2023-11-14T22:13:34Z"):
            self.assertEqual(
                self.aligned("/api/v1/query", query="up", time=text),
                ({"query": "up", "time": "1700000010"}, (1700000010, 1700000010)), text)

    def test_nothing_to_round(self) -> None:
        """Multiples, fractions, the origin's own now, and what it refuses, are as they came."""
        self.assertEqual(self.aligned("/api/v1/query", query="up"), ({"query": "up"}, None))
        for text in ("1700000010", "1700000014.500", "now", "-3", ""):
            self.assertEqual(self.aligned("/api/v1/query", time=text), ({"time": text}, None))

    def test_spelled_alike(self) -> None:
        """Equal instants share a key, rounded or not."""
        exact = PrometheusOptions(instant_round=0.0, metadata_round=0.0)
        for path, name in (("/api/v1/query", "time"), ("/api/v1/series", "start"),
                           ("/api/v1/labels", "end"), ("/api/v1/label/job/values", "end")):
            for text in ("1700000014", "1700000014.0", "2023-11-14T22:13:34Z"):
                self.assertEqual(self.aligned(path, exact, **{name: text}),
                                 ({name: "1700000014"}, None))

    def test_configured(self) -> None:
        """Instants are rounded to the configured multiple, or not at all."""
        self.assertEqual(
            self.aligned("/api/v1/query", PrometheusOptions(instant_round=60.0),
                         time="1700000039"),
            ({"time": "1699999980"}, (1699999980, 1699999980)))
        self.assertIsNone(route_of("/api/v1/query", options=PrometheusOptions(
            instant_round=0.0)).align)
        for path in LOOKUPS:
            self.assertIsNone(route_of(path, options=PrometheusOptions(metadata_round=0.0)).align)
            self.assertEqual(
                self.aligned(path, PrometheusOptions(metadata_round=10.0), start="1700000001"),
                ({"start": "1700000000"}, (1700000000, None)))

    def test_series(self) -> None:
        """Ranges of series and labels are widened to whole minutes."""
        for path in LOOKUPS:
            self.assertEqual(
                self.aligned(path, start="1700000039", end="1700000041", limit="5"),
                ({"start": "1699999980", "end": "1700000100", "limit": "5"},
                 (1699999980, 1700000100)))

    def test_one_end(self) -> None:
        """The extent names both ends where both are given, and the one that is otherwise."""
        for params, extent in (
                ({"start": "1700000039"}, (1699999980, None)),
                ({"end": "1700000041"}, (None, 1700000100)),
                ({"start": "1699999980", "end": "1700000041"}, (1699999980, 1700000100)),
                ({"start": "1700000039", "end": "1700000040"}, (1699999980, 1700000040))):
            self.assertEqual(self.aligned("/api/v1/labels", **params)[1], extent)

    def test_inverted(self) -> None:
        """A range that ends before it begins is the origin's to refuse, and stays so."""
        asked = {"start": "1700000041", "end": "1700000039"}
        self.assertEqual(self.aligned("/api/v1/series", **asked), (asked, None))

    def test_several(self) -> None:
        """Of several values of one name, the origin alone knows which one counts."""
        align = route_of("/api/v1/query").align
        assert align is not None
        self.assertIsNone(align(Params((("time", "1700000014"), ("time", "1700000029")))))


class LabelsTests(SynchronousTestCase):
    """Labels that Trickster adds."""

    def test_translated(self) -> None:
        """Added labels are understood wherever series are shown or selected."""
        translated = ("/api/v1/query_range", "/api/v1/query", "/api/v1/query_exemplars",
                      "/api/v1/series", "/api/v1/labels", "/api/v1/label/dc/values", "/federate")
        for path in translated:
            self.assertIsNotNone(route_of(path, options=LABELLED).translate, path)
        for path in ("/api/v1/rules", "/api/v1/alerts", "/api/v1/targets", "/api/v1/read",
                     "/api/v1/write", "/api/v1/format_query", "/api/v1/metadata", "/graph"):
            self.assertIsNone(route_of(path, options=LABELLED).translate, path)

    def test_none(self) -> None:
        """Without added labels, no query is translated."""
        self.assertTrue(all(r.translate is None for r in prometheus.routes(PLAIN)))

    def test_checked(self) -> None:
        """Added labels have names of labels, and values that are not empty."""
        for labels in ({"a-b": "c"}, {"": "c"}, {"1a": "c"}, {"__name__": "c"}, {"a": ""}):
            with self.assertRaises(ValueError):
                PrometheusOptions(labels=labels)


class TypeTests(SynchronousTestCase):
    """Interfaces of the origin type."""

    def test_provides(self) -> None:
        """The origin type provides C{IOriginType}, and its range dialect C{INewestDialect}."""
        verifyObject(IOriginType, prometheus)
        for options in (PLAIN, LABELLED):
            dialects = [r.dialect for r in prometheus.routes(options) if r.dialect is not None]
            self.assertEqual(len(dialects), 1)
            verifyObject(INewestDialect, dialects[0])

    def test_probe(self) -> None:
        """The health check evaluates an expression that reads no series."""
        probe = prometheus.probe(PLAIN)
        assert probe is not None
        self.assertEqual(probe.target, b"/api/v1/query?query=vector(1)")
