"""Tests of L{trickster.compose.backends.caches}."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import read_all
from trickster.compose.backends.caches import BackendCaches
from trickster.compose.backends.overlay import PathPlan
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.messages import Headers, Octets, Request, Response, Status
from trickster.objects.cache import ObjectCache
from trickster.objects.invalidation import InvalidatingProxy
from trickster.observability.metrics import Metrics
from trickster.origins.promrange import PrometheusRange
from trickster.routes import Route, Serve
from trickster.stores.key_locks import KeyLocks
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import PausedOrigin, RecordingResponder, at_once

OBJECTS = PathPlan(Route("/o", Serve.OBJECT))
RANGES = PathPlan(Route("/r", Serve.DELTA, dialect=PrometheusRange()))


def _unwanted(*_: object) -> Any:
    raise AssertionError


def fresh(_: Request) -> Response:
    """:return: an answer that is fresh for ten minutes."""
    return Response(200, Headers(((b"Cache-Control", b"max-age=600"),)), Octets(b"a"))


def request(method: bytes = b"GET") -> Request:
    """:return: for the one object that there is."""
    return Request(method, b"/o", authority=b"h")


class CachesTests(SynchronousTestCase):
    """The caches of one backend."""

    def setUp(self) -> None:
        """Have none yet."""
        self.clock, self.metrics = Clock(), Metrics(CollectorRegistry())
        self.store = MemoryStore(self.clock)

    def caches(self, **said: Any) -> BackendCaches:
        """:return: those of a backend with these options."""
        options = BackendOptions(origin_url="http://h/", **said)
        return BackendCaches("b", options, self.store, {}, Surroundings(
            self.clock, self.metrics, None, _unwanted, _unwanted, "here", _unwanted), KeyLocks())

    def status(self, cache: ObjectCache, asked: Request | None = None) -> Status:
        """:return: how a request was answered, whose answer has been read."""
        answer: Response = at_once(cache.respond(asked or request()))
        at_once(read_all(answer.body, 9))
        return answer.outcome.status

    def test_purgeable(self) -> None:
        """All that keep something can be purged; what only shares answers keeps nothing."""
        caches, inner = self.caches(), RecordingResponder.of(fresh)
        caches.progressive(PathPlan(Route("/p", Serve.PROXY)), inner)
        self.assertEqual(list(caches.purgeable), [])
        cache = caches.objects(OBJECTS, inner)
        self.assertEqual(list(caches.purgeable), [cache])
        caches = self.caches()
        caches.ranges(PrometheusRange(), RANGES, inner)
        # By range, and whole.
        self.assertEqual(len(caches.purgeable), 2)

    def test_one_store(self) -> None:
        """A backend's caches are over one store: paths of equal keys share stored responses."""
        caches, inner = self.caches(), RecordingResponder.of(fresh)
        made = [caches.objects(OBJECTS, inner) for _ in range(2)]
        self.assertEqual([self.status(cache) for cache in made], [Status.KEY_MISS, Status.HIT])
        self.assertEqual(len(inner.requests), 1)

    def test_prefix(self) -> None:
        """Backends of other names, or with another prefix of keys, share nothing."""
        inner = RecordingResponder.of(fresh)
        self.assertEqual([self.status(self.caches(**said).objects(OBJECTS, inner)) for said in (
            {}, {}, {"cache_key_prefix": "other"})],
            [Status.KEY_MISS, Status.HIT, Status.KEY_MISS])

    def test_invalidated(self) -> None:
        """What one path makes invalid, the caches of all others forget."""
        caches, inner = self.caches(), RecordingResponder.of(fresh)
        cache = caches.objects(OBJECTS, inner)
        changing = InvalidatingProxy(inner, caches.invalidation)
        statuses = [self.status(cache), self.status(cache)]
        at_once(changing.respond(request(b"PUT")))
        self.assertEqual([*statuses, self.status(cache)],
                         [Status.KEY_MISS, Status.HIT, Status.KEY_MISS])

    def test_watched(self) -> None:
        """The budget is as large as its option, and exposed until they are stopped."""
        caches = self.caches(in_flight_bytes=5_000_000)
        labels = {"backend_name": "b"}
        get = self.metrics.registry.get_sample_value
        self.assertIsNone(get("trickster_in_flight_max_bytes", labels))
        caches.watch()
        self.assertEqual([get(f"trickster_in_flight_{name}", labels)
                          for name in ("bytes", "max_bytes")], [0, 5_000_000])
        caches.stop()
        self.assertIsNone(get("trickster_in_flight_max_bytes", labels))

    def test_stopped(self) -> None:
        """What is being fetched is given up, by caches and by what only shares answers."""
        caches, origin = self.caches(), PausedOrigin()
        for responder in (caches.objects(OBJECTS, origin),
                          caches.progressive(PathPlan(Route("/p", Serve.PROXY)), origin)):
            asked = Deferred.fromCoroutine(responder.respond(request()))
            asked.addErrback(lambda _: None)
        self.assertEqual(len(origin.waiting), 2)
        caches.stop()
        self.assertEqual([one.is_cancelled for one in origin.asked], [True, True])
        self.assertEqual(origin.waiting, [])
