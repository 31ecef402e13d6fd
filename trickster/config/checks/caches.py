"""Keys of caches that cannot have an effect in the store that is used."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from trickster.config.checks.idle import Idle, said
from trickster.config.document.problems import Problems
from trickster.config.document.settings import Key, keys_of
from trickster.config.options.caches import CacheOptions
from trickster.config.options.model import Configuration

_AT_ONCE = "a cache in memory makes room for one entry at a time"
_WHOLE = "a cache in memory keeps entries as they are, and in one piece"
_UNSHARED = "a cache in memory is that of one process"
_UNASKED = "it bounds pieces where use_cache_chunking is true"
_NO_INDEX = "a cache in memory has no index beside it, and is empty at each start"
_IN_STEP = "what a file of LMDB says of its entries changes with them, and is never too old"
_OF_FILES = {"index.index_expiry": _IN_STEP}

_BY_REDIS = "Redis bounds itself, by its own maxmemory and maxmemory-policy"
_IN_REDIS = "Redis removes what has expired by itself, and has no index beside it"

# By the name of a store: keys, dotted, and why they cannot have an effect.
_IDLE: Mapping[str, Mapping[str, str]] = {
    "memory": {
        "index.max_size_backoff_bytes": _AT_ONCE,
        "index.max_size_backoff_objects": _AT_ONCE,
        "index.flush_interval": _NO_INDEX,
        "index.index_expiry": _NO_INDEX,
        "use_cache_chunking": _WHOLE,
        "timeseries_chunk_factor": _WHOLE,
        "byterange_chunk_size": _WHOLE,
        "collapse_lease": _UNSHARED,
    },
    "redis": {
        **dict.fromkeys(("index.max_size_bytes", "index.max_size_objects",
                         "index.max_size_backoff_bytes", "index.max_size_backoff_objects"),
                        _BY_REDIS),
        **dict.fromkeys(("index.reap_interval", "index.flush_interval", "index.index_expiry"),
                        _IN_REDIS),
    },
    "lmdb": _OF_FILES,
    "bbolt": _OF_FILES,
    "badger": _OF_FILES,
}
# Of any store, where entries are cut as suits them.
_IDLE_UNCUT = dict.fromkeys(("timeseries_chunk_factor", "byterange_chunk_size"), _UNASKED)
_OF_BACKENDS = ("chunk_read_concurrency_limit", "chunk_write_concurrency_limit")
_DEFAULTS = CacheOptions()


def check_caches(configuration: Configuration, problems: Problems) -> None:
    """
    :param problems: is told of each key of a cache, or about it, that has another value than its
        default, and no effect in the store of the cache.
    """
    caches = configuration.caches
    found = [(f"caches.{name}", idle) for name, cache in caches.items()
             for idle in idle_cache_keys(cache)]
    found += [(f"backends.{name}", idle) for name, backend in configuration.backends.items()
              if backend.cache_name in caches and caches[backend.cache_name].store == "memory"
              for idle in said(backend, _OF_BACKENDS, _WHOLE)]
    for path, idle in found:
        problems.remark(f"{path}.{idle.key}", f"has no effect here: {idle.text}")


def idle_cache_keys(cache: CacheOptions) -> list[Idle]:
    """
    :return: keys that differ from their defaults, and that cannot have an effect; but for those
        that have none in any store.
    """
    uncut = {} if cache.use_cache_chunking else _IDLE_UNCUT
    idle = {**uncut, **_IDLE.get(cache.store, {})}
    return [Idle(key, text) for key, text in idle.items()
            if attrgetter(key)(cache) != attrgetter(key)(_DEFAULTS) and _key(key).facts.effective]


def _key(dotted: str) -> Key:
    options: type = CacheOptions
    *outer, last = dotted.split(".")
    for name in outer:
        options = next(key for key in keys_of(options) if key.name == name).hint
    return next(key for key in keys_of(options) if key.name == last)
