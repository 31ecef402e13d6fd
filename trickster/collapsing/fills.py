"""Collapsed forwarding: exchanges with the origin for which several requests may wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.collapsing.broadcast import SharedBody
from trickster.collapsing.hit_for_pass import HitForPass
from trickster.collapsing.readers import Follower
from trickster.errors import RequestError
from trickster.messages import Outcome, Response
from trickster.objects.stored_response import StoredResponse
from trickster.tracebacks import without_frames

# For so long, requests do not wait for one another after an answer that could not be shared.
_PASS_SECONDS = 10.0


@frozen
class Landed:
    """
    The exchange gave a document that answers all waiters.

    :ivar outcome: how, as for the request that began it.
    :ivar first_hand: whether the origin made it for that request.
    """

    document: StoredResponse
    outcome: Outcome
    first_hand: bool = False


@frozen
class Live:
    """
    The answer is on its way.

    :ivar head: the document that it will be, still without parts.
    :ivar body: a reader's own way through the body; it must read or close it.
    :ivar outcome: how, as for the request that began it.
    :ivar first_hand: whether the origin made it for that request.
    """

    head: StoredResponse
    body: Follower
    outcome: Outcome
    first_hand: bool = False


@frozen
class Alone:
    """
    The answer cannot be shared.

    :ivar response: for the one that gets it; None for all others, who ask for themselves.
    """

    response: Response | None = None


Verdict = Landed | Live | Alone


@define(eq=False)
class Fill:
    """
    One exchange, and the waiters for it.

    Each waiter has a seat.  Leaving it harms no other; when there is neither a waiter nor a
    follower of the body, the exchange is cancelled.

    :ivar is_progressive: whether all waiters follow the body, and not only the first.
    :ivar is_detached: it goes on without waiters.
    :ivar may_be_kept: whether what it brings may still be stored.
    """

    _log = Logger()

    is_progressive: bool = False
    is_detached: bool = False
    may_be_kept: bool = True
    _is_abandoned: bool = field(default=False, init=False)
    _older: Sequence[Fill] = field(default=(), init=False)
    _seats: list[Deferred[Verdict]] = field(factory=list, init=False)
    _work: Deferred[None] | None = field(default=None, init=False)
    _head: tuple[StoredResponse, Outcome, bool] | None = field(default=None, init=False)
    _body: SharedBody | None = field(default=None, init=False)
    _live_is_taken: bool = field(default=False, init=False)
    _end: Verdict | Failure | None = field(default=None, init=False)

    def start(self, work: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
        """
        :param work: tells this fill what comes of it.
        :param ended: called when it is all over.
        """
        self._work = Deferred.fromCoroutine(work)
        self._work.addErrback(self._fail)
        self._work.addBoth(lambda _: ended())

    def follows(self, older: Sequence[Fill]) -> None:
        """
        :param older: exchanges for the same that have begun earlier, and may end later.
        """
        self._older = older

    def is_to_be_kept(self) -> bool:
        """
        Ask once, just before storing.

        :return: whether what it brought may be stored; then what older exchanges bring from
            now on may not.
        """
        if self.may_be_kept:
            for older in self._older:
                older.may_be_kept = False
        self._older = ()
        return self.may_be_kept

    @property
    def is_open(self) -> bool:
        """Whether a waiter that comes now will get a useful result."""
        return not self._is_abandoned and not isinstance(self._end, Alone | Failure) and (
            self._body is None or not self.is_progressive or self._body.can_be_joined)

    @property
    def body(self) -> SharedBody | None:
        """What is on its way, once it has begun."""
        return self._body

    def seat(self) -> Deferred[Verdict]:
        """:return: fires with the verdict; cancelling it leaves the seat."""
        seat: Deferred[Verdict] = Deferred(self._leave)
        if isinstance(self._end, Failure):
            seat.errback(self._end)
        elif isinstance(self._end, Landed):
            seat.callback(self._end)
        elif self._body is not None and (self.is_progressive or not self._live_is_taken):
            self._live_is_taken = True
            seat.callback(self._followed())
        elif self._end is not None:
            seat.callback(self._taken_end())
        else:
            self._seats.append(seat)
            self._wake()
        return seat

    @property
    def head(self) -> StoredResponse | None:
        """What is known of the document on its way, its length too if it is."""
        if self._head is None or self._body is None:
            return None
        return evolve(self._head[0], length=self._body.length)

    def is_waited_for(self) -> bool:
        """:return: whether a waiter needs the end, and does not only follow."""
        return self.is_detached or bool(self._seats)

    def go_live(self, head: StoredResponse, body: SharedBody, outcome: Outcome,
                first_hand: bool) -> None:
        """The answer begins: who may follow it, does."""
        self._head, self._body = (head, outcome, first_hand), body
        following = self._seats if self.is_progressive else self._seats[:1]
        self._seats = self._seats[len(following):]
        self._live_is_taken = bool(following)
        # All must follow before the first reads, lest what they need is forgotten.
        verdicts = [self._followed() for _ in following]
        for seat, verdict in zip(following, verdicts, strict=True):
            seat.callback(verdict)

    def _followed(self) -> Live:
        assert self._head is not None and self._body is not None
        head, outcome, first_hand = self._head
        return Live(head, self._body.follow(), outcome, first_hand)

    def land(self, landed: Landed) -> None:
        """All waiters are answered by a document."""
        self._finish(landed)

    def release(self, response: Response | None = None) -> None:
        """
        No waiter need wait any longer: the answer is no use to others.

        :param response: for the first waiter.
        """
        self._finish(Alone(response))

    def _finish(self, end: Verdict) -> None:
        self._end = end
        seats, self._seats = self._seats, []
        for seat in seats:
            seat.callback(self._taken_end())
        if isinstance(self._end, Alone) and self._end.response is not None:
            # A refresh that no client waits for.
            self._end.response.body.close()
            self._end = Alone()

    def _taken_end(self) -> Verdict:
        end = self._end
        assert end is not None and not isinstance(end, Failure)
        if isinstance(end, Alone) and end.response is not None:
            self._end = Alone()
        return end

    def _fail(self, failure: Failure) -> None:
        if self._end is None:
            self._end = without_frames(failure)
        seats, self._seats = self._seats, []
        for seat in seats:
            seat.errback(failure)
        if not seats and not failure.check(RequestError, CancelledError):
            self._log.failure("while fetching for the cache", failure)

    def _leave(self, seat: Deferred[Verdict]) -> None:
        if seat in self._seats:
            self._seats.remove(seat)
            self.check()

    def check(self) -> None:
        """Give up if there is no waiter and no follower any more."""
        body = self._body
        if self.is_waited_for() or (self._end is not None and body is None):
            self._wake()
        elif body is None or not (body.is_followed or body.is_carried_on or body.is_over):
            self.cancel()

    def cancel(self) -> None:
        """Give up; it may take its time to end, but no waiter joins it any more."""
        self._is_abandoned = True
        if self._body is not None:
            self._body.give_up()
        elif self._end is None and self._work is not None:
            self._work.cancel()

    def _wake(self) -> None:
        if self._body is not None:
            self._body.wake()


@define(eq=False)
class Look:
    """
    A look into a store that takes its time.

    :ivar is_outdated: whether what is there has been changed since it began.
    """

    is_outdated: bool = False


@define
class FillTable:
    """
    The exchanges on their way, by what they fetch.

    :ivar hit_for_pass: marks slots whose requests had better not wait for one another.
    """

    hit_for_pass: HitForPass
    _fills: dict[str, Fill] = field(factory=dict, init=False)
    _alone: dict[Fill, str] = field(factory=dict, init=False)
    _looks: dict[str, list[Look]] = field(factory=dict, init=False)

    @classmethod
    def of(cls, clock: IReactorTime) -> FillTable:
        """:return: an empty one."""
        return cls(HitForPass(clock, _PASS_SECONDS))

    def __len__(self) -> int:
        return len(self._fills) + len(self._alone)

    def find(self, slot: str) -> Fill | None:
        """:return: the exchange that a waiter may still join."""
        fill = self._fills.get(slot)
        return fill if fill is not None and fill.is_open else None

    def begin(self, slot: str, fill: Fill, work: Coroutine[Any, Any, None]) -> None:
        """Run an exchange; others can join it until it has ended."""
        self._fills[slot] = fill
        fill.start(work, lambda: self._forget(slot, fill))

    def begin_alone(self, slot: str, fill: Fill, work: Coroutine[Any, Any, None]) -> None:
        """Run an exchange with one waiter, beside those that others wait for."""
        shared = self._fills.get(slot)
        older = [other for other, others_slot in self._alone.items() if others_slot == slot]
        fill.follows(older if shared is None else [*older, shared])
        self._alone[fill] = slot
        fill.start(work, lambda: self._end_alone(fill))

    def _end_alone(self, fill: Fill) -> None:
        del self._alone[fill]

    def _forget(self, slot: str, fill: Fill) -> None:
        if self._fills.get(slot) is fill:
            del self._fills[slot]

    def outdate(self, key: str) -> None:
        """What is on its way for a key was asked for before it changed: no waiter joins it."""
        for slot in [slot for slot in self._fills if slot.startswith(key)]:
            self._fills.pop(slot).may_be_kept = False
        for fill, slot in self._alone.items():
            if slot.startswith(key):
                fill.may_be_kept = False

    def look(self, key: str) -> Look:
        """:return: a look that begins; it ends with L{looked}."""
        look = Look()
        self._looks.setdefault(key, []).append(look)
        return look

    def looked(self, key: str, look: Look) -> None:
        """A look has ended."""
        looks = self._looks[key]
        looks.remove(look)
        if not looks:
            del self._looks[key]

    def stored(self, key: str) -> None:
        """An exchange has stored what it brought: who looks now may have missed it."""
        for look in self._looks.get(key, ()):
            look.is_outdated = True

    def cancel_all(self) -> None:
        """Give up everything, at the end of the program."""
        for fill in [*self._fills.values(), *self._alone]:
            fill.cancel()
