"""Tests of L{trickster.config.options.routes}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import PLUGINS
from trickster.config.options.paths import PathOptions
from trickster.config.options.routes import in_effect, laid_over
from trickster.origins.promrange import PrometheusRange
from trickster.routes import Match, Route, Serve


class LaidOverTests(SynchronousTestCase):
    """An entry of C{paths} is laid over a route."""

    ROUTES = (Route("/kept", Serve.OBJECT, ttl=30.0, handler="kept", key_headers=(b"x-a",)),)

    def test_ttl(self) -> None:
        """An entry's ttl takes the place of the route's; 0 leaves the lifetime to each response."""
        for said, ttl in ((None, 30.0), (5.0, 5.0), (0.0, None)):
            self.assertEqual(laid_over(self.ROUTES, PathOptions(path="/kept", ttl=said)).ttl, ttl)

    def test_foreign_handler(self) -> None:
        """A handler of an origin type that another type stands in for passes requests through."""
        for path in ("/kept", "/other"):
            route = laid_over(self.ROUTES, PathOptions(path=path, handler="influx_query"))
            self.assertEqual((route.serve, route.path), (Serve.PROXY, path))

    def test_key_headers(self) -> None:
        """Key headers of the origin type's route stay where an entry adds others."""
        route = laid_over(self.ROUTES, PathOptions(
            path="/kept", cache_key_headers=("X-B", "x-a")))
        self.assertEqual(route.key_headers, (b"x-a", b"x-b"))

    def test_delta(self) -> None:
        """The general handler C{delta} is the origin type's handler of range queries."""
        routes = PLUGINS.routes("prometheus", None)
        route = laid_over(routes, PathOptions(path="/a", handler="delta"))
        self.assertEqual((route.path, route.serve, route.handler),
                         ("/a", Serve.DELTA, "query_range"))

    def test_several_dialects(self) -> None:
        """Where routes differ in dialect, C{delta} means the dialect of the entry's own path."""
        flux = Route("/flux", Serve.DELTA, handler="flux", dialect=PrometheusRange())
        sql = Route("/sql", Serve.DELTA, handler="sql", dialect=PrometheusRange())
        for path, handler in (("/sql", "delta"), ("/sql", "sql"), ("/a", "sql")):
            route = laid_over((flux, sql), PathOptions(path=path, handler=handler))
            self.assertEqual((route.path, route.handler), (path, "sql"))
            self.assertIs(route.dialect, sql.dialect)


class InEffectTests(SynchronousTestCase):
    """The routes of a backend, with its entries of C{paths}."""

    OWN = (Route("/a", Serve.OBJECT, methods=("GET", "POST")),
           Route("/a", Serve.PROXY, Match.PREFIX))

    def kept(self, **said: object) -> list[Route]:
        """:return: the origin type's own routes that stay beside such an entry."""
        options = PathOptions(**said)  # type: ignore[arg-type]
        *own, (route, entry) = in_effect(self.OWN, [options])
        self.assertEqual((route, entry), (laid_over(self.OWN, options), options))
        return [each for each, none in own if none is None]

    def test_taken_over(self) -> None:
        """An entry of the same path, match and methods stands in the place of a route."""
        self.assertEqual(self.kept(path="/a", match_type="exact"), [self.OWN[1]])
        self.assertEqual(self.kept(path="/a", match_type="prefix"), [self.OWN[0]])

    def test_beside(self) -> None:
        """A route stays for the methods that an entry leaves to it, and for other paths."""
        self.assertEqual(self.kept(path="/a", match_type="exact", methods=("GET",)),
                         [*self.OWN])
        self.assertEqual(self.kept(path="/b"), [*self.OWN])
