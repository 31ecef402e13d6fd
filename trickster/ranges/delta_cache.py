"""The delta proxy cache: asks an origin only for the part of a range that is missing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Any

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.collapsing.byte_budget import SMALL, OverBudget
from trickster.collapsing.hit_for_pass import PassedKeys
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
from trickster.ranges.entries import Entries, Entry
from trickster.ranges.fast_forward import NewestSamples, instant_wanted, never_wanted
from trickster.ranges.gaps import MANY_SERIES, Fetched, GapFetcher, Refused, Unkept
from trickster.ranges.last_uses import LastUses
from trickster.ranges.plan import SECOND_NS, DeltaOptions, Plan, planned
from trickster.ranges.retention import mergeable
from trickster.remembering import remembered
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents

_ANEW = frozenset((b"no-cache", b"max-age"))
_LONGEST_REMEMBERED = 4096
_ONLY_IF_CACHED = "not cached, and only-if-cached was asked for"
_LONGEST_AT_ONCE = 16 << 10  # octets of a request; what is longer is read in a thread
_RETRIED = (408, 429)  # refusals that are not the client's fault
# After these, what was stored before may no longer be for all who ask alike.
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

    :ivar _upstream: where requests go that are none of its business.
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
    _passed: PassedKeys
    _clock: IReactorTime
    _options: DeltaOptions
    _wall: Callable[[], float] = Factory(lambda self: self._clock.seconds, takes_self=True)
    _memo: HitMemo = field(factory=HitMemo)
    _uses: LastUses = field(factory=LastUses, init=False)
    _hits: CacheHits | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        # The order of last uses counts each request.
        self._hits = None if self._options.lru else self._entries.hits(self._memo)

    async def respond(self, request: Request) -> Response:
        """See L{trickster.interfaces.IResponder.respond}."""
        now_ns = int(self._wall() * SECOND_NS)
        question = self._question(request)
        if question is not None and self._hits is not None and request.noted is None:
            again = self._hits.response(question, now_ns / SECOND_NS)
            if again is not None:
                request.body.close()
                return again
        if type(request.body) is not Octets:
            request = evolve(request, body=await self._fetcher.in_flight.request_body(
                request.body, self._options.max_request_bytes))
        if self._options.overrides.are_in(request.headers):
            return await self._pass(request, Reason.OVERRIDE_HEADER)
        try:
            plan = (planned(request, self._dialect, self._options, now_ns)
                    if _is_short(request) else await self._fetcher.in_thread(
                        planned, request, self._dialect, self._options, now_ns))
        except NotATimeRange as unfit:
            if unfit.fallback == "object":
                return await self._objects.respond(request)
            return await self._pass(request, unfit.reason, unfit.detail)
        if request.noted is not None:
            request.noted("key", plan.key)
            request.noted("asked", (plan.asked.extent,))
        asked = honoured_directives(request.headers, self._options.honours)
        # How old held samples are is not known: no limit that a client sets is kept by them.
        plan = evolve(plan, anew=True) if _ANEW & asked.values.keys() else plan
        passed = self._passed.reason(plan.key)
        if passed is not None:
            return await self._pass(request, passed)
        if self._options.lru:
            uses = self._uses.noted(plan.key, plan.wanted, self._clock.seconds())
            plan = evolve(plan, uses=uses)
        return await self._answer(plan, question, asked)

    async def _answer(self, plan: Plan, question: Hashable | None, asked: Directives) -> Response:
        entry = await self._entries.get(plan.key)
        noted = plan.asked.request.noted
        if noted is not None and entry is not None:
            noted("held", entry.dataset.extents.spans)
        is_held = entry is not None and entry.dataset.extents.covers(plan.wanted)
        if not is_held or plan.anew:
            if b"only-if-cached" in asked:
                raise NotCached(_ONLY_IF_CACHED)
            unkept = self._why_unkept(plan, asked)
            if unkept is not None:
                return await self._pass(plan.asked.request, unkept)
        newest = self._start_newest(plan)
        try:
            if entry is not None and is_held and not plan.anew:
                response = await self._hit(plan, entry, newest)
                self._keep_hit(question, plan, response)
                return response
            missing = Extents(plan.query.step_ns, (plan.wanted,))
            if entry is not None and not plan.anew:
                missing = missing - entry.dataset.extents
            fetched = await self._fetcher.fetch(plan, missing)
            return await self._completed(plan, entry, fetched, newest)
        finally:
            if newest is not None:
                newest.addErrback(_forget)
                newest.cancel()

    def _why_unkept(self, plan: Plan, asked: Directives) -> Reason | None:
        """:return: why nothing is stored of any answer; None if it may be."""
        if b"no-store" in asked:
            return Reason.REQUEST_NO_STORE
        return Reason.TOO_OLD if plan.is_too_old else None

    def _question(self, request: Request) -> Hashable | None:
        """:return: what is the same for the same question, or None for one not remembered."""
        headers = request.headers
        options = self._options
        if request.method != b"GET" or len(request.target) > _LONGEST_REMEMBERED:
            return None
        if options.overrides.are_in(headers):
            return None
        if not headers.has_any(options.telling):
            return request.target, headers.get(b"accept"), None
        if headers.has_any(REQUEST_DIRECTIVES):
            return None
        return request.target, headers.get(b"accept"), options.identity.of(headers)

    def _keep_hit(self, question: Hashable | None, plan: Plan, response: Response) -> None:
        if question is None or self._hits is None:
            return
        options = self._options
        if self._newest is not None and not never_wanted(
                plan.query, plan.now_ns, options.fast_forward_ttl):
            return
        self._hits.keep(question, plan.key, inf, response)

    async def _hit(self, plan: Plan, entry: Entry, newest: Newest | None) -> Response:
        dataset = entry.dataset.window(plan.wanted)
        points = plan.wanted.count(plan.query.step_ns) * len(dataset.series)
        outcome = Outcome(Engine.DELTA, Status.HIT, aligned=plan.changed, points_cached=points,
                          fast_forward=FastForward.OFF)
        return await self._encoded(
            plan, _Shown(dataset, entry.headers, entry), outcome, newest)

    async def _completed(self, plan: Plan, before: Entry | None, fetched: Fetched,
                         newest: Newest | None) -> Response:
        if fetched.failures:
            instead = await self._instead(plan, fetched)
            if instead is not None:
                return instead
        entry = None if plan.anew else self._entries.peek(plan.key)
        if entry is not None and entry.dataset.extents.covers(plan.wanted):
            shown = _Shown(entry.dataset.window(plan.wanted), entry.headers, entry)
        else:
            joined = await self._assembled(plan, None if plan.anew else before, fetched)
            if joined is None:
                return await self._not_one(plan)
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

    async def _not_one(self, plan: Plan) -> Response:
        """The parts of an answer are none of one whole: forget them."""
        await self._entries.remove(plan.key)
        if not plan.query.most_series:
            return await self._pass(plan.asked.request, Reason.UNDECODABLE, "other kinds")
        self._passed.add(plan.key, Reason.RANGE_DEPENDENT)
        return await self._pass(plan.asked.request, Reason.RANGE_DEPENDENT, "limit")

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
        body = response.body
        if type(body) is not Octets or len(body.octets) > SMALL:
            try:
                self._fetcher.in_flight.count(body, shown.of, shown.of.nbytes)
            except OverBudget as over:
                body.close()
                return await self._pass(plan.asked.request, over.reason)
        fields = _joined(response.headers, headers) if headers.pairs else response.headers
        return Response(response.status, fields, body, outcome)

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
            fast_forward=FastForward.OFF, aligned=plan.changed,
            points_cached=(plan.wanted.count(step) - failed.count() - new) * series,
            points_fetched=new * series, stored=fetched.stored, origin_status=200)

    # What is not answered from samples

    async def _instead(self, plan: Plan, fetched: Fetched) -> Response | None:
        """
        :return: the answer where samples are not one: an answer of the origin that may not
            be kept, or its refusal where the client is at fault or nothing was fetched.
        :raises RequestError: nothing was fetched.
        """
        unkept = fetched.first(Unkept)
        if unkept is not None:
            self._passed.add(plan.key, unkept.reason)
            if unkept.reason in _NO_LONGER_SHARED:
                await self._entries.remove(plan.key)
            return await self._passed_on(plan, unkept, fetched)
        over = fetched.first(OverBudget)
        if over is not None:
            if over.reason is Reason.TOO_LARGE:
                self._passed.add(plan.key, over.reason)
            return await self._pass(plan.asked.request, over.reason)
        refusals = [e for _, e in fetched.failures if isinstance(e, Refused)]
        for refusal in refusals:
            if 400 <= refusal.response.status < 500 and refusal.response.status not in _RETRIED:
                if plan.is_longer:
                    return await self._pass(plan.asked.request, Reason.ORIGIN_STATUS)
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
                response.headers, self._options.told_apart, self._options.rules)):
            return await self._pass(plan.asked.request, Reason.ORIGIN_STATUS)
        outcome = Outcome(Engine.DELTA, passed_status(response.status), Reason.ORIGIN_STATUS,
                          fetched=fetched.own, failed=tuple(e for e, _ in fetched.failures),
                          origin_status=response.status)
        return evolve(response, body=Octets(refusal.octets), outcome=outcome)

    async def _passed_on(self, plan: Plan, unkept: Unkept, fetched: Fetched) -> Response:
        """
        Pass an answer on that must not be stored: itself where it is what the client asked
        for, else the origin's answer to the client's own request.
        """
        is_all = plan.asked.extent == plan.wanted and (
            [e for e, _ in fetched.failures] == [plan.wanted])
        if not is_all or not (unkept.is_for_all or fetched.is_own(unkept)):
            return await self._pass(plan.asked.request, unkept.reason, str(unkept))
        outcome = Outcome(Engine.DELTA, Status.PROXY_ONLY, unkept.reason, str(unkept),
                          fetched=fetched.own, origin_status=200)
        octets = unkept.octets
        if self._options.transform is not None:
            octets = await self._fetcher.computed(len(octets), self._options.transform, octets)
        body = Octets(octets)
        try:
            self._fetcher.in_flight.count(body)
        except OverBudget as over:
            return await self._pass(plan.asked.request, over.reason)
        return evolve(unkept.response, body=body, outcome=outcome)

    async def _pass(self, request: Request, reason: Reason, detail: str = "",
                    status: Status = Status.PROXY_ONLY) -> Response:
        """
        Ask the origin what the client asked, and pass on what it says.

        :raises NotCached: the client wants nothing of the origin's.
        """
        if self._options.honours and b"only-if-cached" in request_directives(request.headers):
            raise NotCached(_ONLY_IF_CACHED)
        transform = self._options.transform
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
        told = "" if detail == reason.value else detail
        return evolve(response, outcome=evolve(
            response.outcome, status=status, reason=reason, detail=told))

    async def _transformed(self, response: Response, transform: Callable[[bytes], bytes]
                           ) -> Octets:
        async def change(octets: bytes) -> bytes:
            changed: bytes = await self._fetcher.computed(len(octets), transform, octets)
            return changed

        return await self._fetcher.in_flight.changed(
            response.body, self._options.max_answer_bytes, change)

    # Fast forward

    def _start_newest(self, plan: Plan) -> Newest | None:
        if self._newest is None or self._options.phase:
            return None
        at_ns = instant_wanted(plan.asked, plan.query, plan.now_ns,
                               self._options.fast_forward_ttl)
        if at_ns is None:
            return None
        return Deferred.fromCoroutine(self._newest.newest(plan.key, plan.query, at_ns, plan.anew))


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
