"""What one range request comes to, before the cache is looked into: pure."""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, evolve, field, frozen

from trickster.errors import BadRequest, NotATimeRange, Reason, Undecodable
from trickster.http.fields import OF_PARTS, REQUEST_DIRECTIVES
from trickster.http.freshness import Rules
from trickster.interfaces import IQueryDialect
from trickster.keys.cache_key import digest
from trickster.keys.identity import NO_IDENTITY, Identity, Overrides
from trickster.messages import Collecting, Headers, MalformedParams, Request, Response, Status
from trickster.remembering import remembered
from trickster.timeseries import planning
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.planning import Sharding
from trickster.timeseries.query import TimeRangeQuery
from trickster.units import format_duration

SECOND_NS = 1_000_000_000
NOT_SHARDED = Sharding()
NO_RULES = Rules()
NO_OVERRIDES = Overrides()
# What a cache must not send on when it asks for something else than the client did, and
# content codings, which it could not cut.
_NOT_FETCHED = (b"accept-encoding", b"content-length", *OF_PARTS, *REQUEST_DIRECTIVES)
_NEVER_ASKED = frozenset((*_NOT_FETCHED, b"host"))


@frozen
class DeltaOptions:
    """
    How a backend's range queries are cached; durations in seconds, sizes in octets.

    :ivar prefix: begins every key: the backend's name and key prefix.
    :ivar identity: request fields whose values are part of the key.
    :ivar overrides: requests that are passed on.
    :ivar phase: whether ranges are kept apart by start modulo step, and never changed.
    :ivar retention: timestamps kept of a query, at least.
    :ivar lru: whether what was least recently used is dropped first, not the oldest.
    :ivar max_age: age of the oldest timestamp kept; 0 for any.
    :ivar max_bytes: of one entry; 0 for as much as the store takes.
    :ivar tolerance: age up to which samples may still change.
    :ivar tolerance_points: the same in steps; the longer of both counts.
    :ivar fast_forward_ttl: seconds that a newest sample serves.
    :ivar concurrency: fetches of one request at a time.
    :ivar max_query_range: longest range that is answered at all; 0 for any.
    :ivar max_answer_bytes: largest answer of the origin that is held in memory.
    :ivar max_request_bytes: largest body of a request that is read to find the question.
    :ivar transform: applied to answers that are passed on past the cache.
    :ivar honours: whether all directives of a client's C{Cache-Control} are obeyed.
    :ivar rules: what decides whether an answer is for all who ask alike.
    :ivar told_apart: request fields by which answers may vary, since they are part of the key
        or not sent on.
    :ivar telling: request fields for which a request is looked at more closely.
    """

    prefix: str
    identity: Identity = NO_IDENTITY
    overrides: Overrides = NO_OVERRIDES
    phase: bool = False
    retention: int = 1024
    lru: bool = False
    max_age: float = 0.0
    max_bytes: int = 0
    tolerance: float = 0.0
    tolerance_points: int = 0
    fast_forward_ttl: float = 15.0
    sharding: Sharding = NOT_SHARDED
    concurrency: int = 16
    max_query_range: float = 0.0
    max_answer_bytes: int = 256 << 20
    max_request_bytes: int = 10 << 20
    transform: Callable[[bytes], bytes] | None = None
    honours: bool = False
    rules: Rules = NO_RULES
    told_apart: frozenset[bytes] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: _NEVER_ASKED | self.identity.names, takes_self=True))
    telling: frozenset[bytes] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: REQUEST_DIRECTIVES | self.identity.names, takes_self=True))


