"""Tests of C{trickster.compose.backends.overlay}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.backends.overlay import overlaid
from trickster.config.options.paths import PathOptions
from trickster.origins.prometheus import PrometheusOptions, prometheus
from trickster.routes import Match, Route, Serve, StaticResponse

ROUTES = (
    Route("/a", Serve.DELTA, handler="ranges", ttl=5.0, key_headers=(b"x-tenant",)),
    Route("/secret", Serve.STATIC, methods=("*",), handler="admin",
          static=StaticResponse(400, b"no")),
    Route("/", Serve.PROXY, Match.PREFIX, ("*",), "proxy"),
)


class OverlayTests(SynchronousTestCase):
    """The configuration's entries over an origin type's routes."""

    def laid(self, **options: object) -> Route:
        """:return: the first route where the configuration has one entry."""
        return overlaid(ROUTES, [PathOptions(**options)])[0].route  # type: ignore[arg-type]

    def test_nothing_said(self) -> None:
        """Without entries, the origin type's routes stay as they are."""
        self.assertEqual([plan.route for plan in overlaid(ROUTES, ())], list(ROUTES))

    def test_field_by_field(self) -> None:
        """An entry replaces the fields that it names, and leaves the rest of the route."""
        route = self.laid(path="/a", cache_key_headers=("X-User",))
        self.assertEqual((route.serve, route.ttl), (Serve.DELTA, 5.0))
        self.assertEqual(route.key_headers, (b"x-tenant", b"x-user"))

    def test_entries_win(self) -> None:
        """Entries come before the origin type's routes, which take other paths and methods."""
        plans = overlaid(ROUTES, [PathOptions(path="/a", methods=("get",), handler="proxy")])
        self.assertEqual([p.route.path for p in plans], ["/a", "/a", "/secret", "/"])
        self.assertEqual((plans[0].route.serve, plans[0].route.methods), (Serve.PROXY, ("GET",)))

    def test_a_new_path(self) -> None:
        """An entry for a path that the origin type does not know is proxied, exactly."""
        route = self.laid(path="/new")
        self.assertEqual((route.serve, route.match, route.methods),
                         (Serve.PROXY, Match.EXACT, ("GET", "HEAD")))

    def test_named_handler(self) -> None:
        """A name that the origin type gives to one of its ways can be used elsewhere."""
        route = self.laid(path="/b", handler="ranges", match_type="prefix")
        self.assertEqual((route.path, route.serve, route.ttl, route.match),
                         ("/b", Serve.DELTA, 5.0, Match.PREFIX))

    def test_unknown_handler(self) -> None:
        """A name that only the real origin type knows is proxied by the one that stands in."""
        self.assertEqual(self.laid(path="/query", handler="query").serve, Serve.PROXY)

    def test_local_answer(self) -> None:
        """A localresponse has the status, body and fields of its entry."""
        route = self.laid(path="/hello", handler="localresponse", response_code=418,
                          response_body="hi", response_headers={"X-A": "b"})
        assert route.static is not None
        self.assertEqual((route.static.status, route.static.body), (418, b"hi"))
        self.assertEqual(route.static.headers.get(b"x-a"), b"b")

    def test_local_answer_of_the_origin_type(self) -> None:
        """An entry changes only what it names of the origin type's own static response."""
        route = self.laid(path="/secret", response_code=403)
        assert route.static is not None
        self.assertEqual((route.static.status, route.static.body), (403, b"no"))

    def test_prometheus(self) -> None:
        """An entry for a route of Prometheus may give it another ttl."""
        plans = overlaid(prometheus.routes(PrometheusOptions()),
                         [PathOptions(path="/api/v1/labels", ttl=300.0)])
        self.assertEqual((plans[0].route.ttl, plans[0].route.serve), (300.0, Serve.OBJECT))
