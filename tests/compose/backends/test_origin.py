"""Tests of L{trickster.compose.backends.origin}."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.backends.origin import BackendOrigin
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
from trickster.errors import RequestError
from trickster.http.origin_url import OriginURL
from trickster.messages import Request
from trickster.observability.metrics import Metrics
from trickster.testing.doubles import RecordingResponder, at_once

OPTIONS = BackendOptions(
    provider="reverseproxy", origin_url="http://origin.test:81/prefix", max_concurrent_conns=3,
    max_streaming_conns=4, request_headers={"X-Backend": "1", "X-Both": "1"})
GET = Request(b"GET", b"/x", authority=b"h")


@define(eq=False)
class Unreachable:
    """An endpoint to which no connection comes about."""

    waiting: list[Deferred[Any]] = field(factory=list)

    def __call__(self) -> Unreachable:
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """Wait for ever."""
        self.waiting.append(Deferred())
        return self.waiting[-1]


def _unwanted(*_: object) -> Any:
    raise AssertionError


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


class OriginTests(SynchronousTestCase):
    """The origin of one backend."""

    def setUp(self) -> None:
        """Have an origin that cannot be reached."""
        self.metrics, self.clock = Metrics(CollectorRegistry()), Clock()
        self.endpoint = Unreachable()
        self.connected: list[str] = []
        self.origin = BackendOrigin("b", OPTIONS, Surroundings(
            self.clock, self.metrics, None, self.connect, _unwanted, "here", _unwanted))

    def connect(self, url: OriginURL, options: BackendOptions) -> Unreachable:
        """:return: the endpoint, whatever the origin."""
        self.connected.append(str(url))
        return self.endpoint

    def value(self, name: str, **labels: str) -> float | None:
        """:return: a sample."""
        return self.metrics.registry.get_sample_value(
            f"trickster_{name}", {"backend_name": "b", **labels})

    def ask(self) -> Deferred[Any]:
        """:return: the answer to come."""
        return Deferred.fromCoroutine(_awaited(self.origin.counted.respond(GET)))

    def test_made(self) -> None:
        """Requests and probes have connections of their own; none is made unasked."""
        self.assertEqual(self.connected, ["http://origin.test:81/prefix"] * 2)
        self.assertEqual((str(self.origin.upstream.origin), self.origin.url.prefix),
                         ("http://origin.test:81/prefix", b"/prefix"))
        self.assertEqual((self.endpoint.waiting, self.clock.getDelayedCalls()), ([], []))

    def test_changed(self) -> None:
        """What the backend changes is changed on every path, a path's own after that."""
        inner = self.origin.counted = RecordingResponder()
        for path in (PathOptions(path="/"), PathOptions(path="/x", request_headers={
                "X-Both": "2", "X-Path": "3"})):
            at_once(self.origin.responder(path).respond(GET))
        self.assertEqual([[request.headers.get(name) for name in (
            b"x-backend", b"x-both", b"x-path")] for request in inner.requests],
            [[b"1", b"1", None], [b"1", b"2", b"3"]])

    def test_watched(self) -> None:
        """Connections and counters are exposed once that is asked for, until it is stopped."""
        self.assertIsNone(self.value("origin_requests_total", provider="reverseproxy"))
        self.origin.watch()
        asked = self.ask()
        names = ("active", "lasting", "max_lasting", "max", "idle")
        self.assertEqual([self.value(f"origin_{name}_connections") for name in names],
                         [1, 0, 4, 3, 0])
        self.assertEqual([self.value("origin_waiting_requests"),
                          self.value("origin_requests_total", provider="reverseproxy"),
                          self.value("healthcheck_probe_latency_seconds_count")], [0, 1, 0])
        asked.cancel()
        self.failureResultOf(asked)
        self.successResultOf(self.origin.stop())
        self.assertEqual([self.value(f"origin_{name}_connections") for name in names], [None] * 5)
        self.assertEqual(self.value("origin_requests_total", provider="reverseproxy"), 1)

    def test_stopped(self) -> None:
        """An origin has stopped when its last request has ended, and takes no further ones."""
        asked = self.ask()
        stopped = self.origin.stop()
        self.assertNoResult(stopped)
        self.failureResultOf(self.ask(), RequestError)
        self.failureResultOf(Deferred.fromCoroutine(self.origin.probed.respond(GET)), RequestError)
        asked.cancel()
        self.failureResultOf(asked)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aborted(self) -> None:
        """Aborting an origin ends its requests at once."""
        asked = self.ask()
        stopped = self.origin.stop()
        self.origin.abort()
        self.failureResultOf(asked, RequestError)
        self.successResultOf(stopped)
