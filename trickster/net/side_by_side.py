"""Pieces of work that are done side by side, so many at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from trickster.net.waiters import settled

T = TypeVar("T")


async def side_by_side(work: Callable[[T], Awaitable[bool]], items: Sequence[T], most: int
                       ) -> bool:
    """
    Work on items in their order, several at a time, and wait until none is under way.

    :param work: gives whether it was of use: once it does not, or fails, none is begun any more.
        Cancelling this cancels what is under way.
    :param most: items at a time, at least one.
    :return: whether all were.
    :raises Exception: the first that was raised, in the order of the items.
    """
    left, goes_on = iter(items), True

    async def work_on() -> None:
        nonlocal goes_on
        for item in left:
            is_done = False
            try:
                is_done = await work(item)
            finally:
                goes_on = goes_on and is_done
            if not goes_on:
                return

    workers = []
    for _ in range(min(most, len(items))):
        if goes_on:
            workers.append(Deferred.fromCoroutine(work_on()))
    for result in await settled(workers):
        if isinstance(result, Failure):
            result.raiseException()
    return goes_on
