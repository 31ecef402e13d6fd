"""How much a cache store may keep, and how much it keeps."""

from __future__ import annotations

from attrs import frozen

from trickster.config.options.caches import IndexOptions


@frozen(kw_only=True)
class StoreLimits:
    """
    What the configuration allows a store; a store that has no use for a limit ignores it.

    :ivar max_octets: most octets of keys and values together; 0 for no limit.
    :ivar max_objects: most entries; 0 for no limit.
    :ivar reap_interval: seconds between two looks for what has expired.
    """

    max_octets: int = 0
    max_objects: int = 0
    reap_interval: float = 3.0

    @classmethod
    def of(cls, index: IndexOptions) -> StoreLimits:
        """:return: what the options of an index allow a store."""
        return cls(max_octets=index.max_size_bytes, max_objects=index.max_size_objects,
                   reap_interval=index.reap_interval)


@frozen(kw_only=True)
class StoreUsage:
    """
    How full a store is.

    :ivar objects: entries held now.
    :ivar octets: octets held now, what each entry costs beside its key and value included.
    :ivar max_objects: most entries; 0 for no limit.
    :ivar max_octets: most octets; 0 for no limit.
    """

    objects: int
    octets: int
    max_objects: int = 0
    max_octets: int = 0
