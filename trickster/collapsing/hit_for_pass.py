"""Keys that the cache had better not try for a while."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Reason


@define
class PassedKeys:
    """
    Remembers for a short time whose answers could not be kept, so that the next request
    goes straight to the origin instead of asking it twice.

    :ivar _ttl: seconds.
    :ivar _most: keys remembered; the oldest goes first.
    """

    _clock: IReactorTime
    _ttl: float = 15.0
    _most: int = 4096
    _until: OrderedDict[str, tuple[float, Reason]] = field(factory=OrderedDict, init=False)

    def add(self, key: str, reason: Reason) -> None:
        """Remember a key, and why."""
        self._until[key] = (self._clock.seconds() + self._ttl, reason)
        self._until.move_to_end(key)
        while len(self._until) > self._most:
            self._until.popitem(last=False)

    def reason(self, key: str) -> Reason | None:
        """:return: why the key is to be passed, or None where it is not."""
        found = self._until.get(key)
        if found is None:
            return None
        if found[0] <= self._clock.seconds():
            del self._until[key]
            return None
        return found[1]
