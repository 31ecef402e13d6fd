"""Tests of C{trickster.admin.trees}, C{.resource} and C{.metricspage}."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from trickster.admin.health import HealthOfAll, HealthOfOne
from trickster.admin.metricspage import MetricsPage
from trickster.admin.resource import AnswersResource
from trickster.admin.trees import Administration, metrics_tree, mgmt_tree
from trickster.config.model import MgmtOptions
from trickster.messages import Headers, Octets, Response, text_response
from trickster.observability.exposition import Exposition
from trickster.observability.metrics import Metrics
from trickster.testing.doubles import PausedOrigin, RecordingResponder
from trickster.upstream.health import Verdict


class _Client:
    """Speaks to a site over a transport in memory."""

    def __init__(self, resource: Any) -> None:
        self.site = Site(resource, reactor=Clock())
        self.protocol = self.site.buildProtocol(None)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def send(self, target: str, method: str = "GET", more: str = "") -> bytes:
        """:return: everything that was answered so far."""
        self.protocol.dataReceived(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
        return self.transport.value()

    def hang_up(self) -> None:
        """Lose the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


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
        MgmtOptions(**paths), lambda: "backends: {}\n", HealthOfAll(list, clock),
        HealthOfOne(lambda: {"prom": _good}),
        MetricsPage(Exposition(registry, clock, _in_thread)),
        {"/trickster/config/reload": RecordingResponder.of(text_response(200, "reloaded"))})


class ListenerTests(SynchronousTestCase):
    """What is where."""

    def statuses(self, resource: Any, *targets: str, method: str = "GET") -> list[int]:
        """:return: the status that each target is answered with."""
        return [int(_Client(resource).send(target, method).split(b" ")[1]) for target in targets]

    def test_metrics_listener(self) -> None:
        """It has metrics, health and ping."""
        tree = metrics_tree(_administration())
        self.assertEqual(self.statuses(
            tree, "/metrics", "/trickster/health", "/trickster/health/", "/trickster/health/prom",
            "/trickster/health/x", "/trickster/ping", "/trickster/config", "/"),
            [200, 200, 200, 200, 404, 200, 404, 404])

    def test_mgmt_listener(self) -> None:
        """It has the configuration, and what else it is given."""
        tree = mgmt_tree(_administration())
        self.assertEqual(self.statuses(
            tree, "/trickster/config", "/trickster/config/sanitized", "/trickster/config/reload",
            "/trickster/ping", "/metrics"), [200, 200, 200, 200, 404])

    def test_configuration_is_where_it_is_said(self) -> None:
        """The configuration may be on either, both, or neither."""
        for where, expected in (("mgmt", [404, 200]), ("metrics", [200, 404]),
                                ("both", [200, 200]), ("off", [404, 404])):
            administration = _administration(config_handler_listener=where)
            found = [self.statuses(tree, "/trickster/config")[0]
                     for tree in (metrics_tree(administration), mgmt_tree(administration))]
            self.assertEqual(found, expected)

    def test_other_paths(self) -> None:
        """All paths can be others."""
        administration = _administration(
            config_handler_path="/c/", health_handler_path="/h", ping_handler_path="/p")
        self.assertEqual(self.statuses(metrics_tree(administration), "/h", "/h/prom", "/p"),
                         [200, 200, 200])
        self.assertEqual(self.statuses(mgmt_tree(administration), "/c", "/c/sanitized"),
                         [200, 200])
        self.assertEqual(list(administration.on_frontend()), ["/p"])

    def test_reading_only(self) -> None:
        """Nothing of it can be written to."""
        tree = metrics_tree(_administration())
        self.assertEqual(self.statuses(tree, "/metrics", "/trickster/health", "/trickster/ping",
                                       "/trickster/health/prom", method="POST"), [405] * 4)

    def test_metrics(self) -> None:
        """The page is Prometheus's text, or OpenMetrics where that is asked for."""
        tree = metrics_tree(_administration())
        plain = _Client(tree).send("/metrics")
        self.assertIn(b'trickster_build_info{', plain)
        self.assertIn(b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", plain)
        other = _Client(tree).send("/metrics",
                                   more="Accept: application/openmetrics-text;version=1.0.0\r\n")
        self.assertTrue(other.endswith(b"# EOF\n"))


class ResourceTests(SynchronousTestCase):
    """A responder as a resource."""

    def test_provides(self) -> None:
        """It is a leaf without children."""
        resource = AnswersResource(RecordingResponder())
        verifyObject(IResource, resource)
        self.assertIs(resource.getChildWithDefault(b"x", None), resource)  # type: ignore[arg-type]
        self.assertRaises(TypeError, resource.putChild, b"x", resource)

    def test_request(self) -> None:
        """Method, target and headers reach the responder."""
        responder = RecordingResponder()
        _Client(AnswersResource(responder)).send("/a/b?c=%20", "PUT", "X-A: 1\r\n")
        [request] = responder.requests
        self.assertEqual((request.method, request.target, request.headers.get(b"x-a")),
                         (b"PUT", b"/a/b?c=%20", b"1"))

    def test_answer(self) -> None:
        """Status, headers and body reach the client, framed by length."""
        responder = RecordingResponder.of(
            Response(404, Headers(((b"X-A", b"1"), (b"X-A", b"2"))), Octets(b"abc")))
        answer = _Client(AnswersResource(responder)).send("/")
        self.assertTrue(answer.startswith(b"HTTP/1.1 404 Not Found\r\n"))
        self.assertIn(b"X-A: 1\r\nX-A: 2\r\n", answer)
        self.assertIn(b"Content-Length: 3\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\nabc"))

    def test_head(self) -> None:
        """HEAD has the same head and no body."""
        responder = RecordingResponder.of(Response(200, body=Octets(b"abc")))
        answer = _Client(AnswersResource(responder)).send("/", "HEAD")
        self.assertIn(b"Content-Length: 3\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_failure(self) -> None:
        """A failing responder is a 500, and logged."""
        answer = _Client(AnswersResource(RecordingResponder.of(ZeroDivisionError()))).send("/")
        self.assertTrue(answer.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_gone(self) -> None:
        """Who hangs up takes the request along."""
        origin = PausedOrigin()
        client = _Client(AnswersResource(origin))
        client.send("/")
        client.hang_up()
        self.assertTrue(origin.asked[0].is_cancelled)
