"""A backend, put together as the configuration says, in front of origins that are faked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.configurations import configured
from tests.objects.objectworld import Origin
from tests.ranges.deltarig import NOW
from tests.ranges.fakeprometheus import FakePrometheus
from trickster.bodies import read_all
from trickster.compose.backends.backend import Backend
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.interfaces import IOriginType
from trickster.messages import Request, Response
from trickster.observability.accesslog import AccessEntry
from trickster.observability.metrics import Metrics
from trickster.plugins import ORIGINS, Plugins
from trickster.purging.purges import Purges
from trickster.routing.paths import Found, RoutedEntry
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import at_once


@define
class Entries:
    """An access log."""

    wants_notes = False
    written: list[AccessEntry] = field(factory=list)

    def write(self, entry: AccessEntry) -> None:
        """Keep an entry."""
        self.written.append(entry)


def _unwanted(*_: object) -> Any:
    raise AssertionError


class BackendCase(SynchronousTestCase):
    """A backend in front of an origin that is faked behind its connections."""

    def setUp(self) -> None:
        """Make the origins, and an empty store for each backend."""
        self.clock, self.log, self.plugins = Clock(), Entries(), Plugins()
        self.clock.advance(NOW + 37)
        self.store: Callable[[Clock], Any] = MemoryStore
        self.cache = CacheOptions()
        self.prometheus, self.web = FakePrometheus(self.clock), Origin()

    def options(self, provider: str, **said: Any) -> BackendOptions:
        """:return: the options of the backend of a file that says so."""
        return configured(self.plugins, provider, **said)

    def around(self) -> Surroundings:
        """:return: what the backend shares with others."""
        return Surroundings(self.clock, Metrics(CollectorRegistry(), "0"), self.log,
                            lambda *_: _unwanted, _unwanted, "here", _unwanted)

    def backend(self, provider: str, kind: Any = None, **said: Any) -> Backend:
        """:return: the backend of a file that says so; of another origin type, if given."""
        store = self.store(self.clock)
        backend = Backend(
            "x", self.options(provider, **said),
            kind or self.plugins.load(ORIGINS, provider, IOriginType), store, {}, self.around(),
            purges=Purges(store, self.clock, self.clock.seconds), cache=self.cache)
        backend.origin.counted = self.prometheus if provider == "prometheus" else self.web
        return backend

    def entry(self, backend: Backend, path: str, method: str = "GET") -> RoutedEntry:
        """:return: where a path is routed."""
        found = backend.paths.find(path.encode(), method)
        assert isinstance(found, Found)
        return found.entry

    def ask(self, responder: Any, request: Request) -> Response:
        """:return: the answer, whose body has been read."""
        async def asked() -> Response:
            response: Response = await responder.respond(request)
            await read_all(response.body, 1 << 20)
            return response

        answer: Response = at_once(Deferred.fromCoroutine(asked()))
        return answer
