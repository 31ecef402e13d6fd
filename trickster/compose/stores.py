"""The configured caches, as guarded and counted stores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from attrs import frozen
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from trickster.config.caches import CacheOptions
from trickster.contracts import checked_store
from trickster.interfaces import IStoreType
from trickster.observability.counters import Usage
from trickster.observability.metrics import Metrics
from trickster.plugins import STORES, Plugins
from trickster.stores.guard import Guarded, guarded
from trickster.stores.memory import MemoryStore


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
           clock: IReactorTime) -> dict[str, Cache]:
    """:return: every configured cache, by name; nothing is opened yet."""
    return {name: _cache(name, one, plugins, metrics, clock) for name, one in options.items()}


def _cache(name: str, options: CacheOptions, plugins: Plugins, metrics: Metrics,
           clock: IReactorTime) -> Cache:
    kind = plugins.load(STORES, options.store, IStoreType)
    store = checked_store(kind, name, options.plugin, options.index, clock)
    counters = metrics.store(name, options.store)
    if isinstance(store, MemoryStore):
        store.on_event = counters.event
        metrics.watch_usage(name, options.store, partial(_usage, store))
    service = store if IService.providedBy(store) else None
    safe = guarded(store, name, clock, counters.operation)
    metrics.watch("cache_up", "Whether a cache's store works.",
                  lambda: float(not safe.is_failing), cache_name=name, provider=options.store)
    return Cache(safe, service)


def _usage(store: MemoryStore) -> Usage:
    return Usage(store.objects, store.octets, store.max_objects, store.max_octets)
