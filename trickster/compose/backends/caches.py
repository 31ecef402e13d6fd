"""The caches of a backend: what they share, how they are purged, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import Factory, define, evolve, field

from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.collapsed_home import CollapsedHome
from trickster.collapsing.home import AtHome, Home
from trickster.collapsing.leases.leases import Leases
from trickster.collapsing.progressive_proxy import ProgressiveProxy, SharedAnswers
from trickster.compose.backends.overlay import PathPlan
from trickster.compose.backends.settings import (
    chunking_of_objects,
    chunking_of_ranges,
    identity,
    key_prefix,
    most_instants,
    object_options,
    overrides,
    place_of,
    range_policy,
)
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.interfaces import ICacheStore, IPurgeable, IQueryDialect, IResponder
from trickster.net.callbacks import ignore
from trickster.objects.cache import CacheRuntime, ObjectCache
from trickster.objects.invalidation import Invalidation
from trickster.purging.purges import Purges
from trickster.ranges.path import RangePath
from trickster.stores.inspection.hit_counts import HitCounts
from trickster.stores.key_locks import KeyLocks

# Seconds that a time-series origin's answers are kept that cannot be cached by range.
_WHOLE_TTL = 60.0


@define(eq=False)
class BackendCaches:
    """
    Makes the caches of a backend's paths, over one store and within one budget.

    :ivar name: of the backend.
    :ivar negative: seconds that failures are kept, by status.
    :ivar locks: of the keys of the store that are being changed.
    :ivar _purges: of the store.
    :ivar _cache: the options of the cache whose store that is.
    :ivar _counts: of its hits.
    :ivar _leases: of the store; None where no other process shares it.
    :ivar in_flight: for the octets of all answers on their way.
    :ivar invalidation: has all of them forget what a request makes invalid.
    """

    name: str
    _options: BackendOptions
    _store: ICacheStore
    _negative: dict[int, float]
    _around: Surroundings
    _locks: KeyLocks
    _purges: Purges | None = None
    _cache: CacheOptions = field(factory=CacheOptions)
    _counts: HitCounts | None = None
    _leases: Leases | None = None
    in_flight: ByteBudget = field(init=False, default=Factory(
        lambda self: ByteBudget(self._options.in_flight_bytes), takes_self=True))
    invalidation: Invalidation = field(init=False, default=Factory(
        lambda self: Invalidation(place_of(self._options)), takes_self=True))
    _made: list[IPurgeable] = field(factory=list, init=False, repr=False)
    _stops: list[Callable[[], None]] = field(factory=list, init=False, repr=False)
    _members: int = field(default=0, init=False)

    @property
    def purgeable(self) -> Sequence[IPurgeable]:
        """
        :return: those that have been made by now, each of which can be purged; those made later
            come into it, too.  Not to be changed.
        """
        return self._made

    def objects(self, plan: PathPlan, inner: IResponder) -> ObjectCache:
        """:return: what keeps the whole answers of a path."""
        options = object_options(self._prefix, self._options, plan, self._negative)
        cache = ObjectCache(inner, options, self._runtime())
        self.invalidation.add(cache.invalidate)
        self._stops.append(cache.stop)
        self._made.append(cache)
        self._joined(plan, cache.at_home, lambda home: setattr(cache, "home", home))
        return cache

    def ranges(self, dialect: IQueryDialect, plan: PathPlan, inner: IResponder) -> IResponder:
        """
        :param dialect: in which the path is asked.
        :return: what keeps the answers of a path by range, and beside it what cannot be kept so.
        """
        whole = evolve(plan, route=evolve(plan.route, ttl=_WHOLE_TTL))
        around = self._around
        answering = RangePath(
            dialect, inner, self.objects(whole, inner),
            evolve(range_policy(self.name, self._options, plan),
                   most_instants=most_instants(self._cache)), self._store, self.in_flight,
            around.clock, around.wall, around.offload, around.memos.hits,
            around.memos.newest, self._locks, around.memos.decoded,
            chunking_of_ranges(self._options, self._cache), self._purges,
            self._counts, self._leases, self._options.timeout).made()
        self._made.append(answering.cache)
        self._joined(plan, answering.responder.at_home, answering.with_home)
        return answering.responder

    def progressive(self, plan: PathPlan, inner: IResponder) -> ProgressiveProxy:
        """:return: what keeps nothing, but gives an answer on its way to all who ask for it."""
        proxy = ProgressiveProxy(inner, self._shared(plan))
        self._stops.append(proxy.stop)
        self._joined(plan, proxy.at_home, lambda home: setattr(proxy, "home", home))
        return proxy

    def _shared(self, plan: PathPlan) -> SharedAnswers:
        buffering = Buffering(self._options.max_object_size_bytes, spool=self._around.spool,
                              in_flight=self.in_flight)
        purges = self._purges
        return SharedAnswers(self._around.clock, buffering, identity(self._options, plan),
                             overrides(self._options, plan),
                             int if purges is None else lambda: purges.mark,
                             None if purges is None else purges.caught_up)

    def _joined(self, plan: PathPlan, answer: AtHome, tell: Callable[[Home], None]) -> None:
        homes = self._around.homes
        if homes is not None:
            if self.invalidation.elsewhere is None:
                self.invalidation.elsewhere = homes.forget_with(
                    self.name, self.invalidation.forget_here)
            # All workers make the same caches in the same order.
            self._members += 1
            shared = self._shared(plan)
            self._stops.append(shared.stop)

            async def forget(target: bytes, authority: bytes) -> None:
                shared.outdate()

            if self.invalidation:
                self.invalidation.add(forget)
            tell(CollapsedHome(homes.join(
                f"{self.name} {self._members}", answer, self._purges), shared,
                               ignore if self._counts is None else self._counts.count))

    def watch(self) -> None:
        """Expose how full the budget is, until they are stopped."""
        in_flight = self.in_flight
        self._watch("in_flight_bytes", "Octets of answers held while they are fetched and sent, "
                    "and of request bodies.", lambda: in_flight.held)
        self._watch("in_flight_max_bytes", "Most of those octets.", lambda: in_flight.limit)

    def stop(self) -> None:
        """Give up what no client waits for."""
        for stop in self._stops:
            stop()
        self._stops.clear()

    @property
    def _prefix(self) -> str:
        return key_prefix(self.name, self._options)

    def _runtime(self) -> CacheRuntime:
        around = self._around
        return CacheRuntime(
            self._store, around.clock, around.wall, self.in_flight, self.invalidation,
            around.memos.hits, self._locks, around.memos.decoded, around.offload, around.spool,
            chunking_of_objects(self._options, self._cache), backend=self.name,
            purges=self._purges, counts=self._counts, leases=self._leases,
            patience=self._options.timeout)

    def _watch(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        self._stops.append(self._around.metrics.watch(
            name, documentation, read, backend_name=self.name))
