"""The object cache: whole answers, by the rules of RFC 9111 or for a configured time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress

from attrs import Factory, define, evolve, field
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.bodies import BodyTooLarge
from trickster.collapsing.fills import Fill, Filled, FillResult, FillTable, Streaming, Unshared
from trickster.collapsing.hit_memo import CacheHits, HitMemo
from trickster.errors import NotCached, Reason
from trickster.http.byte_ranges import Span
from trickster.http.cache_control import NO_DIRECTIVES, honoured_directives
from trickster.http.conditions import confirms, validators
from trickster.http.freshness import Use, is_young_enough, use_of
from trickster.http.invalidation import invalidated
from trickster.interfaces import ICacheStore, IResponder
from trickster.keys.cache_key import READ_ONLY, key_of, merged
from trickster.keys.form_fields import UnreadableBody, is_form
from trickster.keys.identity import Identity, Overrides
from trickster.keys.selecting import matches
from trickster.messages import (
    Engine,
    Headers,
    MalformedParams,
    Outcome,
    Request,
    Response,
    Status,
    passed_status,
)
from trickster.objects.fetch import Fetch
from trickster.objects.fetching import Fetcher
from trickster.objects.options import Collapse, ObjectOptions
from trickster.objects.requests import (
    Lookup,
    RequestRules,
    conditional_request,
    fetch_request,
    forwarded_request,
    is_more_than_reading,
    range_request,
    slot_of,
)
from trickster.objects.responses import RangeRules, Reply, answer, live_answer
from trickster.objects.storage_policy import Archive
from trickster.objects.stored_response import StoredResponse
from trickster.objects.variant_store import Found, VariantStore

# An answer may turn out to be for other variants than ours: then we look again.
_MOST_LOOKS = 3
_LONGEST_REMEMBERED = 4096
# How a lookup went when the origin was asked for a whole new answer.
_ASKED = frozenset((Status.KEY_MISS, Status.PROXY_ONLY))


@implementer(IResponder)
@define(eq=False)
class ObjectCache:
    """
    Answers from stored responses where it may, and stores what it may.

    :ivar options: of the path that it serves.
    :ivar beside: caches of the backend's other paths, which have entries that a request to this
        one may make invalid.
    :ivar _wall: seconds since the epoch, for dates; the clock's where not given.
    :ivar _memo: of hits, shared with other caches.
    """

    _inner: IResponder
    _store: ICacheStore
    _clock: IReactorTime
    options: ObjectOptions
    _wall: Callable[[], float] = Factory(lambda self: self._clock.seconds, takes_self=True)
    _memo: HitMemo = field(factory=HitMemo)
    beside: Sequence[ObjectCache] = field(default=(), init=False)
    _table: FillTable[StoredResponse] = field(init=False)
    _hits: CacheHits | None = field(init=False)
    _variants: VariantStore = field(init=False)
    _archive: Archive = field(init=False)
    _fetcher: Fetcher = field(init=False)
    _requests: RequestRules = field(init=False)
    _ranges: RangeRules = field(init=False)
    _identity: Identity = field(init=False)
    _overrides: Overrides = field(init=False)

    def __attrs_post_init__(self) -> None:
        options = self.options
        self._table = FillTable.of(self._clock)
        self._ranges = options.range_rules
        self._hits = self._memo.of(self._store)
        self._identity = options.identity
        self._overrides = Overrides(options.override_headers,
                                    options.identity.names | options.unless_public)
        self._variants = VariantStore(self._store, self._clock, options.rules, self._identity)
        self._requests = RequestRules(options.key_rules, options.range_rules.limit,
                                      wholly=options.route.ttl is not None)
        self._archive = Archive(self._variants, self._clock, options, self._wall)
        self._fetcher = Fetcher(self._inner, self._clock, self._archive, self._table,
                                self._requests, options)

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
        return _with_status(await self._looked_up(request, memo_key))

    async def _looked_up(self, request: Request, memo_key: Hashable | None) -> Response:
        body = None
        if self._overrides.are_in(request.headers):
            return await self._pass(request, Reason.OVERRIDE_HEADER)
        if request.method not in READ_ONLY:
            if not self._is_cached_method(request.method):
                return await self._pass(request, Reason.METHOD)
            if request.body.length != 0 and not self._is_readable(request.headers):
                return await self._pass(request, Reason.UNPARSABLE_BODY)
            whole = await self.options.in_flight.request_body(
                request.body, self.options.max_request_body_bytes)
            body, request = whole.octets, evolve(request, body=whole)
        elif is_more_than_reading(request):
            return await self._pass(request, Reason.PROXY_PATH)
        try:
            asked = (merged(self._requests.key, request, body)
                     if self._requests.key.form else None)
            key = key_of(self._requests.key, request, body, asked)
        except MalformedParams:
            return await self._pass(request, Reason.UNPARSABLE_PARAMETER)
        except UnreadableBody:
            return await self._pass(request, Reason.UNPARSABLE_BODY)
        if request.noted is not None:
            request.noted("key", key)
        try:
            response = await self._ask(Lookup(
                key, request, body, honoured_directives(
                    request.headers, self.options.honour_request_directives), asked))
        except BodyTooLarge as over:
            return await self._pass(request, over.reason)
        if asked is not None and asked.extent is not None:
            response = evolve(response, outcome=evolve(response.outcome, aligned=asked.extent))
        if memo_key is not None:
            self._keep_hit(memo_key, key, response)
        if response.outcome.reason is not Reason.KEY_MISS or not self._is_store_failing:
            return response
        return evolve(response, outcome=evolve(response.outcome, reason=Reason.STORE_ERROR))

    @property
    def _is_store_failing(self) -> bool:
        return bool(getattr(self._store, "is_failing", False))

    def _keep_hit(self, memo_key: Hashable, key: str, response: Response) -> None:
        outcome = response.outcome
        # Which variant it was, if there are several, the key alone does not say.
        if self._hits is None or not isinstance(
                self._store.get_object(key), StoredResponse):  # type: ignore[attr-defined]
            return
        if (outcome.status is not Status.HIT or response.status != 200
                or outcome.reason is not None or outcome.ttl is None or outcome.age is None):
            return
        # Until it is stale, or its Age is another one.
        left = min(outcome.ttl, 1.0 - outcome.age % 1.0)
        self._hits.keep(memo_key, key, self._clock.seconds() + left, response)

    def _is_cached_method(self, method: bytes) -> bool:
        return method == b"POST" and (self.options.route.form
                                      or bool(self.options.key_form_fields))

    def _is_readable(self, headers: Headers) -> bool:
        """Whether a request's body is part of the key; origins read only forms that say so."""
        return is_form(headers) if self.options.route.form else bool(
            self.options.key_form_fields)

    async def _found(self, lookup: Lookup) -> Found:
        """:return: what is stored; not less than what was when this was called, nor when it ends."""
        found, is_outdated = await self._look(lookup)
        for _ in range(_MOST_LOOKS):
            if not is_outdated:
                break
            found, is_outdated = await self._look(lookup)
        return found

    async def _look(self, lookup: Lookup) -> tuple[Found, bool]:
        read = self._table.begin_read(lookup.key)
        try:
            found = await self._variants.find(lookup.key, lookup.request.headers)
        finally:
            self._table.end_read(lookup.key, read)
        return found, read.is_outdated

    async def _ask(self, lookup: Lookup) -> Response:
        found = await self._found(lookup)
        for _ in range(_MOST_LOOKS):
            response = self._from(found, lookup)
            if response is not None:
                return response
            if b"only-if-cached" in lookup.directives:
                raise NotCached("not cached, and only-if-cached was asked for")
            if b"no-store" in lookup.directives:
                return await self._unstored(lookup)
            if lookup.request.method == b"HEAD":
                return await self._headed(lookup, found)
            response = await self._fetched(lookup, found)
            if response is not None:
                return response
            found = await self._found(lookup)
        return await self._fetch_alone(lookup, found)

    async def _unstored(self, lookup: Lookup) -> Response:
        """Ask the origin for one client, without a trace in what others get."""
        if lookup.request.method != b"HEAD":
            return await self._fetch_alone(lookup, Found(None, lookup.key))
        response = await self._inner.respond(forwarded_request(lookup, self._requests))
        return evolve(response, outcome=Outcome(
            Engine.OBJECT, Status.KEY_MISS, Reason.REQUEST_NO_STORE,
            origin_status=response.status))

    def _from(self, found: Found, lookup: Lookup) -> Response | None:
        """Answer from what is stored, if that is allowed and everything is here."""
        stored = found.stored
        if stored is None:
            return None
        use = self._use(stored, lookup)
        if use is Use.VALIDATE or self._archive.missing(stored, lookup.request):
            return None
        if use is Use.STALE_WHILE_REVALIDATE:
            self._refresh(lookup, found)
            return self._answer(stored, lookup, Outcome(
                Engine.OBJECT, Status.HIT, Reason.STALE, "stale-while-revalidate"))
        status = Status.NEGATIVE_HIT if stored.status in self.options.negative else Status.HIT
        if b"max-stale" in lookup.directives and self._is_stale(stored):
            return self._answer(stored, lookup, Outcome(
                Engine.OBJECT, status, Reason.STALE, "max-stale"))
        return self._answer(stored, lookup, Outcome(Engine.OBJECT, status))

    def _is_stale(self, stored: StoredResponse) -> bool:
        return stored.age(self._clock.seconds()) >= stored.policy.lifetime

    def _answer(self, stored: StoredResponse, lookup: Lookup, outcome: Outcome,
                is_reused: bool = True) -> Response:
        response = answer(self._reply(stored, lookup, outcome, is_reused))
        self.options.in_flight.count(response.body, stored, stored.held)
        return response

    def _reply(self, stored: StoredResponse, lookup: Lookup, outcome: Outcome,
               is_reused: bool) -> Reply:
        return Reply(stored, lookup.request, self._clock.seconds(), outcome,
                     self._ranges, is_reused)

    def _refresh(self, lookup: Lookup, found: Found) -> None:
        """Fetch anew what a client has just been given stale."""
        fetch = self._fetch_for(lookup, found)
        if self._table.find(fetch.slot) is None:
            self._begin(fetch, Fill(is_background=True))

    async def _fetched(self, lookup: Lookup, found: Found) -> Response | None:
        """Ask the origin, together with others who ask the same; None to look again."""
        fetch = self._fetch_for(lookup, found)
        if self._table.hit_for_pass.reason(fetch.slot) is not None:
            return await self._fetch_alone(lookup, found)
        fill = self._table.find(fetch.slot) or self._with_part(lookup, found)
        if fill is not None and b"no-cache" in lookup.directives:
            # What it brings was asked for before this client came.
            return await self._fetch_alone(lookup, found)
        if fill is not None:
            return await self._response_of(lookup, await fill.wait(), False, found)
        fill = Fill(is_progressive=self.options.collapse is Collapse.PROGRESSIVE)
        waiter = fill.wait()
        self._begin(fetch, fill)
        return await self._response_of(lookup, await waiter, True, found)

    def _with_part(self, lookup: Lookup, found: Found) -> Fill[StoredResponse] | None:
        """:return: an exchange for the whole that will do for a request for a part of it."""
        if b"range" not in lookup.request.headers:
            return None
        fill = self._table.find(found.slot)
        if fill is None or self.options.collapse is Collapse.BASIC:
            return fill
        stored, body = fill.stored, fill.body
        if stored is None or body is None:
            return None
        spans = self._archive.wanted(evolve(stored, length=body.length), lookup.request)
        if spans is None or len(spans) != 1 or spans[0].stop > body.size:
            return None
        return fill

    async def _headed(self, lookup: Lookup, found: Found) -> Response:
        """
        Pass a HEAD on; a stored answer that it contradicts is not used again, and one that
        it confirms is as good as new (RFC 9111 section 4.3.5).
        """
        sent = self._clock.seconds()
        response = await self._inner.respond(forwarded_request(lookup, self._requests))
        stored = found.stored
        if stored is not None and response.status == 200 and confirms(
                stored.headers, stored.length or 0, response.headers):
            fresh = self._archive.renewed(lookup, stored, response, sent)
            await self._archive.keep_renewed(lookup, fresh, stored)
        elif stored is not None and response.status in (200, 404, 410):
            await self._archive.drop(lookup, stored)
        reason = Reason.KEY_MISS if stored is None else self._why_validated(stored, lookup)
        return evolve(response, outcome=Outcome(
            Engine.OBJECT, Status.KEY_MISS, reason, origin_status=response.status))

    async def _response_of(self, lookup: Lookup, result: FillResult[StoredResponse],
                           leads: bool, found: Found) -> Response | None:
        if isinstance(result, Unshared):
            if result.response is not None and leads:
                return result.response
            _close(result)
            return await self._fetch_alone(lookup, found)
        stored = result.stored
        if not leads and not matches(stored.selecting, lookup.request.headers,
                                     stored.headers, self._identity):
            _close(result)
            return None
        if not leads and not self._will_do(stored, lookup):
            _close(result)
            held = stored if isinstance(result, Filled) else found.stored
            return await self._fetch_alone(lookup, evolve(found, stored=held))
        outcome = result.outcome
        if not leads and outcome.cause is None:  # what is stored and stale is so for all
            outcome = evolve(outcome, status=Status.PROXY_HIT, reason=Reason.COLLAPSED)
        is_reused = not (leads and result.first_hand)
        if isinstance(result, Streaming):
            return live_answer(result.body, self._reply(stored, lookup, outcome, is_reused))
        return self._answer(stored, lookup, outcome, is_reused)

    def _will_do(self, stored: StoredResponse, lookup: Lookup) -> bool:
        """
        :return: whether what was asked for before a request came is an answer to it: not where
            it must be validated for each, nor where it is older than the request allows.
        """
        return not stored.policy.no_cache and is_young_enough(
            stored.policy, stored.age(self._clock.seconds()), lookup.directives)

    async def _fetch_alone(self, lookup: Lookup, found: Found) -> Response:
        """Ask the origin without waiting for others, nor having them wait."""
        fetch = self._fetch_for(lookup, found)
        fill: Fill[StoredResponse] = Fill()
        waiter = fill.wait()
        self._table.begin_unshared(fetch.slot, fill, self._fetcher.fetch(fill, fetch))
        response = await self._response_of(lookup, await waiter, True, found)
        assert response is not None  # the first waiter is answered
        return response

    def _fetch_for(self, lookup: Lookup, found: Found) -> Fetch:
        stored = found.stored
        sent = None
        missing: tuple[Span, ...] = ()
        reason = Reason.VARY_MISS if found.others else Reason.KEY_MISS
        if b"no-store" in lookup.directives:
            reason = Reason.REQUEST_NO_STORE
        if stored is not None:
            reason = self._why_validated(stored, lookup)
            if self._use(stored, lookup) is not Use.VALIDATE:
                missing = self._archive.missing(stored, lookup.request)
                sent = range_request(lookup, stored, missing, self._requests)
                reason = Reason.RANGE_MISS
            elif validators(stored.headers):
                sent = conditional_request(lookup, stored, self._requests)
        if sent is None:
            sent, missing = fetch_request(lookup, self._requests), ()
        return Fetch(lookup, slot_of(found.slot, sent.headers), sent, stored, reason, missing)

    def _use(self, stored: StoredResponse, lookup: Lookup) -> Use:
        return use_of(stored.policy, stored.age(self._clock.seconds()), lookup.directives,
                      self.options.stale_while_revalidate)

    def _why_validated(self, stored: StoredResponse, lookup: Lookup) -> Reason:
        """:return: why the origin is asked about what is stored."""
        if not lookup.directives.values:
            return Reason.STALE
        use = self._use(stored, evolve(lookup, directives=NO_DIRECTIVES))
        return Reason.STALE if use is Use.VALIDATE else Reason.REQUEST_NO_CACHE

    def _begin(self, fetch: Fetch, fill: Fill[StoredResponse]) -> None:
        self._table.begin(fetch.slot, fill, self._fetcher.fetch(fill, fetch))

    async def _pass(self, request: Request, reason: Reason) -> Response:
        response = await self._inner.respond(request)
        for cache in (self, *self.beside):
            await cache.invalidate(request, response)
        return evolve(response, outcome=Outcome(
            Engine.OBJECT, Status.PROXY_ONLY, reason, origin_status=response.status))

    async def invalidate(self, request: Request, response: Response) -> None:
        """Forget what a request has made invalid, if it has (RFC 9111 section 4.4)."""
        for target in invalidated(request, response, self.options.place):
            read = Request(b"GET", target, authority=request.authority)
            # What has no one reading has no key: a request for it passes, and nothing of it is
            # ever stored.
            with suppress(MalformedParams):
                await self.forget(key_of(self._requests.key, read))

    async def forget(self, key: str) -> None:
        """Forget all variants of a key, and do not store what is on its way for it."""
        self._table.outdate(key)
        await self._variants.drop(key)

    def stop(self) -> None:
        """Give up every exchange, at the end of the program."""
        self._table.cancel_all()


def _memo_key(request: Request) -> Hashable | None:
    """:return: all that an answer may depend on, or None for a request not remembered."""
    pairs = request.headers.pairs
    if (request.method != b"GET" or len(request.target) > _LONGEST_REMEMBERED
            or sum([len(value) for _, value in pairs]) > _LONGEST_REMEMBERED):
        return None
    return request.target, request.authority, pairs


def _with_status(response: Response) -> Response:
    """:return: the response; one of an error that is not kept, with the lookup status of one."""
    outcome = response.outcome
    if response.status < 400 or outcome.stored or outcome.status not in _ASKED:
        return response
    reason = Reason.ORIGIN_STATUS if outcome.reason is Reason.KEY_MISS else outcome.reason
    return evolve(response, outcome=evolve(
        outcome, status=passed_status(response.status), reason=reason))


def _close(result: FillResult[StoredResponse]) -> None:
    """Leave alone what is for another request."""
    if isinstance(result, Streaming):
        result.body.close()
    elif isinstance(result, Unshared) and result.response is not None:
        result.response.body.close()
