"""The newest sample, beside the answer to a range query."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.bodies import read_all
from trickster.caching.flights import Flight
from trickster.errors import RequestError, TricksterError, Undecodable
from trickster.interfaces import INewestDialect, IResponder
from trickster.messages import FastForward, Octets
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.query import TimeRangeQuery

_MOST_KEPT = 4096
_LARGEST = 16 << 20
SECOND_NS = 1_000_000_000


@frozen
class _Newest:
    at_ns: int
    dataset: Dataset
    until: float


def instant_wanted(asked: TimeRangeQuery, answered: TimeRangeQuery, now_ns: int,
                   ttl: float) -> int | None:
    """
    :param asked: the query as the client sent it.
    :param answered: the same on the step's grid.
    :param ttl: seconds that a newest sample serves; for steps not longer than that there
        is no use in one.
    :return: the instant of a sample newer than the last whole step, and inside the range
        that the client asked for; None where there can be none.
    """
    step, last = answered.step_ns, answered.extent.end_ns
    if not asked.wants_newest or step <= ttl * SECOND_NS or last != now_ns // step * step:
        return None
    at_ns = min(asked.extent.end_ns, now_ns // 1_000_000 * 1_000_000)
    return at_ns if at_ns > last else None


@define
class NewestSamples:
    """
    Asks for, and for a little while remembers, each query's newest sample.

    :ivar _ttl: seconds that one serves.
    """

    _dialect: INewestDialect
    _upstream: IResponder
    _clock: IReactorTime
    _ttl: float
    _kept: OrderedDict[str, _Newest] = field(factory=OrderedDict, init=False)
    _flights: dict[str, Flight[_Newest]] = field(factory=dict, init=False)

    async def newest(self, key: str, query: TimeRangeQuery,
                     at_ns: int) -> tuple[Dataset | None, FastForward]:
        """
        :param query: on the step's grid.
        :param at_ns: the instant wanted; one remembered serves if it is later than the
            query's end and not later than this.
        :return: one row a series, or None where the origin would not say.
        """
        last = query.extent.end_ns
        found = self._remembered(key)
        if found is not None and last < found.at_ns <= at_ns:
            return found.dataset, FastForward.HIT
        try:
            fetched = await self._joined(f"{key} {last}", key, query, at_ns)
        except (RequestError, TricksterError):
            return None, FastForward.ERROR
        if not last < fetched.at_ns <= at_ns:
            return None, FastForward.ERROR  # somebody else's flight, for a later instant
        return fetched.dataset, FastForward.MISS

    def _remembered(self, key: str) -> _Newest | None:
        found = self._kept.get(key)
        if found is not None and found.until <= self._clock.seconds():
            del self._kept[key]
            return None
        return found

    async def _joined(self, flight_key: str, key: str, query: TimeRangeQuery,
                      at_ns: int) -> _Newest:
        flight = self._flights.get(flight_key)
        if flight is None:
            flight = self._flights[flight_key] = Flight()
            flight.start(self._fetch(key, query, at_ns),
                         lambda: self._flights.pop(flight_key, None))
        return await flight.seat()

    async def _fetch(self, key: str, query: TimeRangeQuery, at_ns: int) -> _Newest:
        until = self._clock.seconds() + self._ttl
        response = await self._upstream.respond(self._dialect.encode_newest(query, at_ns))
        try:
            if response.status != 200:
                raise Undecodable(f"status {response.status}")
            octets = await read_all(response.body, _LARGEST)
        finally:
            response.body.close()
        dataset = self._dialect.decode_newest(query, evolve(response, body=Octets(octets)))
        found = _Newest(at_ns, dataset, until)
        self._kept[key] = found
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found


