"""Tests of what is checked across the keys of a configuration, through files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, PLUGINS, CheckCase, loaded, problems_of, reading, with_backend
from trickster.config.load import PluginOptions, Sources, load
from trickster.errors import BrokenPlugin, ConfigurationError


class MainTests(CheckCase):
    """The process."""

    def test_server_name(self) -> None:
        """A name that Via cannot have is told with what is sent for it; others are not."""
        said = loaded(ONE + "main: {server_name: 'my proxy'}")
        self.assertEqual(said.notices, (
            ("t.yaml:2:8: main.server_name is sent as 'my-proxy', since 'my proxy' is no name for "
            "Via and Forwarded"),))
        self.assertTold(ONE + f"main: {{server_name: {'a b' * 100}}}", "main.server_name: "
                        f"{'a b' * 20 + '...'!r} is too long a name; expected at most 255 characters")
        for name in ("''", "cache-1.example_com"):
            self.assertEqual(loaded(ONE + f"main: {{server_name: {name}}}").notices, ())


class ListenerTests(CheckCase):
    """What is listened on."""

    def test_same_port(self) -> None:
        """Two listeners cannot have one port, unless their addresses differ."""
        told = "port 8480 is that of listener 'default' too; expected another port or address"
        two = ONE.replace("}}", "}, two: {provider: reverseproxy, origin_url: 'http://a', "
                          "listener_name: other}}")
        self.assertTold(two + "listeners: {other: {address: 127.0.0.1}}",
                        f"listeners.other.port: {told}")
        self.assertTold(ONE + "metrics: {listen_port: 8480}", f"metrics.listen_port: {told}")
        self.assertTold(two + "listeners: {default: {address: 127.0.0.1}, "
                        "other: {address: 127.0.0.2}}")

    def test_unused(self) -> None:
        """A listener that no backend is on is not opened, so that it has no port; it is named."""
        text = ONE + "listeners: {other: {port: 8481}}"
        self.assertTold(text)
        configuration = loaded(text)
        self.assertEqual(list(configuration.opened), ["default", "metrics", "mgmt"])
        self.assertEqual(configuration.notices, (
            "t.yaml:2:13: listeners.other is not opened: no backend is on it",))
        moved = loaded(with_backend("listener_name: other") + "listeners: {other: {port: 1}}")
        self.assertEqual(list(moved.opened), ["metrics", "mgmt", "other"])
        self.assertEqual(moved.notices, ())

    def test_same_as_built_in(self) -> None:
        """A clash with a default port is told of the port that the file gives."""
        self.assertEqual(problems_of(ONE + "listeners: {default: {port: 8481}}"), ((
            "t.yaml:2:23: listeners.default.port: port 8481 is that of listener 'metrics' too; "
            "expected another port or address"),))

    def test_closed(self) -> None:
        """Port 0 is none: it clashes with nothing, but where backends are it has to be open."""
        self.assertTold(ONE + "listeners: {metrics: {port: 0}, mgmt: {port: 0}}")
        self.assertTold(ONE + "listeners: {default: {port: 0}}",
                        "listeners.default.port: there are backends on this listener; "
                        "expected a port above 0")

    def test_address(self) -> None:
        """An address is one: no port, no URL."""
        for address in ("127.0.0.1:80", "http://x", "a b", "[::1]", "1.2.3", "127.0.0.256"):
            (problem,) = problems_of(ONE + f"listeners: {{default: {{address: '{address}'}}}}")
            self.assertIn("is not an address", problem)
        self.assertTold(ONE + "listeners: {default: {address: '::1'}, mgmt: {address: localhost}}")

    def test_trusted_proxies(self) -> None:
        """Addresses and networks; a network has no address in it."""
        self.assertTold(ONE + "listeners: {default: {trusted_proxies: [10.0.0.0/8, '::1']}}")
        for network in ("10.0.0.1/8", "proxy.example", "", "10.0.0.0/33", "0-255"):
            (problem,) = problems_of(
                ONE + f"listeners: {{default: {{trusted_proxies: ['::1', '{network}']}}}}")
            self.assertIn("listeners.default.trusted_proxies[1]: ", problem)
            self.assertIn("is not a network; expected one such as 10.0.0.0/8", problem)

    def test_user_router(self) -> None:
        """A pool that is chosen from by user needs no members, but its names are checked."""
        self.assertTold(
            "backends: {a: {provider: alb, alb: {mechanism: ur, user_router: "
            "{default_backend: x, users: {joe: {to_backend: y}}}}}}",
            "backends.a.alb.user_router.default_backend: there is no backend 'x'; expected one "
            "of a",
            "backends.a.alb.user_router.users.joe.to_backend: there is no backend 'y'; expected "
            "one of a")

    def test_unknown_listener(self) -> None:
        """A backend is on a listener that there is, and not on metrics or mgmt."""
        for name in ("mgmt", "metrics"):
            self.assertTold(
                with_backend(f"listener_name: {name}"), "backends.one.listener_name: listener "
                f"'{name}' serves no backends; expected one of default")
        self.assertTold(with_backend("listener_name: x"), "backends.one.listener_name: there "
                        "is no listener 'x'; expected one of default")


class EndpointTests(CheckCase):
    """The built-in endpoints."""

    def test_none(self) -> None:
        """An empty path is no path: that endpoint is nowhere."""
        self.assertTold(ONE + "mgmt: {ping_handler_path: '', health_handler_path: '', "
                        "config_handler_path: ''}")

    def test_paths(self) -> None:
        """Each has a path of its own."""
        self.assertTold(
            ONE + "mgmt: {ping_handler_path: ping, health_handler_path: /trickster/config}",
            "mgmt.ping_handler_path: 'ping' is not a path; expected one that begins with /",
            "mgmt.health_handler_path: /trickster/config is that of config_handler_path too; "
            "expected a path of its own")
        self.assertTold(
            ONE + "mgmt: {config_handler_path: /health, ping_handler_path: /metrics, "
            "health_handler_path: /health/}",
            "mgmt.ping_handler_path: /metrics is that of the metrics too; expected a path of "
            "its own",
            "mgmt.health_handler_path: /health/ is that of config_handler_path too; expected a "
            "path of its own")

    def test_where(self) -> None:
        """YAML's switch "off" is a place here."""
        self.assertTold(ONE + "mgmt: {config_handler_listener: off}")


