"""Fetching what is missing of a range: each instant once, however many clients want it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from weakref import ReferenceType, ref

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from trickster.errors import NotADataset, Reason, TricksterError
from trickster.interfaces import IDatasetSource
from trickster.messages import NO_HEADERS, Headers
from trickster.net.waiters import SharedWork, settled, within
from trickster.ranges.fetch_result import FailedElsewhere, FetchResult
from trickster.ranges.kept.entries import Entries
from trickster.ranges.kept.entry import Entry
from trickster.ranges.kept.retention import storable, unfenced, with_more
from trickster.ranges.leased_gaps import Asked, LeasedGaps
from trickster.ranges.offloading import MANY_SERIES
from trickster.ranges.plan import Plan
from trickster.ranges.policy import RangePolicy
from trickster.stores.typed_store import UNCHANGED, Unchanged
from trickster.timeseries import planning
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents

_PATIENCE = 0.25  # seconds that an answer waits for what it was made of to be stored


@define(eq=False)
class _Fetch:
    """
    A fetch under way.

    :ivar mark: of the plan for which it began: what is asked for after a purge does not join it.
    :ivar superseded: what of it a later fetch has got already.
    :ivar storing: fires when what it has got is stored, or is not to be; None before that begins.
    """

    extent: Extent
    mark: int = 0
    work: SharedWork[FetchResult] = field(factory=SharedWork)
    superseded: list[Extent] = field(factory=list)
    storing: Deferred[ReferenceType[Entry] | None] | None = None

    def when_over(self, over: Callable[[], None]) -> None:
        """
        :param over: called when nothing is to be stored any more; at once, where nothing is now.
        """
        if self.storing is None or self.storing.called:
            over()
        else:
            self.storing.addBoth(lambda _: over())

    def supersede(self, all_under_way: Sequence[_Fetch]) -> None:
        """
        Keep fetches that began earlier from storing what is older than what this one has got.

        :param all_under_way: of the same key, this one included, in the order they began.
        """
        for other in all_under_way:
            if other is self:
                return
            if other.extent.overlaps(self.extent):
                other.superseded.append(self.extent)


@frozen
class Fetched:
    """
    What became of a request's fetches.

    :ivar missing: what the cache did not have.
    :ivar own: what was fetched for this request; other requests had the rest fetched, of this
        process or of another one.
    :ivar failures: extents that there is no answer for, and why.
    :ivar headers: of one of the answers.
    :ivar entries: what the store was given to keep; gone where another entry is in its place.
    :ivar theirs: those of the failures that were answers to others.
    :ivar unstorable: why nothing may be stored of one of the answers, if that is so.
    :ivar elsewhere: whether other processes have fetched some of what was for this request to
        fetch.
    """

    missing: Extents
    own: tuple[Extent, ...]
    datasets: tuple[Dataset, ...] = ()
    failures: tuple[tuple[Extent, Exception], ...] = ()
    headers: Headers = NO_HEADERS
    entries: tuple[ReferenceType[Entry], ...] = ()
    theirs: tuple[Exception, ...] = ()
    unstorable: Reason | None = None
    elsewhere: bool = False

    @property
    def stored(self) -> bool:
        """:return: whether the store keeps any of it."""
        return bool(self.entries)

    def entry_over(self, wanted: Extent) -> Entry | None:
        """
        :return: what is stored now, if it has all that is wanted.  To find it here is no use of
            it that would count in the store.
        """
        held = (entry() for entry in self.entries)
        return next((entry for entry in held
                     if entry is not None and entry.dataset.extents.covers(wanted)), None)

    @property
    def not_datasets(self) -> list[NotADataset]:
        """:return: those of the failures where the source had an answer, or had no room for one."""
        return [e for _, e in self.failures if isinstance(e, NotADataset)]

    def is_own(self, failure: Exception) -> bool:
        """:return: whether this request itself had that failure for an answer."""
        return all(failure is not each for each in self.theirs)


@define
class GapFetcher:
    """
    Fetches extents of queries from a source, and merges them into what is stored.

    A request waits a little for what it has had fetched to be stored, so that the next one finds
    it there, and no longer: a store may be slow.  Requests that come before it is stored join
    the fetch.

    :ivar _source: fetches are queries to it.
    :ivar _leased: has other processes fetch; None where none shares the store.
    """

    _source: IDatasetSource
    _entries: Entries
    _policy: RangePolicy
    _clock: IReactorTime
    _leased: LeasedGaps | None = None
    _under_way: dict[str, list[_Fetch]] = field(factory=dict, init=False)

    @property
    def fetches(self) -> int:
        """:return: how many fetches are under way, but for those of keys that were outdated."""
        return sum(map(len, self._under_way.values()))

    async def fetch(self, plan: Plan, missing: Extents) -> Fetched:
        """
        Wait for what others are fetching already, and fetch the rest.

        That another request's wider fetch failed says nothing about what this request wants
        of it: that is then fetched by itself.

        :param missing: not empty.
        :return: what was got, and why the rest was not.
        :raises Exception: a fetch failed by a mistake, with no L{TricksterError}.
        """
        if plan.query.no_cache:
            # What others fetch was requested before this client came.
            return await self._fetched(plan, missing, lambda _: False)
        fetched = await self._fetched(plan, missing, lambda _: True)
        wider = [extent for extent, _ in fetched.failures if not _within(extent, plan.wanted)]
        if not wider:
            return fetched
        left = missing & Extents.of(missing.step_ns, wider)
        again = await self._fetched(plan, left, lambda extent: _within(extent, plan.wanted))
        return _both(fetched, again, plan.wanted)

    def outdate(self, key: str) -> None:
        """
        Let no request join what is being fetched for a key, and do not store it.

        :param key: of an entry; those who wait for what is being fetched still get it.
        """
        self._under_way.pop(key, None)

    def outdate_all(self, prefix: str) -> None:
        """
        Outdate all that is being fetched, as L{outdate}, for some keys.

        :param prefix: what these begin with.
        """
        for key in [key for key in self._under_way if key.startswith(prefix)]:
            self.outdate(key)

    async def _fetched(self, plan: Plan, missing: Extents,
                       joinable: Callable[[Extent], bool]) -> Fetched:
        step = plan.query.step_ns
        waits = [(other.extent, other.work.wait()) for other in self._under_way.get(plan.key, ())
                 if not other.work.is_abandoned and joinable(other.extent)
                 and other.mark == plan.mark
                 and any(other.extent.overlaps(span) for span in missing.spans)]
        left = missing - Extents.of(step, (extent for extent, _ in waits))
        own = tuple(piece for span in left.spans
                    for piece in planning.shards(span, step, self._policy.sharding))
        gate = DeferredSemaphore(max(1, self._policy.concurrency))
        waits += [(piece, self._start(plan, piece, gate).wait()) for piece in own]
        results = await settled([waiter for _, waiter in waits])
        return _sorted_out(missing, own, [extent for extent, _ in waits], results)

    def _start(self, plan: Plan, piece: Extent, gate: DeferredSemaphore) -> SharedWork[FetchResult]:
        fetch = _Fetch(piece, plan.mark)
        others = self._under_way.setdefault(plan.key, [])
        others.append(fetch)

        def over() -> None:
            others.remove(fetch)
            if not others and self._under_way.get(plan.key) is others:
                del self._under_way[plan.key]

        fetch.work.start(self._fetch_in_turn(plan, fetch, gate), lambda: fetch.when_over(over))
        return fetch.work

    async def _fetch_in_turn(self, plan: Plan, fetch: _Fetch, gate: DeferredSemaphore
                             ) -> FetchResult:
        await gate.acquire()
        try:
            return await self._fetch(plan, fetch)
        finally:
            gate.release()

    async def _fetch(self, plan: Plan, fetch: _Fetch) -> FetchResult:
        ask = partial(self._asked, plan, fetch)
        if self._leased is None:
            return (await ask(fetch.extent, 0)).result
        return await self._leased.fetched(plan, fetch.extent, ask)

    async def _asked(self, plan: Plan, fetch: _Fetch, extent: Extent, token: int) -> Asked:
        """
        :param extent: the fetch's, or a part of it.
        :param token: of the lease under which it is asked for; 0 for none.
        """
        others = self._under_way.get(plan.key)
        # Until it is stored, the answer holds on to what it counts as in flight.
        answer = await self._source.answer(plan.query.over(extent))
        dataset, headers = answer.dataset, answer.headers.without(b"date")
        final = None if answer.unstorable else storable(
            plan, dataset, answer.headers.get(b"date"))
        if self._under_way.get(plan.key) is not others:
            final = None  # it was asked for before the key was purged
        if final is not None and plan.query.no_cache:
            fetch.supersede(others or ())
        if final is not None and fetch.superseded:
            left = final.extents - Extents.of(plan.query.step_ns, fetch.superseded)
            final = final.restricted(left) if left else None
        if final is None:
            return Asked(FetchResult(dataset, headers, None, answer.unstorable, (extent,)),
                         dataset.extents)
        still = None
        if len(final.series) > MANY_SERIES:
            still = lambda: self._under_way.get(plan.key) is others
        new = Entry(final, headers, label=plan.label(self._policy), mark=plan.mark, token=token)
        fetch.storing = Deferred.fromCoroutine(self._stored(plan, new, still))
        is_kept: Deferred[bool] = Deferred()
        fetch.storing.addBoth(_noted, is_kept)
        entry = await within(fetch.storing, self._clock, _PATIENCE, None)
        return Asked(FetchResult(dataset, headers, entry, answer.unstorable, (extent,)),
                     dataset.extents - final.extents, is_kept)

    async def _stored(self, plan: Plan, fetched: Entry, still: Callable[[], bool] | None
                      ) -> ReferenceType[Entry] | None:
        """
        :param fetched: what is merged into what is stored.
        """
        made: list[Entry] = []
        new = self._entries.surviving(fetched)
        if new is None or new.is_stale:
            return None  # purged on its way

        def change(entry: Entry | None) -> Entry | Unchanged:
            held = None if entry is None or entry.is_stale else entry
            final = new.dataset if held is None else unfenced(new, held)
            if final is None:
                return UNCHANGED
            more = with_more(held, final, new.headers, plan, self._policy)
            # What is there has survived all purges that are known now, and so has what is new.
            made[:] = [evolve(more, label=new.label, mark=self._entries.known_mark,
                              token=max(new.token, 0 if held is None else held.token))]
            return made[0]

        is_kept = await self._entries.change(plan.key, change, still)
        return ref(made[0]) if is_kept else None


def _sorted_out(missing: Extents, own: tuple[Extent, ...], extents: Sequence[Extent],
                results: Sequence[FetchResult | Failure]) -> Fetched:
    failures = []
    done = []
    theirs = []
    asked: list[Extent] = []
    elsewhere = False
    for extent, result in zip(extents, results, strict=True):
        is_own = extent in own
        if not isinstance(result, Failure):
            done.append(result)
            asked += result.asked if is_own else ()
            elsewhere |= is_own and (extent,) != result.asked
            continue
        error = _expected(result)
        if isinstance(error, FailedElsewhere):
            is_own, error, elsewhere = False, error.error, elsewhere or is_own
        failures.append((extent, error))
        if is_own:
            asked.append(extent)
        else:
            theirs.append(error)
    return Fetched(missing, tuple(asked), tuple(one.dataset for one in done), tuple(failures),
                   done[-1].headers if done else NO_HEADERS,
                   tuple(one.entry for one in done if one.entry is not None), tuple(theirs),
                   next((one.unstorable for one in done if one.unstorable), None), elsewhere)


def _noted(result: ReferenceType[Entry] | Failure | None, is_kept: Deferred[bool]
           ) -> ReferenceType[Entry] | Failure | None:
    is_kept.callback(isinstance(result, ref))
    return result


def _both(first: Fetched, again: Fetched, wanted: Extent) -> Fetched:
    """:return: one of two, where the second made up for failures of others' in the first."""
    kept = tuple(failure for failure in first.failures if _within(failure[0], wanted))
    return Fetched(first.missing, first.own + again.own, first.datasets + again.datasets,
                   kept + again.failures, again.headers if again.datasets else first.headers,
                   first.entries + again.entries, first.theirs + again.theirs,
                   first.unstorable or again.unstorable, first.elsewhere or again.elsewhere)


def _within(extent: Extent, wanted: Extent) -> bool:
    return wanted.start_ns <= extent.start_ns and extent.end_ns <= wanted.end_ns


def _expected(failure: Failure) -> Exception:
    """:raises Exception: it is none of the failures that a fetch may have."""
    if not isinstance(failure.value, TricksterError):
        failure.raiseException()
    return failure.value