@frozen(slots=True)
class Plan:
    """
    One range request, understood.

    :ivar asked: as the client sent it.
    :ivar query: the same on the step's grid.
    :ivar key: of its entry in the store.
    :ivar now_ns: when it came.
    :ivar final_ns: the newest instant that may be stored, or None.
    :ivar is_too_old: whether so old a range is not stored.
    :ivar uses: which extents were asked for when, this one last (C{lru} only).
    :ivar anew: whether the client wants it as the origin has it now.
    """

    asked: TimeRangeQuery
    query: TimeRangeQuery
    key: str
    now_ns: int
    final_ns: int | None
    is_too_old: bool = False
    uses: planning.Uses = ()
    anew: bool = False

    @property
    def wanted(self) -> Extent:
        """What is to be answered."""
        return self.query.extent

    @property
    def changed(self) -> tuple[int, int] | None:
        """The extent answered, where alignment made it another than the one asked for."""
        asked, answered = self.asked.extent, self.query.extent
        if asked == answered or asked.start_ns == answered.start_ns and (
                (asked.end_ns - asked.start_ns) // self.query.step_ns * self.query.step_ns
                == answered.end_ns - answered.start_ns):
            return None
        return answered

    @property
    def is_longer(self) -> bool:
        """Whether alignment made it more instants than were asked for."""
        step = self.query.step_ns
        return self.query.extent.count(step) > self.asked.extent.count(step)

    def status(self, held: Extents | None) -> Status:
        """
        :param held: what the cache has of the query, or None where it has nothing.
        :return: how the lookup went when something is missing.
        """
        if held is None:
            return Status.KEY_MISS
        if self.anew:
            return Status.RANGE_MISS
        wanted = Extents(self.query.step_ns, (self.wanted,))
        return Status.PARTIAL_HIT if held & wanted else Status.RANGE_MISS

    def reason(self, status: Status, missing: Extents) -> Reason:
        """:return: why the origin had to be asked."""
        if self.anew:
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


def planned(request: Request, dialect: IQueryDialect, options: DeltaOptions,
            now_ns: int) -> Plan:
    """
    :param request: its body is an C{Octets}.
    :raises NotATimeRange: it cannot be served by range.
    :raises BadRequest: it asks for a longer range than is allowed.
    """
    asked = _asked(request, dialect, now_ns)
    if asked.step_ns <= 0 or asked.extent.end_ns < asked.extent.start_ns:
        raise NotATimeRange(Reason.INVERTED_RANGE)
    _check_length(asked, options.max_query_range)
    query = planning.in_phase(asked) if options.phase else planning.aligned(asked)
    is_too_old = not options.lru and query.extent.end_ns < planning.oldest_kept(
        query.step_ns, now_ns, options.retention)
    phase = str(query.extent.start_ns % query.step_ns) if options.phase else ""
    identity = options.identity.of(request.headers) or b""
    return Plan(asked, query, _entry_key(options.prefix, asked.key, phase, identity), now_ns,
                planning.newest_final(query, now_ns, _tolerance_ns(query, options)), is_too_old)


def _asked(request: Request, dialect: IQueryDialect, now_ns: int) -> TimeRangeQuery:
    try:
        return dialect.decode_request(request, now_ns)
    except MalformedParams as error:
        # Of the request, as every dialect reads it: the origin has its own answer to that.
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, str(error)) from error


def fetchable(request: Request) -> Request:
    """:return: the request without what only makes sense in a client's own."""
    return evolve(request, headers=request.headers.without(*_NOT_FETCHED),
                  collecting=Collecting())


def is_plain(headers: Headers) -> bool:
    """:return: whether a body with these header fields has no content coding."""
    coding = headers.joined(b"content-encoding")
    return coding is None or coding.strip().lower() in (b"", b"identity")


class Stumbled(Undecodable):
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
        raise Stumbled(f"the dialect failed: {error!r}") from error


def _check_length(asked: TimeRangeQuery, most: float) -> None:
    if most and asked.extent.end_ns - asked.extent.start_ns > most * SECOND_NS:
        raise BadRequest(
            f"query time range exceeds the allowed limit of {format_duration(most)}",
            Reason.RANGE_REFUSED)


def _tolerance_ns(query: TimeRangeQuery, options: DeltaOptions) -> int:
    if query.tolerance_ns is not None:
        return query.tolerance_ns
    return max(int(options.tolerance * SECOND_NS), options.tolerance_points * query.step_ns)


@remembered(8 << 20)
def _entry_key(prefix: str, key: str, phase: str, identity: bytes) -> str:
    """
    :param phase: start modulo step, or empty where ranges are aligned.
    :param identity: who asks, as from L{Identity.of}, or empty.
    """
    text = key.encode("utf-8", "surrogateescape")
    return f"{prefix}.dpc.{digest((text, phase.encode(), identity))}"
