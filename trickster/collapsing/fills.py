"""Collapsed forwarding: exchanges with the origin for which several requests may wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.collapsing.broadcast import BroadcastBody
from trickster.collapsing.hit_for_pass import HitForPass
from trickster.collapsing.readers import BodyReader
from trickster.errors import RequestError
from trickster.messages import Outcome, Response
from trickster.net.tracebacks import without_frames
from trickster.net.waiters import Waiters

# What a cache stores of a response.
R = TypeVar("R")

# For so long, requests do not wait for one another after an answer that could not be shared.
_PASS_SECONDS = 10.0


@frozen
class Filled(Generic[R]):
    """
    The exchange gave a response that answers all waiters.

    :ivar stored: the response, stored or not.
    :ivar outcome: how, as for the request that began it.
    :ivar first_hand: whether the origin made it for that request.
    """

    stored: R
    outcome: Outcome
    first_hand: bool = False


@frozen
class Streaming(Generic[R]):
    """
    The response is on its way.

    :ivar stored: what will be stored, still without its body.
    :ivar body: a reader's own way through the body; it must read or close it.
    :ivar outcome: how, as for the request that began it.
    :ivar first_hand: whether the origin made it for that request.
    """

    stored: R
    body: BodyReader
    outcome: Outcome
    first_hand: bool = False


@frozen
class Unshared:
    """
    The response cannot be shared.

    :ivar response: for the one that gets it; None for all others, who ask for themselves.
    """

    response: Response | None = None


FillResult = Filled[R] | Streaming[R] | Unshared


@define(eq=False)
class StoringOrder:
    """
    The order in which exchanges for the same have begun: of what they bring, the newest is
    stored, and nothing older after it.

    :ivar stored: the number of the newest turn that was taken.
    """

    stored: int = 0
    _begun: int = 0

    def turn(self) -> StoringTurn:
        """:return: that of an exchange which begins now."""
        self._begun += 1
        return StoringTurn(self, self._begun)


@define(eq=False)
class StoringTurn:
    """The place of one exchange in a L{StoringOrder}."""

    _order: StoringOrder
    _number: int
    _is_outdated: bool = field(default=False, init=False)

    @property
    def is_open(self) -> bool:
        """:return: whether what the exchange brings may still be stored."""
        return not self._is_outdated and self._number >= self._order.stored

    def take(self) -> bool:
        """
        Ask once, just before storing.

        :return: whether what it brought may be stored; then what older exchanges bring from
            now on may not.
        """
        if not self.is_open:
            return False
        self._order.stored = self._number
        return True

    def outdate(self) -> None:
        """Let nothing be stored of what the exchange brings: it was asked for before a change."""
        self._is_outdated = True


def _only_turn() -> StoringTurn:
    return StoringOrder().turn()


@define(eq=False)
class Fill(Generic[R]):
    """
    One exchange, and the waiters for it.

    When there is neither a waiter nor a reader of the body, the exchange is cancelled.

    :ivar is_progressive: whether all waiters read the body as it comes, and not only the first.
    :ivar is_background: it goes on without waiters.
    :ivar turn: tells whether what it brings may still be stored.
    """

    _log = Logger()

    is_progressive: bool = False
    is_background: bool = False
    turn: StoringTurn = field(factory=_only_turn)
    _is_abandoned: bool = field(default=False, init=False)
    _waiters: Waiters[FillResult[R]] = field(factory=Waiters, init=False)
    _work: Deferred[None] | None = field(default=None, init=False)
    _head: tuple[R, Outcome, bool] | None = field(default=None, init=False)
    _body: BroadcastBody | None = field(default=None, init=False)
    _stream_is_taken: bool = field(default=False, init=False)
    _end: FillResult[R] | Failure | None = field(default=None, init=False)

    def start(self, work: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
        """
        :param work: tells this fill what comes of it.
        :param ended: called when it is all over.
        """
        self._work = Deferred.fromCoroutine(work)
        self._work.addErrback(self._fail)
        self._work.addBoth(lambda _: ended())

    @property
    def is_open(self) -> bool:
        """
        :return: whether a waiter that comes now will get a useful result: not once this was given
            up, has failed or has a response that is no use to others, nor where the beginning
            of the body that it would read is gone.
        """
        return not self._is_abandoned and not isinstance(self._end, Unshared | Failure) and (
            self._body is None or not self.is_progressive or self._body.can_be_joined)

    @property
    def body(self) -> BroadcastBody | None:
        """:return: what waiters read as it comes, also after its end; None before L{stream}."""
        return self._body

    @property
    def stored(self) -> R | None:
        """:return: the response as L{stream} was given it; None before that."""
        return None if self._head is None else self._head[0]

    def wait(self) -> Deferred[FillResult[R]]:
        """:return: fires with the result; cancelling it leaves the exchange to the others."""
        if self._end is None and not self._can_be_read():
            waiter = self._waiters.wait(self.left)
            self._wake()
            return waiter
        told: Deferred[FillResult[R]] = Deferred()
        told.callback(self._result())
        return told

    def _can_be_read(self) -> bool:
        return self._body is not None and (self.is_progressive or not self._stream_is_taken)

    def _result(self) -> FillResult[R] | Failure:
        if self._can_be_read() and not isinstance(self._end, Filled | Failure):
            self._stream_is_taken = True
            return self._stream()
        return self._taken_end()

    def is_awaited(self) -> bool:
        """:return: whether a waiter needs the end, and does not only read what comes."""
        return self.is_background or bool(self._waiters)

    def stream(self, stored: R, body: BroadcastBody, outcome: Outcome, first_hand: bool) -> None:
        """
        Begin to give the response: to all waiters, also those that come later, where the fill is
        progressive, and else to one; the others wait for the end.

        :param stored: what will be stored, still without its body.
        :param body: L{BroadcastBody.pump} is called after this, by the work of the fill.
        :param outcome: as in L{Streaming}, like C{first_hand}.
        """
        self._head, self._body = (stored, outcome, first_hand), body
        readers = len(self._waiters) if self.is_progressive else min(1, len(self._waiters))
        self._stream_is_taken = bool(readers)
        # All must have joined before the first reads, lest what they need is forgotten.
        for streaming in [self._stream() for _ in range(readers)]:
            if not self._waiters.tell_first(streaming):
                streaming.body.close()  # what another did has made this waiter leave

    def _stream(self) -> Streaming[R]:
        assert self._head is not None and self._body is not None
        stored, outcome, first_hand = self._head
        return Streaming(stored, BodyReader.of(self._body), outcome, first_hand)

    def complete(self, filled: Filled[R]) -> None:
        """
        Answer all waiters with one response.

        :param filled: given to those that come before the work has ended, too.
        """
        self._finish(filled)

    def release(self, response: Response | None = None) -> None:
        """
        No waiter need wait any longer: the response is no use to others.

        :param response: for the first waiter.
        """
        self._finish(Unshared(response))

    def _finish(self, end: FillResult[R]) -> None:
        self._end = end
        while self._waiters:
            self._waiters.tell_first(self._taken_end())
        if isinstance(self._end, Unshared) and self._end.response is not None:
            # A refresh that no client waits for.
            self._end.response.body.close()
            self._end = Unshared()

    def _taken_end(self) -> FillResult[R] | Failure:
        end = self._end
        assert end is not None
        if isinstance(end, Unshared) and end.response is not None:
            self._end = Unshared()
        return end

    def _fail(self, failure: Failure) -> None:
        if self._end is None:
            self._end = without_frames(failure)
        if not self._waiters and not failure.check(RequestError, CancelledError):
            self._log.failure("while fetching for the cache", failure)
        self._waiters.tell_all(failure)

    def left(self) -> None:
        """A waiter or a reader has left: give up if it was the last of both."""
        body = self._body
        if self.is_awaited() or (self._end is not None and body is None):
            self._wake()
        elif body is None or not (body.is_read or body.is_carried_on or body.is_over):
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
class StoreRead:
    """
    A look into a store that takes its time.

    :ivar is_outdated: whether what is there has been changed since it began.
    """

    is_outdated: bool = False


@define(eq=False)
class _Slot(Generic[R]):
    """The exchanges of one slot that are under way, in the order in which they began."""

    fills: dict[Fill[R], None] = field(factory=dict, init=False)
    order: StoringOrder = field(factory=StoringOrder, init=False)


@define
class FillTable(Generic[R]):
    """
    The exchanges on their way, by what they fetch.

    :ivar hit_for_pass: marks slots whose requests had better not wait for one another.
    """

    hit_for_pass: HitForPass
    # The one that others join, by slot; and all that are on their way.
    _shared: dict[str, Fill[R]] = field(factory=dict, init=False)
    _under_way: dict[str, _Slot[R]] = field(factory=dict, init=False)
    _reads: dict[str, list[StoreRead]] = field(factory=dict, init=False)

    @classmethod
    def of(cls, clock: IReactorTime) -> FillTable[R]:
        """:return: an empty one."""
        return cls(HitForPass(clock, _PASS_SECONDS))

    def __len__(self) -> int:
        return sum(len(slot.fills) for slot in self._under_way.values())

    def find(self, slot: str) -> Fill[R] | None:
        """:return: the exchange that a waiter may still join."""
        fill = self._shared.get(slot)
        return fill if fill is not None and fill.is_open else None

    def begin(self, slot: str, fill: Fill[R], work: Coroutine[Any, Any, None]) -> None:
        """
        Run an exchange; others can join it until it has ended.

        :param slot: what L{find} is asked for; begins with the key of what is fetched.
        :param fill: a new one; it is started.
        :param work: tells the fill what comes of it.
        """
        self._shared[slot] = fill
        self._start(slot, fill, work)

    def begin_unshared(self, slot: str, fill: Fill[R], work: Coroutine[Any, Any, None]) -> None:
        """
        Run an exchange with one waiter, beside those that others wait for.

        :param slot: as in L{begin}, like C{fill} and C{work}.
        """
        self._start(slot, fill, work)

    def _start(self, slot: str, fill: Fill[R], work: Coroutine[Any, Any, None]) -> None:
        under_way = self._under_way.get(slot)
        if under_way is None:
            under_way = self._under_way[slot] = _Slot()
        fill.turn = under_way.order.turn()
        under_way.fills[fill] = None
        fill.start(work, lambda: self._forget(slot, fill))

    def _forget(self, slot: str, fill: Fill[R]) -> None:
        under_way = self._under_way[slot]
        del under_way.fills[fill]
        if not under_way.fills:
            del self._under_way[slot]
        if self._shared.get(slot) is fill:
            del self._shared[slot]

    def outdate(self, key: str) -> None:
        """
        Have what is on its way neither joined nor stored: it was asked for before a change.

        :param key: of what has changed, or what several keys begin with; slots begin with it.
        """
        for slot in [slot for slot in self._under_way if slot.startswith(key)]:
            self._shared.pop(slot, None)
            for fill in self._under_way[slot].fills:
                fill.turn.outdate()

    def begin_read(self, key: str) -> StoreRead:
        """:return: a read that begins; it ends with L{end_read}."""
        read = StoreRead()
        self._reads.setdefault(key, []).append(read)
        return read

    def end_read(self, key: str, read: StoreRead) -> None:
        """
        End a read, once.

        :param key: as L{begin_read} was given it.
        :param read: as it gave it.
        """
        reads = self._reads[key]
        reads.remove(read)
        if not reads:
            del self._reads[key]

    def stored(self, key: str) -> None:
        """
        Outdate the reads of a key: an exchange has stored what it brought, and they may have
        missed it.

        :param key: as in L{begin_read}: that of the lookup, and not of one variant.
        """
        for read in self._reads.get(key, ()):
            read.is_outdated = True

    def cancel_all(self) -> None:
        """Give up everything, at the end of the program."""
        for fill in [fill for slot in self._under_way.values() for fill in slot.fills]:
            fill.cancel()
