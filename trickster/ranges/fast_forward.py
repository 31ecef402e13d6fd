"""The newest sample, beside the answer to a range query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trickster.collapsing.byte_budget import ByteBudget, Reservation
from trickster.collapsing.home import Home
from trickster.collapsing.leases.lease import NO_LEASE
from trickster.errors import TricksterError, Undecodable
from trickster.http.cache_control import request_directives
from trickster.http.freshness import not_for_others
from trickster.interfaces import IDatasetSource, INewestDialect, IResponder
from trickster.messages import FastForward, Octets
from trickster.net.first_step import first_step
from trickster.net.tracebacks import forget_traceback
from trickster.net.waiters import SharedWork
from trickster.ranges.leased_newest import LeasedNewest, NewestResponse
from trickster.ranges.offloading import MANY_SERIES, Offloading
from trickster.ranges.origin_messages import DialectFailed, decoded, fetch_request, is_plain
from trickster.ranges.plan import SECOND_NS, entry_key
from trickster.ranges.policy import RangePolicy
from trickster.remembering import SizedLRU
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery

_OVERHEAD = 1024  # about what the objects of one take beside its octets
_LARGEST = 16 << 20
PATIENCE = 5.0  # seconds, at least, that an origin has for its answer


@frozen
class _Newest:
    """
    The newest sample of each series of a query, as of one instant.

    :ivar at_ns: that instant; no sample is later.
    :ivar first_ns: of the oldest sample; the same where there is none.
    :ivar until: seconds of the clock from which on they are asked for anew.
    :ivar is_for_all: whether they are for others too than the one for whom they were fetched.
    """

    at_ns: int
    first_ns: int
    dataset: Dataset
    until: float
    is_for_all: bool = True

    def serves(self, last_ns: int, at_ns: int) -> bool:
        """:return: whether all are after one instant, and not after another."""
        return last_ns < self.first_ns and self.at_ns <= at_ns


def instant_wanted(query: TimeRangeQuery, ttl: float) -> int | None:
    """
    :param query: placed on the step's grid.
    :param ttl: seconds that a newest sample serves; for steps not longer than that there
        is no use in one.
    :return: the instant of a sample newer than the last whole step, and inside the range
        that the client asked for; None where there can be none.
    """
    step, last, now_ns = query.step_ns, query.extent.end_ns, query.now_ns
    if not query.wants_newest or step <= ttl * SECOND_NS or last != now_ns // step * step:
        return None
    requested = query.requested or query.extent
    at_ns = min(requested.end_ns, now_ns // 1_000_000 * 1_000_000)
    return at_ns if at_ns > last else None


def never_wanted(query: TimeRangeQuery, ttl: float) -> bool:
    """
    :param query: as in L{instant_wanted}.
    :return: whether that will be None for the same request from now on.
    """
    step = query.step_ns
    return (not query.wants_newest or step <= ttl * SECOND_NS
            or query.extent.end_ns < query.now_ns // step * step)


# By whose they are, and by the key of the query.
NewestMemo = SizedLRU[tuple[Any, str], Any]


@define(eq=False)
class NewestSamples:
    """
    Asks for, and for a little while remembers, each query's newest sample.

    :ivar _policy: of the cache beside whose answers they are.
    :ivar _memo: of samples, shared with other queries' origins.
    :ivar _in_flight: bounds what is held of answers on their way.
    :ivar _mark: gives the number of the newest purge: what is remembered from before is not given.
    :ivar _leased: has other processes fetch; None where none shares the store.
    """

    _dialect: INewestDialect
    _upstream: IResponder
    _clock: IReactorTime
    _policy: RangePolicy
    _in_flight: ByteBudget
    _offloading: Offloading
    _memo: NewestMemo = field(factory=lambda: SizedLRU(16 << 20))
    _mark: Callable[[], int] = int
    _leased: LeasedNewest | None = None
    _log: Logger = field(factory=Logger)
    _under_way: dict[str, tuple[int, SharedWork[_Newest]]] = field(factory=dict, init=False)
    _purges: int = field(default=0, init=False)

    async def newest(self, key: str, query: TimeRangeQuery, at_ns: int
                     ) -> tuple[Dataset | None, FastForward]:
        """
        :param key: what is the same for all who may share a sample.
        :param query: on the step's grid.
        :param at_ns: the instant wanted; one remembered serves if it is later than the
            query's end and not later than this.
        :return: one row a series, or None where the origin would not say.
        """
        last, key = query.extent.end_ns, f"{key}@{self._mark()}"
        found = None if query.no_cache else self._remembered(key)
        if found is not None and found.serves(last, at_ns):
            return found.dataset, FastForward.HIT
        try:
            fetched = await self._joined(key, query, at_ns)
        except (TricksterError, TimeoutError) as error:
            if isinstance(error, DialectFailed):
                self._log.failure("A dialect failed to decode a newest sample")
            forget_traceback(error)  # which a dialect may keep
            return None, FastForward.ERROR
        if fetched is None or not fetched.serves(last, at_ns):
            return None, FastForward.ERROR
        return fetched.dataset, FastForward.MISS

    def outdate(self) -> None:
        """See L{trickster.interfaces.IPurgeable.outdate}."""
        self._purges += 1
        self._under_way.clear()
        self._memo.drop(lambda key: key[0] is self)

    def _remembered(self, key: str) -> _Newest | None:
        found: _Newest | None = self._memo.get((self, key))
        if found is not None and found.until <= self._clock.seconds():
            self._memo.pop((self, key))
            return None
        return found

    async def _joined(self, key: str, query: TimeRangeQuery, at_ns: int) -> _Newest | None:
        """:return: what was fetched; None where another's is not for this request."""
        under_way = None if query.no_cache else self._under_way.get(key)
        if under_way is not None:
            theirs_ns, work = under_way
            if query.extent.end_ns < theirs_ns <= at_ns and not work.is_abandoned:
                theirs = await self._in_time(work)
                return theirs if theirs.is_for_all else None
        record: tuple[int, SharedWork[_Newest]] = (at_ns, SharedWork())
        self._under_way[key] = record

        def ended() -> None:
            if self._under_way.get(key) is record:
                del self._under_way[key]

        record[1].start(self._fetch(key, query, at_ns), ended)
        return await self._in_time(record[1])

    def _in_time(self, work: SharedWork[_Newest]) -> Deferred[_Newest]:
        # What takes longer than it would serve is not worth holding the range back for.
        return work.wait().addTimeout(max(self._policy.fast_forward_ttl, PATIENCE), self._clock)

    async def _fetch(self, key: str, query: TimeRangeQuery, at_ns: int) -> _Newest:
        purges = self._purges
        lease, had = NO_LEASE, None
        if self._leased is not None:
            lease, had = await self._leased.turn(key, query, at_ns)
        try:
            found, had = await self._fetched(query, at_ns, had)
        except TricksterError:
            lease.unshared()
            raise
        except BaseException:
            lease.left()
            raise
        if lease.is_told and found.is_for_all:
            lease.given(had.encoded(self._clock.seconds()))
        lease.unshared()
        if found.is_for_all and purges == self._purges:
            # Its rows are cuts of the answer, which stays as long as they do.
            size = max(had.response.body.length or 0, found.dataset.nbytes)
            self._memo.put((self, key), found, _OVERHEAD + len(key) + size)
        return found

    async def _fetched(self, query: TimeRangeQuery, at_ns: int, theirs: NewestResponse | None
                       ) -> tuple[_Newest, NewestResponse]:
        """
        :param theirs: what another process has fetched.
        """
        with self._in_flight.reservation() as reservation:
            had = theirs or await self._response(query, at_ns, reservation)
            return await self._decoded(query, had), had

    async def _response(self, query: TimeRangeQuery, at_ns: int, reservation: Reservation
                        ) -> NewestResponse:
        until = self._clock.seconds() + self._policy.fast_forward_ttl
        response = await self._upstream.respond(
            fetch_request(self._dialect.encode_newest(query, at_ns)))
        try:
            if response.status != 200 or not is_plain(response.headers):
                raise Undecodable(f"status {response.status}")
            octets: Any = await reservation.read_all(response.body, _LARGEST)
        finally:
            response.body.close()
        return NewestResponse(response.with_body(Octets(octets)), at_ns, until)

    async def _decoded(self, query: TimeRangeQuery, had: NewestResponse) -> _Newest:
        response = had.response
        dataset: Dataset = await self._offloading.computed(
            response.body.length or 0, decoded, self._dialect.decode_newest, query, response)
        is_for_all = not response.is_doubtful and not_for_others(
            response.headers, self._policy.vary_fields, self._policy.rules) is None
        return _Newest(had.at_ns, _first_ns(dataset, had.at_ns), dataset, had.until, is_for_all)


