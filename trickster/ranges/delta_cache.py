"""The delta cache: asks another source only for the part of a range that is missing."""

from __future__ import annotations

from typing import NoReturn

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.collapsing.hit_for_pass import HitForPass
from trickster.collapsing.home import Home
from trickster.errors import NotADataset, NotCached, NotHere, Reason, RequestError
from trickster.http.cache_control import honoured_directives
from trickster.http.freshness import NOT_FOR_OTHERS, not_for_others
from trickster.interfaces import IDatasetSource
from trickster.messages import Engine, FastForward, Outcome, Status, passed_status
from trickster.ranges.gaps import Fetched, GapFetcher
from trickster.ranges.kept.entries import Entries
from trickster.ranges.kept.entry import Entry
from trickster.ranges.kept.last_uses import LastUses
from trickster.ranges.kept.retention import mergeable
from trickster.ranges.offloading import MANY_SERIES, Offloading
from trickster.ranges.plan import Plan, planned, realigned
from trickster.ranges.policy import RangePolicy
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents
from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery

_RETRIED = (408, 429)  # refusals that are not the client's fault
# After these, what was stored before may no longer be for all who send this request.
_NO_LONGER_SHARED = frozenset((Reason.PRIVATE, Reason.VARY, Reason.VARY_STAR))
# Of these, the next query of the key may well have a dataset.
_PASSING = frozenset((Reason.IN_FLIGHT_BUDGET,))


