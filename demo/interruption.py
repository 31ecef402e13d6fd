"""Ctrl-C and SIGTERM end what is being done, not what has to be tidied up after it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

_T = TypeVar("_T")


def promptly(work: Deferred[_T]) -> Deferred[_T]:
    """
    :return: the same result; but when it is cancelled, it fails with C{CancelledError}.
        Twisted's web client has other errors for that, which look like the server's fault.
    """
    def cancel(outer: Deferred[_T]) -> None:
        outer.errback(CancelledError())
        work.cancel()

    def fire(result: _T | Failure) -> None:
        if not outer.called:
            outer.callback(result)

    outer: Deferred[_T] = Deferred(cancel)
    _ = work.addBoth(fire)
    return outer


@define
class Interruption:
    """
    A user or a program may ask for the end.

    :ivar is_asked: whether the end was asked for.
    """

    is_asked: bool = field(default=False, init=False)
    _running: Deferred[None] | None = field(default=None, init=False)

    def ask(self) -> None:
        """End what is being done now, and begin nothing that comes after it."""
        self.is_asked = True
        if self._running is not None:
            self._running.cancel()

    async def until(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """
        Do this, unless or until the end is asked for.
        """
        if self.is_asked:
            return
        self._running = Deferred.fromCoroutine(work())
        try:
            await self._running
        except CancelledError:
            if not self.is_asked:
                raise
        finally:
            self._running = None