def _first_ns(dataset: Dataset, at_ns: int) -> int:
    """
    :return: the oldest sample's instant; C{at_ns} where there is none.
    :raises Undecodable: there are samples later than was asked for.
    """
    runs = [run for series in dataset.series.values() for run in series]
    if any(run.last_ns > at_ns for run in runs):
        raise Undecodable("samples later than was asked for")
    return min((run.first_ns for run in runs), default=at_ns)


@implementer(IDatasetSource)
@define
class FastForwarding:
    """
    Adds each series' newest sample to the answers of another source.

    :ivar _inner: that source.
    :ivar _newest: where the samples come from.
    :ivar home: of keys, where several processes share what is stored; None where this one fetches
        for all of them.
    """

    _inner: IDatasetSource
    _newest: NewestSamples
    _policy: RangePolicy
    _offloading: Offloading
    home: Home | None = field(default=None, init=False)

    async def answer(self, query: TimeRangeQuery) -> DatasetAnswer:
        """
        See L{trickster.interfaces.IDatasetSource.answer}.

        :return: the other source's answer, with newer samples at the end of its rows, where
            there are any: later than what its extents cover, and on no grid.  Where they could
            not be had, its outcome alone says so.
        """
        at_ns = instant_wanted(query, self._policy.fast_forward_ttl)
        if at_ns is None or self._wants_stored(query):
            answer = await self._inner.answer(query)
            if answer.entry_key is None or never_wanted(query, self._policy.fast_forward_ttl):
                return answer
            return evolve(answer, entry_key=None)  # soon there will be a newer sample
        key = entry_key(query, self._policy)
        if self.home is not None and not query.is_here and self.home.is_elsewhere(key):
            # Where something is missing, it is asked for there, and the newest sample, too.
            answer = await self._inner.answer(query)
            return await self._followed(answer, *await self._newest.newest(key, query, at_ns))
        try:
            rest = first_step(self._inner.answer(query))
        except StopIteration as done:
            return await self._followed(done.value, *await self._newest.newest(key, query, at_ns))
        newest = Deferred.fromCoroutine(self._newest.newest(key, query, at_ns))
        try:
            answer = await rest
            return await self._followed(answer, *await newest)
        finally:
            newest.addErrback(_forget)
            newest.cancel()

    def _wants_stored(self, query: TimeRangeQuery) -> bool:
        """:return: whether the client wants nothing of the origin's (C{only-if-cached})."""
        return self._policy.honours and (
            b"only-if-cached" in request_directives(query.request.headers))

    async def _followed(self, answer: DatasetAnswer, samples: Dataset | None,
                        fast_forward: FastForward) -> DatasetAnswer:
        dataset = answer.dataset
        if samples is not None:
            few = len(samples.series) <= MANY_SERIES
            dataset = dataset.followed_by(samples) if few else await self._offloading.in_thread(
                dataset.followed_by, samples)
        outcome = evolve(answer.outcome, fast_forward=fast_forward)
        return evolve(answer, dataset=dataset, outcome=outcome, entry_key=None)


def _forget(_: Any) -> None:
    """
    Drop what has come of newest samples: they are not waited for any more.

    :param _: the samples, or a failure, which concerns no answer now.
    """
