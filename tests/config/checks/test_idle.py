"""Tests of L{trickster.config.checks.idle}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import CheckCase, loaded, problems_of, with_backend
from trickster.config.checks.idle import idle_backend_keys, idle_keys
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
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


class OptionsTests(SynchronousTestCase):
    """Options that come of no file."""

    def test_unsaid(self) -> None:
        """What says nothing has nothing that is idle, however it is served."""
        for serve in Serve:
            route = Route("/a", serve)
            self.assertEqual([*idle_keys(PathOptions(path="/a"), route)], [])
            self.assertEqual([*idle_backend_keys(BackendOptions(), [(route, None)])], [])

    def test_shared(self) -> None:
        """Who asks matters where answers are shared: cached, or forwarded while they arrive."""
        backend = BackendOptions(identity_headers=())
        for serve in Serve:
            for forwarding in (None, "progressive"):
                entry = PathOptions(collapsed_forwarding=forwarding)
                idle = [*idle_backend_keys(backend, [(Route("/a", serve), entry)])]
                shared = serve in (Serve.DELTA, Serve.OBJECT) or (
                    serve is Serve.PROXY and forwarding is not None)
                self.assertEqual([each.key for each in idle if each.is_refused],
                                 [] if shared else ["identity_headers"])
