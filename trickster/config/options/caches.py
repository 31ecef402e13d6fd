"""Options of caches: their bounds, and the stores that this release knows by name only."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from trickster.config.document.settings import later, setting


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
class BboltOptions:
    """A cache in one file."""

    filename: str = later("trickster.db", "The file.")
    bucket: str = later("trickster", "Name of the bucket in it.")


@frozen(kw_only=True)
class BadgerOptions:
    """A cache in one directory."""

    directory: str = later("/tmp/trickster", "Directory of the keys.")
    value_directory: str = later("/tmp/trickster", "Directory of the values.")


@frozen(kw_only=True)
class CacheOptions:
    """
    A cache, which backends name by C{cache_name}.  The options of a plugin's store stand in
    the block named like it.

    :ivar store: the name of the store that is really used: C{provider}, or C{memory} where
        that provider is known but not yet there.
    :ivar plugin: the options of that store, an instance of its C{options} class.
    """

    provider: str = setting("memory", "Kind of store.")
    index: IndexOptions = setting(IndexOptions(), "Bounds.")
    use_cache_chunking: bool = later(False, "Whether entries are stored in pieces.")
    timeseries_chunk_factor: int = later(
        420, "Timestamps in a piece of a time series entry.", minimum=1)
    byterange_chunk_size: int = later(4096, "Octets in a piece of an object.", unit="size")
    bbolt: BboltOptions = later(BboltOptions(), "For provider bbolt.")
    badger: BadgerOptions = later(BadgerOptions(), "For provider badger.")
    store: str = setting("memory", "", hidden=True)
    plugin: Any = setting(None, "", hidden=True)


# Stores of the original that are accepted, and kept in memory until they are there.
KNOWN_STORES = ("bbolt", "badger")

# Blocks of stores that the original shows, and reads, for every provider.
STORE_BLOCKS = ("memory", "filesystem", "redis", *KNOWN_STORES)
