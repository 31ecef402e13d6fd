"""Tests of L{trickster.config.checks.served}: keys, and where they stand."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import (
    PLUGINS,
    CheckCase,
    loaded,
    origin_options,
    problems_of,
    reading,
    with_backend,
)
from trickster.config.checks.served import laid_over
from trickster.config.load import PluginOptions, Sources, load
from trickster.config.options.paths import PathOptions
from trickster.errors import BrokenPlugin, ConfigurationError, NotInstalled, UnknownPlugin
from trickster.origins.promrange import PrometheusRange
from trickster.routes import Route, Serve

RANGE = "/api/v1/query_range"
NO_EFFECT = "cannot have an effect here: no answer of this backend is given to more than one client"
NOT_CACHED = "cannot have an effect here: the path is not cached"


def told(keys: str, path: str = RANGE) -> tuple[str, ...]:
    """:return: what is told of such an entry of a path, without its place."""
    problems = problems_of(with_backend(f"paths: [{{path: {path}, {keys}}}]"))
    return tuple(problem.split("paths[0].", 1)[1] for problem in problems)


def remarked(keys: str, path: str = RANGE) -> tuple[str, ...]:
    """:return: what is said of such an entry, which is accepted."""
    notices = loaded(with_backend(f"paths: [{{path: {path}, {keys}}}]")).notices
    return tuple(notice.split("paths[0].", 1)[1] for notice in notices)


class RangeTests(SynchronousTestCase):
    """Paths that are cached by range."""

    def test_refused(self) -> None:
        """What cannot be chosen of a range query is refused at its place."""
        for key, value in (("cache_key_params", "[query]"), ("cache_key_params", "[dedup]"),
                           ("cache_key_form_fields", "[query]"), ("ttl", "5s"), ("ttl", "0s")):
            (problem,) = told(f"{key}: {value}")
            self.assertTrue(problem.startswith(f"{key}: cannot have an effect here: "), problem)
        (problem,) = told("handler: query_range, ttl: 5s", "/other")
        self.assertIn("timeseries_ttl", problem)
        (problem,) = told("handler: delta, ttl: 5s", "/other")
        self.assertIn("timeseries_ttl", problem)

    def test_place(self) -> None:
        """The place is that of the key."""
        (problem,) = problems_of(with_backend(f"paths: {{r: {{path: {RANGE},\n  ttl: 5s}}}}"))
        self.assertTrue(problem.startswith("t.yaml:2:3: backends.one.paths.r.ttl: "), problem)

    def test_accepted(self) -> None:
        """What counts anyway may be said, also as Trickster 2.0 does."""
        for keys in ("cache_key_params: ['*']", "cache_key_params: []",
                     "cache_key_params: [step, query, stats]", "cache_key_form_fields: []",
                     "cache_key_headers: [X-Tenant], honour_request_directives: true"):
            self.assertEqual((told(keys), remarked(keys)), ((), ()))

    def test_progressive(self) -> None:
        """Ranges do not come progressively."""
        for key in ("collapsed_forwarding: progressive", "progressive_collapsed_forwarding: true"):
            (line,) = remarked(key)
            self.assertTrue(line.startswith(key.split(":")[0] + " has no effect here"), line)


class LaidOverTests(SynchronousTestCase):
    """What an entry makes of a route."""

    ROUTES = (Route("/kept", Serve.OBJECT, ttl=30.0, handler="kept", key_headers=(b"x-a",)),)

    def test_ttl(self) -> None:
        """A lifetime of its own, or none: then that of each answer counts."""
        for said, ttl in ((None, 30.0), (5.0, 5.0), (0.0, None)):
            self.assertEqual(laid_over(self.ROUTES, PathOptions(path="/kept", ttl=said)).ttl, ttl)

    def test_foreign_handler(self) -> None:
        """A way of an origin type that another one stands in for is to pass on."""
        for path in ("/kept", "/other"):
            route = laid_over(self.ROUTES, PathOptions(path=path, handler="influx_query"))
            self.assertEqual((route.serve, route.path), (Serve.PROXY, path))

    def test_key_headers(self) -> None:
        """Those of the origin type stay, whatever an entry adds."""
        route = laid_over(self.ROUTES, PathOptions(
            path="/kept", cache_key_headers=("X-B", "x-a")))
        self.assertEqual(route.key_headers, (b"x-a", b"x-b"))


class UncachedTests(SynchronousTestCase):
    """Paths that are proxied, or answered here."""

    def test_proxied(self) -> None:
        """What is about caching is named, and changes nothing for those who ask."""
        for key, value in (("cache_key_params", "['*']"), ("cache_key_headers", "[X-A]"),
                           ("cache_key_form_fields", "[a]"), ("ttl", "5s"),
                           ("honour_request_directives", "true")):
            (line,) = remarked(f"handler: proxy, {key}: {value}", "/a")
            self.assertEqual(
                line, f"{key} has no effect here: nothing is cached with handler proxy")

    def test_unsaid(self) -> None:
        """What amounts to nothing is not worth a word."""
        self.assertEqual(remarked(
            "cache_key_params: [], cache_key_headers: [], cache_key_form_fields: [], "
            "honour_request_directives: false, collapsed_forwarding: basic, request_headers: {}, "
            "response_code: 200, response_body: ''", "/a"), ())

    def test_progressive(self) -> None:
        """Clients that share one answer as it arrives are those whose headers are equal."""
        self.assertEqual(remarked(
            "collapsed_forwarding: progressive, cache_key_headers: [X-A]", "/a"), ())

    def test_local(self) -> None:
        """What is answered here asks no origin."""
        for keys in ("request_headers: {a: b}", "request_params: {a: b}", "ttl: 1s",
                     "collapsed_forwarding: progressive"):
            (line,) = remarked(f"handler: localresponse, {keys}", "/a")
            self.assertIn(" has no effect here: ", line)

    def test_answer_without_its_handler(self) -> None:
        """A status code that would shut a path is refused where it does not."""
        for keys in ("response_code: 403", "response_body: no"):
            (problem,) = told(keys, "/admin")
            self.assertIn("expected handler: localresponse beside it", problem)
            self.assertEqual(told(f"handler: localresponse, {keys}", "/admin"), ())


class BackendTests(SynchronousTestCase):
    """Keys of backends that none of their paths can heed."""

    def said(self, provider: str, keys: str) -> list[str]:
        """:return: the keys that are told to have no effect."""
        text = with_backend(keys).replace("prometheus", provider)
        return [line.split("one.")[1].split(" ")[0] for line in loaded(text).notices]

    def test_ranges(self) -> None:
        """Without range queries, what is about them is named."""
        keys = "timeseries_retention_factor: 5, backfill_tolerance: 1m, timeseries_ttl: 6h"
        self.assertEqual(self.said("prometheus", keys), [])
        self.assertEqual(self.said("reverseproxycache", keys),
                         ["timeseries_retention_factor", "backfill_tolerance"])

    def test_caching(self) -> None:
        """Without caching, what is about that."""
        keys = "max_ttl: 1h, stale_if_error: 1m"
        self.assertEqual(self.said("reverseproxycache", keys), [])
        self.assertEqual(self.said("reverseproxy", keys), ["max_ttl", "stale_if_error"])
        cached = keys + ", paths: [{path: /a, handler: proxycache}]"
        self.assertEqual(self.said("reverseproxy", cached), [])

    def test_switched_off(self) -> None:
        """Where caching is switched off, that is what is meant."""
        self.assertEqual(self.said("reverseproxycache", "proxy_only: true, max_ttl: 1h"), [])


class PluginTests(SynchronousTestCase):
    """Plugins that are broken, and such as are not there."""

    def problem(self, plugins: PluginOptions, text: str) -> str:
        """:return: the one problem of a file."""
        error = self.assertRaises(
            ConfigurationError, load, Sources("t.yaml"), plugins, reading(text))
        self.assertEqual(len(error.problems), 1, error.problems)
        return error.problems[0]

    def test_broken_is_not_replaced(self) -> None:
        """Something else stands in for what is not installed, never for what is broken."""
        for wrong in (BrokenPlugin("it is broken"), UnknownPlugin("it is there twice")):
            def options(interface: object, name: str, wrong: Exception = wrong) -> type:
                if name in ("influxdb", "redis"):
                    raise wrong
                return origin_options("reverseproxy")

            plugins = PluginOptions(options)
            for text in (with_backend("").replace("prometheus", "influxdb"),
                         with_backend("") + "caches: {c: {provider: redis}}"):
                self.assertIn(f"provider: {wrong}", self.problem(plugins, text))

    def test_not_installed(self) -> None:
        """What Trickster 2.0 has and is not installed is stood in for, and named."""
        def options(interface: object, name: str) -> type:
            if name in ("influxdb", "redis"):
                raise NotInstalled(name)
            return origin_options("reverseproxy")

        text = (with_backend("").replace("prometheus", "influxdb")
                + "caches: {c: {provider: redis}}")
        configuration = load(
            Sources("t.yaml"), PluginOptions(options), reading(text))
        self.assertEqual(configuration.caches["c"].store, "memory")
        self.assertEqual(len(configuration.notices), 1)

    def test_broken_routes(self) -> None:
        """Routes are looked at whether the file has paths or not."""
        def routes(provider: str, options: object) -> tuple[Route, ...]:
            raise BrokenPlugin("no dialect")

        plugins = PluginOptions(PLUGINS.options, routes)
        self.assertIn("t.yaml:1:18: backends.one.provider: no dialect",
                      self.problem(plugins, with_backend("")))

    def test_broken_store(self) -> None:
        """Stores are looked at whether the file has some or not."""
        def check(interface: object, name: str, options: object) -> None:
            raise BrokenPlugin(f"no store for {name}")

        plugins = PluginOptions(PLUGINS.options, PLUGINS.routes, check)
        self.assertIn("caches.default.provider: no store for default",
                      self.problem(plugins, with_backend("")))

    def test_no_dialect(self) -> None:
        """A path can be served by range only where the origin type knows how."""
        text = with_backend("paths: [{path: /a, handler: delta}]").replace(
            "prometheus", "reverseproxycache")
        (problem,) = problems_of(text)
        self.assertIn("paths[0].handler: reverseproxycache has no range queries", problem)

    def test_delta(self) -> None:
        """Where it does, the general name is that way."""
        routes = PLUGINS.routes("prometheus", None)
        route = laid_over(routes, PathOptions(path="/a", handler="delta"))
        self.assertEqual((route.path, route.serve, route.handler),
                         ("/a", Serve.DELTA, "query_range"))

    def test_several_dialects(self) -> None:
        """Where paths differ in dialect, the general name is that of a path that has one."""
        flux = Route("/flux", Serve.DELTA, handler="flux", dialect=PrometheusRange())
        sql = Route("/sql", Serve.DELTA, handler="sql", dialect=PrometheusRange())
        for path, handler in (("/sql", "delta"), ("/sql", "sql"), ("/a", "sql")):
            route = laid_over((flux, sql), PathOptions(path=path, handler=handler))
            self.assertEqual((route.path, route.handler), (path, "sql"))
            self.assertIs(route.dialect, sql.dialect)
        plugins = PluginOptions(PLUGINS.options,
                                lambda name, options: (flux, sql))
        self.assertIn("expected the handler of one of them: flux, sql", self.problem(
            plugins, with_backend("paths: [{path: /a, handler: delta}]")))


class IdentityTests(CheckCase):
    """C{identity_headers} and C{override_headers}."""

    def test_effective(self) -> None:
        """Any list does where answers are shared, none at all too."""
        for keys in ("identity_headers: []", "override_headers: [X-Team]",
                     "identity_headers: [x-team]"):
            self.assertTold(with_backend(keys))
        for path in ("{path: /a, handler: proxycache}",
                     "{path: /a, collapsed_forwarding: progressive}"):
            self.assertTold("backends: {a: {provider: reverseproxy, origin_url: 'http://a', "
                            f"identity_headers: [], paths: [{path}]}}}}")

    def test_not_effective(self) -> None:
        """Where no answer is shared they are refused."""
        for key in ("identity_headers", "override_headers"):
            for backend in ("provider: reverseproxy, origin_url: 'http://a'",
                            "provider: prometheus, origin_url: 'http://a', proxy_only: true"):
                self.assertTold(f"backends: {{a: {{{backend}, {key}: []}}}}",
                                f"backends.a.{key}: {NO_EFFECT}")


class CookieTests(CheckCase):
    """C{cache_set_cookie}."""

    def test_effective(self) -> None:
        """It is for paths that are cached."""
        self.assertTold(with_backend("paths: [{path: /a, handler: proxycache, "
                                     "cache_set_cookie: true}, {path: /api/v1/query, "
                                     "cache_set_cookie: true}]"))

    def test_not_effective(self) -> None:
        """On others it is refused."""
        for handler in ("proxy", "localresponse"):
            self.assertTold(
                with_backend(f"paths: [{{path: /a, handler: {handler}, cache_set_cookie: true}}]"),
                f"backends.one.paths[0].cache_set_cookie: {NOT_CACHED}")
        self.assertTold("backends: {a: {provider: reverseproxy, origin_url: 'http://a', paths: "
                        "[{path: /a, cache_set_cookie: false}]}}",
                        f"backends.a.paths[0].cache_set_cookie: {NOT_CACHED}")

    def test_by_route(self) -> None:
        """It is the path's route that decides, and not what its provider is called."""
        told = f"cache_set_cookie: {NOT_CACHED}"
        for path in "{path: /graph}", "{path: /api/v1/rules, handler: proxy}":
            self.assertTold(with_backend(f"paths: [{path[:-1]}, cache_set_cookie: true}}]"),
                            f"backends.one.paths[0].{told}")
        for path in "{path: /new}", "{path: /, match_type: prefix, handler: proxycache}":
            self.assertTold(
                "backends: {a: {provider: reverseproxy, origin_url: 'http://a', identity_headers: [], "
                f"paths: [{path}]}}}}", *(() if "proxycache" in path else (
                    f"backends.a.identity_headers: {NO_EFFECT}",)))

    def test_taken_over(self) -> None:
        """An origin type's own route that an entry takes over is none of the backend's."""
        for handler, methods, shared in (
                ("proxy", "", False), ("proxycache", "", True), ("proxy", "methods: [GET]", True)):
            text = ("backends: {a: {provider: reverseproxycache, origin_url: 'http://a', identity_headers: [], "
                    f"paths: [{{path: /, match_type: prefix, handler: {handler}, {methods}}}]}}}}")
            self.assertTold(text, *(
                () if shared else (f"backends.a.identity_headers: {NO_EFFECT}",)))

    def test_virtual(self) -> None:
        """A pool shares nothing by itself: its members do."""
        text = ("backends: {a: {provider: reverseproxycache, origin_url: 'http://a'}, b: {provider: alb, "
                "identity_headers: [], alb: {mechanism: rr, pool: [a]}}}")
        self.assertTold(text, "backends.b.identity_headers: has no effect here: it is the members "
                        "that have caches; expected there")
