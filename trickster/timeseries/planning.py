"""What to ask an origin for, and what of its answers to keep: values in, values out."""

from __future__ import annotations

from attrs import frozen

from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery

MOST_SHARDS = 1 << 20
Uses = tuple[tuple[Extent, float], ...]


@frozen
class Sharding:
    """
    How one upstream range request is split into several.  All 0: not at all.

    :ivar max_points: timestamps in one request.
    :ivar max_ns: nanoseconds that one request spans, its last step included.
    :ivar step_ns: requests end at multiples of this, since the epoch.
    """

    max_points: int = 0
    max_ns: int = 0
    step_ns: int = 0


def aligned(extent: Extent, step_ns: int) -> Extent:
    """:return: the extent with both ends floored to multiples of a step, since the epoch."""
    start, end = extent
    return Extent(start // step_ns * step_ns, end // step_ns * step_ns)


def in_phase(extent: Extent, step_ns: int) -> Extent:
    """:return: the extent that ends with the last instant of the grid that begins with it."""
    start, end = extent
    return Extent(start, start + (end - start) // step_ns * step_ns)


def newest_final(query: TimeRangeQuery, now_ns: int, tolerance_ns: int) -> int | None:
    """
    :param tolerance_ns: the backfill tolerance: how long after its time data may arrive.
    :return: the newest instant whose sample will not change any more, or None where there
        is no such instant.
    """
    if query.lead_ns is None:
        return None
    if query.fixed_ns is not None and query.fixed_ns > now_ns - tolerance_ns:
        return None
    return now_ns - query.lead_ns - tolerance_ns


def oldest_kept(step_ns: int, now_ns: int, factor: int) -> int:
    """:return: the oldest instant inside a retention of so many points before now."""
    return now_ns // step_ns * step_ns - step_ns * factor


def shards(extent: Extent, step_ns: int, sharding: Sharding) -> list[Extent]:
    """
    :return: the extent in pieces, each on the extent's own grid, without a gap in it.
    """
    if sharding.max_points:
        width = sharding.max_points * step_ns
    elif sharding.max_ns or sharding.step_ns:
        width = (sharding.max_ns or sharding.step_ns) // step_ns * step_ns
    else:
        return [extent]
    length = extent.end_ns - extent.start_ns + step_ns
    if width < step_ns or length <= width or length // width > MOST_SHARDS:
        return [extent]
    return _pieces(extent, step_ns, width, sharding.step_ns)


def _pieces(extent: Extent, step_ns: int, width: int, border_ns: int) -> list[Extent]:
    pieces = []
    start = extent.start_ns
    while start <= extent.end_ns:
        after = start + width  # the first instant of the next piece
        if border_ns:
            # The last border that the piece reaches, then the grid's first instant behind it.
            border = (after // border_ns) * border_ns
            if border > start:
                after = start + -((start - border) // step_ns) * step_ns
        pieces.append(Extent(start, min(after - step_ns, extent.end_ns)))
        start = after
    return pieces


def used(uses: Uses, extent: Extent, now: float) -> Uses:
    """:return: the same with an extent used last of all; what it hides is forgotten."""
    others = tuple(u for u in uses if not (extent.start_ns <= u[0].start_ns
                                           and u[0].end_ns <= extent.end_ns))
    return (*others[-63:], (extent, now))


def least_recently_used(held: Extents, uses: Uses, most: int) -> Extents:
    """
    :param uses: least recent first; never used extents go before all of them.
    :param most: timestamps to keep; the most recently used extent is kept at any size.
    :return: what of C{held} to keep.
    """
    kept = Extents(held.step_ns)
    for extent, _ in reversed(uses):
        wider = kept | (held & _on_grid(held, extent))
        if kept and wider.count() > most:
            break
        kept = wider
    rest = held - kept
    for span in reversed(rest.spans):
        room = most - kept.count()
        if room <= 0:
            break
        start = max(span.start_ns, span.end_ns - (room - 1) * held.step_ns)
        kept = kept | Extents(held.step_ns, (Extent(start, span.end_ns),))
    return kept


def _on_grid(held: Extents, extent: Extent) -> Extents:
    return held.since(extent.start_ns).up_to(extent.end_ns)
