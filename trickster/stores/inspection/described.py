"""What those who look into a cache are told of one entry."""

from __future__ import annotations

from attrs import frozen

from trickster.purging.label import Label
from trickster.timeseries.extents import Extents


@frozen
class Described:
    """
    An entry, without what it is of.

    :ivar mark: the number of the newest purge that it has survived.
    :ivar size: octets that it takes; 0 where that is to be asked elsewhere.
    :ivar age: seconds since the origin made it; None where that is not known.
    :ivar ttl: seconds for which it is fresh; None where it is so for as long as it is kept.
    :ivar extents: that are held of a time series; None for other answers.
    :ivar generation: of the variants, where the entry only tells that there are some.
    """

    label: Label
    mark: int
    size: int = 0
    age: float | None = None
    ttl: float | None = None
    extents: Extents | None = None
    generation: str = ""