@implementer(IDatasetSource)
@define
class DeltaCache:
    """
    Answers from what it has stored, and fetches what is missing.

    :ivar _fetcher: of what is missing.
    :ivar home: of keys, where several processes share what is stored; None where this one fetches
        for all of them.
    """

    _entries: Entries
    _fetcher: GapFetcher
    _hit_for_pass: HitForPass
    _clock: IReactorTime
    _policy: RangePolicy
    _offloading: Offloading
    _uses: LastUses = field(factory=LastUses, init=False)
    home: Home | None = field(default=None, init=False)

    async def answer(self, query: TimeRangeQuery) -> DatasetAnswer:
        """
        See L{trickster.interfaces.IDatasetSource.answer}.

        :raises NotCached: something is missing, and the client wants nothing from the origin.
        :raises NotHere: something is missing, and its home is elsewhere.
        """
        plan = planned(query, self._policy, await self._entries.mark())
        noted = query.request.noted
        if noted is not None:
            noted("key", plan.key)
        reason = self._hit_for_pass.reason(plan.key)
        if reason is not None:
            raise NotADataset(reason)
        if self._policy.lru:
            plan = plan.with_uses(self._uses.noted(plan.key, plan.wanted, self._clock.seconds()))
        entry = await self._entries.get(plan.key)
        if noted is not None and entry is not None:
            noted("held", entry.dataset.extents.spans)
        usable = None if entry is None or query.no_cache or entry.is_stale else entry
        if usable is not None and usable.dataset.extents.covers(plan.wanted):
            self._entries.used(plan.key)
            return _hit(plan, usable)
        if self.home is not None and not query.is_here and self.home.is_elsewhere(plan.key):
            raise NotHere(plan.key)
        if entry is not None and entry.is_stale and not query.no_cache:
            return await self._fetched_or_stale(plan, entry)
        return await self._fetched(plan, usable, entry)

    def outdate(self) -> None:
        """See L{trickster.interfaces.IPurgeable.outdate}."""
        self._fetcher.outdate_all("")

    async def _fetched_or_stale(self, plan: Plan, stale: Entry) -> DatasetAnswer:
        """
        :param stale: answers where the origin has no answer, if it has all.
        :raises Exception: as L{_fetched}.
        """
        try:
            return await self._fetched(plan, None, None)
        except (NotADataset, RequestError) as error:
            if not _is_no_answer(error) or not stale.dataset.extents.covers(plan.wanted):
                raise
        answer = _hit(plan, stale)
        return evolve(answer, outcome=evolve(answer.outcome, reason=Reason.STALE),
                      entry_key=None)

    async def _fetched(self, plan: Plan, used: Entry | None, held: Entry | None
                       ) -> DatasetAnswer:
        """
        :param used: what of the answer need not be fetched.
        :param held: what there is, used or not.
        :raises NotADataset: there is none that may be the answer.
        :raises trickster.errors.RequestError: nothing could be fetched, or nothing may be.
        """
        self._check_wanted(plan)
        if held is not None and held.token:
            plan = evolve(plan, token=held.token)
        missing = Extents(plan.query.step_ns, (plan.wanted,))
        if used is not None:
            missing = missing - used.dataset.extents
        fetched = await self._fetcher.fetch(plan, missing)
        if fetched.failures:
            await self._check_failures(plan, fetched)
        # What may not be stored is in the answer all the same.
        is_in_entry = not (plan.query.no_cache or fetched.unstorable)
        entry = fetched.entry_over(plan.wanted) if is_in_entry else None
        if entry is not None:
            dataset, headers = entry.dataset.window(plan.wanted), entry.headers
        else:
            entry, headers = None, fetched.headers
            dataset = await self._assembled(plan, used, fetched)
        return DatasetAnswer(dataset, headers, self._outcome(plan, held, fetched, dataset),
                             entry=entry, unstorable=fetched.unstorable)

    def _check_wanted(self, plan: Plan) -> None:
        """
        :raises NotCached: the client does not want the origin to be asked.
        :raises NotADataset: nothing may be stored of any answer.
        """
        directives = honoured_directives(plan.query.request.headers, self._policy.honours)
        if b"only-if-cached" in directives:
            raise NotCached("not cached, and only-if-cached was asked for")
        if b"no-store" in directives:
            raise NotADataset(Reason.REQUEST_NO_STORE)
        if plan.is_too_old:
            raise NotADataset(Reason.TOO_OLD)

    async def _assembled(self, plan: Plan, used: Entry | None, fetched: Fetched) -> Dataset:
        """:raises NotADataset: the parts are none of one whole; what is stored is forgotten."""
        parts = [*([] if used is None else [used.dataset]), *fetched.datasets]
        if sum(len(part.series) for part in parts) > MANY_SERIES:
            dataset: Dataset | None = await self._offloading.in_thread(
                _assembled, plan, used, fetched)
        else:
            dataset = _assembled(plan, used, fetched)
        if dataset is not None:
            return dataset
        await self._entries.remove(plan.key)
        if not plan.query.most_series:
            raise NotADataset(Reason.UNDECODABLE, "other kinds")
        self._hit_for_pass.mark(plan.key, Reason.RANGE_DEPENDENT)
        raise NotADataset(Reason.RANGE_DEPENDENT, "limit")

    def _outcome(self, plan: Plan, held: Entry | None, fetched: Fetched, dataset: Dataset
                 ) -> Outcome:
        status = plan.status(held.dataset.extents if held else None)
        if not fetched.own:
            status = Status.PROXY_HIT
        step, series = plan.query.step_ns, len(dataset.series)
        failed = Extents(step, (plan.wanted,)) - dataset.extents
        new = (Extents.of(step, fetched.own) - failed).count()
        reason = fetched.unstorable or plan.reason(status, fetched.missing)
        if reason is Reason.KEY_MISS and self._entries.is_failing:
            reason = Reason.STORE_ERROR
        return Outcome(
            Engine.DELTA, status, Reason.PARTIAL_FAILURE if failed else reason,
            "another-process" if fetched.elsewhere else "",
            fetched=fetched.own, failed=failed.spans, fast_forward=FastForward.OFF,
            aligned=realigned(plan.query),
            points_cached=(plan.wanted.count(step) - failed.count() - new) * series,
            points_fetched=new * series, stored=fetched.stored, origin_status=200)

    # What is no dataset

    async def _check_failures(self, plan: Plan, fetched: Fetched) -> None:
        """
        Where no samples are the answer, say so: where the source had none that may be kept, or
        refused a request that the client is at fault for, or nothing was fetched.

        :raises NotADataset: that is so.
        :raises RequestError: nothing was fetched.
        """
        found = fetched.not_datasets
        # An answer tells more than that there was no room for one.
        for failure in sorted((e for e in found if not e.is_refusal), key=_has_no_response):
            await self._mark(plan, failure)
            _relay(plan, failure, fetched)
        for refusal in found:
            status = refusal.response.status
            if 400 <= status < 500 and status not in _RETRIED:
                self._refuse(fetched, refusal)
        if fetched.datasets:
            return
        if found:
            self._refuse(fetched, found[0])
        raise fetched.failures[0][1]

    async def _mark(self, plan: Plan, failure: NotADataset) -> None:
        """
        Have the next requests of a key passed, where no answer to them could be kept.

        :param failure: says why an answer may not be stored.  Where that is not for all who send
            the same request, what is stored is forgotten, too.
        """
        if failure.reason not in _PASSING:
            self._hit_for_pass.mark(plan.key, failure.reason)
        if failure.reason in _NO_LONGER_SHARED:
            await self._entries.remove(plan.key)

    def _refuse(self, fetched: Fetched, refusal: NotADataset) -> NoReturn:
        """
        Pass a refusal on, unless it may be about another request, or only for its sender.

        :param refusal: with the origin's response, of another status than 200.
        :raises NotADataset: always; without a response where the client's own request has to be
            sent.
        """
        response = refusal.response
        if not fetched.is_own(refusal) and (response.status < 500 or not_for_others(
                response.headers, self._policy.vary_fields, self._policy.rules)):
            raise NotADataset(Reason.ORIGIN_STATUS)
        outcome = Outcome(Engine.DELTA, passed_status(response.status), Reason.ORIGIN_STATUS,
                          fetched=fetched.own, failed=tuple(e for e, _ in fetched.failures),
                          origin_status=response.status)
        raise NotADataset(Reason.ORIGIN_STATUS, "", response.with_outcome(outcome))


