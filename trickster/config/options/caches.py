"""Options of caches: their bounds."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from trickster.config.document.settings import setting


@frozen(kw_only=True)
class IndexOptions:
    """How large a cache may become, and how that is seen to."""

    reap_interval: float = setting(
        3.0, "How often expired entries are removed.", unit="duration")
    flush_interval: float = setting(
        5.0, "How often the index of a store on disk is written.", unit="duration")
    index_expiry: float = setting(
        31_536_000.0, "Age from which a saved index is not used.", unit="duration")
    max_size_bytes: int = setting(
        512 << 20, "Most octets in the cache; 0 for no limit.", unit="size")
    max_size_backoff_bytes: int = setting(
        16 << 20, "How far below the limit an eviction goes, but to half of it at most.",
        unit="size")
    max_size_objects: int = setting(
        0, "Most entries in the cache; 0 for no limit.", minimum=0)
    max_size_backoff_objects: int = setting(
        100, "How many entries below the limit an eviction goes, but to half of it at most.",
        minimum=0)


@frozen(kw_only=True)
class CacheOptions:
    """
    A cache, which backends name by C{cache_name}.  The options of a plugin's store stand in
    the block named like it.

    :ivar store: the name of the store, as that is written: C{provider}, or C{memory}.
    :ivar plugin: the options of that store, an instance of its C{options} class.
    """

    provider: str = setting("memory", "Kind of store.")
    index: IndexOptions = setting(IndexOptions(), "Bounds.")
    use_cache_chunking: bool = setting(
        False, "Whether the two keys below bound the pieces that entries are stored in.")
    timeseries_chunk_factor: int = setting(
        420, "Most timestamps in a piece of a time series entry.", minimum=1)
    byterange_chunk_size: int = setting(
        4096, "Most octets in a piece of an object, as they are before compression.",
        unit="size", minimum=1)
    collapse_lease: float = setting(
        5.0, "How long processes that share the store wait for one that fetches, after it was "
        "last heard of; 0 for each of them fetching by itself.", unit="duration")
    store: str = setting("memory", "", hidden=True)
    plugin: Any = setting(None, "", hidden=True)


# Blocks of stores that are read for every provider: the original shows nearly all of them.
STORE_BLOCKS = ("memory", "filesystem", "lmdb", "bbolt", "badger", "redis")
