"""How often what a cache has was given: for those who look into it."""

from __future__ import annotations

from itertools import islice

from attrs import define, field

# Keys whose hits are counted.
_MOST = 20_000


@define(eq=False)
class HitCounts:
    """
    Counts hits by key; there is one for each cache of a process.

    :ivar most: keys that are counted; where there would be more, the half that was first given
        longest ago is forgotten.
    """

    most: int = _MOST
    _counts: dict[str, int] = field(factory=dict, init=False)
    _has_forgotten: bool = field(default=False, init=False)

    def count(self, key: str) -> None:
        """
        :param key: of what is given now.
        """
        counts = self._counts
        before = counts.get(key, 0)
        if not before and len(counts) >= self.most:
            self._has_forgotten = True
            for old in list(islice(counts, len(counts) // 2 + 1)):
                del counts[old]
        counts[key] = before + 1

    def of(self, key: str) -> int | None:
        """:return: how often it was given; None where that is not known."""
        return self._counts.get(key, None if self._has_forgotten else 0)
