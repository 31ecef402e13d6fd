"""Tests of L{trickster.compose.backends.paths}."""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen

from tests.compose.backendcase import BackendCase
from trickster.collapsing.progressive_proxy import ProgressiveProxy
from trickster.compose.backends.caches import BackendCaches
from trickster.compose.backends.origin import BackendOrigin
from trickster.compose.backends.paths import PathChains
from trickster.errors import BrokenPlugin
from trickster.messages import Params, Request
from trickster.middleware.rewriting import AnswerHeaders
from trickster.middleware.static_response import StaticResponder
from trickster.middleware.translating import TranslatingResponder
from trickster.middleware.with_reason import WithReason
from trickster.objects.cache import ObjectCache
from trickster.objects.invalidation import InvalidatingProxy
from trickster.observability.forms import FormsKept
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.responder import RangeResponder
from trickster.routes import Match, Route, Serve, StaticResponse
from trickster.stores.key_locks import KeyLocks
from trickster.stores.memory import MemoryStore


@frozen
class NoOptions:
    """There are none."""


@define
class Kind:
    """An origin type of the routes that a test says."""

    given: list[Route]
    name: str = "kind"
    options: type = NoOptions
    asked: int = field(default=0, init=False)

    def routes(self, options: Any) -> list[Route]:
        """See L{IOriginType.routes}."""
        self.asked += 1
        return self.given

    def probe(self, options: Any) -> None:
        """See L{IOriginType.probe}."""


def _same(request: Request, params: Params) -> Any:
    raise AssertionError


DELTA = Route("/x", Serve.DELTA, dialect=PrometheusRange())


class PathsTests(BackendCase):
    """What stands behind each path."""

    def kind_of(self, route: Route, **said: Any) -> type:
        """:return: the class of what answers a route of a backend with these options."""
        made = self.backend("reverseproxycache", Kind([route]), **said)
        return type(self.entry(made, "/x").responder)

    def test_served(self) -> None:
        """Each way of serving has its responder; what only passes may outdate what is kept."""
        for route, kind in (
                (Route("/x", Serve.STATIC, static=StaticResponse(204)), StaticResponder),
                (Route("/x", Serve.OBJECT), ObjectCache), (DELTA, RangeResponder),
                (Route("/x", Serve.OBJECT, form=True), FormsKept),
                (Route("/x", Serve.PROXY, translate=_same), TranslatingResponder)):
            self.assertIs(self.kind_of(route), kind, route)

    def test_proxy_only(self) -> None:
        """Where nothing is to be cached, no path has a cache; static ones stay."""
        static = Route("/x", Serve.STATIC, static=StaticResponse(204))
        for route, kind in ((Route("/x", Serve.OBJECT), WithReason), (DELTA, WithReason),
                            (static, StaticResponder)):
            self.assertIs(self.kind_of(route, proxy_only=True), kind)

    def test_said_of_a_path(self) -> None:
        """What a path's entry says is around, or instead of, what the origin type has."""
        for route, said, kind in (
                (DELTA, {"response_headers": {"X-A": "1"}}, AnswerHeaders),
                (Route("/x", Serve.PROXY), {"collapsed_forwarding": "progressive"},
                 ProgressiveProxy)):
            self.assertIs(self.kind_of(route, paths=[{"path": "/x", **said}]), kind)

    def test_outdating(self) -> None:
        """A path that passes on what may change something outdates what another one keeps."""
        backend = self.backend("reverseproxycache", Kind([
            Route("/x", Serve.PROXY, methods=("PUT",)), Route("/y", Serve.OBJECT)]))
        self.assertIsInstance(self.entry(backend, "/x", "PUT").responder, InvalidatingProxy)
        self.assertIsInstance(self.entry(backend, "/x", "PUT").passing, InvalidatingProxy)

    def test_no_dialect(self) -> None:
        """A path that is served by range without a dialect is the origin type's fault."""
        backend = self.backend("reverseproxycache", Kind([Route("/x", Serve.DELTA)]))
        with self.assertRaises(BrokenPlugin) as caught:
            self.entry(backend, "/x")
        self.assertIn("'kind' names no dialect for /x", str(caught.exception))

    def test_once(self) -> None:
        """All is put together once, when it is first needed."""
        kind: Any = Kind([Route("/", Serve.PROXY, Match.PREFIX)])
        options, around = self.options("reverseproxycache"), self.around()
        caches = BackendCaches("x", options, MemoryStore(self.clock), {}, around, KeyLocks())
        chains = PathChains(BackendOrigin("x", options, around), caches, options, kind, around)
        self.assertEqual(kind.asked, 0)
        self.assertIs(chains.paths, chains.paths)
        self.assertEqual(kind.asked, 1)
