"""How the values begin that were read last, for as long as a server says that they are the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from attrs import define, field
from twisted.internet.defer import Deferred

# Octets that are kept of a value, and values: each takes about half a kilobyte.
LENGTH, MOST = 64, 16_384


@define(eq=False)
class Reading:
    """
    A value on its way from the server.

    :ivar is_stale: whether it has been changed since it was asked for, or might have been.
    """

    key: bytes
    since: float
    is_stale: bool = False


@define(eq=False)
class _Beginning:
    """
    How a value begins.

    :ivar until: seconds of the clock at which it expires, at the latest.
    :ivar used: seconds of the clock at which the server was last told that it is used.
    """

    octets: bytes
    size: int
    until: float
    used: float


@define(eq=False)
class Beginnings:
    """
    What is known of the values of one server, while it tells of changes.

    A reply and the news that it is outdated come over two connections, and so in any order: a
    value is not kept that has changed while it was on its way.

    :ivar is_live: whether the server tells of changes.
    """

    most: int = MOST
    is_live: bool = field(default=False, init=False)
    _kept: OrderedDict[bytes, _Beginning] = field(factory=OrderedDict, init=False)
    _readings: dict[bytes, list[Reading]] = field(factory=dict, init=False)
    _writings: dict[bytes, list[Deferred[None]]] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, key: bytes, now: float) -> Reading | None:
        """
        :param now: seconds of the clock, before the value is asked for.
        :return: to be given to L{end}; None where the value is not to be kept.
        """
        if not self.is_live:
            return None
        reading = Reading(key, now)
        self._readings.setdefault(key, []).append(reading)
        return reading

    def end(self, reading: Reading) -> None:
        """A value is not on its way any more."""
        others = self._readings[reading.key]
        others.remove(reading)
        if not others:
            del self._readings[reading.key]

    def keep(self, reading: Reading, value: bytes, ttl: float) -> None:
        """
        Keep how a value begins, unless it has changed meanwhile.

        :param ttl: seconds that it had left when it was asked for, or a little later.
        """
        if reading.is_stale or ttl <= 0:
            return
        self._kept[reading.key] = _Beginning(
            value[:LENGTH], len(value), reading.since + ttl, reading.since)
        self._kept.move_to_end(reading.key)
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)

    def peek(self, key: bytes, length: int, now: float) -> bytes | None:
        """
        :return: the first octets of a value; None where they are not known.
        """
        found = self._kept.get(key)
        if found is None or (length > LENGTH and found.size > LENGTH):
            return None
        if found.until <= now:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found.octets[:length]

    def is_used_anew(self, key: bytes, now: float, pause: float) -> bool:
        """
        :param pause: seconds between two times that the server is told of the use of a value.
        :return: whether it is to be told now.
        """
        found = self._kept.get(key)
        if found is None or now - found.used < pause:
            return False
        found.used = now
        return True

    def changing(self, key: bytes) -> Deferred[None]:
        """:return: fires once the server tells that a value has changed, or can tell no more."""
        told: Deferred[None] = Deferred()
        self._writings.setdefault(key, []).append(told)
        return told

    def unchanging(self, key: bytes, told: Deferred[None]) -> None:
        """
        The news of a change are not waited for any more.

        :param told: from L{changing}.
        """
        waiting = self._writings.get(key, [])
        if told in waiting:
            waiting.remove(told)
            if not waiting:
                del self._writings[key]

    def forget(self, keys: Iterable[bytes]) -> None:
        """Values are changed by this process: what was read of them before is not kept."""
        for key in keys:
            self._kept.pop(key, None)
            for reading in self._readings.get(key, ()):
                reading.is_stale = True

    def changed(self, keys: Iterable[bytes]) -> None:
        """The server tells that values have changed, or have gone."""
        for key in keys:
            self.forget((key,))
            self._tell(key)

    def void(self) -> None:
        """Nothing is known any more, and nothing that is on its way is to be kept."""
        self._kept.clear()
        for readings in self._readings.values():
            for reading in readings:
                reading.is_stale = True
        for key in list(self._writings):
            self._tell(key)

    def _tell(self, key: bytes) -> None:
        for told in self._writings.pop(key, ()):
            if not told.called:
                told.callback(None)
