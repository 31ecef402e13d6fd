"""Tests of L{trickster.config.checks.backends}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, CheckCase, problems_of, told_by, with_backend
from trickster.config.checks.backends import check_backend, check_backends
from trickster.config.options.backends import BackendOptions
from trickster.config.options.model import Configuration


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
        """A backend without provider and URL has a problem for each."""
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
        """At most one backend has C{is_default}."""
        self.assertTold(
            "backends:\n"
            "  a: {provider: reverseproxy, origin_url: 'http://a', is_default: true}\n"
            "  b: {provider: reverseproxy, origin_url: 'http://b', is_default: true}\n",
            "backends.b.is_default: backend 'a' is the default already; expected one at most")

    def test_hosts(self) -> None:
        """A host is a name without port or wildcard, and belongs to one backend."""
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

    def test_latency(self) -> None:
        """A C{latency_min} above C{latency_max} is refused."""
        self.assertTold(with_backend("latency_min: 2s, latency_max: 1s"),
                        "backends.one.latency_min: is longer than latency_max")

    def test_headers(self) -> None:
        """Headers of a backend are checked as those of a path are; values are not repeated."""
        self.assertTold(
            with_backend('request_headers: {"a b": hunter2, X: "hunter2\\r\\nY: b", Host: hunter2, '
                         '"-Connection": "", "+te": hunter2, -Via: "", X-Forwarded-Proto: https}'),
            "backends.one.request_headers.a b: 'a b' is not a header name",
            "backends.one.request_headers.X: a header value must be one line",
            *(f"backends.one.request_headers.{sign}{name}: {name} concerns one connection only, and "
              "is made by Trickster itself; expected another header"
              for sign, name in (("", "Host"), ("-", "Connection"), ("+", "te"))))

    def test_headers_of_a_pool(self) -> None:
        """Request headers of a pool are refused: its members have the origins."""
        self.assertTold(
            ONE.replace("}}", "}, pool: {provider: alb, alb: {pool: [one]}, "
                        "request_headers: {X: y}}}"),
            "backends.pool.request_headers: has no effect here: it is the members that have "
            "origins; expected there")


class OptionsTests(SynchronousTestCase):
    """Options of backends that were not read from a file."""

    def check(self, **said: object) -> tuple[str, ...]:
        """:return: what is told of a backend."""
        keys: dict[str, object] = {"provider": "reverseproxy", "origin_url": "http://h", **said}
        backend = BackendOptions(**keys)  # type: ignore[arg-type]
        return told_by(check_backend, "b", backend)

    def test_defaults(self) -> None:
        """Options that are left at their defaults have no problems."""
        self.assertEqual(self.check(), ())

    @given(st.integers(1, 50), st.integers(1, 500))
    def test_shards(self, step: int, whole: int) -> None:
        """The longest piece is a whole number of steps, to the nanosecond."""
        told = self.check(shard_step=step / 10, shard_max_size_time=whole / 10)
        self.assertEqual(bool(told), whole % step != 0)

    def test_virtual(self) -> None:
        """A backend without an origin needs no URL, and may have no request headers."""
        for provider in ("alb", "rule"):
            self.assertEqual(self.check(provider=provider, origin_url=""), ())
            [told] = self.check(provider=provider, request_headers={"A": "b"})
            self.assertTrue(told.startswith("b.request_headers: has no effect here: "))

    def test_one_host(self) -> None:
        """A host is served once on each listener."""
        for name, count in (("a", 1), ("b", 0)):
            configuration = Configuration(backends={
                "x": BackendOptions(hosts=("h",), listener_name="a"),
                "y": BackendOptions(hosts=("H",), listener_name=name)})
            self.assertEqual(len(told_by(check_backends, configuration)), count)