def _is_no_answer(error: NotADataset | RequestError) -> bool:
    """:return: whether the origin could not be asked, or failed."""
    if isinstance(error, NotCached):
        return False
    if isinstance(error, RequestError):
        return True
    return error.response is not None and error.response.status >= 500


def _has_no_response(failure: NotADataset) -> bool:
    return failure.response is None


def _relay(plan: Plan, failure: NotADataset, fetched: Fetched) -> NoReturn:
    """
    Pass an answer on that must not be stored: itself where it is to the whole query, and for
    this client too.

    :param failure: with the origin's response, if there was room for it.
    :raises NotADataset: always; without a response where the client's own request has to be
        sent.
    """
    is_all = [extent for extent, _ in fetched.failures] == [plan.wanted]
    is_for_all = failure.reason not in NOT_FOR_OTHERS
    if failure.response is None or not is_all or not (is_for_all or fetched.is_own(failure)):
        raise NotADataset(failure.reason, failure.detail)
    outcome = Outcome(Engine.DELTA, Status.PROXY_ONLY, failure.reason, failure.detail,
                      fetched=fetched.own, origin_status=failure.response.status)
    raise NotADataset(failure.reason, failure.detail, evolve(failure.response, outcome=outcome))


def _hit(plan: Plan, entry: Entry) -> DatasetAnswer:
    dataset = entry.dataset.window(plan.wanted)
    points = plan.wanted.count(plan.query.step_ns) * len(dataset.series)
    outcome = Outcome(Engine.DELTA, Status.HIT, points_cached=points,
                      fast_forward=FastForward.OFF, aligned=realigned(plan.query))
    return DatasetAnswer(dataset, entry.headers, outcome, plan.key, entry)


def _assembled(plan: Plan, used: Entry | None, fetched: Fetched) -> Dataset | None:
    """
    :return: what is to be answered, from what the cache had and what was fetched; None
        where these are no parts of one whole.
    """
    wanted = Extents(plan.query.step_ns, (plan.wanted,))
    held = used.dataset.restricted(wanted) if used is not None else Dataset(Extents(
        plan.query.step_ns))
    for dataset in fetched.datasets:
        if not mergeable(held, dataset, plan.query.most_series):
            return None
        held = held.merged(dataset)
    return held.restricted(wanted)
