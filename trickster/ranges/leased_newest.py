"""Newest samples that one of the processes which share a store fetches for all of them."""

from __future__ import annotations

import msgspec
from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.leases.board import Claim, State
from trickster.collapsing.leases.lease import NO_LEASE, Lease, Unleased
from trickster.collapsing.leases.leases import Ended, Leases, Wanted
from trickster.messages import Headers, Octets, Response
from trickster.timeseries.query import TimeRangeQuery

# Times that what another process has fetched is for another instant.
_MOST_TURNS = 3
_SUFFIX = "~newest"


class _Given(msgspec.Struct, array_like=True):
    at_ns: int
    left: float
    fields: list[tuple[bytes, bytes]]
    body: bytes


_reader = msgspec.msgpack.Decoder(_Given)
_writer = msgspec.msgpack.Encoder()


@frozen
class NewestResponse:
    """
    The origin's answer to a request for newest samples.

    :ivar response: with its body whole, and status 200.
    :ivar at_ns: the instant that was asked for.
    :ivar until: seconds of the clock from which on it is asked for anew.
    """

    response: Response
    at_ns: int
    until: float

    def encoded(self, now: float) -> bytes:
        """
        :param now: seconds of the clock.
        :return: what other processes make an equal one of.
        """
        body = self.response.body
        assert isinstance(body, Octets)
        return _writer.encode(_Given(
            self.at_ns, self.until - now, list(self.response.headers.pairs), bytes(body.octets)))


@define
class LeasedNewest:
    """
    Has newest samples fetched under a lease, or by another process.

    :ivar _patience: seconds that a fetch waits for other processes.
    """

    _leases: Leases
    _patience: float
    _clock: IReactorTime

    async def turn(self, key: str, query: TimeRangeQuery, at_ns: int
                   ) -> tuple[Unleased, NewestResponse | None]:
        """
        :param key: equal for all who may share a sample.
        :param at_ns: the instant wanted.
        :return: under which lease to fetch; or what another process has fetched for an instant
            that is after the query's end, and not after the one that is wanted.
        """
        until, known = self._clock.seconds() + self._patience, 0
        for _ in range(_MOST_TURNS):
            turn = await self._leases.turn(Wanted(
                key + _SUFFIX, until, known=known, is_newer=query.no_cache))
            if isinstance(turn, Lease):
                return turn, None
            if not isinstance(turn, Ended):
                break
            known = max(known, turn.claim.token)
            given = self._given(turn)
            if given is not None and query.extent.end_ns < given.at_ns <= at_ns:
                return NO_LEASE, given
            if turn.is_known and turn.claim.state is State.UNSHARED:
                break
        return NO_LEASE, None

    def _given(self, ended: Ended) -> NewestResponse | None:
        given = _decoded(ended.claim)
        if given is None:
            return None
        # How long ago it was given is not known, but that it would be forgotten after a while.
        left = given.left - (0.0 if ended.is_known else self._leases.records.remembered)
        response = Response(200, Headers(tuple(given.fields)), Octets(given.body))
        return NewestResponse(response, given.at_ns, self._clock.seconds() + left) if (
            left > 0) else None


def _decoded(claim: Claim) -> _Given | None:
    if claim.state is not State.GIVEN:
        return None
    try:
        return _reader.decode(claim.result)
    except (ValueError, RecursionError):
        return None
