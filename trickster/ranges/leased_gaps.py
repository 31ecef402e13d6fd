"""Gaps that one of the processes which share a store fetches for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from weakref import ref

import msgspec
from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.leases.board import MOST_RESULT, Claim, State
from trickster.collapsing.leases.failure import Failure
from trickster.collapsing.leases.lease import NO_LEASE, Lease, Unleased
from trickster.collapsing.leases.leases import Ended, Leases, Wanted
from trickster.errors import NotADataset, Reason
from trickster.messages import Headers, Octets, Response
from trickster.ranges.fetch_result import FailedElsewhere, FetchResult, combined
from trickster.ranges.kept.entries import Entries
from trickster.ranges.plan import Plan
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.wire import Codec

# Times that another process has fetched some of it, and something is missing still.
_MOST_TURNS = 8
# Series, and octets in memory, of what is small enough for others, maybe: to find that out of
# more would hold the reactor.
_MOST_SERIES, _LARGEST_REST = 1000, 8 * MOST_RESULT


class _Rest(msgspec.Struct, array_like=True):
    unstorable: Reason | None
    parts: list[bytes]


_reader = msgspec.msgpack.Decoder(_Rest)
_writer = msgspec.msgpack.Encoder()


@frozen
class Asked:
    """
    What the origin was asked for, and what came of it.

    :ivar volatile: what of the answer others do not find in the store, since it may change.
    :ivar storing: fires with whether the store keeps the other part; None where there is none.
    """

    result: FetchResult
    volatile: Extents
    storing: Deferred[bool] | None = None


@define(eq=False)
class _Gap:
    """
    What is to be fetched.

    :ivar parts: what there is of it by now.
    :ivar known: the token of the newest fetch of another process after which the store was
        looked at.
    """

    _whole: Extents
    parts: list[FetchResult] = field(factory=list, init=False)
    known: int = field(default=0, init=False)

    @property
    def left(self) -> Extents:
        """:return: what is missing."""
        return self._whole - Extents.of(self._whole.step_ns, (
            span for part in self.parts for span in part.dataset.extents.spans))


Ask = Callable[[Extent, int], Awaitable[Asked]]


@define
class LeasedGaps:
    """
    Fetches gaps, each under a lease, or has another process fetch them, or some of them.

    :ivar _patience: seconds that a fetch waits for other processes.
    """

    _entries: Entries
    _leases: Leases
    _patience: float
    _clock: IReactorTime
    _codec: Codec

    async def fetched(self, plan: Plan, extent: Extent, ask: Ask) -> FetchResult:
        """
        :param ask: asks the origin for an extent, under the token of a lease, or under 0, and
            begins to store what it answers.
        :return: what there is of an extent by now, whole.
        :raises FailedElsewhere: another process was told that there is none.
        :raises Exception: as C{ask}.
        """
        gap = _Gap(Extents(plan.query.step_ns, (extent,)))
        lease = await self._lease(plan, gap)
        gap.parts += await self._own(gap.left, lease, ask)
        result = combined(gap.parts, plan.query.most_series)
        if result is None:  # the origin has changed the kind of its answers
            return (await ask(extent, 0)).result
        return result

    async def _lease(self, plan: Plan, gap: _Gap) -> Unleased:
        """
        Wait for other processes as long as that is of any use.

        :param gap: is given what they have brought.
        :return: under which the rest is to be fetched.
        """
        until = self._clock.seconds() + self._patience
        for _ in range(_MOST_TURNS):
            turn = await self._leases.turn(_wanted(plan, gap, until))
            if isinstance(turn, Lease):
                return turn
            if not isinstance(turn, Ended):
                break
            gap.known = max(gap.known, turn.claim.token)
            gap.parts += await self._theirs(turn, plan, gap.left)
            if not gap.left or (turn.is_known and _is_unshared(turn.claim, plan)):
                break
        return NO_LEASE

    async def _theirs(self, ended: Ended, plan: Plan, left: Extents) -> list[FetchResult]:
        """:return: what of it another process has stored, or given to those who waited for it."""
        found: list[FetchResult] = []
        entry = await self._entries.get(plan.key)
        if entry is not None and not entry.is_stale:
            held = left & entry.dataset.extents
            if held:
                found.append(FetchResult(
                    entry.dataset.restricted(held), entry.headers, ref(entry)))
                left = left - held
        if left and ended.is_known and ended.claim.state is State.GIVEN:
            found += self._given(ended.claim, left)
        return found

    def _given(self, claim: Claim, left: Extents) -> list[FetchResult]:
        try:
            rest = _reader.decode(claim.result)
        except (ValueError, RecursionError):
            return []
        read = self._codec.from_parts(rest.parts)
        if read is None or not _are_of_one_grid(read[0].extents, left):
            return []
        given = left & read[0].extents
        if not given:
            return []
        return [FetchResult(read[0].restricted(given), Headers(read[1]), None, rest.unstorable)]

    async def _own(self, left: Extents, lease: Unleased, ask: Ask) -> list[FetchResult]:
        asked: list[Asked] = []
        try:
            for span in left.spans:
                asked.append(await ask(span, lease.token))
        except NotADataset as error:
            _tell(lease, error)
            raise
        except BaseException as error:
            lease.left(error)
            raise
        storing = asked[-1].storing if asked else None
        if storing is None:
            self._give(lease, asked, True)
        else:
            storing.addCallback(lambda is_kept: self._give(lease, asked, is_kept))
        return [one.result for one in asked]

    def _give(self, lease: Unleased, asked: Sequence[Asked], is_kept: bool) -> None:
        if not lease.is_told:
            return
        rests = [one for one in asked if one.volatile]
        if is_kept and not rests:
            lease.stored()
            return
        rest = self._encoded(rests) if is_kept else None
        if rest is None:
            lease.unshared()
        else:
            lease.given(rest)

    def _encoded(self, rests: Sequence[Asked]) -> bytes | None:
        """:return: what of answers is not in the store; None where it is too much to be given."""
        if any(len(one.result.dataset.series) > _MOST_SERIES for one in rests):
            return None
        dataset, *others = [one.result.dataset.restricted(one.volatile) for one in rests]
        for other in others:
            dataset = dataset.merged(other)
        if dataset.nbytes > _LARGEST_REST:
            return None
        unstorable = next((one.result.unstorable for one in rests if one.result.unstorable), None)
        return _writer.encode(_Rest(
            unstorable, self._codec.to_parts(dataset, rests[-1].result.headers.pairs)))


def _are_of_one_grid(one: Extents, other: Extents) -> bool:
    step = one.step_ns
    return step == other.step_ns and len(
        {span.start_ns % step for span in one.spans + other.spans}) == 1


def _wanted(plan: Plan, gap: _Gap, until: float) -> Wanted:
    slot = f"{plan.key}@{plan.mark}" if plan.mark else plan.key
    return Wanted(slot, until, gap.left.spans, max(plan.token, gap.known), gap.known,
                  plan.query.no_cache)


def _is_unshared(claim: Claim, plan: Plan) -> bool:
    """
    :return: whether there is nothing to wait for: each process fetches for itself.
    :raises FailedElsewhere: what another process had for an answer is one to this as well.  That
        a wider fetch has failed says nothing about what is wanted of it.
    """
    wanted = plan.wanted
    error = _error_of(claim)
    if error is not None and all(
            wanted.start_ns <= start and end <= wanted.end_ns for start, end in claim.spans):
        raise FailedElsewhere(error)
    return claim.state is State.UNSHARED


def _error_of(claim: Claim) -> Any:
    if claim.state is State.UNSHARED:
        reason = next((one for one in Reason if one.value.encode() == claim.result), None)
        return None if reason is None else NotADataset(reason)
    failure = Failure.decoded(claim.result) if claim.state is State.FAILED else None
    if failure is None:
        return None
    if failure.body is None or not 500 <= failure.status <= 599:
        return failure.error
    return NotADataset(failure.reason, "", Response(
        failure.status, Headers(tuple(failure.fields)), Octets(failure.body)))


def _tell(lease: Unleased, error: NotADataset) -> None:
    """Tell other processes that there is no dataset, as far as that is so for them, too."""
    response = error.response
    if error.is_refusal and response.status >= 500 and isinstance(response.body, Octets):
        lease.failed(Failure.of_answer(
            response.status, response.headers.pairs, bytes(response.body.octets)))
    elif error.is_refusal:
        lease.unshared()
    elif error.reason is Reason.IN_FLIGHT_BUDGET:
        lease.left()  # another process may have room
    else:
        lease.unshared(error.reason)
