"""Several callers wait for one piece of work."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.net.tracebacks import without_frames

T = TypeVar("T")
_log = Logger()


@define(eq=False)
class Waiters(Generic[T]):
    """
    Those who wait for one thing, in the order in which they came.

    Each has a L{Deferred} of its own.  Cancelling it takes it out, and harms no other.
    """

    _waiting: OrderedDict[Deferred[T], Callable[[], None]] = field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, left: Callable[[], None]) -> Deferred[T]:
        """
        :param left: called where this one leaves before it is told, when it has left.
        :return: fires when it is told.
        """
        waiter: Deferred[T] = Deferred(self._leave)
        self._waiting[waiter] = left
        return waiter

    def tell_first(self, result: T | Failure) -> bool:
        """
        Tell the one who waits longest.

        :return: whether there was one.
        """
        if not self._waiting:
            return False
        self._waiting.popitem(last=False)[0].callback(result)
        return True

    def tell_all(self, result: T | Failure) -> None:
        """
        Tell all who wait now, one after the other: what one does may make others leave.

        :param result: given to each, as it is; a L{Failure} is raised where they wait.
        """
        for _ in range(len(self._waiting)):
            self.tell_first(result)

    def drop(self, waiter: Deferred[T]) -> None:
        """
        Do not tell a waiter any more.

        :param waiter: as from L{wait}; may have been told, or have left.
        """
        self._waiting.pop(waiter, None)

    def _leave(self, waiter: Deferred[T]) -> None:
        left = self._waiting.pop(waiter, None)
        if left is not None:
            left()


@define(eq=False)
class SharedWork(Generic[T]):
    """
    One piece of work that several clients wait for.  It goes on while one of them does, and is
    cancelled when the last has left.

    :ivar is_abandoned: whether it was; it may take its time to end, but no client
        should join it any more.
    """

    is_abandoned: bool = field(default=False, init=False)
    _waiters: Waiters[T] = field(factory=Waiters, init=False)
    _work: Deferred[T] | None = field(default=None, init=False)
    _has_ended: bool = field(default=False, init=False)
    _result: Any = field(default=None, init=False)

    def start(self, work: Coroutine[Any, Any, T], ended: Callable[[], None]) -> None:
        """
        :param work: what all wait for; begun at once.
        :param ended: called once when it has ended, before any waiter is told.
        """
        self._work = Deferred.fromCoroutine(work)
        self._work.addBoth(self._ended, ended)

    @property
    def is_awaited(self) -> bool:
        """
        :return: whether there are waiters that have not been told; while they are, one after the
            other, those whose turn has not come.
        """
        return bool(self._waiters)

    def wait(self) -> Deferred[T]:
        """:return: fires with the work's result.  Cancelling it leaves the work to the others."""
        if not self._has_ended:
            return self._waiters.wait(self._left)
        waiter: Deferred[T] = Deferred()
        waiter.callback(self._result)
        return waiter

    def _ended(self, result: Any, ended: Callable[[], None]) -> None:
        ended()
        self._has_ended, self._result = True, without_frames(result)
        self._waiters.tell_all(result)

    def _left(self) -> None:
        if not self._waiters and self._work is not None:
            self.is_abandoned = True
            self._work.cancel()


def within(work: Deferred[T], clock: IReactorTime, seconds: float, otherwise: T) -> Deferred[T]:
    """
    Wait for work that goes on in any case, but not for longer than this.

    :param work: left to itself where the wait is over or cancelled; what it fails with then is
        logged.
    :return: fires with what comes of the work, or with C{otherwise} after so many seconds.
    """
    if work.called:
        return work
    waiter: Deferred[T] = Deferred()
    timer = clock.callLater(seconds, waiter.callback, otherwise)

    def ended(result: Any) -> None:
        if timer.active():
            timer.cancel()
        if not waiter.called:
            waiter.callback(result)
        elif isinstance(result, Failure):
            _log.failure("Work that was no longer waited for has failed", result)

    work.addBoth(ended)
    return waiter


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
