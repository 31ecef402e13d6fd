"""Collapsed forwarding: several clients wait for one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.python.failure import Failure

from trickster.tracebacks import without_frames

T = TypeVar("T")


@define(eq=False)
class Flight(Generic[T]):
    """
    One piece of work that several clients wait for.

    Each holds a seat.  A client that goes away leaves its seat; the work goes on while
    there is one, and is cancelled when the last has left.

    :ivar is_abandoned: whether it was; it may take its time to end, but no client
        should join it any more.
    """

    _seats: list[Deferred[T]] = field(factory=list, init=False)
    _work: Deferred[T] | None = field(default=None, init=False)
    _landed: list[Any] = field(factory=list, init=False)
    is_abandoned: bool = field(default=False, init=False)

    def start(self, work: Coroutine[Any, Any, T], landed: Callable[[], None]) -> None:
        """
        :param work: what all wait for; begun at once.
        :param landed: called once when it has ended, before any seat is told.
        """
        self._work = Deferred.fromCoroutine(work)
        self._work.addBoth(self._land, landed)

    def seat(self) -> Deferred[T]:
        """
        :return: fires with the work's result.  Cancelling it leaves the seat.
        """
        seat: Deferred[T] = Deferred(self._leave)
        if self._landed:
            seat.callback(self._landed[0])
        else:
            self._seats.append(seat)
        return seat

    def _land(self, result: Any, landed: Callable[[], None]) -> None:
        landed()
        self._landed.append(without_frames(result))
        seats, self._seats = self._seats, []
        for seat in seats:
            if not seat.called:  # a seat called before may have made this one leave
                seat.callback(result)

    def _leave(self, seat: Deferred[T]) -> None:
        if seat in self._seats:
            self._seats.remove(seat)
            if not self._seats and self._work is not None:
                self.is_abandoned = True
                self._work.cancel()


async def settled(waits: Sequence[Deferred[T]]) -> list[T | Failure]:
    """
    Wait until all have ended, well or not.  Being cancelled cancels every one of them, the
    last first: so none that waits for the turn of another is given it on the way.

    :return: the result or the failure of each, in order.
    """
    # Cancelling the list cancels what it holds, and then fires it with the failures.
    results: list[T | Failure] = [
        result for _, result in await DeferredList(waits[::-1], consumeErrors=True)]
    for result in results:
        if isinstance(result, Failure) and result.check(CancelledError):
            raise CancelledError
    return results[::-1]
