"""Collapsed forwarding across processes: one of those that share a store fetches for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import count

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from trickster.collapsing.leases.board import Board, Claim, Span
from trickster.collapsing.leases.lease import Lease
from trickster.collapsing.leases.records import Record, Records
from trickster.net.callbacks import ignore
from trickster.net.waiters import within

# Seconds that a request waits to be told that the store has taken its claim.
_PATIENCE = 0.25
# Claims that are tried, where each time another process has been quicker.
_MOST_CLAIMS = 16
# Seconds between two looks at what another process does, the first and the longest: where the
# store tells at once, and where it has to be asked.
_PEEKS, _READS = (0.005, 0.025), (0.01, 0.1)
_LONGER = 1.5
# Of so many names that a number from 0 to 1 tells apart, a process has two.
_NAMES = 1 << 53


class Alone(Enum):
    """Why something is fetched without a lease."""

    STORE = "the store does not work, or has no room for another claim"
    PATIENCE = "another process takes too long"


@frozen
class Ended:
    """
    Another process has fetched some of it.

    :ivar claim: as it was told last.
    :ivar is_known: whether what is told of how that ended is for those who have waited for it;
        else it was forgotten, or given up, or had ended before: only the store tells.
    """

    claim: Claim
    is_known: bool


Turn = Lease | Ended | Alone


@frozen
class Wanted:
    """
    What is to be fetched.

    :ivar slot: equal for what is the same; begins with the key of the entry.
    :ivar until: when to wait no longer for other processes, in seconds of the clock.
    :ivar spans: of time, in nanoseconds, both ends inclusive; none for all that there is.
    :ivar above: what its token is above: that of what is stored.
    :ivar known: the token of the newest fetch that had ended when the store was looked at.
    :ivar is_newer: whether what other processes fetch was asked for too early to be of use.
    """

    slot: str
    until: float
    spans: Sequence[Span] = ()
    above: int = 0
    known: int = 0
    is_newer: bool = False


@define(eq=False)
class Leases:
    """
    The leases of a cache whose store several processes share.

    Who has a lease fetches; others that want the same wait, look now and then what became of it,
    and take it over where they have not heard of its holder for as long as a lease lasts, by
    their own clock.

    :ivar records: in the store.
    :ivar clock: for delays.
    :ivar _wall: seconds since the epoch, above which tokens are.
    :ivar _random: from 0 to 1, of which the name is made that tells this process from all others.
    :ivar seconds: that a lease lasts, after its holder was heard of.
    :ivar _counted: told C{taken}, C{waited}, C{taken-over}, C{lost} and C{failed}.
    :ivar untold: holders of this process whose fetches have ended, of which the store does not
        know yet.
    """

    records: Records
    clock: IReactorTime
    _wall: Callable[[], float]
    _random: Callable[[], float]
    seconds: float = 5.0
    _counted: Callable[[str], None] = ignore
    untold: set[str] = field(factory=set, init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)
    _process: str = field(default="", init=False)

    async def turn(self, wanted: Wanted) -> Turn:
        """
        Wait until it is for this process to fetch, or another one has fetched.

        :return: the lease, which has to be told how the fetch ends; or what another process has
            made of its own: look again whether something is missing; or that there is none.
        """
        turn = await _Approach(self, wanted).turn()
        if turn is Alone.STORE:
            self._counted("failed")
        return turn

    async def claimed(self, wanted: Wanted, record: Record, dead: Sequence[str]
                      ) -> Lease | bool | None:
        """
        Make a claim on the board that is known.

        :param dead: holders whose claims it takes over.
        :return: the lease; False where the board is another one by now; None where there is no
            answer from the store in time, or no room for another claim.
        """
        if not self._process:
            self._process = "".join(f"{int(self._random() * _NAMES):x}" for _ in range(2))
        holder = f"{self._process}.{next(self._numbers):x}"
        least = max(int(self._wall() * 1_000_000), wanted.above + 1)
        made = record.board.claimed(
            holder, wanted.spans, least, dead, is_beside=wanted.is_newer)
        if made is None:
            return None
        octets = made.board.encoded()
        lease = Lease(made.claim.token, holder, wanted.slot, octets, self.records, self.seconds,
                      self._counted, self.untold)
        attempt: Deferred[bool | None] = Deferred.fromCoroutine(
            self.records.replaced(wanted.slot, made.board, record.octets))
        taken: bool | None = None
        try:
            taken = await within(attempt, self.clock, _PATIENCE, None)
        finally:
            if taken is None:
                lease.doubted(attempt)
        if not taken:
            return taken
        self._counted("taken-over" if dead else "taken")
        lease.begin()
        return lease

    def waits(self) -> None:
        """Count a fetch that waits for another process."""
        self._counted("waited")


@define(eq=False)
class _Approach:
    """
    The way to one turn.

    :ivar _heard: when the last beat of each holder was first seen, by this process.
    :ivar _awaited: the claims of others for which it waits; None before it does.
    """

    _leases: Leases
    _wanted: Wanted
    _heard: dict[str, tuple[int, float]] = field(factory=dict, init=False)
    _awaited: tuple[Claim, ...] | None = field(default=None, init=False)
    _pause: float = field(default=0.0, init=False)
    _peeks: bool = field(default=True, init=False)
    _clock: IReactorTime = field(init=False, default=Factory(
        lambda self: self._leases.clock, takes_self=True))

    async def turn(self) -> Turn:
        """:return: see L{Leases.turn}."""
        # Mostly there is nothing, and it need not be asked for.
        record = Record()
        for _ in range(_MOST_CLAIMS):
            turn = await self._claimed(record) if self._is_free(record) else False
            if turn is None:
                return Alone.STORE
            if isinstance(turn, Lease):
                return turn
            latest = await self._leases.records.read(self._wanted.slot)
            if latest is None or (record.octets == latest.octets and self._is_free(latest)):
                return Alone.STORE  # no other process was quicker, but the store does not take it
            waited = await self._waited(latest)
            if not isinstance(waited, Record):
                return waited
            record = waited
        return Alone.STORE

    async def _claimed(self, record: Record) -> Lease | bool | None:
        dead = () if self._wanted.is_newer else record.board.held_over(self._wanted.spans)
        return await self._leases.claimed(
            self._wanted, record, [claim.holder for claim in dead])

    def _is_free(self, record: Record) -> bool:
        """:return: whether no other process is at work that is to be waited for."""
        held = record.board.held_over(self._wanted.spans)
        return self._wanted.is_newer or all(map(self._is_dead, held))

    def _is_dead(self, claim: Claim) -> bool:
        if claim.holder in self._leases.untold:
            return True
        now, known = self._clock.seconds(), self._heard.get(claim.holder)
        if known is None or known[0] != claim.beat:
            self._heard[claim.holder] = claim.beat, now
            return False
        return now - known[1] >= self._leases.seconds

    async def _waited(self, record: Record) -> Record | Turn:
        """:return: what there is once nothing is to be waited for; or how the wait ended."""
        if self._awaited is None and not self._wanted.is_newer:
            missed = record.board.kept_over(self._wanted.spans, self._wanted.known)
            if missed is not None:
                return Ended(missed, False)
        while not self._is_free(record):
            if self._clock.seconds() >= self._wanted.until:
                return Alone.PATIENCE
            if self._awaited is None:
                self._awaited = record.board.held_over(self._wanted.spans)
                self._leases.waits()
            ended = self._ended(record.board)
            if ended is not None:
                return ended
            later = await self._later(record)
            if later is None:
                return Alone.STORE
            record = later
        return self._ended(record.board) or record

    def _ended(self, board: Board) -> Ended | None:
        for before in self._awaited or ():
            claim = board.claim(before.holder)
            if claim is None or not claim.is_held:
                return Ended(claim or before, claim is not None)
        return None

    async def _later(self, record: Record) -> Record | None:
        """:return: what there is a little later; None where the store does not work."""
        records, slot = self._leases.records, self._wanted.slot
        first, last = _PEEKS if self._peeks else _READS
        self._pause = min(last, max(first, self._pause * _LONGER))
        left = max(0.0, self._wanted.until - self._clock.seconds())
        await deferLater(self._clock, min(self._pause, left))
        same = records.peek(slot, record)
        self._peeks = same is not None
        return record if same else await records.read(slot)
