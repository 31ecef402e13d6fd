"""Waits for what a store does, for so long and no longer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from trickster.errors import StoreError, StoreTimeout

_T = TypeVar("_T")


@define(eq=False)
class TimedCall:
    """
    Waits for something, but not longer than it is given.

    Unlike C{Deferred.addTimeout}, this does not depend on what it waits for to end when it
    is cancelled, and knows its own cancellation from one inside the store.
    """

    inner: Deferred[Any]
    seconds: float
    outer: Deferred[Any] = field(init=False)
    timer: IDelayedCall | None = None
    is_cancelled: bool = False

    @classmethod
    def of(cls, awaitable: Awaitable[_T], clock: IReactorTime, seconds: float) -> Deferred[_T]:
        """:return: fires as C{awaitable} does, or with a L{StoreTimeout} after C{seconds}."""
        call = cls(_deferred(awaitable), seconds)
        call.outer = Deferred(call.cancel)
        call.inner.addBoth(call.ended)
        if not call.outer.called:
            call.timer = clock.callLater(seconds, call.give_up)
        return call.outer

    def ended(self, result: Any) -> None:
        """
        Pass on how it ended, unless time was over before.

        :param result: what came of it, or the failure; one that comes too late is dropped.
        """
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        if self.outer.called:
            return
        if isinstance(result, Failure) and result.check(CancelledError) and not self.is_cancelled:
            result = Failure(StoreError("the store gave up"))
        self.outer.callback(result)

    def give_up(self) -> None:
        """Time is over."""
        self.outer.errback(StoreTimeout(f"no answer in {self.seconds:g} s"))
        self.inner.cancel()

    def cancel(self, _: Deferred[Any]) -> None:
        """
        Cancel the operation: its caller waits no more.

        :param _: C{outer}, which ends now even if the operation does not.
        """
        self.is_cancelled = True
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.inner.cancel()


def _deferred(awaitable: Awaitable[_T]) -> Deferred[_T]:
    if isinstance(awaitable, Deferred):
        return awaitable

    async def awaiting() -> _T:
        return await awaitable

    return Deferred.fromCoroutine(awaiting())
