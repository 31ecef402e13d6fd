"""How much a cache store may keep, how much it keeps, and for how long."""

from __future__ import annotations

from attrs import field, frozen

from trickster.config.options.caches import IndexOptions


@frozen(kw_only=True)
class StoreLimits:
    """
    What the configuration allows a store; a store that has no use for a limit ignores it.

    :ivar max_octets: most octets of keys and values together; 0 for no limit.
    :ivar max_objects: most entries; 0 for no limit.
    :ivar reap_interval: seconds between two looks for what has expired.
    :ivar backoff_octets: how far below C{max_octets} an eviction goes, so that the next put does
        not lead to another one at once.
    :ivar backoff_objects: how far below C{max_objects} it goes.
    :ivar flush_interval: seconds between two times that what is kept about entries, and is not
        in them, is written.
    :ivar index_expiry: seconds after which what was written so is not used.
    """

    max_octets: int = 0
    max_objects: int = 0
    reap_interval: float = 3.0
    backoff_octets: int = 0
    backoff_objects: int = 0
    flush_interval: float = 5.0
    index_expiry: float = 31_536_000.0

    @classmethod
    def of(cls, index: IndexOptions) -> StoreLimits:
        """:return: what the options of an index allow a store."""
        return cls(max_octets=index.max_size_bytes, max_objects=index.max_size_objects,
                   reap_interval=index.reap_interval,
                   backoff_octets=index.max_size_backoff_bytes,
                   backoff_objects=index.max_size_backoff_objects,
                   flush_interval=index.flush_interval, index_expiry=index.index_expiry)

    @property
    def low_octets(self) -> int:
        """
        :return: to how many octets an eviction goes down: at least to half of the most that
            there may be, however far the backoff would go.  0 where there is no limit.
        """
        return max(self.max_octets - self.backoff_octets, (self.max_octets + 1) // 2)

    @property
    def low_objects(self) -> int:
        """:return: to how many entries an eviction goes down, likewise."""
        return max(self.max_objects - self.backoff_objects, (self.max_objects + 1) // 2)


@frozen(kw_only=True)
class StoreUsage:
    """
    How full a store is.

    :ivar objects: entries held now.
    :ivar octets: octets held now, what each entry costs beside its key and value included.
    :ivar max_objects: most entries; 0 for no limit.
    :ivar max_octets: most octets; 0 for no limit.
    :ivar protected_octets: of those held, what a store that tells it apart keeps longer, since it
        was used more than once; None for a store that does not.  A usage is as full with it.
    """

    objects: int
    octets: int
    max_objects: int = 0
    max_octets: int = 0
    protected_octets: int | None = field(default=None, eq=False)


@frozen
class Inspected:
    """
    What a store has under a key.

    :ivar value: octets, or an object.
    :ivar ttl: seconds for which it is still kept; None where the store does not tell.
    """

    value: object
    ttl: float | None = None
