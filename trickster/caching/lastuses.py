"""Which extents of a query were asked for last, for retention by use."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

from trickster.timeseries import planning
from trickster.timeseries.extents import Extent
from trickster.timeseries.planning import Uses


@define
class LastUses:
    """
    Remembered beside the entries, so that a hit need not write to the store.

    :ivar _most: keys remembered; the least recently used goes first.
    """

    _most: int = 4096
    _uses: OrderedDict[str, Uses] = field(factory=OrderedDict, init=False)

    def noted(self, key: str, extent: Extent, now: float) -> Uses:
        """
        :param now: in seconds.
        :return: the uses of a key's extents, this one last.
        """
        uses = planning.used(self._uses.get(key, ()), extent, now)
        self._uses[key] = uses
        self._uses.move_to_end(key)
        while len(self._uses) > self._most:
            self._uses.popitem(last=False)
        return uses
