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
        """A key that cannot be chosen for range queries is refused at its place."""
        for key, value in (("cache_key_params", "[query]"), ("cache_key_params", "[dedup]"),
                           ("cache_key_form_fields", "[query]"), ("ttl", "5s"), ("ttl", "0s")):
            (problem,) = told(f"{key}: {value}")
            self.assertTrue(problem.startswith(f"{key}: cannot have an effect here: "), problem)
        (problem,) = told("handler: query_range, ttl: 5s", "/other")
        self.assertIn("timeseries_ttl", problem)
        (problem,) = told("handler: delta, ttl: 5s", "/other")
        self.assertIn("timeseries_ttl", problem)

    def test_place(self) -> None:
        """A key without effect is refused at its own line and column."""
        (problem,) = problems_of(with_backend(f"paths: {{r: {{path: {RANGE},\n  ttl: 5s}}}}"))
        self.assertTrue(problem.startswith("t.yaml:2:3: backends.one.paths.r.ttl: "), problem)

    def test_accepted(self) -> None:
        """A key that repeats what counts anyway is accepted, as Trickster 2.0 writes it."""
        for keys in ("cache_key_params: ['*']", "cache_key_params: []",
                     "cache_key_params: [step, query, stats]", "cache_key_form_fields: []",
                     "cache_key_headers: [X-Tenant], honour_request_directives: true"):
            self.assertEqual((told(keys), remarked(keys)), ((), ()))

    def test_progressive(self) -> None:
        """Progressive forwarding of a range query has no effect, and is remarked on."""
        for key in ("collapsed_forwarding: progressive", "progressive_collapsed_forwarding: true"):
            (line,) = remarked(key)
            self.assertTrue(line.startswith(key.split(":")[0] + " has no effect here"), line)


class UncachedTests(SynchronousTestCase):
    """Paths that are proxied, or answered by a static response."""

    def test_proxied(self) -> None:
        """A key about caching on a proxied path is remarked on, and refused nowhere."""
        for key, value in (("cache_key_params", "['*']"), ("cache_key_headers", "[X-A]"),
                           ("cache_key_form_fields", "[a]"), ("ttl", "5s"),
                           ("honour_request_directives", "true")):
            (line,) = remarked(f"handler: proxy, {key}: {value}", "/a")
            self.assertEqual(
                line, f"{key} has no effect here: nothing is cached with handler proxy")

    def test_unsaid(self) -> None:
        """A key without effect whose value is empty or the default is not remarked on."""
        self.assertEqual(remarked(
            "cache_key_params: [], cache_key_headers: [], cache_key_form_fields: [], "
            "honour_request_directives: false, collapsed_forwarding: basic, request_headers: {}, "
            "response_code: 200, response_body: ''", "/a"), ())

    def test_progressive(self) -> None:
        """Key headers have an effect where progressive forwarding shares one response."""
        self.assertEqual(remarked(
            "collapsed_forwarding: progressive, cache_key_headers: [X-A]", "/a"), ())

    def test_local(self) -> None:
        """A key about the origin has no effect on a static response."""
        for keys in ("request_headers: {a: b}", "request_params: {a: b}", "ttl: 1s",
                     "collapsed_forwarding: progressive"):
            (line,) = remarked(f"handler: localresponse, {keys}", "/a")
            self.assertIn(" has no effect here: ", line)

    def test_answer_without_its_handler(self) -> None:
        """A status or body of a static response is refused where the path does not give one."""
        for keys in ("response_code: 403", "response_body: no"):
            (problem,) = told(keys, "/admin")
            self.assertIn("expected handler: localresponse beside it", problem)
            self.assertEqual(told(f"handler: localresponse, {keys}", "/admin"), ())


