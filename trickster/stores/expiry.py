"""Which keys are due: a wheel of seconds."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import ceil, inf

from attrs import define, field

# Below this, a queue with seconds whose keys are all gone is not worth the tidying.
_SLACK = 1024


@define(eq=False)
class Expiries:
    """
    Keys by the second in which they may be forgotten.

    Adding and removing cost the same however many keys there are; seconds in which nothing
    expires cost nothing.
    """

    _buckets: dict[int, dict[str, None]] = field(factory=dict, init=False)
    _queue: list[int] = field(factory=list, init=False)

    def add(self, key: str, deadline: float) -> None:
        """
        :param deadline: in seconds; an infinite one never comes.
        """
        if deadline == inf:
            return
        second = ceil(deadline)
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = {}
            heappush(self._queue, second)
        bucket[key] = None

    def remove(self, key: str, deadline: float) -> None:
        """
        :param deadline: with which it was added.
        """
        if deadline == inf:
            return
        second = ceil(deadline)
        bucket = self._buckets[second]
        del bucket[key]
        if not bucket:
            del self._buckets[second]
            self._tidy()

    def due(self, now: float, most: int) -> list[str]:
        """
        :param now: in the clock's seconds.
        :param most: how many keys at once.
        :return: keys whose deadline has come; they stay until they are removed.
        """
        found: list[str] = []
        queue = self._queue
        while queue and queue[0] <= now and queue[0] not in self._buckets:
            heappop(queue)
        if queue and queue[0] <= now:
            for key in self._buckets[queue[0]]:
                found.append(key)
                if len(found) >= most:
                    break
        return found

    def clear(self) -> None:
        """Forget all keys."""
        self._buckets.clear()
        self._queue.clear()

    def _tidy(self) -> None:
        if len(self._queue) > 2 * len(self._buckets) + _SLACK:
            self._queue = list(self._buckets)
            heapify(self._queue)
