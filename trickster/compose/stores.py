"""The configured caches, as guarded and counted stores."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen
from twisted.application.service import IService

from trickster.config.caches import CacheOptions, IndexOptions
from trickster.contracts import checked_store
from trickster.interfaces import IMeteredStore, IRuntime, IStoreType
from trickster.observability.metrics import Metrics
from trickster.plugins import STORES, Plugins
from trickster.stores.guard import Guarded, guarded
from trickster.stores.limits import StoreLimits


@frozen
class Cache:
    """
    One cache of the configuration.

    :ivar store: fails never; what goes wrong in it is a miss.
    :ivar service: to be started with the program, or None.
    """

    store: Guarded
    service: IService | None


def caches(options: Mapping[str, CacheOptions], plugins: Plugins, metrics: Metrics,
           runtime: IRuntime) -> dict[str, Cache]:
    """:return: every configured cache, by name; nothing is opened yet."""
    return {name: _cache(name, one, plugins, metrics, runtime) for name, one in options.items()}


def _cache(name: str, options: CacheOptions, plugins: Plugins, metrics: Metrics,
           runtime: IRuntime) -> Cache:
    kind = plugins.load(STORES, options.store, IStoreType)
    store = checked_store(kind, name, options.plugin, limits_of(options.index), runtime)
    counters = metrics.store(name, options.store)
    if IMeteredStore.providedBy(store):
        store.tell(counters.event)
        metrics.watch_usage(name, options.store, store.usage)
    service = store if IService.providedBy(store) else None
    safe = guarded(store, name, runtime.clock, counters.operation)
    metrics.watch("cache_up", "Whether a cache's store works.",
                  lambda: float(not safe.is_failing), cache_name=name, provider=options.store)
    return Cache(safe, service)


def limits_of(index: IndexOptions) -> StoreLimits:
    """:return: what the options of an index allow a store."""
    return StoreLimits(
        max_octets=index.max_size_bytes, max_objects=index.max_size_objects,
        reap_interval=index.reap_interval)