class BackendTests(SynchronousTestCase):
    """Keys of backends that have an effect on none of their paths."""

    def said(self, provider: str, keys: str) -> list[str]:
        """:return: the keys that are told to have no effect."""
        text = with_backend(keys).replace("prometheus", provider)
        return [line.split("one.")[1].split(" ")[0] for line in loaded(text).notices]

    def test_ranges(self) -> None:
        """A key about range queries is remarked on for a backend without any."""
        keys = "timeseries_retention_factor: 5, backfill_tolerance: 1m, timeseries_ttl: 6h"
        self.assertEqual(self.said("prometheus", keys), [])
        self.assertEqual(self.said("reverseproxycache", keys),
                         ["timeseries_retention_factor", "backfill_tolerance"])

    def test_caching(self) -> None:
        """A key about caching is remarked on for a backend that caches nothing."""
        keys = "max_ttl: 1h, stale_if_error: 1m"
        self.assertEqual(self.said("reverseproxycache", keys), [])
        self.assertEqual(self.said("reverseproxy", keys), ["max_ttl", "stale_if_error"])
        cached = keys + ", paths: [{path: /a, handler: proxycache}]"
        self.assertEqual(self.said("reverseproxy", cached), [])

    def test_switched_off(self) -> None:
        """A key about caching is not remarked on where C{proxy_only} switches caching off."""
        self.assertEqual(self.said("reverseproxycache", "proxy_only: true, max_ttl: 1h"), [])


class IdentityTests(CheckCase):
    """C{identity_headers} and C{override_headers}."""

    def test_effective(self) -> None:
        """Any list of identity headers, even an empty one, is effective at shared responses."""
        for keys in ("identity_headers: []", "override_headers: [X-Team]",
                     "identity_headers: [x-team]"):
            self.assertTold(with_backend(keys))
        for path in ("{path: /a, handler: proxycache}",
                     "{path: /a, collapsed_forwarding: progressive}"):
            self.assertTold("backends: {a: {provider: reverseproxy, origin_url: 'http://a', "
                            f"identity_headers: [], paths: [{path}]}}}}")

    def test_not_effective(self) -> None:
        """Identity and override headers are refused where no response is shared."""
        for key in ("identity_headers", "override_headers"):
            for backend in ("provider: reverseproxy, origin_url: 'http://a'",
                            "provider: prometheus, origin_url: 'http://a', proxy_only: true"):
                self.assertTold(f"backends: {{a: {{{backend}, {key}: []}}}}",
                                f"backends.a.{key}: {NO_EFFECT}")


class CookieTests(CheckCase):
    """C{cache_set_cookie}."""

    def test_effective(self) -> None:
        """C{cache_set_cookie} has an effect on paths that are cached."""
        self.assertTold(with_backend("paths: [{path: /a, handler: proxycache, "
                                     "cache_set_cookie: true}, {path: /api/v1/query, "
                                     "cache_set_cookie: true}]"))

    def test_not_effective(self) -> None:
        """C{cache_set_cookie} is refused on paths that are not cached."""
        for handler in ("proxy", "localresponse"):
            self.assertTold(
                with_backend(f"paths: [{{path: /a, handler: {handler}, cache_set_cookie: true}}]"),
                f"backends.one.paths[0].cache_set_cookie: {NOT_CACHED}")
        self.assertTold("backends: {a: {provider: reverseproxy, origin_url: 'http://a', paths: "
                        "[{path: /a, cache_set_cookie: false}]}}",
                        f"backends.a.paths[0].cache_set_cookie: {NOT_CACHED}")

    def test_by_route(self) -> None:
        """Whether a key has an effect depends on the path's route, not the provider's name."""
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
        """Identity headers of a pool are refused: its members have the caches."""
        text = ("backends: {a: {provider: reverseproxycache, origin_url: 'http://a'}, b: {provider: alb, "
                "identity_headers: [], alb: {mechanism: rr, pool: [a]}}}")
        self.assertTold(text, "backends.b.identity_headers: has no effect here: it is the members "
                        "that have caches; expected there")


class OptionsTests(SynchronousTestCase):
    """Options that were not read from a file."""

    def test_unsaid(self) -> None:
        """A key that is left at its default is not remarked on, however the path is served."""
        for serve in Serve:
            route = Route("/a", serve)
            self.assertEqual([*idle_keys(PathOptions(path="/a"), route)], [])
            self.assertEqual([*idle_backend_keys(BackendOptions(), [(route, None)])], [])

    def test_shared(self) -> None:
        """Identity headers have an effect where responses are cached, or shared in flight."""
        backend = BackendOptions(identity_headers=())
        for serve in Serve:
            for forwarding in (None, "progressive"):
                entry = PathOptions(collapsed_forwarding=forwarding)
                idle = [*idle_backend_keys(backend, [(Route("/a", serve), entry)])]
                shared = serve in (Serve.DELTA, Serve.OBJECT) or (
                    serve is Serve.PROXY and forwarding is not None)
                self.assertEqual([each.key for each in idle if each.is_refused],
                                 [] if shared else ["identity_headers"])
