"""What keys do that are easily carried along and not heeded: from a file to an answer."""

from __future__ import annotations

import itertools
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.configurations import configured
from trickster.compose.backends.backend import Backend
from trickster.compose.backends.surroundings import Surroundings
from trickster.errors import Reason
from trickster.interfaces import IOriginType, IResponder
from trickster.messages import Headers, Request, Response
from trickster.observability.access import Observed
from trickster.observability.metrics import Metrics
from trickster.plugins import ORIGINS, Plugins
from trickster.stores.memory import MemoryStore

_RANGE = b"/api/v1/query_range?query=up&start=1700000000&end=1700000600&step=60"


class _Hanging:
    """Connects to nothing, and counts how often it should."""

    def __init__(self) -> None:
        self.asked = 0

    def connect(self, factory: object) -> Deferred[Any]:
        """:return: what never comes."""
        self.asked += 1
        return Deferred()


def _unwanted() -> Any:
    raise AssertionError


class EffectTests(SynchronousTestCase):
    """Keys in a file have an effect on responses."""

    def setUp(self) -> None:
        """Find plugins once."""
        self.plugins = Plugins()

    def backend(self, provider: str, **said: Any) -> Backend:
        """:return: the backend of a file that says so."""
        self.clock, self.origin = Clock(), _Hanging()
        self.clock.advance(1_700_001_000)
        options = configured(self.plugins, provider, **said)
        around = Surroundings(
            self.clock, Metrics(CollectorRegistry(), "0"), None,
            lambda origin, options: lambda: self.origin, _unwanted, "here", _unwanted)
        return Backend("x", options, self.plugins.load(ORIGINS, provider, IOriginType),
                       MemoryStore(self.clock), {}, around)

    def ask(self, responder: IResponder, target: bytes, *pairs: tuple[bytes, bytes]
            ) -> Deferred[Response]:
        """:return: the answer to come."""
        request = Request(b"GET", target, Headers(pairs), authority=b"h")
        asked: Deferred[Response] = Deferred.fromCoroutine(_awaited(responder, request))
        self.addCleanup(asked.addErrback, lambda _: None)
        self.addCleanup(asked.cancel)
        return asked

    def observed(self, backend: Backend) -> IResponder:
        """:return: what answers the requests for a backend."""
        return Observed(backend, backend.around.metrics, None, self.clock)

    def test_queue_timeout(self) -> None:
        """A request waits for a connection for as long as C{queue_timeout}, and no longer."""
        for seconds in (3, 7):
            backend = self.backend("reverseproxy", max_concurrent_conns=1,
                                   queue_timeout=f"{seconds}s", connect_timeout="60s")
            proxy = self.observed(backend)
            first, second = self.ask(proxy, b"/1"), self.ask(proxy, b"/2")
            self.clock.advance(seconds - 0.1)
            self.assertNoResult(second)
            self.clock.advance(0.1)
            refused = self.successResultOf(second)
            self.assertEqual((refused.status, refused.outcome.reason), (503, Reason.OVERLOADED))
            self.assertNoResult(first)

    def test_honour_request_directives(self) -> None:
        """C{only-if-cached} is honoured where the file has C{honour_request_directives}."""
        everything = {"path": "/", "match_type": "prefix", "handler": "proxycache"}
        for provider, path, target in (
                ("reverseproxycache", everything, b"/x"),
                ("prometheus", {"path": "/api/v1/labels"}, b"/api/v1/labels"),
                ("prometheus", {"path": "/api/v1/query_range"}, _RANGE)):
            for said, own in itertools.product((None, True, False), repeat=2):
                wide, narrow = _honouring(said), path | _honouring(own)
                backend = self.backend(provider, **wide, paths=[narrow])
                asked = self.ask(self.observed(backend), target,
                                 (b"Cache-Control", b"only-if-cached"))
                is_obeyed = bool(said) if own is None else own
                self.assertEqual(self.origin.asked, 0 if is_obeyed else 1, (narrow, wide))
                if is_obeyed:
                    outcome = self.successResultOf(asked).outcome
                    self.assertIs(outcome.reason, Reason.ONLY_IF_CACHED)


def _honouring(value: bool | None) -> dict[str, Any]:
    return {} if value is None else {"honour_request_directives": value}


async def _awaited(responder: IResponder, request: Request) -> Response:
    return await responder.respond(request)
