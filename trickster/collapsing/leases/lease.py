"""A lease that this process holds, until what it was taken for has ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater

from trickster.collapsing.leases.board import MOST_RESULT, Board, State
from trickster.collapsing.leases.failure import Failure
from trickster.collapsing.leases.records import Records
from trickster.errors import Reason, RequestError
from trickster.net.callbacks import ignore

# Of the time after which others take a lease over from a holder of which they hear nothing.
_A_BEAT = 1 / 3
# How often the store is told of an end that it does not take: for as long as it keeps the claim.
_TRIES = 9
# Ends that are told again, at a time.
_MOST_UNTOLD = 1_000

Change = Callable[[Board], "Board | None"]


class Unleased:
    """
    What stands for a lease where none was taken: nothing is told to other processes.

    :ivar token: as for L{Lease.token}: none.
    :ivar is_told: whether what this is told makes any difference.
    """

    token = 0

    @property
    def is_told(self) -> bool:
        """:return: whether others wait, maybe, for what this is told."""
        return False

    def stored(self) -> None:
        """See L{Lease.stored}."""

    def unshared(self, reason: Reason | None = None) -> None:
        """See L{Lease.unshared}."""

    def failed(self, failure: Failure) -> None:
        """See L{Lease.failed}."""

    def given(self, octets: bytes) -> None:
        """See L{Lease.given}."""

    def left(self, error: BaseException | None = None) -> None:
        """See L{Lease.left}."""


NO_LEASE = Unleased()


@define(eq=False)
class Lease(Unleased):
    """
    The right to fetch something for all processes that share a store.

    It is told once how the fetch has ended, and what it is told after that makes no difference.
    None of this is waited for.

    :ivar token: greater than those of earlier leases of the same.
    :ivar _untold: holders whose fetches have ended, of which the store does not know yet.
    """

    token: int
    holder: str
    _key: str
    _octets: bytes
    _records: Records
    _seconds: float
    _counted: Callable[[str], None]
    _untold: set[str]
    _timer: IDelayedCall | None = field(default=None, init=False)
    _has_ended: bool = field(default=False, init=False)

    @property
    def is_told(self) -> bool:
        """:return: whether it was not told yet how the fetch has ended."""
        return not self._has_ended

    def begin(self) -> None:
        """Tell other processes, now and then, that the holder is at work."""
        self._timer = self._records.clock.callLater(
            self._seconds * _A_BEAT, self._in_background, self._beat)

    def doubted(self, attempt: Deferred[bool | None]) -> None:
        """
        Give it up, since it was not known in time whether the store has the claim.

        :param attempt: fires when that is known, as with L{Records.replaced}; others would wait
            for nothing if it has.
        """
        self._has_ended = True
        self._in_background(lambda: self._take_back(attempt))

    def stored(self) -> None:
        """The fetch has ended: the store has what it brought."""
        self._end(lambda board: board.ended(self.holder, State.STORED))

    def unshared(self, reason: Reason | None = None) -> None:
        """
        What is fetched cannot be shared: others ask for themselves.

        :param reason: why nothing that is fetched soon could be; None where that is not known.
        """
        result = b"" if reason is None else reason.value.encode("ascii")
        self._end(lambda board: board.ended(self.holder, State.UNSHARED, result))

    def failed(self, failure: Failure) -> None:
        """The fetch has ended without an answer that is of use."""
        octets = failure.encoded()
        if len(octets) > MOST_RESULT:
            self.unshared()
        else:
            self._end(lambda board: board.ended(self.holder, State.FAILED, octets))

    def given(self, octets: bytes) -> None:
        """
        The fetch has ended with an answer that is for all, but that the store has not got.

        :param octets: what others make the answer of; where they are too many, others ask for
            themselves.
        """
        if len(octets) > MOST_RESULT:
            self.unshared()
        else:
            self._end(lambda board: board.ended(self.holder, State.GIVEN, octets))

    def left(self, error: BaseException | None = None) -> None:
        """
        The fetch is over, however it ended.

        :param error: why it failed, if it did: where others can do nothing with that, one of them
            fetches in the place of this process.
        """
        failure = Failure.of(error) if isinstance(error, RequestError) else None
        if failure is None:
            self._end(self._without)
        else:
            self.failed(failure)

    def _end(self, change: Change) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._in_background(lambda: self._tell(change))

    async def _tell(self, change: Change) -> None:
        if await self._has_told(change):
            return
        with self._known_as_over() as is_known:
            if is_known:
                await self._told_again(change)

    async def _take_back(self, attempt: Deferred[bool | None]) -> None:
        with self._known_as_over() as is_known:
            is_taken = await attempt
            if is_taken is False:
                return
            told = await self._has_told(self._without, is_taken is True)
            if is_known and not told:
                await self._told_again(self._without, is_taken is True)

    @contextmanager
    def _known_as_over(self) -> Iterator[bool]:
        """
        Have requests of this process wait no more for this fetch, though the store does not know
        yet.

        :return: whether there was room for that.
        """
        is_known = len(self._untold) < _MOST_UNTOLD
        if is_known:
            self._untold.add(self.holder)
        try:
            yield is_known
        finally:
            self._untold.discard(self.holder)

    async def _told_again(self, change: Change, is_there: bool = True) -> None:
        for _ in range(_TRIES):
            await deferLater(self._records.clock, self._seconds * _A_BEAT)
            if await self._has_told(change, is_there):
                return

    async def _has_told(self, change: Change, is_there: bool = True) -> bool:
        """
        :param is_there: whether the store has had the claim; else it may get it yet.
        """
        changed = await self._records.changed(self._key, self._octets, change)
        return is_there if changed is None else changed.is_written

    def _without(self, board: Board) -> Board | None:
        return board.without(self.holder)

    def _in_background(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        # Records fail never; what is cancelled at the end of the program is of no use any more.
        Deferred.fromCoroutine(work()).addErrback(ignore)

    async def _beat(self) -> None:
        changed = await self._records.changed(
            self._key, self._octets, lambda board: board.beaten(self.holder))
        if self._has_ended:
            return
        if changed is None:
            self._counted("lost")
            self._has_ended = True
            return
        if changed.octets is not None:
            self._octets = changed.octets
        self.begin()
