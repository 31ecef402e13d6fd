"""The configured caches, as guarded and counted stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from trickster.collapsing.leases.leases import Leases
from trickster.collapsing.leases.records import Records
from trickster.compose.store_service import StoreService
from trickster.compose.threads import OwnThreads
from trickster.config.options.caches import CacheOptions
from trickster.contracts import checked_store
from trickster.interfaces import (
    ICompareAndSetStore,
    IMeteredStore,
    IReferenceStore,
    IRuntime,
    IStoreType,
)
from trickster.net.runtime import RuntimeWithThreads
from trickster.observability.metrics import Metrics
from trickster.plugins import STORES, Plugins
from trickster.purging.purges import Purges
from trickster.purging.watch import PurgeWatch
from trickster.stores.guard import Guarded, guarded
from trickster.stores.inspection.hit_counts import HitCounts
from trickster.stores.key_locks import KeyLocks
from trickster.stores.limits import StoreLimits, StoreUsage


@define(eq=False)
class Cache:
    """
    One cache of a configuration.

    :ivar options: of which it was made.
    :ivar store: fails never; what goes wrong in it is a miss.
    :ivar service: to be started and stopped with it.
    :ivar purges: of it, as all processes that share it know them.
    :ivar leases: of what is fetched for it, with other processes that share it; None where there
        are none.
    :ivar locks: of the keys that are being changed, by any of the backends that use it.
    :ivar counts: of hits.
    """

    name: str
    options: CacheOptions
    store: Guarded
    service: IService
    _usage: Callable[[], StoreUsage] | None
    purges: Purges
    leases: Leases | None = None
    locks: KeyLocks = field(factory=KeyLocks, init=False)
    counts: HitCounts = field(factory=HitCounts, init=False)
    _unwatch: list[Callable[[], None]] = field(factory=list, init=False)

    def watch(self, metrics: Metrics) -> None:
        """
        Expose whether it works, and how full it is, until L{unwatch}.  Idempotent.

        :param metrics: of the process; reads both at each scrape, maybe from another thread.
        """
        if self._unwatch:
            return
        name, provider = self.name, self.options.store
        metrics.expose_store(name, provider)
        if self._usage is not None:
            self._unwatch.append(metrics.watch_usage(name, provider, self._usage))
        self._unwatch.append(metrics.watch(
            "cache_up", "Whether a cache's store works.",
            lambda: float(not self.store.is_failing), cache_name=name, provider=provider))

    def usage(self) -> StoreUsage | None:
        """:return: how full it is; None where its store does not tell."""
        return None if self._usage is None else self._usage()

    def unwatch(self) -> None:
        """Expose it no more."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch.clear()


class Stores(MultiService):
    """
    The stores of all configurations that are in effect.

    A cache of equal name and options is the same store from one configuration to the next:
    what it holds is still there.
    """

    def __init__(self, plugins: Plugins, metrics: Metrics, runtime: IRuntime) -> None:
        """
        :param runtime: whose clock is the reactor; each store has threads of its own.
        """
        super().__init__()
        self._plugins = plugins
        self._metrics = metrics
        self._runtime = runtime
        self._caches: list[Cache] = []

    def of(self, options: Mapping[str, CacheOptions]) -> dict[str, Cache]:
        """
        :return: every cache of a configuration, by name; nothing is opened yet.
        :raises PluginError: a store cannot be used.
        """
        return {name: self._known(name, one) or self._new(name, one)
                for name, one in options.items()}

    def use(self, caches: Iterable[Cache]) -> None:
        """
        Open those that are not open yet, and then expose all of them.

        :param caches: made by L{of}; closed by the L{keep} that does not name them.
        :raises BrokenPlugin: a store cannot be opened; those before it are open.
        """
        used = list(caches)
        for cache in used:
            if cache not in self._caches:
                self._caches.append(cache)
                cache.service.setServiceParent(self)
        for cache in used:
            cache.watch(self._metrics)

    def keep(self, caches: Iterable[Cache]) -> Deferred[Any]:
        """
        Close all but these.

        :param caches: of all the configurations that still answer requests.
        :return: fires when the others are closed.
        """
        kept = list(caches)
        dropped = [cache for cache in self._caches if cache not in kept]
        self._caches = [cache for cache in self._caches if cache in kept]
        for cache in dropped:
            cache.unwatch()
        return DeferredList([maybeDeferred(cache.service.disownServiceParent)
                             for cache in dropped])

    def _known(self, name: str, options: CacheOptions) -> Cache | None:
        return next((cache for cache in self._caches
                     if cache.name == name and cache.options == options), None)

    def _new(self, name: str, options: CacheOptions) -> Cache:
        kind = self._plugins.load(STORES, options.store, IStoreType)
        threads = OwnThreads(self._runtime.clock, name)
        store = checked_store(kind, name, options.plugin, StoreLimits.of(options.index),
                              RuntimeWithThreads(self._runtime, threads.call))
        counters = self._metrics.store(name, options.store)
        usage = None
        if IMeteredStore.providedBy(store):
            store.tell(counters.event)
            usage = store.usage
        service = MultiService()
        if IService.providedBy(store):
            StoreService(store, name, self._runtime.clock, threads.stop).setServiceParent(service)
        safe = guarded(store, name, self._runtime.clock, counters.operation)
        purges = Purges(safe, self._runtime.clock, self._runtime.wall)
        if not IReferenceStore.providedBy(store):
            PurgeWatch(purges, self._runtime.clock).setServiceParent(service)
        return Cache(name, options, safe, service, usage, purges,
                     self._leases(safe, options, counters.lease))

    def _leases(self, store: Guarded, options: CacheOptions, counted: Callable[[str], None]
                ) -> Leases | None:
        """:return: None where no other process can share the store, or none is to be waited for."""
        seconds, runtime = options.collapse_lease, self._runtime
        if not seconds or not ICompareAndSetStore.providedBy(store):
            return None
        return Leases(Records(store, runtime.clock, seconds), runtime.clock, runtime.wall,
                      runtime.random, seconds, counted)