class BackendTests(CheckCase):
    """Backends by themselves and beside each other."""

    def test_none(self) -> None:
        """Without a backend there is nothing to serve."""
        (problem,) = problems_of("logging: {log_level: info}")
        self.assertIn("backends: there is no backend", problem)

    def test_names(self) -> None:
        """A name begins a path: some are reserved, some cannot."""
        for name in ("frontend", "trickster", "''"):
            (problem,) = problems_of(ONE.replace("one", name))
            self.assertIn("is reserved", problem)
        for name in ("a/b", "'a b'", "'?'", "'..'", "'50%'"):
            (problem,) = problems_of(ONE.replace("one", name))
            self.assertIn("cannot begin a path", problem)

    def test_reserved_by_ping(self) -> None:
        """The endpoint that shares the frontend reserves its own first segment."""
        moved = "mgmt: {ping_handler_path: /alive}"
        self.assertTold(ONE.replace("one", "trickster") + moved)
        (problem,) = problems_of(ONE.replace("one", "alive") + moved)
        self.assertIn("is reserved", problem)

    def test_missing(self) -> None:
        """Provider and URL are needed, and both told."""
        self.assertTold(
            "backends: {a: }",
            "backends.a.origin_url: is missing; expected one like http://prometheus:9090",
            "backends.a.provider: is missing; expected for example prometheus, "
            "reverseproxycache or reverseproxy")

    def test_origin_url(self) -> None:
        """A URL is http or https, with a host, without query or credentials, which stay hidden."""
        for url in ("prom:9090", "ftp://prom", "http://", "http://h:99999", "http://h?x=1",
                    "http://h/#a", "//h", "http://a b", "http://h:0", "http://[::1",
                    "http://-h", "http://h/\u00e4", "http:/h", "http:h", "http://joe@h",
                    "http://h/{x}"):
            (problem,) = problems_of(ONE.replace("http://prom:9090", url))
            self.assertIn("backends.one.origin_url: ", problem, url)
        for scheme in ("ftp", "http"):
            (problem,) = problems_of(ONE.replace("http://prom", f"{scheme}://joe:hunter2@prom"))
            self.assertNotIn("hunter2", problem)
        self.assertTold(ONE.replace("http://prom:9090", "HTTPS://[::1]:1/prefix/"))

    def test_two_defaults(self) -> None:
        """One backend at most is the default."""
        self.assertTold(
            "backends:\n"
            "  a: {provider: reverseproxy, origin_url: 'http://a', is_default: true}\n"
            "  b: {provider: reverseproxy, origin_url: 'http://b', is_default: true}\n",
            "backends.b.is_default: backend 'a' is the default already; expected one at most")

    def test_hosts(self) -> None:
        """A host is a name without port or wildcard, and one backend's alone."""
        text = ("backends:\n"
                "  a: {provider: reverseproxy, origin_url: 'http://a', hosts: [x.org, x.org]}\n"
                "  b: {provider: reverseproxy, origin_url: 'http://b', hosts: [X.org, 'y:1']}\n")
        told = "expected one without scheme, port and wildcard"
        self.assertTold(text, "backends.b.hosts[0]: 'X.org' is served by 'a' already",
                        f"backends.b.hosts[1]: 'y:1' is not a host name; {told}")

    def test_shards(self) -> None:
        """Pieces are bounded by points or by time, and time is a multiple of the step."""
        self.assertTold(
            with_backend("shard_max_size_points: 5, shard_max_size_time: 1h, shard_step: 7m"),
            "backends.one.shard_max_size_points: cannot go with shard_max_size_time; "
            "expected one of them",
            "backends.one.shard_max_size_time: 1h is not a multiple of shard_step, 7m")
        self.assertTold(with_backend("shard_max_size_time: 1h, shard_step: 0.5h"))
        self.assertTold(with_backend("shard_step: 1h"))

    def test_certificates(self) -> None:
        """A certificate needs its key."""
        self.assertTold(
            with_backend("tls: {client_cert_path: /a, private_key_path: /b}"),
            "backends.one.tls: client_cert_path and client_key_path need each other",
            "backends.one.tls: full_chain_cert_path and private_key_path need each other")

    def test_health_check(self) -> None:
        """A check asks a path for status codes that exist."""
        self.assertTold(
            with_backend("healthcheck: {path: x, host: 'a/b', expected_codes: [200, 99]}"),
            "backends.one.healthcheck.path: 'x' is not a path; "
            "expected one that begins with /",
            "backends.one.healthcheck.host: 'a/b' is not a host; expected one such as "
            "prometheus:9090",
            "backends.one.healthcheck.expected_codes[1]: 99 is no status code; "
            "expected one from 100 to 599")

    def test_latency(self) -> None:
        """The least delay is not the longest."""
        self.assertTold(with_backend("latency_min: 2s, latency_max: 1s"),
                        "backends.one.latency_min: is longer than latency_max")


