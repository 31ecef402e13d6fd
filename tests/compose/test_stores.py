"""Tests of L{trickster.compose.stores}."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from attrs import define, evolve, field, frozen
from prometheus_client import CollectorRegistry
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.compose.stores import Cache, Stores
from trickster.config.options.caches import CacheOptions, IndexOptions
from trickster.errors import BrokenPlugin, UnknownPlugin
from trickster.interfaces import ICacheStore, IMeteredStore, IStoreType
from trickster.observability.metrics import Metrics
from trickster.plugins import Plugins
from trickster.stores.limits import StoreLimits, StoreUsage
from trickster.testing.doubles import BrokenOctetStore, DictStore, SharedStore, at_once
from trickster.testing.runtime import FakeRuntime


@frozen
class Options:
    """Options of a store: equal ones make equal caches."""

    path: str = ""


@implementer(IService, ICacheStore, IMeteredStore)
class ServiceStore(Service, DictStore):
    """A store that is opened and closed, that tells how full it is, and what it does by itself."""

    def __init__(self, is_shut: bool = False) -> None:
        DictStore.__init__(self)
        self.is_shut = is_shut
        self.events: list[str] = []
        self.closing: Deferred[None] = Deferred()

    __hash__ = object.__hash__

    def startService(self) -> None:
        """Open."""
        super().startService()
        if self.is_shut:
            raise OSError("no space left on device")
        self.events.append("opened")

    def stopService(self) -> Deferred[None]:
        """Close, once the test says so."""
        super().stopService()
        self.events.append("closes")
        return self.closing

    def usage(self) -> StoreUsage:
        """See L{IMeteredStore.usage}."""
        return StoreUsage(objects=len(self.entries), octets=7)

    def tell(self, heard: Any) -> None:
        """See L{IMeteredStore.tell}."""
        self.heard = heard


@implementer(IStoreType)
@define(eq=False)
class Kind:
    """A kind of store that makes what the test says, and notes of what."""

    made: list[Any] = field(factory=list)
    asked: list[tuple[str, Any, StoreLimits]] = field(factory=list)
    name: str = "kind"
    options: type = Options
    is_shared: bool = False

    def store(self, name: str, options: Any, limits: StoreLimits, runtime: Any) -> Any:
        """See L{IStoreType.store}."""
        self.asked.append((name, options, limits))
        self.made.append(self.next(name))
        return self.made[-1]

    def next(self, name: str) -> Any:
        """:return: a store; caches of some names have none, or one that does not work."""
        if name == "none":
            return None
        if self.is_shared:
            return SharedStore()
        return BrokenOctetStore() if name == "broken" else ServiceStore(name == "shut")


kind = Kind()


def options_of(path: str = "", **index: Any) -> CacheOptions:
    """:return: of a cache of that kind."""
    return CacheOptions(store="kind", plugin=Options(path), index=IndexOptions(**index))


class StoresTests(SynchronousTestCase):
    """The stores of a process."""

    def setUp(self) -> None:
        """Have a kind of store, and nothing open."""
        kind.made.clear()
        kind.asked.clear()
        self.metrics = Metrics(CollectorRegistry())
        self.runtime = FakeRuntime()
        plugins = Plugins(lambda group: [EntryPoint("kind", f"{__name__}:kind", group)])
        self.stores = Stores(plugins, self.metrics, self.runtime)
        self.stores.startService()

    def made(self, **options: CacheOptions) -> dict[str, Cache]:
        """:return: the caches of a configuration, in use."""
        caches = self.stores.of(options)
        self.stores.use(caches.values())
        return caches

    def value(self, name: str, cache: str = "a", **labels: str) -> float | None:
        """:return: a sample."""
        return self.metrics.registry.get_sample_value(
            f"trickster_{name}", {"cache_name": cache, "provider": "kind", **labels})

    def test_made(self) -> None:
        """A store is made of its own options and the limits of its index; nothing is opened."""
        caches = self.stores.of({
            "a": options_of("x", max_size_bytes=5, max_size_objects=6, reap_interval=7.0,
                            max_size_backoff_bytes=1, max_size_backoff_objects=2),
            "b": options_of("y")})
        self.assertEqual(kind.asked[0], ("a", Options("x"), StoreLimits(
            max_octets=5, max_objects=6, reap_interval=7.0, backoff_octets=1,
            backoff_objects=2)))
        self.assertEqual([(cache.name, cache.options.plugin.path) for cache in caches.values()],
                         [("a", "x"), ("b", "y")])
        self.assertIsNot(caches["a"].locks, caches["b"].locks)
        self.assertEqual([store.events for store in kind.made], [[], []])
        self.assertIsNone(self.value("cache_up"))
        self.assertEqual(list(self.stores), [])

    def test_leases(self) -> None:
        """Who fetches what is agreed on in stores that several processes can share."""
        for shared, seconds, expected in ((True, 7.0, 7.0), (True, 0.0, None), (False, 7.0, None)):
            kind.is_shared = shared
            made = self.stores.of({"a": evolve(options_of(), collapse_lease=seconds)})
            leases = made["a"].leases
            self.assertEqual(leases and leases.seconds, expected)
        kind.is_shared = False

    def test_used(self) -> None:
        """A store in use is opened and exposed once, however often it is used."""
        caches = self.made(a=options_of())
        self.stores.use(caches.values())
        self.assertEqual(kind.made[0].events, ["opened"])
        at_once(caches["a"].store.put("k", b"v", 9))
        kind.made[0].heard("eviction", "ttl")
        self.assertEqual([
            self.value("cache_up"), self.value("cache_usage_objects"),
            self.value("cache_events_total", event="eviction", reason="ttl"),
            self.value("cache_operation_objects_total", operation="set", status="none")],
            [1, 1, 1, 1])

    def test_guarded(self) -> None:
        """A lookup in a store that does not work is a miss, and C{cache_up} is 0."""
        cache = self.made(broken=options_of())["broken"]
        self.assertIsNone(at_once(cache.store.get("k")))
        self.assertEqual(self.value("cache_up", "broken"), 0)
        self.assertIsNone(self.value("cache_usage_objects", "broken"))
        self.flushLoggedErrors()

    def test_known(self) -> None:
        """A cache of equal name and options is the same one, and otherwise another one."""
        before = self.made(a=options_of("x"), b=options_of("x"))
        after = self.stores.of({"a": options_of("x"), "b": options_of("x", max_size_bytes=9)})
        self.assertIs(after["a"], before["a"])
        self.assertIsNot(after["b"], before["b"])
        self.assertEqual(len(kind.made), 3)

    def test_kept(self) -> None:
        """A store that no configuration has any more is closed, and not exposed any more."""
        caches = self.made(a=options_of(), b=options_of())
        closed = self.stores.keep([caches["b"]])
        self.assertEqual([store.events for store in kind.made], [["opened", "closes"], ["opened"]])
        self.assertEqual([self.value("cache_up", name) for name in "ab"], [None, 1])
        self.assertIsNone(self.value("cache_usage_objects"))
        self.assertNoResult(closed)
        kind.made[0].closing.callback(None)
        self.successResultOf(closed)
        self.assertIsNot(self.stores.of({"a": options_of()})["a"], caches["a"])

    def test_replaced(self) -> None:
        """The gauges of a cache that was replaced under its name are those of the next one."""
        before = self.made(a=options_of("x"))["a"]
        after = self.made(a=options_of("y"))["a"]
        at_once(after.store.put("k", b"v", 9))
        self.stores.keep([after])
        self.assertEqual([self.value("cache_usage_objects"), self.value("cache_up")], [1, 1])
        self.assertFalse(kind.made[0].running)
        self.assertIsNot(before.store, after.store)

    def test_stopped(self) -> None:
        """All stores are closed with the process."""
        self.made(a=options_of(), b=options_of())
        stopped = self.stores.stopService()
        for store in kind.made:
            self.assertEqual(store.events, ["opened", "closes"])
            self.assertNoResult(stopped)
            store.closing.callback(None)
        self.successResultOf(stopped)

    def test_cannot_be_opened(self) -> None:
        """Where a store cannot be opened, none is exposed, and all are closed later."""
        with self.assertRaises(BrokenPlugin):
            self.made(a=options_of(), shut=options_of())
        self.assertEqual([self.value("cache_up"), self.value("cache_up", "shut")], [None, None])
        for store in kind.made:
            store.closing.callback(None)
        self.successResultOf(self.stores.keep(()))
        self.assertEqual(kind.made[0].events, ["opened", "closes"])
        self.assertEqual(list(self.stores), [])

    def test_unusable(self) -> None:
        """Where a store cannot be made, none is opened, and none is exposed."""
        for bad, error in (({"none": options_of()}, BrokenPlugin),
                           ({"b": evolve(options_of(), store="unknown")}, UnknownPlugin)):
            with self.assertRaises(error):
                self.made(a=options_of(), **bad)
        self.assertEqual([store.events for store in kind.made if store], [[], []])
        self.assertEqual(list(self.stores), [])
        self.assertIsNone(self.value("cache_up"))
