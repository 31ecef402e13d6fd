"""The delta proxy cache: asks an origin only for the part of a range that is missing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Any

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.bodies import BodyTooLarge
from trickster.collapsing.hit_for_pass import HitForPass
from trickster.collapsing.hit_memo import CacheHits, HitMemo
from trickster.errors import NotATimeRange, NotCached, Reason
from trickster.http.cache_control import Directives, honoured_directives, request_directives
from trickster.http.fields import REQUEST_DIRECTIVES
from trickster.http.freshness import not_for_others
from trickster.interfaces import IQueryDialect, IResponder
from trickster.messages import (
    Collecting,
    Engine,
    FastForward,
    Headers,
    Octets,
    Outcome,
    Request,
    Response,
    Status,
    passed_status,
)
from trickster.ranges.entries import Entries
from trickster.ranges.entry import Entry
from trickster.ranges.fast_forward import NewestSamples, instant_wanted, never_wanted
from trickster.ranges.gaps import MANY_SERIES, Fetched, GapFetcher, NotStorable, Refused
from trickster.ranges.last_uses import LastUses
from trickster.ranges.plan import SECOND_NS, Plan, planned
from trickster.ranges.policy import RangePolicy
from trickster.ranges.retention import mergeable
from trickster.remembering import remembered
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents

_NO_CACHE = frozenset((b"no-cache", b"max-age"))
_LONGEST_REMEMBERED = 4096
_ONLY_IF_CACHED = "not cached, and only-if-cached was asked for"
_LONGEST_AT_ONCE = 16 << 10  # octets of a request; what is longer is read in a thread
_RETRIED = (408, 429)  # refusals that are not the client's fault
# After these, what was stored before may no longer be for all who send this request.
_NO_LONGER_SHARED = frozenset((Reason.PRIVATE, Reason.VARY, Reason.VARY_STAR))

Newest = Deferred[tuple[Dataset | None, FastForward]]


@frozen
class _Shown:
    """
    What is answered.

    :ivar of: what holds its samples.
    """

    dataset: Dataset
    headers: Headers
    of: Entry | Dataset


@implementer(IResponder)
@define
class DeltaCache:
    """
    Answers time range queries from the cache, and fetches only what is missing.

    :ivar _upstream: where requests go that cannot be served by range.
    :ivar _objects: serves what can be cached whole but not by range.
    :ivar _newest: fast forward, or None where it is switched off.
    :ivar _wall: seconds since the epoch: what "now" is in a query; the clock's where not
        given.
    :ivar _memo: of hits, shared with other caches.
    """

    _dialect: IQueryDialect
    _upstream: IResponder
    _objects: IResponder
    _entries: Entries
    _fetcher: GapFetcher
    _newest: NewestSamples | None
    _hit_for_pass: HitForPass
    _clock: IReactorTime
    _policy: RangePolicy
    _wall: Callable[[], float] = Factory(lambda self: self._clock.seconds, takes_self=True)
    _memo: HitMemo = field(factory=HitMemo)
    _uses: LastUses = field(factory=LastUses, init=False)
    _hits: CacheHits | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        # The order of last uses counts each request.
        self._hits = None if self._policy.lru else self._entries.hits(self._memo)

    async def respond(self, request: Request) -> Response:
        """See L{trickster.interfaces.IResponder.respond}."""
        now_ns = int(self._wall() * SECOND_NS)
        memo_key = self._memo_key(request)
        if memo_key is not None and self._hits is not None and request.noted is None:
            hit = self._hits.response(memo_key, now_ns / SECOND_NS)
            if hit is not None:
                request.body.close()
                return hit
        if type(request.body) is not Octets:
            request = evolve(request, body=await self._fetcher.in_flight.request_body(
                request.body, self._policy.max_request_bytes))
        if self._policy.overrides.are_in(request.headers):
            return await self._pass(request, Reason.OVERRIDE_HEADER)
        try:
            plan = (planned(request, self._dialect, self._policy, now_ns)
                    if _is_short(request) else await self._fetcher.in_thread(
                        planned, request, self._dialect, self._policy, now_ns))
        except NotATimeRange as unfit:
            if unfit.fallback == "object":
                return await self._objects.respond(request)
            return await self._pass(request, unfit.reason, unfit.detail)
        if request.noted is not None:
            request.noted("key", plan.key)
            request.noted("asked", (plan.requested.extent,))
        directives = honoured_directives(request.headers, self._policy.honours)
        # How old held samples are is not known: no limit that a client sets is kept by them.
        plan = evolve(plan, no_cache=True) if _NO_CACHE & directives.values.keys() else plan
        reason = self._hit_for_pass.reason(plan.key)
        if reason is not None:
            return await self._pass(request, reason)
        if self._policy.lru:
            uses = self._uses.noted(plan.key, plan.wanted, self._clock.seconds())
            plan = evolve(plan, uses=uses)
        return await self._answer(plan, memo_key, directives)

    async def _answer(self, plan: Plan, memo_key: Hashable | None, directives: Directives
                      ) -> Response:
        entry = await self._entries.get(plan.key)
        noted = plan.requested.request.noted
        if noted is not None and entry is not None:
            noted("held", entry.dataset.extents.spans)
        is_held = entry is not None and entry.dataset.extents.covers(plan.wanted)
        if not is_held or plan.no_cache:
            if b"only-if-cached" in directives:
                raise NotCached(_ONLY_IF_CACHED)
            reason = self._why_not_stored(plan, directives)
            if reason is not None:
                return await self._pass(plan.requested.request, reason)
        newest = self._start_newest(plan)
        try:
            if entry is not None and is_held and not plan.no_cache:
                response = await self._hit(plan, entry, newest)
                self._memoise(memo_key, plan, response)
                return response
            missing = Extents(plan.query.step_ns, (plan.wanted,))
            if entry is not None and not plan.no_cache:
                missing = missing - entry.dataset.extents
            fetched = await self._fetcher.fetch(plan, missing)
            return await self._completed(plan, entry, fetched, newest)
        finally:
            if newest is not None:
                newest.addErrback(_forget)
                newest.cancel()

    def _why_not_stored(self, plan: Plan, directives: Directives) -> Reason | None:
        """:return: why nothing is stored of any answer; None if it may be."""
        if b"no-store" in directives:
            return Reason.REQUEST_NO_STORE
        return Reason.TOO_OLD if plan.is_too_old else None

    def _memo_key(self, request: Request) -> Hashable | None:
        """:return: what the hit memo knows the request by, or None where it does not."""
        headers = request.headers
        policy = self._policy
        if request.method != b"GET" or len(request.target) > _LONGEST_REMEMBERED:
            return None
        if policy.overrides.are_in(headers):
            return None
        if not headers.has_any(policy.inspected_fields):
            return request.target, headers.get(b"accept"), None
        if headers.has_any(REQUEST_DIRECTIVES):
            return None
        return request.target, headers.get(b"accept"), policy.identity.of(headers)

    def _memoise(self, memo_key: Hashable | None, plan: Plan, response: Response) -> None:
        if memo_key is None or self._hits is None:
            return
        policy = self._policy
        if self._newest is not None and not never_wanted(
                plan.query, plan.now_ns, policy.fast_forward_ttl):
            return
        self._hits.keep(memo_key, plan.key, inf, response)

    async def _hit(self, plan: Plan, entry: Entry, newest: Newest | None) -> Response:
        dataset = entry.dataset.window(plan.wanted)
        points = plan.wanted.count(plan.query.step_ns) * len(dataset.series)
        outcome = Outcome(Engine.DELTA, Status.HIT, aligned=plan.realigned, points_cached=points,
                          fast_forward=FastForward.OFF)
        return await self._encoded(
            plan, _Shown(dataset, entry.headers, entry), outcome, newest)

    async def _completed(self, plan: Plan, before: Entry | None, fetched: Fetched,
                         newest: Newest | None) -> Response:
        if fetched.failures:
            response = await self._without_dataset(plan, fetched)
            if response is not None:
                return response
        entry = None if plan.no_cache else self._entries.peek(plan.key)
        if entry is not None and entry.dataset.extents.covers(plan.wanted):
            shown = _Shown(entry.dataset.window(plan.wanted), entry.headers, entry)
        else:
            joined = await self._assembled(plan, None if plan.no_cache else before, fetched)
            if joined is None:
                return await self._unmergeable(plan)
            shown = _Shown(joined, fetched.headers, joined)
        outcome = self._outcome(plan, before, fetched, len(shown.dataset.series))
        return await self._encoded(plan, shown, outcome, newest)

    async def _assembled(self, plan: Plan, before: Entry | None, fetched: Fetched
                         ) -> Dataset | None:
        parts = [*([] if before is None else [before.dataset]), *fetched.datasets]
        if sum(len(part.series) for part in parts) > MANY_SERIES:
            joined: Dataset | None = await self._fetcher.in_thread(
                _assembled, plan, before, fetched)
            return joined
        return _assembled(plan, before, fetched)

    async def _unmergeable(self, plan: Plan) -> Response:
        """The parts of an answer are none of one whole: forget them."""
        await self._entries.remove(plan.key)
        if not plan.query.most_series:
            return await self._pass(plan.requested.request, Reason.UNDECODABLE, "other kinds")
        self._hit_for_pass.mark(plan.key, Reason.RANGE_DEPENDENT)
        return await self._pass(plan.requested.request, Reason.RANGE_DEPENDENT, "limit")

    async def _encoded(self, plan: Plan, shown: _Shown, outcome: Outcome,
                       newest: Newest | None) -> Response:
        dataset, headers = shown.dataset, shown.headers
        if newest is not None:
            samples, fast_forward = await newest
            outcome = evolve(outcome, fast_forward=fast_forward)
            if samples is not None:
                few = len(samples.series) <= MANY_SERIES
                dataset = dataset.followed_by(samples) if few else await self._fetcher.in_thread(
                    dataset.followed_by, samples)
        warnings = [f"trickster: the origin failed to answer for {start // SECOND_NS} to "
                    f"{end // SECOND_NS}" for start, end in outcome.failed]
        response = self._dialect.encode_response(plan.query, dataset, warnings)
        try:
            self._fetcher.in_flight.count(response.body, shown.of, shown.of.nbytes)
        except BodyTooLarge as over:
            response.body.close()
            return await self._pass(plan.requested.request, over.reason)
        fields = _joined(response.headers, headers) if headers.pairs else response.headers
        return Response(response.status, fields, response.body, outcome)

    def _outcome(self, plan: Plan, before: Entry | None, fetched: Fetched,
                 series: int) -> Outcome:
        status = plan.status(before.dataset.extents if before else None)
        if not fetched.own:
            status = Status.PROXY_HIT
        step = plan.query.step_ns
        failed = Extents.of(step, (extent for extent, _ in fetched.failures)) & Extents(
            step, (plan.wanted,))
        new = (Extents.of(step, fetched.own) - failed).count()
        reason = plan.reason(status, fetched.missing)
        if reason is Reason.KEY_MISS and self._entries.is_failing:
            reason = Reason.STORE_ERROR
        return Outcome(
            Engine.DELTA, status, Reason.PARTIAL_FAILURE if failed else reason,
            fetched=fetched.own, failed=failed.spans,
            fast_forward=FastForward.OFF, aligned=plan.realigned,
            points_cached=(plan.wanted.count(step) - failed.count() - new) * series,
            points_fetched=new * series, stored=fetched.stored, origin_status=200)

    # What is not answered from samples

    async def _without_dataset(self, plan: Plan, fetched: Fetched) -> Response | None:
        """
        :return: the answer where samples are not one: an answer of the origin that may not
            be kept, or its refusal where the client is at fault or nothing was fetched.
        :raises RequestError: nothing was fetched.
        """
        not_storable = fetched.first(NotStorable)
        if not_storable is not None:
            self._hit_for_pass.mark(plan.key, not_storable.reason)
            if not_storable.reason in _NO_LONGER_SHARED:
                await self._entries.remove(plan.key)
            return await self._relayed(plan, not_storable, fetched)
        over = fetched.first(BodyTooLarge)
        if over is not None:
            if over.reason is Reason.TOO_LARGE:
                self._hit_for_pass.mark(plan.key, over.reason)
            return await self._pass(plan.requested.request, over.reason)
        refusals = [e for _, e in fetched.failures if isinstance(e, Refused)]
        for refusal in refusals:
            if 400 <= refusal.response.status < 500 and refusal.response.status not in _RETRIED:
                if plan.is_longer:
                    return await self._pass(plan.requested.request, Reason.ORIGIN_STATUS)
                return await self._refused(plan, fetched, refusal)
        if fetched.datasets:
            return None
        if refusals:
            return await self._refused(plan, fetched, refusals[0])
        raise fetched.failures[0][1]

    async def _refused(self, plan: Plan, fetched: Fetched, refusal: Refused) -> Response:
        """Pass a refusal on, unless it may be about another request, or only for its sender."""
        response = refusal.response
        if not fetched.is_own(refusal) and (response.status < 500 or not_for_others(
                response.headers, self._policy.vary_fields, self._policy.rules)):
            return await self._pass(plan.requested.request, Reason.ORIGIN_STATUS)
        outcome = Outcome(Engine.DELTA, passed_status(response.status), Reason.ORIGIN_STATUS,
                          fetched=fetched.own, failed=tuple(e for e, _ in fetched.failures),
                          origin_status=response.status)
        return evolve(response, body=Octets(refusal.octets), outcome=outcome)

    async def _relayed(self, plan: Plan, not_storable: NotStorable, fetched: Fetched) -> Response:
        """
        Pass an answer on that must not be stored: itself where it is what the client asked
        for, else the origin's answer to the client's own request.
        """
        is_all = plan.requested.extent == plan.wanted and (
            [e for e, _ in fetched.failures] == [plan.wanted])
        if not is_all or not (not_storable.is_for_all or fetched.is_own(not_storable)):
            return await self._pass(plan.requested.request, not_storable.reason, str(not_storable))
        outcome = Outcome(Engine.DELTA, Status.PROXY_ONLY, not_storable.reason, str(not_storable),
                          fetched=fetched.own, origin_status=200)
        octets = not_storable.octets
        if self._policy.transform is not None:
            octets = await self._fetcher.computed(len(octets), self._policy.transform, octets)
        body = Octets(octets)
        try:
            self._fetcher.in_flight.count(body)
        except BodyTooLarge as over:
            return await self._pass(plan.requested.request, over.reason)
        return evolve(not_storable.response, body=body, outcome=outcome)

    async def _pass(self, request: Request, reason: Reason, detail: str = "",
                    status: Status = Status.PROXY_ONLY) -> Response:
        """
        Ask the origin what the client asked, and pass on what it says.

        :raises NotCached: the client wants nothing of the origin's.
        """
        if self._policy.honours and b"only-if-cached" in request_directives(request.headers):
            raise NotCached(_ONLY_IF_CACHED)
        transform = self._policy.transform
        if transform is not None:
            request = evolve(request, headers=request.headers.without(b"accept-encoding"),
                             collecting=Collecting())
        body = request.body
        assert isinstance(body, Octets)
        response = await self._upstream.respond(evolve(request, body=Octets(body.octets)))
        if response.outcome.status is Status.PROXY_ERROR:
            status = Status.PROXY_ERROR
        if transform is not None and response.status == 200:
            response = evolve(response, body=await self._transformed(response, transform))
        detail = "" if detail == reason.value else detail
        return evolve(response, outcome=evolve(
            response.outcome, status=status, reason=reason, detail=detail))

    async def _transformed(self, response: Response, transform: Callable[[bytes], bytes]
                           ) -> Octets:
        async def change(octets: bytes) -> bytes:
            changed: bytes = await self._fetcher.computed(len(octets), transform, octets)
            return changed

        return await self._fetcher.in_flight.changed(
            response.body, self._policy.max_answer_bytes, change)

    # Fast forward

    def _start_newest(self, plan: Plan) -> Newest | None:
        if self._newest is None or self._policy.phase:
            return None
        at_ns = instant_wanted(plan.requested, plan.query, plan.now_ns,
                               self._policy.fast_forward_ttl)
        if at_ns is None:
            return None
        return Deferred.fromCoroutine(self._newest.newest(plan.key, plan.query, at_ns, plan.no_cache))


@remembered(1 << 20)
def _joined(first: Headers, more: Headers) -> Headers:
    # The fields of a query's answers are the same each time, and so is what is known of them.
    return first.with_added(*more.pairs)


def _is_short(request: Request) -> bool:
    """:return: whether what a request asks is read in no time."""
    return len(request.target) + (request.body.length or 0) <= _LONGEST_AT_ONCE


def _assembled(plan: Plan, before: Entry | None, fetched: Fetched) -> Dataset | None:
    """
    :return: what is to be answered, from what the cache had and what was fetched; None
        where these are no parts of one whole.
    """
    wanted = Extents(plan.query.step_ns, (plan.wanted,))
    held = before.dataset.restricted(wanted) if before is not None else Dataset(Extents(
        plan.query.step_ns))
    for dataset in fetched.datasets:
        if not mergeable(held, dataset, plan.query.most_series):
            return None
        held = held.merged(dataset)
    return held.restricted(wanted)


def _forget(_: Any) -> None:
    """The newest sample is not waited for any more."""