class NegativeCacheTests(CheckCase):
    """How long failures are kept."""

    def test_codes(self) -> None:
        """Only failures are kept so: 400 to 599, quoted or not."""
        told = "is not a status code of a failure; expected one from 400 to 599"
        self.assertTold(
            ONE + "negative_caches: {n: {404: 3s, '599': 3s, 200: 3s, 600: 3s, x: 3s}}",
            f"negative_caches.n.200: '200' {told}", f"negative_caches.n.600: '600' {told}",
            f"negative_caches.n.x: 'x' {told}")
        for code in (413, 429, 431):
            self.assertTold(
                ONE + f"negative_caches: {{n: {{{code}: 3s, 400: 3s}}}}",
                f"negative_caches.n.{code}: answers with status {code} are about one request, "
                "and are never kept (RFC 6585, RFC 9110); leave it out")


class ReferenceTests(CheckCase):
    """Names that have to lead somewhere."""

    def test_backend(self) -> None:
        """Each dangling name is told, with what there is and what is near."""
        self.assertTold(
            with_backend("cache_name: defualt, negative_cache_name: n, tracing_name: t, "
                         "authenticator_name: a, req_rewriter_name: r, rule_name: u"),
            "backends.one.cache_name: there is no cache 'defualt'; expected one of default; "
            "did you mean 'default'?",
            "backends.one.negative_cache_name: there is no negative cache 'n'; "
            "expected one of default",
            "backends.one.tracing_name: there is no tracer 't'; expected one of default",
            "backends.one.authenticator_name: there is no authenticator 'a'; "
            "expected one of (none)",
            "backends.one.req_rewriter_name: there is no rewriter 'r'; expected one of (none)",
            "backends.one.rule_name: there is no rule 'u'; expected one of (none)")

    def test_path(self) -> None:
        """Paths name rewriters and authenticators; "none" is always there."""
        self.assertTold(
            with_backend("paths: [{path: /, req_rewriter_name: r, authenticator_name: none}]"),
            "backends.one.paths[0].req_rewriter_name: there is no rewriter 'r'; "
            "expected one of (none)")

    def test_rules(self) -> None:
        """Rules lead to backends, or back to the frontend."""
        self.assertTold(
            ONE + "rules: {r: {next_route: frontend, ingress_req_rewriter_name: x, "
            "cases: [{next_route: two}]}}",
            "rules.r.ingress_req_rewriter_name: there is no rewriter 'x'; "
            "expected one of (none)",
            "rules.r.cases[0].next_route: there is no backend 'two'; "
            "expected one of one, frontend")

    def test_rewriters(self) -> None:
        """A rewriter that runs another names one that there is."""
        self.assertTold(
            ONE + "request_rewriters: {a: {instructions: [[chain, exec, b]]}}",
            "request_rewriters.a.instructions[0]: there is no rewriter 'b'; expected one of a")

    def test_virtual(self) -> None:
        """Pools have members, and rule backends a rule."""
        self.assertTold(
            "backends: {a: {provider: alb}, b: {provider: rule}, "
            "c: {provider: alb, alb: {pool: [z, '']}}}",
            "backends.a.alb.pool: is missing; expected names of backends",
            "backends.b.rule_name: is missing; expected the name of a rule",
            "backends.c.alb.pool[0]: there is no backend 'z'; expected one of a, b, c",
            "backends.c.alb.pool[1]: there is no backend ''; expected one of a, b, c")


