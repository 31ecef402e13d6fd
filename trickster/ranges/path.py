"""The responder of a path whose queries are answered by range, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.hit_for_pass import HitForPass
from trickster.collapsing.hit_memo import HitMemo
from trickster.collapsing.home import Home
from trickster.collapsing.leases.leases import Leases
from trickster.interfaces import (
    ICacheStore,
    IDatasetSource,
    INewestDialect,
    IPurgeable,
    IQueryDialect,
    IResponder,
)
from trickster.purging.purges import Purges
from trickster.ranges.delta_cache import DeltaCache
from trickster.ranges.fast_forward import (
    PATIENCE,
    FastForwarding,
    NewestMemo,
    NewestSamples,
)
from trickster.ranges.gaps import GapFetcher
from trickster.ranges.kept.entries import Entries, RangeFormat
from trickster.ranges.leased_gaps import LeasedGaps
from trickster.ranges.leased_newest import LeasedNewest
from trickster.ranges.offloading import Offload, Offloading
from trickster.ranges.origin_range import OriginRange
from trickster.ranges.pass_through import PassThrough
from trickster.ranges.policy import RangePolicy
from trickster.ranges.purgeable import Outdated, PurgeableRanges
from trickster.ranges.responder import RangeResponder
from trickster.stores.chunking import Chunking
from trickster.stores.inspection.hit_counts import HitCounts
from trickster.stores.key_locks import KeyLocks
from trickster.stores.near_tier import NearTier
from trickster.stores.typed_store import TypedStore
from trickster.timeseries.dataset import by_octets
from trickster.timeseries.wire import Codec


def codec_of(dialect: IQueryDialect, most_instants: int = 0) -> Codec:
    """
    :param dialect: its datasets are in the order that it says, also when they come from a store.
    :param most_instants: as for L{Codec}.
    :return: makes octets of its datasets, and datasets of octets.
    """
    return Codec(getattr(dialect, "collation", by_octets), most_instants)


class _Homed(Protocol):
    """What fetches nothing whose home is elsewhere."""

    home: Home | None


@frozen
class RangeAnswering:
    """
    What answers the range queries of a path.

    :ivar cache: what it keeps, to be purged.
    """

    responder: RangeResponder
    cache: IPurgeable
    _fetching: Sequence[_Homed]

    def with_home(self, home: Home) -> None:
        """
        :param home: of the keys: other processes share what is stored.
        """
        for each in self._fetching:
            each.home = home


@frozen
class RangePath:
    """
    A path, and what its range queries are answered with.

    :ivar upstream: sends requests to the origin.
    :ivar objects: keeps whole answers to requests that cannot be served by range.
    :ivar wall: seconds since the epoch.
    :ivar offload: calls a function with arguments in a thread.
    :ivar hits: small full hits of all caches.
    :ivar newest: newest samples of all queries.
    :ivar locks: of the keys of the store that are being changed.
    :ivar decoded: entries of all caches that need not be decoded again.
    :ivar chunking: how entries are cut where the store keeps octets.
    :ivar purges: of the store; None to do without.
    :ivar counts: of hits, for those who look into the store; None to count none.
    :ivar leases: of the store; None where no other process shares it.
    :ivar patience: seconds that a fetch waits for those of other processes.
    """

    dialect: IQueryDialect
    upstream: IResponder
    objects: IResponder
    policy: RangePolicy
    store: ICacheStore
    in_flight: ByteBudget
    clock: IReactorTime
    wall: Callable[[], float]
    offload: Offload
    hits: HitMemo
    newest: NewestMemo
    locks: KeyLocks = field(factory=KeyLocks)
    decoded: NearTier = field(factory=NearTier)
    chunking: Chunking = field(factory=Chunking)
    purges: Purges | None = None
    counts: HitCounts | None = None
    leases: Leases | None = None
    patience: float = 60.0

    @property
    def _leased_newest(self) -> LeasedNewest | None:
        if self.leases is None:
            return None
        patience = max(self.policy.fast_forward_ttl, PATIENCE)
        return LeasedNewest(self.leases, patience, self.clock)

    def made(self) -> RangeAnswering:
        """:return: the responder: fast forward beside a delta cache before the origin."""
        policy, offloading = self.policy, Offloading(self.offload)
        codec = codec_of(self.dialect, policy.most_instants)
        typed = TypedStore(self.store, RangeFormat(codec), self.clock, self.decoded,
                           self.offload, self.locks, self.chunking, self.purges,
                           self.counts)
        entries = Entries(typed, policy.ttl, self.offload)
        origin = OriginRange(self.dialect, self.upstream, policy, self.in_flight, offloading)
        leased = None
        if self.leases is not None:
            leased = LeasedGaps(entries, self.leases, self.patience, self.clock, codec)
        cache = DeltaCache(entries, GapFetcher(origin, entries, policy, self.clock, leased),
                           HitForPass(self.clock), self.clock, policy, offloading)
        passing = PassThrough(self.upstream, policy, self.in_flight, offloading)
        # The order of last uses counts each request: none is answered from the memo.
        hits = None if policy.lru else entries.hits(self.hits)
        source: IDatasetSource = cache
        fetching: tuple[Outdated, ...] = (cache,)
        homed: list[_Homed] = [cache]
        if policy.fast_forward and INewestDialect.providedBy(self.dialect):
            newest = NewestSamples(self.dialect, self.upstream, self.clock, policy,
                                   self.in_flight, offloading, self.newest,
                                   lambda: entries.known_mark, self._leased_newest)
            forwarding = FastForwarding(cache, newest, policy, offloading)
            source, fetching = forwarding, (cache, newest)
            homed.append(forwarding)
        responder = RangeResponder(self.dialect, source, passing, self.objects, policy,
                                   offloading, self.wall, hits)
        return RangeAnswering(
            responder, PurgeableRanges(self.dialect, policy, fetching, self.wall),
            (*homed, responder))
