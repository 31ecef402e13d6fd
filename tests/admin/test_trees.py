"""Tests of C{trickster.admin.trees} and C{.metricspage}."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.admin.health import HealthOfAll, HealthOfOne, ProcessState
from trickster.admin.metricspage import MetricsPage
from trickster.admin.trees import Administration
from trickster.config.options.model import MgmtOptions
from trickster.messages import Headers, Request, text_response
from trickster.observability.exposition import Exposition
from trickster.observability.metrics import Metrics
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.upstream.health.state import Verdict


def _in_thread(make: Any) -> Deferred[bytes]:
    done: Deferred[bytes] = Deferred()
    done.callback(make())
    return done


async def _good() -> Verdict:
    return Verdict()


def _administration(**paths: Any) -> Administration:
    clock, registry = Clock(), CollectorRegistry()
    Metrics(registry, "1.2.3")
    return Administration(
        MgmtOptions(**paths), lambda: "backends: {}\n", HealthOfAll(list, ProcessState(clock.seconds)),
        HealthOfOne(lambda: {"prom": _good}),
        MetricsPage(Exposition(registry, clock, _in_thread)),
        {"/trickster/config/reload": RecordingResponder.of(text_response(200, "reloaded"))})


class ListenerTests(SynchronousTestCase):
    """Which endpoints are on which listener."""

    def statuses(self, responder: Any, *targets: bytes, method: bytes = b"GET") -> list[int]:
        """:return: the status that each target is answered with."""
        return [at_once(responder.respond(Request(method, target))).status for target in targets]

    def test_metrics_listener(self) -> None:
        """The metrics listener has metrics, health, readiness and ping."""
        tree = _administration().on_metrics()
        self.assertEqual(self.statuses(
            tree, b"/metrics", b"/trickster/health", b"/trickster/health/", b"/trickster/health/prom",
            b"/trickster/health/x", b"/trickster/ping", b"/-/ready", b"/trickster/config", b"/"),
            [200, 200, 200, 200, 404, 200, 200, 404, 404])

    def test_mgmt_listener(self) -> None:
        """The mgmt listener has the configuration, and the other endpoints that it is given."""
        tree = _administration().on_mgmt()
        self.assertEqual(self.statuses(
            tree, b"/trickster/config", b"/trickster/config/sanitized", b"/trickster/config/reload",
            b"/trickster/ping", b"/metrics"), [200, 200, 200, 200, 404])

    def test_configuration_is_where_it_is_said(self) -> None:
        """The configuration may be on either, both, or neither."""
        for where, expected in (("mgmt", [404, 200]), ("metrics", [200, 404]),
                                ("both", [200, 200]), ("off", [404, 404])):
            administration = _administration(config_handler_listener=where)
            found = [self.statuses(tree, b"/trickster/config")[0]
                     for tree in (administration.on_metrics(), administration.on_mgmt())]
            self.assertEqual(found, expected)

    def test_other_paths(self) -> None:
        """All endpoints can have other paths."""
        administration = _administration(
            config_handler_path="/c/", health_handler_path="/h", ping_handler_path="/p")
        self.assertEqual(self.statuses(administration.on_metrics(), b"/h", b"/h/prom", b"/p"),
                         [200, 200, 200])
        self.assertEqual(self.statuses(administration.on_mgmt(), b"/c", b"/c/sanitized"),
                         [200, 200])
        self.assertEqual(list(administration.on_frontend()), ["/p"])

    def test_reading_only(self) -> None:
        """All endpoints are read-only."""
        tree = _administration().on_metrics()
        self.assertEqual(self.statuses(tree, b"/metrics", b"/trickster/health", b"/trickster/ping",
                                       b"/trickster/health/prom", method=b"POST"), [405] * 4)

    def test_metrics(self) -> None:
        """The metrics are in Prometheus's text format, or in OpenMetrics where asked for."""
        tree = _administration().on_metrics()
        plain = at_once(tree.respond(Request(b"GET", b"/metrics")))
        self.assertIn(b"trickster_build_info{", plain.body.octets)
        self.assertEqual(plain.headers.get(b"content-type"),
                         b"text/plain; version=0.0.4; charset=utf-8")
        accept = Headers(((b"Accept", b"application/openmetrics-text;version=1.0.0"),))
        other = at_once(tree.respond(Request(b"GET", b"/metrics", accept)))
        self.assertTrue(other.body.octets.endswith(b"# EOF\n"))
