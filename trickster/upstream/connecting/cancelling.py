"""Waiting for what does not end as soon, or not in the way, that it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

_T = TypeVar("_T")


def promptly(work: Deferred[_T], discard: Callable[[_T], None] = lambda result: None
             ) -> Deferred[_T]:
    """
    :param work: nothing else may wait for it.
    :param discard: disposes of a result that comes after all.
    :return: the same result; but cancelling it fails with C{CancelledError}, at once.  An
        endpoint that looks a name up would say that there is no such name, and Twisted's client
        that the server has failed.
    """
    def cancel(told: Deferred[_T]) -> None:
        told.errback(CancelledError())
        work.cancel()

    def tell(result: _T | Failure) -> None:
        if not told.called:
            told.callback(result)
        elif not isinstance(result, Failure):
            discard(result)

    told: Deferred[_T] = Deferred(cancel)
    work.addBoth(tell)
    return told
