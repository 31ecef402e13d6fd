"""One change of a key at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import DeferredLock

T = TypeVar("T")


@define(eq=False)
class KeyLocks:
    """
    A lock for each key that is being changed, and none for any other.

    It is for changes that read, decide and write again with waits in between; what only
    reads takes no lock.
    """

    _locks: dict[str, DeferredLock] = field(factory=dict, init=False)

    def __len__(self) -> int:
        """:return: how many keys are being changed."""
        return len(self._locks)

    async def alone(self, key: str, change: Callable[[], Awaitable[T]]) -> T:
        """
        Make a change when all those have ended that were asked for earlier.

        :param change: is not called at all where this is cancelled before its turn.
        :return: what the change gives.
        """
        lock = self._locks.setdefault(key, DeferredLock())
        await lock.acquire()
        try:
            return await change()
        finally:
            lock.release()
            if not lock.locked and self._locks.get(key) is lock:
                del self._locks[key]
