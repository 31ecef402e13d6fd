"""What the management API needs of caches and backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from trickster.admin.caches import CacheFacts
from trickster.admin.management import Management
from trickster.admin.purger import PurgedBackend, Purger
from trickster.compose.backends.backend import Backend
from trickster.compose.stores import Cache
from trickster.http.freshness import FreshnessRules
from trickster.interfaces import IPurgeable
from trickster.objects.codec import ResponseFormat
from trickster.ranges.kept.entries import RangeFormat
from trickster.stores.inspection.listing import Describing, StoreListing
from trickster.timeseries.wire import Codec

_FORMATS: tuple[Describing, ...] = (ResponseFormat(FreshnessRules()), RangeFormat(Codec()))


def management(paths: Any, caches: Mapping[str, Cache], backends: Mapping[str, Backend]
               ) -> Management:
    """
    :param paths: where endpoints are (C{trickster.config.options.model.MgmtOptions}).
    :param caches: of the configuration, by name.
    :param backends: that use them, by name.
    :return: what purges these caches, and looks into them.
    """
    purged = {name: PurgedBackend(backend.options.cache_name, partial(_caches, backend))
              for name, backend in backends.items() if backend.options.cache_name in caches}
    purger = Purger({name: cache.purges for name, cache in caches.items()}, purged)
    return Management(paths, purger, [_facts(cache, backends) for cache in caches.values()])


def _caches(backend: Backend) -> Sequence[IPurgeable]:
    return backend.caches


def _facts(cache: Cache, backends: Mapping[str, Backend]) -> CacheFacts:
    using = {name: backend for name, backend in backends.items()
             if backend.options.cache_name == cache.name}

    def kept_for(backend: str) -> float | None:
        found = using.get(backend)
        return None if found is None else found.options.timeseries_ttl

    return CacheFacts(
        cache.name, cache.options.store, tuple(using), lambda: cache.store.is_failing,
        cache.usage, StoreListing(cache.store, cache.purges, _FORMATS, cache.store.clock),
        kept_for, cache.counts.of)
