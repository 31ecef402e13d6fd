"""Fetching what is missing of a range: each instant once, however many clients want it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.collapsing.byte_budget import ByteBudget, Reservation
from trickster.collapsing.waiters import SharedWork, settled
from trickster.errors import Reason, TricksterError, Undecodable
from trickster.http.freshness import NOT_FOR_OTHERS, not_for_others
from trickster.interfaces import IQueryDialect, IResponder
from trickster.messages import NO_HEADERS, Headers, Octets, Response
from trickster.ranges.entries import Entries
from trickster.ranges.plan import DialectFailed, Plan, decoded, fetch_request, is_plain
from trickster.ranges.policy import RangePolicy
from trickster.ranges.retention import storable, with_more
from trickster.timeseries import planning
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery

_MOST_ERROR_OCTETS = 1 << 20
MANY_SERIES = 1000  # merging and cutting as many would hold the reactor too long
_THREAD_OVER = 128 << 10  # octets from which decoding would hold the reactor too long
# What belongs to one answer, and not to every answer of a query.
_NOT_STORED = (
    b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"date",
    b"age", b"etag", b"last-modified", b"expires", b"cache-control", b"set-cookie", b"via",
    b"connection", b"keep-alive", b"cdn-cache-control", b"set-cookie2", b"cache-status", b"content-range", b"accept-ranges",
    b"x-trickster-result", b"server-timing", b"trailer", b"server", b"content-location",
    b"content-md5", b"digest", b"content-digest", b"repr-digest", b"signature",
    b"signature-input", b"retry-after", b"authentication-info", b"clear-site-data",
)

_NO_CACHE = (b"Cache-Control", b"no-cache")

Offload = Callable[..., Awaitable[Any]]
E_ = TypeVar("E_", bound=Exception)


class Refused(TricksterError):
    """The origin answered a fetch with something else than 200; carries the answer."""

    def __init__(self, response: Response, octets: bytes) -> None:
        super().__init__(f"status {response.status}")
        self.response = response
        self.octets = octets


class NotStorable(TricksterError):
    """
    The origin's 200 must not be stored; carries the answer and why.

    :ivar is_for_all: whether all who have asked for it may have it nevertheless.
    """

    def __init__(self, response: Response, octets: bytes, why: Undecodable) -> None:
        super().__init__(str(why))
        self.response = response
        self.octets = octets
        self.reason: Reason = why.reason
        self.is_for_all = why.reason not in NOT_FOR_OTHERS


@frozen(slots=True)
class FetchResult:
    """The result of one fetch, and whether the store keeps any of it."""

    dataset: Dataset
    headers: Headers
    stored: bool


@define(eq=False)
class _Fetch:
    """
    A fetch under way.

    :ivar superseded: what of it a fetch that began later has brought already.
    """

    extent: Extent
    work: SharedWork[FetchResult] = field(factory=SharedWork)
    superseded: list[Extent] = field(factory=list)

    def supersede(self, all_under_way: Sequence[_Fetch]) -> None:
        """What those bring that began earlier is older than what this one has brought."""
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
    :ivar own: what this request itself asked the origin for; others asked for the rest.
    :ivar failures: extents that there is no answer for, and why.
    :ivar headers: of one of the answers.
    :ivar stored: whether the store keeps any of it.
    :ivar theirs: those of the failures that were answers to others.
    """

    missing: Extents
    own: tuple[Extent, ...]
    datasets: tuple[Dataset, ...] = ()
    failures: tuple[tuple[Extent, Exception], ...] = ()
    headers: Headers = NO_HEADERS
    stored: bool = False
    theirs: tuple[Exception, ...] = ()

    def first(self, kind: type[E_]) -> E_ | None:
        """:return: the first failure of a kind, or None."""
        return next((e for _, e in self.failures if isinstance(e, kind)), None)

    def is_own(self, failure: Exception) -> bool:
        """:return: whether this request itself had that failure for an answer."""
        return all(failure is not each for each in self.theirs)


