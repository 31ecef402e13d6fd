"""What one range request comes to, before the cache is looked into: pure."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from trickster.errors import BadRequest, NotATimeRange, Reason, Undecodable
from trickster.interfaces import IQueryDialect
from trickster.keys.cache_key import digest
from trickster.messages import Collecting, Headers, MalformedParams, Request, Response, Status
from trickster.ranges.policy import NOT_FETCHED, RangePolicy
from trickster.remembering import remembered
from trickster.timeseries import planning
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery
from trickster.units import format_duration

SECOND_NS = 1_000_000_000


@frozen(slots=True)
class Plan:
    """
    One range request, understood.

    :ivar requested: the query as the client sent it.
    :ivar query: the same on the step's grid.
    :ivar key: of its entry in the store.
    :ivar now_ns: when it came.
    :ivar final_ns: the newest instant that may be stored, or None.
    :ivar is_too_old: whether so old a range is not stored.
    :ivar uses: which extents were requested when, this one last (C{lru} only).
    :ivar no_cache: whether the client wants no stored samples (RFC 9111 section 5.2.1.4).
    """

    requested: TimeRangeQuery
    query: TimeRangeQuery
    key: str
    now_ns: int
    final_ns: int | None
    is_too_old: bool = False
    uses: planning.Uses = ()
    no_cache: bool = False

    @property
    def wanted(self) -> Extent:
        """What is to be answered."""
        return self.query.extent

    @property
    def realigned(self) -> tuple[int, int] | None:
        """The extent answered, where alignment made it another than the one requested."""
        requested, answered = self.requested.extent, self.query.extent
        if requested == answered or requested.start_ns == answered.start_ns and (
                (requested.end_ns - requested.start_ns) // self.query.step_ns * self.query.step_ns
                == answered.end_ns - answered.start_ns):
            return None
        return answered

    @property
    def is_longer(self) -> bool:
        """Whether alignment made it more instants than were requested."""
        step = self.query.step_ns
        return self.query.extent.count(step) > self.requested.extent.count(step)

    def status(self, held: Extents | None) -> Status:
        """
        :param held: what the cache has of the query, or None where it has nothing.
        :return: how the lookup went when something is missing.
        """
        if held is None:
            return Status.KEY_MISS
        if self.no_cache:
            return Status.RANGE_MISS
        wanted = Extents(self.query.step_ns, (self.wanted,))
        return Status.PARTIAL_HIT if held & wanted else Status.RANGE_MISS

    def reason(self, status: Status, missing: Extents) -> Reason:
        """:return: why the origin had to be asked."""
        if self.no_cache:
            return Reason.REQUEST_NO_CACHE
        if status is Status.KEY_MISS:
            return Reason.KEY_MISS
        if status is Status.PROXY_HIT:
            return Reason.COLLAPSED
        first = missing.spans[0].start_ns
        if self.final_ns is None:
            return Reason.NOT_FINAL
        if first > self.final_ns:
            return Reason.VOLATILE if first <= self.now_ns else Reason.NOT_FINAL
        return Reason.RANGE_MISS


def planned(request: Request, dialect: IQueryDialect, policy: RangePolicy,
            now_ns: int) -> Plan:
    """
    :param request: its body is an C{Octets}.
    :raises NotATimeRange: it cannot be served by range.
    :raises BadRequest: it asks for a longer range than is allowed.
    """
    requested = _decoded_request(request, dialect, now_ns)
    if requested.step_ns <= 0 or requested.extent.end_ns < requested.extent.start_ns:
        raise NotATimeRange(Reason.INVERTED_RANGE)
    _check_length(requested, policy.max_query_range)
    query = planning.in_phase(requested) if policy.phase else planning.aligned(requested)
    is_too_old = not policy.lru and query.extent.end_ns < planning.oldest_kept(
        query.step_ns, now_ns, policy.retention)
    phase = str(query.extent.start_ns % query.step_ns) if policy.phase else ""
    identity = policy.identity.of(request.headers) or b""
    return Plan(requested, query, _entry_key(policy.prefix, requested.key, phase, identity), now_ns,
                planning.newest_final(query, now_ns, _tolerance_ns(query, policy)), is_too_old)


def _decoded_request(request: Request, dialect: IQueryDialect, now_ns: int) -> TimeRangeQuery:
    try:
        return dialect.decode_request(request, now_ns)
    except MalformedParams as error:
        # Of the request, as every dialect reads it: the origin has its own answer to that.
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, str(error)) from error


def fetch_request(request: Request) -> Request:
    """:return: the request without what only makes sense in a client's own."""
    return evolve(request, headers=request.headers.without(*NOT_FETCHED),
                  collecting=Collecting())


def is_plain(headers: Headers) -> bool:
    """:return: whether a body with these header fields has no content coding."""
    coding = headers.joined(b"content-encoding")
    return coding is None or coding.strip().lower() in (b"", b"identity")


class DialectFailed(Undecodable):
    """A dialect failed in a way that it should not; the cause says how."""


def decoded(decode: Callable[[TimeRangeQuery, Response], Dataset], query: TimeRangeQuery,
            response: Response) -> Dataset:
    """
    :param decode: of a dialect.
    :raises Undecodable: it cannot be decoded, for any reason.
    """
    try:
        return decode(query, response)
    except Undecodable:
        raise
    except Exception as error:
        # The dialect may be a stranger's: that it stumbles over an answer must not keep the
        # answer from the client.
        raise DialectFailed(f"the dialect failed: {error!r}") from error


def _check_length(requested: TimeRangeQuery, most: float) -> None:
    if most and requested.extent.end_ns - requested.extent.start_ns > most * SECOND_NS:
        raise BadRequest(
            f"query time range exceeds the allowed limit of {format_duration(most)}",
            Reason.RANGE_REFUSED)


def _tolerance_ns(query: TimeRangeQuery, policy: RangePolicy) -> int:
    if query.tolerance_ns is not None:
        return query.tolerance_ns
    return max(int(policy.tolerance * SECOND_NS), policy.tolerance_points * query.step_ns)


@remembered(8 << 20)
def _entry_key(prefix: str, key: str, phase: str, identity: bytes) -> str:
    """
    :param phase: start modulo step, or empty where ranges are aligned.
    :param identity: who asks, as from L{Identity.of}, or empty.
    """
    text = key.encode("utf-8", "surrogateescape")
    return f"{prefix}.dpc.{digest((text, phase.encode(), identity))}"