class PathTests(CheckCase):
    """Entries of paths."""

    def test_path(self) -> None:
        """An entry has a path, which begins with a slash and has no query."""
        self.assertTold(
            with_backend("paths: [{handler: proxy}, {path: x}, {path: '/a?b'}]"),
            "backends.one.paths[0].path: is missing; expected one such as /api/v1/query",
            "backends.one.paths[1].path: 'x' is not a path; expected one that begins with / "
            "and has no query",
            "backends.one.paths[2].path: '/a?b' is not a path; expected one that begins with / "
            "and has no query")

    def test_handler(self) -> None:
        """Handlers are the general ones and those of the origin type."""
        self.assertTold(
            with_backend("paths: {a: {path: /a, handler: query_range}, "
                         "b: {path: /b, handler: localresponse}, "
                         "c: {path: /c, handler: proxycach}}"),
            "backends.one.paths.c.handler: 'proxycach' is not known here; expected one of "
            "delta, health, localresponse, proxy, proxycache, query, query_range; "
            "did you mean 'proxycache'?")

    def test_broken_origin_type(self) -> None:
        """An origin type that cannot say its handlers is told as a problem."""
        def broken(provider: str, options: object) -> tuple[str, ...]:
            raise BrokenPlugin("origin type 'prometheus' has no routes")

        plugins = PluginOptions(PLUGINS.options, broken)
        text = with_backend("paths: [{path: /, handler: x}]")
        error = self.assertRaises(
            ConfigurationError, load, Sources("t.yaml"), plugins, reading(text))
        self.assertEqual(len(error.problems), 1)
        self.assertIn("backends.one.provider: origin type", error.problems[0])

    def test_methods(self) -> None:
        """Methods are tokens, in capitals."""
        told = "is not a request method; expected one such as GET, in capitals, or *"
        self.assertTold(
            with_backend("paths: [{path: /, methods: ['*', PURGE, get, 'A B']}]"),
            f"backends.one.paths[0].methods[2]: 'get' {told}",
            f"backends.one.paths[0].methods[3]: 'A B' {told}")

    def test_backend_headers(self) -> None:
        """Headers of a backend are checked as those of a path are; values are not repeated."""
        self.assertTold(
            with_backend('request_headers: {"a b": hunter2, X: "hunter2\\r\\nY: b", Host: hunter2, '
                         '"-Connection": "", "+te": hunter2, -Via: "", X-Forwarded-Proto: https}'),
            "backends.one.request_headers.a b: 'a b' is not a header name",
            "backends.one.request_headers.X: a header value must be one line",
            *(f"backends.one.request_headers.{sign}{name}: {name} concerns one connection only, and "
              "is made by Trickster itself; expected another header"
              for sign, name in (("", "Host"), ("-", "Connection"), ("+", "te"))))

    def test_backend_headers_of_a_pool(self) -> None:
        """A pool has no origin of its own."""
        self.assertTold(
            ONE.replace("}}", "}, pool: {provider: alb, alb: {pool: [one]}, "
                        "request_headers: {X: y}}}"),
            "backends.pool.request_headers: has no effect here: it is the members that have "
            "origins; expected there")

    def test_headers(self) -> None:
        """No header can be made of these that would split a message in two."""
        self.assertTold(
            with_backend('paths: [{path: /, response_headers: {+X-A: b, -X-B: "", "a b": c, '
                         '"": d}, request_headers: {X: "a\\r\\nY: b"}}]'),
            "backends.one.paths[0].response_headers.a b: 'a b' is not a header name",
            "backends.one.paths[0].response_headers.: '' is not a header name",
            "backends.one.paths[0].request_headers.X: a header value must be one line")

    def test_clash(self) -> None:
        """One path, compared in one way, is said once for each method."""
        self.assertTold(
            with_backend("paths: [{path: /a}, {path: /a, methods: [POST]}, "
                         "{path: /a, match_type: prefix}, {path: /a, methods: [HEAD]}]"),
            "backends.one.paths[3]: HEAD /a is said by backends.one.paths[0] already")

    def test_progressive(self) -> None:
        """The two ways to say it must not contradict each other."""
        self.assertTold(
            with_backend("paths: [{path: /, collapsed_forwarding: basic, "
                         "progressive_collapsed_forwarding: true}]"),
            "backends.one.paths[0].progressive_collapsed_forwarding: contradicts "
            "collapsed_forwarding: basic; keep one of them")


    def test_status_of_local_answers(self) -> None:
        """A localresponse has the status of a final answer (RFC 9110 section 15)."""
        for code in (0, 200, 204, 599):
            self.assertTold(with_backend(
                f"paths: [{{path: /, handler: localresponse, response_code: {code}}}]"))
        for code in (1, 99, 101, 199):
            self.assertTold(
                with_backend(f"paths: [{{path: /, handler: localresponse, response_code: {code}}}]"),
                f"backends.one.paths[0].response_code: {code} is not the status code of an "
                "answer; expected one from 200 to 599")


class TogetherTests(SynchronousTestCase):
    """Many mistakes in one file."""

    def test_all_at_once(self) -> None:
        """Mistakes of every kind are told in one go, in the order of the file."""
        problems = problems_of("""\
listners: {}
logging: {log_level: loud}
caches:
  default: {index: {max_size_bytes: -5}}
backends:
  one:
    provider: prometheus
    timeout: 15
    cache_name: nope
    paths:
      - {path: /, methods: GET}
""")
        self.assertEqual([line.split(": ")[:2] for line in problems], [
            ["t.yaml:1:1", "listners"], ["t.yaml:2:22", "logging.log_level"],
            ["t.yaml:4:37", "caches.default.index.max_size_bytes"],
            ["t.yaml:6:3", "backends.one.origin_url"], ["t.yaml:8:14", "backends.one.timeout"],
            ["t.yaml:9:5", "backends.one.cache_name"],
            ["t.yaml:11:28", "backends.one.paths[0].methods"]])

    def test_bounded(self) -> None:
        """A file full of mistakes does not fill the terminal."""
        problems = problems_of(ONE + "\n".join(f"key{n}: 1" for n in range(500)))
        self.assertEqual((len(problems), problems[-1]), (101, "... and 400 more"))
