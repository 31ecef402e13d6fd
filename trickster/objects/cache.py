"""The object cache: whole answers, by the rules of RFC 9111 or for a configured time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.bodies import BodyTooLarge
from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.fills import FillTable
from trickster.collapsing.hit_memo import CacheHits, HitMemo
from trickster.collapsing.home import Home
from trickster.collapsing.leases.leases import Leases
from trickster.collapsing.spool import ISpool
from trickster.errors import NotCached, Reason
from trickster.http.conditions import confirms
from trickster.http.freshness import FreshnessRules, Use
from trickster.interfaces import ICacheStore, IPurgeable, IResponder
from trickster.keys.cache_key import PRINCIPAL, READ_ONLY, key_of, shared_key
from trickster.keys.form_fields import UnreadableBody
from trickster.messages import (
    Engine,
    MalformedParams,
    Outcome,
    Request,
    Response,
    Status,
    passed_status,
)
from trickster.objects.codec import Entry, ResponseFormat
from trickster.objects.fetching.collapsed import CollapsedFetching
from trickster.objects.fetching.fetch import Exchanges, Storage
from trickster.objects.fetching.fetcher import Fetcher
from trickster.objects.fetching.leased import LeasedFetching
from trickster.objects.invalidation import Invalidation
from trickster.objects.options import Collapse, ObjectOptions
from trickster.objects.partial_responses import missing_spans
from trickster.objects.requests import Found, Lookup, forwarded_request, lookup_of, why_passed
from trickster.objects.responses import Responses, unpredictable_boundary
from trickster.objects.reuse import use_for, why_validated
from trickster.objects.storage_policy import StoragePolicy
from trickster.objects.stored_response import StoredResponse
from trickster.objects.variant_store import VariantStore
from trickster.purging.purges import Purges
from trickster.stores.chunking import Chunking
from trickster.stores.inspection.hit_counts import HitCounts
from trickster.stores.key_locks import KeyLocks
from trickster.stores.near_tier import NearTier
from trickster.stores.typed_store import Offload, TypedStore

# An answer may turn out to be for other variants than ours: then we look again.
_MOST_LOOKS = 3
_LONGEST_REMEMBERED = 4096
# How a lookup went when the origin was asked for a whole new answer.
_ASKED = frozenset((Status.KEY_MISS, Status.PROXY_ONLY))
# Directives of requests for which nothing is fetched, or nothing for others.
_NOT_FETCHED = frozenset((b"only-if-cached", b"no-store"))


@frozen(eq=False)
class CacheRuntime:
    """
    What the object caches of a backend share.

    :ivar store: keeps the responses.
    :ivar clock: for delays and ages.
    :ivar wall: seconds since the epoch, for dates; the clock's where not given.
    :ivar in_flight: what all answers together may hold until they are stored and sent; what
        finds no room streams through.
    :ivar invalidation: has all the caches of the backend forget what becomes invalid.
    :ivar memo: of hits, shared with the caches of other backends.
    :ivar locks: of the keys that are being changed.
    :ivar decoded: entries that need not be decoded again, shared with other backends.
    :ivar offload: calls a function with arguments in a thread; None to do without.
    :ivar spool: makes a place for large bodies of progressive forwarding.
    :ivar chunking: how stored responses are cut where the store keeps octets.
    :ivar boundary: makes unpredictable texts between the parts of an answer.
    :ivar backend: its name, by which purges know its entries.
    :ivar purges: of the store; None to do without.
    :ivar counts: of hits, for those who look into the store; None to count none.
    :ivar leases: of the store; None where no other process shares it.
    :ivar patience: seconds that a fetch waits for those of other processes.
    """

    store: ICacheStore
    clock: IReactorTime
    wall: Callable[[], float] = Factory(lambda self: self.clock.seconds, takes_self=True)
    in_flight: ByteBudget = field(factory=lambda: ByteBudget(1 << 30))
    invalidation: Invalidation = field(factory=Invalidation)
    memo: HitMemo = field(factory=HitMemo)
    locks: KeyLocks = field(factory=KeyLocks)
    decoded: NearTier = field(factory=NearTier)
    offload: Offload | None = None
    spool: Callable[[], ISpool] | None = None
    chunking: Chunking = field(factory=Chunking)
    boundary: Callable[[], bytes] = unpredictable_boundary
    backend: str = ""
    purges: Purges | None = None
    counts: HitCounts | None = None
    leases: Leases | None = None
    patience: float = 60.0

    def entries(self, rules: FreshnessRules) -> TypedStore[Entry]:
        """
        :param rules: by which it is told for how long stored responses are fresh.
        :return: the store, as one of stored responses.
        """
        return TypedStore(self.store, ResponseFormat(rules), self.clock, self.decoded,
                          self.offload, self.locks, self.chunking, self.purges,
                          self.counts)


@implementer(IResponder, IPurgeable)
@define(eq=False)
class ObjectCache:
    """
    Answers from stored responses where it may, and stores what it may.

    Its owner adds L{invalidate} to the invalidation of the backend.

    :ivar options: of the path that it serves.
    :ivar home: of keys, where several processes share what is stored; None where this one asks the
        origin for all of them.
    """

    _inner: IResponder
    options: ObjectOptions
    _runtime: CacheRuntime
    home: Home | None = field(default=None, init=False)
    _clock: IReactorTime = field(init=False)
    _peek: Callable[[str], Entry | None] = field(init=False)
    _used: Callable[[str], None] = field(init=False)
    _hits: CacheHits | None = field(init=False)
    _storage: Storage = field(init=False)
    _exchanges: Exchanges = field(init=False)
    _responses: Responses = field(init=False)
    _leased: LeasedFetching = field(init=False)
    _fetching: CollapsedFetching = field(init=False)

    def __attrs_post_init__(self) -> None:
        options, runtime = self.options, self._runtime
        clock = self._clock = runtime.clock
        entries = runtime.entries(options.freshness)
        self._peek, self._hits = entries.peek, runtime.memo.of(entries)
        self._used = entries.used
        policy = StoragePolicy(options)
        self._storage = Storage(
            FillTable.of(clock),
            VariantStore(entries, clock, options.freshness, options.identity),
            policy, clock, runtime.backend)
        self._exchanges = Exchanges(self._inner, clock, runtime.wall, runtime.in_flight,
                                    options.max_capture_bytes)
        self._responses = Responses(clock, runtime.in_flight, options.ranges, runtime.boundary)
        fetcher = Fetcher(self._exchanges, policy, _buffering(options, runtime))
        self._leased = LeasedFetching(self._storage, fetcher, runtime.leases, runtime.patience)
        self._fetching = CollapsedFetching(self._storage, self._leased, self._responses)

    async def respond(self, request: Request) -> Response:
        """
        :return: an answer, stored or new.
        :raises trickster.errors.RequestError: the origin gave none, and nothing stored may
            take its place.
        """
        memo_key = _memo_key(request)
        if memo_key is not None and self._hits is not None and request.noted is None:
            again = self._hits.response(memo_key, self._clock.seconds())
            if again is not None:
                return again
        return _with_status(await self._looked_up(request, memo_key, self.home))

    async def at_home(self, request: Request) -> Response:
        """
        Answer in this process, whichever is the home of the key.

        :return: as L{respond}.
        :raises trickster.errors.RequestError: the same.
        """
        return _with_status(await self._looked_up(request, None, None))

    async def _looked_up(self, request: Request, memo_key: Hashable | None,
                         home: Home | None) -> Response:
        reason = why_passed(request, self.options)
        if reason is not None:
            return await self._pass(request, reason)
        if request.identity is not None:
            self._runtime.invalidation.has_principals = True
        body = None
        if request.method not in READ_ONLY:
            whole = await self._runtime.in_flight.request_body(
                request.body, self.options.max_request_body_bytes)
            body, request = whole.octets, request.with_body(whole)
        try:
            lookup = lookup_of(request, body, self.options)
        except MalformedParams:
            return await self._pass(request, Reason.UNPARSABLE_PARAMETER)
        except UnreadableBody:
            return await self._pass(request, Reason.UNPARSABLE_BODY)
        if request.noted is not None:
            request.noted("key", lookup.key)
        try:
            response = _with_extent(await self._answer(lookup, home), lookup)
        except BodyTooLarge as over:
            return await self._pass(request, over.reason)
        if memo_key is not None:
            self._keep_hit(memo_key, lookup.key, response)
        if response.outcome.reason is not Reason.KEY_MISS or not self._is_store_failing:
            return response
        return response.with_outcome(evolve(response.outcome, reason=Reason.STORE_ERROR))

    @property
    def _is_store_failing(self) -> bool:
        return bool(getattr(self._runtime.store, "is_failing", False))

    def _keep_hit(self, memo_key: Hashable, key: str, response: Response) -> None:
        outcome = response.outcome
        if (self._hits is None or outcome.status is not Status.HIT or response.status != 200
                or outcome.reason is not None or outcome.ttl is None or outcome.age is None):
            return
        # Which variant it was, if there are several, the key alone does not say.  To look is a
        # use of what is stored, and so is for hits only.
        if not isinstance(self._peek(key), StoredResponse):
            return
        # Until it is stale, or its Age is another one.
        left = min(outcome.ttl, 1.0 - outcome.age % 1.0)
        self._hits.keep(memo_key, key, self._clock.seconds() + left, response)

    async def _found(self, lookup: Lookup) -> Found:
        """:return: what is stored: not less than what was at the beginning, nor at the end."""
        found, is_outdated = await self._read(lookup)
        for _ in range(_MOST_LOOKS):
            if not is_outdated:
                break
            found, is_outdated = await self._read(lookup)
        return found

    async def _read(self, lookup: Lookup) -> tuple[Found, bool]:
        table = self._storage.table
        read = table.begin_read(lookup.key)
        try:
            found = await self._storage.variants.find(lookup.key, lookup.request.headers)
        finally:
            table.end_read(lookup.key, read)
        return found, read.is_outdated

    async def _answer(self, lookup: Lookup, home: Home | None) -> Response:
        found = await self._found(lookup)
        for _ in range(_MOST_LOOKS):
            if lookup.mark != found.mark:
                lookup = evolve(lookup, mark=found.mark)
            response = self._reused(found, lookup, home)
            if response is not None:
                self._used(lookup.key)
                return response
            if b"only-if-cached" in lookup.directives:
                raise NotCached("not cached, and only-if-cached was asked for")
            if b"no-store" in lookup.directives:
                return await self._unstored(lookup)
            if lookup.request.method == b"HEAD":
                return await self._forward_head(lookup, found)
            if home is not None and home.is_elsewhere(lookup.key):
                response, home = await home.asked(lookup.key, lookup.request), None
            else:
                response = await self._fetching.response(lookup, found)
            if response is not None:
                return response
            found = await self._found(lookup)
        return await self._fetching.response_alone(lookup, found)

    async def _unstored(self, lookup: Lookup) -> Response:
        """
        Ask the origin for one client, without a trace in what others get.

        :param lookup: with C{no-store} (RFC 9111 section 5.2.1.5).
        :return: the origin's answer.
        :raises trickster.errors.RequestError: the origin gave none.
        """
        if lookup.request.method != b"HEAD":
            return await self._fetching.response_alone(lookup, Found(None, lookup.key))
        response = await self._inner.respond(forwarded_request(lookup, self.options))
        return response.with_outcome(Outcome(
            Engine.OBJECT, Status.KEY_MISS, Reason.REQUEST_NO_STORE,
            origin_status=response.status))

    def _reused(self, found: Found, lookup: Lookup, home: Home | None) -> Response | None:
        """
        :param home: of keys: what is to be refreshed elsewhere is given there, too, but for a client
            for which nothing would be fetched there.
        :return: what is stored, if that is allowed and everything is here.
        """
        stored = found.stored
        if stored is None:
            return None
        now, options, request = self._clock.seconds(), self.options, lookup.request
        use = use_for(stored, lookup, now, options)
        if use is Use.VALIDATE or missing_spans(stored, request, now, options.ranges):
            return None
        if use is Use.STALE_WHILE_REVALIDATE:
            if home is not None and _is_plain(lookup) and home.is_elsewhere(lookup.key):
                return None
            self._fetching.refresh(lookup, found)
            return self._responses.reusing(stored, request, Outcome(
                Engine.OBJECT, Status.HIT, Reason.STALE, "stale-while-revalidate"))
        status = Status.NEGATIVE_HIT if stored.status in options.negative else Status.HIT
        if b"max-stale" in lookup.directives and stored.age(now) >= stored.policy.lifetime:
            return self._responses.reusing(stored, request, Outcome(
                Engine.OBJECT, status, Reason.STALE, "max-stale"))
        return self._responses.reusing(stored, request, Outcome(Engine.OBJECT, status))

    async def _forward_head(self, lookup: Lookup, found: Found) -> Response:
        """
        Forward a HEAD; a stored response that its answer contradicts is not used again, and
        one that it confirms is as good as new (RFC 9111 section 4.3.5).

        :param found: what the answer is compared with.
        :return: the origin's answer, also where one is stored.
        :raises trickster.errors.RequestError: the origin gave none.
        """
        exchange = await self._exchanges.made(forwarded_request(lookup, self.options))
        response, stored = exchange.response, found.stored
        if stored is not None and response.status == 200 and confirms(
                stored.headers, stored.length or 0, response.headers):
            fresh = self._storage.policy.freshened(lookup, stored, response, exchange.arrival)
            await self._storage.keep_freshened(lookup, fresh, stored)
        elif stored is not None and response.status in (200, 404, 410):
            await self._storage.drop(lookup, stored)
        reason = Reason.KEY_MISS if stored is None else why_validated(
            stored, lookup, self._clock.seconds(), self.options)
        return response.with_outcome(Outcome(
            Engine.OBJECT, Status.KEY_MISS, reason, origin_status=response.status))

    async def _pass(self, request: Request, reason: Reason) -> Response:
        response = await self._inner.respond(request)
        await self._runtime.invalidation.after(request, response)
        return response.with_outcome(Outcome(
            Engine.OBJECT, Status.PROXY_ONLY, reason, origin_status=response.status))

    async def invalidate(self, target: bytes, authority: bytes) -> None:
        """
        Forget what is stored, or on its way, for a target (RFC 9111 section 4.4).

        :param target: in origin form, in the words of clients.
        :param authority: the host that the client asked for whose request changes it: what is
            stored for other hosts stays, where the host is part of the key.
        """
        # What has no one reading has no key: a request for it passes, and nothing of it is
        # ever stored.
        with suppress(MalformedParams):
            await self.forget(key_of(
                self.options.key, Request(b"GET", target, authority=authority)))

    async def forget(self, key: str) -> None:
        """
        Forget all variants of a key, for all principals, and do not store what is on its way
        for it.

        :param key: without a principal.
        """
        self._storage.table.outdate(key)
        self._leased.changed(key)
        await self._storage.variants.drop(key)
        if self._runtime.invalidation.has_principals:
            await self._storage.variants.purge(key + PRINCIPAL)

    def outdate(self) -> None:
        """See L{trickster.interfaces.IPurgeable.outdate}."""
        self._storage.table.outdate("")

    def keys_of(self, request: Request) -> Sequence[str]:
        """
        See L{trickster.interfaces.IPurgeable.keys_of}.

        :param request: of another path than this cache is for, maybe: then there are none.
        """
        if not self.options.route.is_for(request.path):
            return ()
        try:
            return (shared_key(key_of(self.options.key, request), request),)
        except MalformedParams:
            return ()  # it is never kept

    def stop(self) -> None:
        """Give up every fetch, at the end of the program."""
        self._storage.table.cancel_all()


def _is_plain(lookup: Lookup) -> bool:
    """:return: whether an answer to this is fetched where there is none."""
    return lookup.request.method != b"HEAD" and _NOT_FETCHED.isdisjoint(lookup.directives.values)


def _buffering(options: ObjectOptions, runtime: CacheRuntime) -> Buffering:
    """:return: how much of a body on its way is held, and where."""
    is_progressive = options.collapse is Collapse.PROGRESSIVE
    return Buffering(options.max_object_size_bytes, in_flight=runtime.in_flight,
                     spool=runtime.spool if is_progressive else None)


def _with_extent(response: Response, lookup: Lookup) -> Response:
    """:return: the response, saying so where alignment made the extent another one."""
    if lookup.merged is None or lookup.merged.extent is None:
        return response
    return response.with_outcome(evolve(response.outcome, aligned=lookup.merged.extent))


def _memo_key(request: Request) -> Hashable | None:
    """:return: all that an answer may depend on, or None for a request not remembered."""
    pairs = request.headers.pairs
    if (request.method != b"GET" or request.identity is not None
            or len(request.target) > _LONGEST_REMEMBERED
            or sum([len(value) for _, value in pairs]) > _LONGEST_REMEMBERED):
        return None
    return request.target, request.authority, pairs


def _with_status(response: Response) -> Response:
    """:return: the response; one of an error that is not kept, with the lookup status of one."""
    outcome = response.outcome
    if response.status < 400 or outcome.stored or outcome.status not in _ASKED:
        return response
    reason = Reason.ORIGIN_STATUS if outcome.reason is Reason.KEY_MISS else outcome.reason
    return response.with_outcome(evolve(
        outcome, status=passed_status(response.status), reason=reason))
