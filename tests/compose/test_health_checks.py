"""Tests of where health checks connect, and what they ask there."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.administration import health_check
from trickster.compose.backends.backend import Backend
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions, HealthCheckOptions, TlsOptions
from trickster.http.origin_url import OriginURL
from trickster.messages import Request
from trickster.observability.metrics import Metrics
from trickster.origins.web import WebOptions, reverse_proxy
from trickster.stores.memory import MemoryStore


class _Unreachable:
    """Connects to nothing, and notes that it should."""

    asked = 0

    def __call__(self) -> _Unreachable:
        """The connector of a client."""
        return self

    def connect(self, factory: object) -> Deferred[Any]:
        """:return: what never comes."""
        self.asked += 1
        return Deferred()


class HealthCheckTests(SynchronousTestCase):
    """C{healthcheck.scheme} and C{healthcheck.host}, and what a backend adds to requests."""

    def setUp(self) -> None:
        """Have backends add nothing to requests."""
        self.request_headers: dict[str, str] = {}

    def probed(self, origin: str = "http://prom:9090/prefix", **said: Any) -> str:
        """:return: what the check of such a backend connects to, and asks there."""
        self.connected: list[tuple[str, bool]] = []
        self.unreachable: list[_Unreachable] = []

        def connector(where: OriginURL, options: BackendOptions) -> _Unreachable:
            self.connected.append((str(where), options.tls.insecure_skip_verify))
            self.unreachable.append(_Unreachable())
            return self.unreachable[-1]

        def unwanted() -> Any:
            raise AssertionError

        clock = self.clock = Clock()
        around = Surroundings(clock, Metrics(CollectorRegistry(), "0"), None, connector,
                              unwanted, "here", unwanted)
        options = BackendOptions(
            provider="reverseproxy", origin_url=origin, plugin=WebOptions(),
            request_headers=self.request_headers, healthcheck=HealthCheckOptions(**said),
            tls=TlsOptions(insecure_skip_verify=True))
        self.backend = Backend("b", options, reverse_proxy, MemoryStore(clock), {}, around)
        self.check = health_check(self.backend, lambda: 0.0)
        assert self.check.origin is self.backend.origin.probed
        self.assertEqual(self.check.plan.request.authority, b"")
        return str(self.backend.origin.probed.origin)

    def test_origin(self) -> None:
        """By default a check connects to the origin, as the backend does."""
        self.assertEqual(self.probed(), "http://prom:9090/prefix")
        self.assertEqual(self.connected, [("http://prom:9090/prefix", True)] * 2)
        self.assertEqual(self.probed(host="prom:9090", scheme="http"), "http://prom:9090/prefix")

    def test_beside_requests(self) -> None:
        """
        A check waits for no slot among the backend's connections, and takes none: an origin
        that is busy with all the requests it may have is not ill for that.
        """
        self.probed()
        asked, most = Request(b"GET", b"/"), self.backend.options.max_concurrent_conns
        under_way = [Deferred.fromCoroutine(self.backend.origin.upstream.respond(asked))
                     for _ in range(most + 1)]
        under_way.append(Deferred.fromCoroutine(self.check.probe()))
        self.assertEqual([one.asked for one in self.unreachable], [most, 1])
        self.assertEqual(self.backend.origin.upstream.stats.waiting, 1)
        for each in under_way:
            each.cancel()
            self.failureResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_host(self) -> None:
        """The host of a check, with its port, is where it connects, and its C{Host}."""
        self.assertEqual(self.probed(host="side:81"), "http://side:81/prefix")
        self.assertEqual(self.backend.origin.probed.origin.authority, b"side:81")
        self.assertEqual(str(self.backend.origin.upstream.origin), "http://prom:9090/prefix")
        self.assertEqual(self.probed(host="side"), "http://side/prefix")

    def test_scheme(self) -> None:
        """The scheme of a check is its own; the backend's settings for TLS apply to it as well."""
        self.assertEqual(self.probed(scheme="https"), "https://prom:9090/prefix")
        self.assertEqual(self.connected[1], ("https://prom:9090/prefix", True))
        self.assertEqual(self.probed(origin="http://prom", scheme="https"), "https://prom")

    def test_request_headers(self) -> None:
        """A backend's request headers are on its checks too, save where a check has its own."""
        self.request_headers = {"Authorization": "Basic eA==", "X-Scope-OrgID": "team-a"}
        self.probed(headers={"X-Scope-OrgID": "check", "Via": "1.1 check"})
        request = self.check.plan.request
        self.assertEqual(
            [request.headers.get(name) for name in (b"authorization", b"x-scope-orgid", b"via")],
            [b"Basic eA==", b"check", b"1.1 check"])
        self.assertEqual(request.configured, {b"authorization", b"x-scope-orgid", b"via"})

    def test_stop(self) -> None:
        """The connections of a backend's checks are closed when the backend stops."""
        self.probed(host="side:81")
        self.successResultOf(self.backend.stop())
        self.failureResultOf(Deferred.fromCoroutine(
            self.backend.origin.probed.respond(
                health_check(self.backend, lambda: 0.0).plan.request)))
