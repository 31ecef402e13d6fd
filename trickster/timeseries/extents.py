"""Sets of instants on a step's grid, as few inclusive ranges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from attrs import frozen

# An instant that none is earlier than, and one that none is as late as.
BEFORE_ALL, AFTER_ALL = -(1 << 63), 1 << 63


class Extent(NamedTuple):
    """
    A range of instants, both ends inclusive, in nanoseconds.
    """

    start_ns: int
    end_ns: int

    def count(self, step_ns: int) -> int:
        """:return: how many instants of a grid with this step it holds."""
        return (self.end_ns - self.start_ns) // step_ns + 1

    def overlaps(self, other: Extent) -> bool:
        """:return: whether the two share an instant."""
        return self.start_ns <= other.end_ns and other.start_ns <= self.end_ns


@frozen(slots=True)
class Extents:
    """
    Sorted, disjoint ranges of one grid; no two of them touch.

    Every instant handed in must lie on the same grid: equal modulo C{step_ns}.

    :ivar step_ns: distance of two neighbouring instants, more than 0.
    """

    step_ns: int
    spans: tuple[Extent, ...] = ()

    @classmethod
    def of(cls, step_ns: int, spans: Iterable[tuple[int, int]]) -> Extents:
        """
        :param spans: in any order; they may overlap.  Inverted ones hold nothing.
        """
        joined: list[Extent] = []
        for start, end in sorted(s for s in spans if s[0] <= s[1]):
            if joined and start <= joined[-1].end_ns + step_ns:
                last = joined[-1]
                joined[-1] = Extent(last.start_ns, max(last.end_ns, end))
            else:
                joined.append(Extent(start, end))
        return cls(step_ns, tuple(joined))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __or__(self, other: Extents) -> Extents:
        if not other.spans:
            return self
        return Extents.of(self.step_ns, self.spans + other.spans)

    def __sub__(self, other: Extents) -> Extents:
        left: list[Extent] = []
        holes = other.spans
        for start, end in self.spans:
            for hole in holes:
                if hole.end_ns < start:
                    continue
                if hole.start_ns > end:
                    break
                if start < hole.start_ns:
                    left.append(Extent(start, hole.start_ns - self.step_ns))
                start = hole.end_ns + self.step_ns
            if start <= end:
                left.append(Extent(start, end))
        return Extents(self.step_ns, tuple(left))

    def __and__(self, other: Extents) -> Extents:
        return self - (self - other)

    def covers(self, extent: Extent) -> bool:
        """:return: whether every instant of an extent is held."""
        return any(s.start_ns <= extent.start_ns and extent.end_ns <= s.end_ns
                   for s in self.spans)

    def up_to(self, instant_ns: int) -> Extents:
        """:return: what is not later than an instant, which need not lie on the grid."""
        kept = []
        for start, end in self.spans:
            if start > instant_ns:
                break
            last = start + (min(end, instant_ns) - start) // self.step_ns * self.step_ns
            kept.append(Extent(start, last))
        return Extents(self.step_ns, tuple(kept))

    def since(self, instant_ns: int) -> Extents:
        """:return: what is not earlier than an instant, which need not lie on the grid."""
        kept = []
        for start, end in self.spans:
            if end < instant_ns:
                continue
            if start < instant_ns:
                start = end - (end - instant_ns) // self.step_ns * self.step_ns
            kept.append(Extent(start, end))
        return Extents(self.step_ns, tuple(kept))

    def count(self) -> int:
        """:return: how many instants are held."""
        return sum(s.count(self.step_ns) for s in self.spans)
