"""What one range request comes to, before the cache is looked into: pure."""

from __future__ import annotations

from attrs import evolve, frozen

from trickster.errors import BadRequest, NotATimeRange, Reason
from trickster.http.cache_control import honoured_directives
from trickster.interfaces import IQueryDialect
from trickster.keys.cache_key import digest, path_prefix
from trickster.messages import MalformedParams, Request, Status
from trickster.purging.label import Label
from trickster.ranges.policy import RangePolicy
from trickster.remembering import remembered
from trickster.timeseries import planning
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery
from trickster.units import format_duration

SECOND_NS = 1_000_000_000
_FAR_NS = 1 << 63  # entries are kept with instants of 64 bits
# How old stored samples are is not known: no limit that a client sets is kept by them.
_NO_CACHE = frozenset((b"no-cache", b"max-age"))


def placed_query(request: Request, dialect: IQueryDialect, policy: RangePolicy,
                 now_ns: int) -> TimeRangeQuery:
    """
    :param request: its body is an C{Octets}.
    :return: what it asks for, on the step's grid.
    :raises NotATimeRange: it cannot be served by range.
    :raises BadRequest: it asks for a longer range than is allowed.
    """
    query = _decoded_request(request, dialect, now_ns)
    extent, step_ns = query.extent, query.step_ns
    if step_ns <= 0 or extent.end_ns < extent.start_ns:
        raise NotATimeRange(Reason.INVERTED_RANGE)
    _check_length(extent, policy.max_query_range)
    placed = (planning.in_phase if policy.phase else planning.aligned)(extent, step_ns)
    if placed.start_ns < -_FAR_NS or max(extent.end_ns, step_ns) >= _FAR_NS:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, "out of range")
    directives = honoured_directives(request.headers, policy.honours)
    return query.placed(placed, now_ns,
                        not _NO_CACHE.isdisjoint(directives.values))


def _decoded_request(request: Request, dialect: IQueryDialect, now_ns: int) -> TimeRangeQuery:
    try:
        return dialect.decode_request(request, now_ns)
    except MalformedParams as error:
        # Of the request, as every dialect reads it: the origin has its own answer to that.
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, str(error)) from error


def _check_length(requested: Extent, most: float) -> None:
    if most and requested.end_ns - requested.start_ns > most * SECOND_NS:
        raise BadRequest(
            f"query time range exceeds the allowed limit of {format_duration(most)}",
            Reason.RANGE_REFUSED)


def realigned(query: TimeRangeQuery) -> Extent | None:
    """
    :param query: as L{placed_query} has it.
    :return: the extent that is answered, where alignment made it another than the client's.
    """
    requested, answered, step_ns = query.requested, query.extent, query.step_ns
    if requested is None or requested == answered:
        return None
    if requested.start_ns == answered.start_ns and (
            (requested.end_ns - requested.start_ns) // step_ns * step_ns
            == answered.end_ns - answered.start_ns):
        return None
    return answered


def is_longer(query: TimeRangeQuery) -> bool:
    """:return: whether alignment made it more instants than the client asked for."""
    requested, step_ns = query.requested, query.step_ns
    return requested is not None and query.extent.count(step_ns) > requested.count(step_ns)


@frozen(slots=True)
class Plan:
    """
    A query, as the delta cache looks it up.

    :ivar key: of its entry in the store.
    :ivar final_ns: the newest instant that may be stored, or None.
    :ivar is_too_old: whether so old a range is not stored.
    :ivar mark: the number of the newest purge that was known when it was made.
    :ivar uses: which extents were requested when, this one last (C{lru} only).
    :ivar token: of what is stored, as in L{trickster.ranges.kept.entry.Entry}.
    """

    query: TimeRangeQuery
    key: str
    final_ns: int | None
    is_too_old: bool = False
    mark: int = 0
    uses: planning.Uses = ()
    token: int = 0

    @property
    def wanted(self) -> Extent:
        """:return: what is to be answered, on the grid of the step."""
        return self.query.extent

    def label(self, policy: RangePolicy) -> Label:
        """:return: what purges know the query's entry by."""
        request = self.query.request
        return Label(policy.backend, self.key, group_key(self.query, policy), request.path,
                     request.target, (), self.query.text)

    def with_uses(self, uses: planning.Uses) -> Plan:
        """:return: the same with these uses of the key's extents."""
        return evolve(self, uses=uses)

    def status(self, held: Extents | None) -> Status:
        """
        :param held: what the cache has of the query, or None where it has nothing.
        :return: how the lookup went when something is missing.
        """
        if held is None:
            return Status.KEY_MISS
        if self.query.no_cache:
            return Status.RANGE_MISS
        wanted = Extents(self.query.step_ns, (self.wanted,))
        return Status.PARTIAL_HIT if held & wanted else Status.RANGE_MISS

    def reason(self, status: Status, missing: Extents) -> Reason:
        """:return: why the origin had to be asked."""
        if self.query.no_cache:
            return Reason.REQUEST_NO_CACHE
        if status is Status.KEY_MISS:
            return Reason.KEY_MISS
        if status is Status.PROXY_HIT:
            return Reason.COLLAPSED
        first = missing.spans[0].start_ns
        if self.final_ns is None:
            return Reason.NOT_FINAL
        if first > self.final_ns:
            return Reason.VOLATILE if first <= self.query.now_ns else Reason.NOT_FINAL
        return Reason.RANGE_MISS


def planned(query: TimeRangeQuery, policy: RangePolicy, mark: int = 0) -> Plan:
    """
    :param mark: as in L{Plan}.
    :return: what a query comes to in the cache of a path.
    """
    is_too_old = not policy.lru and query.extent.end_ns < planning.oldest_kept(
        query.step_ns, query.now_ns, policy.retention)
    final_ns = planning.newest_final(query, query.now_ns, _tolerance_ns(query, policy))
    return Plan(query, entry_key(query, policy), final_ns, is_too_old, mark)


def _tolerance_ns(query: TimeRangeQuery, policy: RangePolicy) -> int:
    if query.tolerance_ns is not None:
        return query.tolerance_ns
    return max(int(policy.tolerance * SECOND_NS), policy.tolerance_points * query.step_ns)


def group_key(query: TimeRangeQuery, policy: RangePolicy) -> str:
    """:return: what is the same for a query's entries of all who ask, and of all phases."""
    return _entry_key(policy.prefix, query.request.path, query.key, "", b"")


def entry_key(query: TimeRangeQuery, policy: RangePolicy) -> str:
    """:return: the key of a query's entry, which begins as all keys of its path do."""
    request = query.request
    phase = str(query.extent.start_ns % query.step_ns) if policy.phase else ""
    return _entry_key(policy.prefix, request.path, query.key, phase,
                      policy.identity.of_request(request) or b"")


@remembered(8 << 20)
def _entry_key(prefix: str, path: bytes, key: str, phase: str, identity: bytes) -> str:
    """
    :param phase: start modulo step, or empty where ranges are aligned.
    :param identity: who asks, as from L{Identity.of_request}, or empty.
    """
    text = key.encode("utf-8", "surrogateescape")
    return path_prefix(prefix, path, kind="dpc") + digest((text, phase.encode(), identity))