@define
class GapFetcher:
    """
    Fetches extents of queries, and merges them into what is stored.

    :ivar in_flight: bounds what is held of answers and requests on their way.
    :ivar _offload: calls a function with arguments in a thread, for long computations.
    """

    _dialect: IQueryDialect
    _upstream: IResponder
    _entries: Entries
    _policy: RangePolicy
    in_flight: ByteBudget
    _offload: Offload
    _log: Logger = field(factory=Logger)
    _under_way: dict[str, list[_Fetch]] = field(factory=dict, init=False)

    @property
    def flights(self) -> int:
        """How many fetches are under way."""
        return sum(map(len, self._under_way.values()))

    async def fetch(self, plan: Plan, missing: Extents) -> Fetched:
        """
        Wait for what others are fetching already, and fetch the rest.

        That another request's wider fetch failed says nothing about what this request wants
        of it: that is then asked for by itself.

        :param missing: not empty.
        """
        if plan.no_cache:
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
        """Let no request join what is being fetched for a key, and do not store it."""
        self._under_way.pop(key, None)

    async def _fetched(self, plan: Plan, missing: Extents,
                       joinable: Callable[[Extent], bool]) -> Fetched:
        step = plan.query.step_ns
        waits = [(other.extent, other.work.wait()) for other in self._under_way.get(plan.key, ())
                 if not other.work.is_abandoned and joinable(other.extent)
                 and any(other.extent.overlaps(span) for span in missing.spans)]
        left = missing - Extents.of(step, (extent for extent, _ in waits))
        own = tuple(piece for span in left.spans
                    for piece in planning.shards(span, step, self._policy.sharding))
        gate = DeferredSemaphore(max(1, self._policy.concurrency))
        waits += [(piece, self._start(plan, piece, gate).wait()) for piece in own]
        results = await settled([waiter for _, waiter in waits])
        return _sorted_out(missing, own, [extent for extent, _ in waits], results)

    def _start(self, plan: Plan, piece: Extent, gate: DeferredSemaphore) -> SharedWork[FetchResult]:
        fetch = _Fetch(piece)
        others = self._under_way.setdefault(plan.key, [])
        others.append(fetch)

        def ended() -> None:
            others.remove(fetch)
            if not others and self._under_way.get(plan.key) is others:
                del self._under_way[plan.key]

        fetch.work.start(self._fetch_in_turn(plan, fetch, gate), ended)
        return fetch.work

    async def _fetch_in_turn(self, plan: Plan, fetch: _Fetch, gate: DeferredSemaphore
                             ) -> FetchResult:
        await gate.acquire()
        try:
            return await self._fetch(plan, evolve(plan.query, extent=fetch.extent), fetch)
        finally:
            gate.release()

    async def _fetch(self, plan: Plan, query: TimeRangeQuery, fetch: _Fetch) -> FetchResult:
        # Until it is stored, what it is decoded into holds on to it.
        with self.in_flight.reservation() as reservation:
            return await self._brought(plan, query, fetch, reservation)

    async def _brought(self, plan: Plan, query: TimeRangeQuery, fetch: _Fetch,
                       reservation: Reservation) -> FetchResult:
        request = fetch_request(self._dialect.encode_request(query))
        if plan.no_cache:
            # RFC 9111 section 5.2: caches on the way to the origin are meant too.
            request = evolve(request, headers=request.headers.with_added(_NO_CACHE))
        others = self._under_way.get(plan.key)
        response = await self._upstream.respond(request)
        refused = response.status != 200
        octets: Any = await reservation.read_all(
            response.body, _MOST_ERROR_OCTETS if refused else self._policy.max_answer_bytes)
        if refused:
            raise Refused(response, bytes(octets))
        personal = Reason.ORIGIN_DOUBTFUL if response.is_doubtful else not_for_others(
            response.headers, self._policy.vary_fields, self._policy.rules)
        if personal is not None:
            raise NotStorable(response, octets, Undecodable(personal.value, personal))
        try:
            dataset = await self._decoded(query, evolve(response, body=Octets(octets)))
        except Undecodable as why:
            if isinstance(why, DialectFailed):
                self._log.failure("A dialect failed to decode an answer")
            raise NotStorable(response, octets, why) from why
        headers = response.headers.without(*_NOT_STORED)
        final = storable(plan, dataset, response.headers.get(b"date"))
        if self._under_way.get(plan.key) is not others:
            final = None  # it was asked for before the key was purged
        if final is not None and plan.no_cache:
            fetch.supersede(others or ())
        if final is not None and fetch.superseded:
            left = final.extents - Extents.of(query.step_ns, fetch.superseded)
            final = final.restricted(left) if left else None
        stored = final is not None and await self._entries.change(
            plan.key, lambda entry: with_more(entry, final, headers, plan, self._policy),
            (lambda: self._under_way.get(plan.key) is others) if (
                len(final.series) > MANY_SERIES) else None)
        return FetchResult(dataset, headers, stored)

    async def _decoded(self, query: TimeRangeQuery, response: Response) -> Dataset:
        if not is_plain(response.headers):
            raise Undecodable("content coding")
        dataset: Dataset = await self.computed(
            response.body.length or 0, decoded, self._dialect.decode_response, query, response)
        return dataset

    async def computed(self, size: int, function: Callable[..., Any], *args: Any) -> Any:
        """
        Call a function, in a thread where it would hold the reactor for too long.

        :param size: octets that it has to look at.
        """
        if size > _THREAD_OVER:
            return await self.in_thread(function, *args)
        return function(*args)

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function without holding the reactor."""
        return await self._offload(function, *args)


def _sorted_out(missing: Extents, own: tuple[Extent, ...], extents: Sequence[Extent],
                results: Sequence[FetchResult | Failure]) -> Fetched:
    failures = []
    done = []
    theirs = []
    for extent, result in zip(extents, results, strict=True):
        if isinstance(result, Failure):
            failures.append((extent, _expected(result)))
            if extent not in own:
                theirs.append(failures[-1][1])
        else:
            done.append(result)
    return Fetched(missing, own, tuple(one.dataset for one in done), tuple(failures),
                   done[-1].headers if done else NO_HEADERS,
                   any(one.stored for one in done), tuple(theirs))


def _both(first: Fetched, again: Fetched, wanted: Extent) -> Fetched:
    """:return: one of two, where the second made up for failures of others' in the first."""
    kept = tuple(failure for failure in first.failures if _within(failure[0], wanted))
    return Fetched(first.missing, first.own + again.own, first.datasets + again.datasets,
                   kept + again.failures, again.headers if again.datasets else first.headers,
                   first.stored or again.stored, first.theirs + again.theirs)


def _within(extent: Extent, wanted: Extent) -> bool:
    return wanted.start_ns <= extent.start_ns and extent.end_ns <= wanted.end_ns


def _expected(failure: Failure) -> Exception:
    """:raises Exception: it is none of the failures that a fetch may have."""
    if not isinstance(failure.value, TricksterError):
        failure.raiseException()
    return failure.value
