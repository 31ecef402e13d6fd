"""What a time range request asks for, as a value."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from trickster.messages import Request
from trickster.timeseries.extents import Extent

NEVER_FINAL = None


@frozen(slots=True)
class TimeRangeQuery:
    """
    A query of some series, over an extent, a sample every step.

    :ivar request: as the client sent it, its body whole.
    :ivar key: what makes two queries the same but for their extent: statement,
        parameters that can change an answer, format.
    :ivar extent: first and last instant asked for; on a grid once L{planning.aligned} has
        been at it.
    :ivar step_ns: more than 0.
    :ivar lead_ns: how much later than an instant the data may be that its sample depends
        on: 0 where a sample looks back only, the bucket width where it stands for what
        follows it, C{NEVER_FINAL} where no age makes it final.
    :ivar fixed_ns: the latest instant that every sample depends on, wherever in the range
        it stands, or None.
    :ivar tolerance_ns: the client's own backfill tolerance, or None for the backend's.
    :ivar wants_newest: whether the newest sample may be added at the end (fast forward).
    :ivar most_series: answers with more series than this are cut by the origin, so that they
        depend on the range; 0 where there is no limit.
    :ivar statement: the dialect's own, for its use in C{encode_request}.
    """

    request: Request
    key: str
    extent: Extent
    step_ns: int
    lead_ns: int | None = 0
    fixed_ns: int | None = None
    tolerance_ns: int | None = None
    wants_newest: bool = True
    most_series: int = 0
    statement: Any = None
