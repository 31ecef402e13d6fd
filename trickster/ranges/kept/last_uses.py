"""Which extents of a query were asked for last, for retention by use."""

from __future__ import annotations

from attrs import define, field

from trickster.remembering import SizedLRU
from trickster.timeseries import planning
from trickster.timeseries.extents import Extent
from trickster.timeseries.planning import Uses

_OCTETS = 256  # of one use: an extent, its two numbers, and a time


@define
class LastUses:
    """
    Remembered beside the entries, so that a hit need not write to the store.

    :ivar _limit: octets of memory; the least recently used key goes first.
    """

    _limit: int = 4 << 20
    _uses: SizedLRU[str, Uses] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._uses = SizedLRU(self._limit)

    def noted(self, key: str, extent: Extent, now: float) -> Uses:
        """
        :param now: in seconds.
        :return: the uses of a key's extents, this one last.
        """
        uses = planning.used(self._uses.get(key) or (), extent, now)
        self._uses.put(key, uses, len(key) + _OCTETS * len(uses))
        return uses
