"""A lease that this process holds, until what it was taken for has ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from trickster.collapsing.leases.board import MOST_RESULT, Board, State
from trickster.collapsing.leases.failure import Failure
from trickster.collapsing.leases.records import Records
from trickster.errors import Reason, RequestError
from trickster.net.callbacks import ignore

# Of the time after which others take a lease over from a holder of which they hear nothing.
_A_BEAT = 1 / 3

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
    """

    token: int
    holder: str
    _key: str
    _octets: bytes
    _records: Records
    _seconds: float
    _counted: Callable[[str], None]
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
            self._end(lambda board: board.without(self.holder))
        else:
            self.failed(failure)

    def _end(self, change: Change) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._in_background(lambda: self._records.changed(self._key, self._octets, change))

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
        self._octets = changed
        self.begin()
