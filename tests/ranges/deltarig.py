"""A delta cache before a fake Prometheus, with everything that it is put together of."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.ranges.fakeprometheus import FakePrometheus, octets
from tests.ranges.kept.entriesin import entries_in
from trickster.bodies import read_all
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.hit_for_pass import HitForPass
from trickster.collapsing.hit_memo import HitMemo
from trickster.collapsing.leases.leases import Leases
from trickster.interfaces import ICacheStore
from trickster.keys.identity import Identity
from trickster.keys.lease_key import is_lease_key
from trickster.messages import Headers, Octets, Outcome, Request, Response, Status
from trickster.origins.promrange import PrometheusRange
from trickster.purging.purges import Purges
from trickster.ranges.delta_cache import DeltaCache
from trickster.ranges.fast_forward import FastForwarding, NewestSamples
from trickster.ranges.gaps import GapFetcher
from trickster.ranges.kept.entry import Entry
from trickster.ranges.leased_gaps import LeasedGaps
from trickster.ranges.leased_newest import LeasedNewest
from trickster.ranges.offloading import Offloading
from trickster.ranges.origin_range import OriginRange
from trickster.ranges.pass_through import PassThrough
from trickster.ranges.path import codec_of
from trickster.ranges.policy import RangePolicy
from trickster.ranges.responder import RangeResponder
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import RecordingResponder, at_once

NOW = 1_700_000_040  # seconds; a whole minute
MS = 1_000_000
SECOND_NS = 1_000_000_000
FORM = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
Pairs = tuple[tuple[bytes, bytes], ...]


async def inline(function: Callable[..., Any], *args: Any) -> Any:
    """Stands for a thread, without one."""
    return function(*args)


def range_request(start: float, end: float, step: Any = 60, query: str = "up",
                  headers: Pairs = (), method: bytes = b"GET", **more: str) -> Request:
    """:return: a range query; times in seconds."""
    params = urlencode({"query": query, "start": start, "end": end, "step": step, **more})
    path = b"/api/v1/query_range"
    if method == b"POST":
        return Request(method, path, Headers(FORM + headers), Octets(params.encode()))
    return Request(method, b"%b?%b" % (path, params.encode()), Headers(headers))


class Rig:
    """
    :ivar now: the clock.
    :ivar origin: the fake.
    :ivar cache: what is tested: the responder that has a delta cache for its source.
    """

    def __init__(self, store: Any = None, newest: bool = False, limit: int = 1 << 30,
                 offload: Callable[..., Awaitable[Any]] = inline, dialect: Any = None,
                 ttl: float = 3600.0, wall: Callable[[], float] | None = None,
                 memo: HitMemo | None = None, origin: Any = None,
                 is_purged: bool = False, now: Clock | None = None,
                 leases: Leases | None = None, **options: Any) -> None:
        self.now = now or Clock()
        self.now.advance(0 if now else NOW)
        self.origin: Any = origin or FakePrometheus(self.now)
        self.store: ICacheStore = MemoryStore(self.now) if store is None else store(self.now)
        self.policy = RangePolicy("b", backend="b", **{
            "identity": Identity(frozenset((b"authorization",))), **options})
        self.dialect = dialect or PrometheusRange()
        self.in_flight = ByteBudget(limit)
        self.purges = Purges(self.store, self.now, self.now.seconds)
        codec = codec_of(self.dialect)
        self.entries = entries_in(self.store, codec, ttl,
                                  purges=self.purges if is_purged else None)
        self.memo = memo or HitMemo()
        self.objects = RecordingResponder()
        offloading = Offloading(offload)
        source = OriginRange(self.dialect, self.origin, self.policy, self.in_flight, offloading)
        leased = None
        if leases is not None:
            leased = LeasedGaps(self.entries, leases, 60.0, self.now, codec)
        self.fetcher = GapFetcher(source, self.entries, self.policy, self.now, leased)
        self.delta = DeltaCache(self.entries, self.fetcher, HitForPass(self.now), self.now,
                                self.policy, offloading)
        self.newest = NewestSamples(self.dialect, self.origin, self.now, self.policy,
                                    self.in_flight, offloading,
                                    leased=leases and LeasedNewest(leases, 15.0, self.now))
        fast = FastForwarding(self.delta, self.newest, self.policy, offloading)
        passing = PassThrough(self.origin, self.policy, self.in_flight, offloading)
        self.cache = RangeResponder(
            self.dialect, fast if newest else self.delta, passing, self.objects, self.policy,
            offloading, wall or self.now.seconds,
            None if self.policy.lru else self.entries.hits(self.memo))

    def send(self, request: Request) -> Deferred[Answer]:
        """Ask, and wait as long as it takes."""
        return Deferred.fromCoroutine(self._sent(request))

    async def _sent(self, request: Request) -> Answer:
        response = await self.cache.respond(request)
        return Answer(response, bytes(await read_all(response.body, 1 << 30)))

    def start(self, start: float, end: float, step: Any = 60, **more: Any) -> Deferred[Answer]:
        """Ask for a range in seconds relative to L{NOW}."""
        return self.send(range_request(NOW + start, NOW + end, step, **more))

    def ask(self, start: float, end: float, step: Any = 60, **more: Any) -> Answer:
        """The same for what need not wait."""
        answer: Answer = at_once(self.start(start, end, step, **more))
        return answer

    def direct(self, start: float, end: float, step: float = 60, query: str = "up") -> bytes:
        """:return: the origin's own answer to a range relative to L{NOW}."""
        first, last = round((NOW + start) * 1000), round((NOW + end) * 1000)
        return octets(self.origin.matrix(query, first, last, round(step * 1000)))

    def fetches(self) -> list[tuple[float, float]]:
        """:return: the ranges that the origin was asked for since last time, as above."""
        found = [(start / 1000 - NOW, end / 1000 - NOW) for start, end, _ in self.origin.ranges]
        self.origin.ranges.clear()
        return found

    def entry(self) -> Entry | None:
        """:return: the only entry in the store."""
        keys = [key for key in at_once(self.store.keys("")) if not is_lease_key(key)]
        entry: Entry | None = at_once(self.entries.get(keys[0])) if keys else None
        return entry

    def held(self) -> list[tuple[float, float]]:
        """:return: what the only entry covers, in seconds relative to L{NOW}."""
        entry = self.entry()
        return [] if entry is None else [
            (s.start_ns / SECOND_NS - NOW, s.end_ns / SECOND_NS - NOW)
            for s in entry.dataset.extents.spans]

    def left_over(self) -> tuple[int, int, int]:
        """:return: flights, octets and locks that are left: nothing, when all is done."""
        return self.fetcher.fetches, self.in_flight.held, self.entries.busy


class Answer:
    """
    A response, read to its end.

    :ivar octets: of its body.
    """

    def __init__(self, response: Response, octets: bytes) -> None:
        self.response = response
        self.octets = octets

    @property
    def code(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def outcome(self) -> Outcome:
        """How it came about."""
        return self.response.outcome

    @property
    def status(self) -> Status:
        """How the lookup went."""
        return self.outcome.status

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.octets)

    @property
    def times(self) -> list[float]:
        """Instants of the series that is never absent, in seconds relative to L{NOW}."""
        first = self.json["data"]["result"][0]
        return [round(row[0] - NOW, 3) for row in first["values"]]
