"""Which entries go when there is no room: a segmented LRU, which withstands scans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from attrs import Factory, define, field

from trickster.stores.eviction.frequency_sketch import FrequencySketch

# A value, how many octets it counts for, and until when it is kept.  A plain tuple of octets
# and numbers is nothing that the collector of cycles has to look at, unlike an instance of a
# class of ours: with a gibibyte of small objects it would hold the process for 0.2 s.
Entry = tuple[object, int, float]

# One in so many of the octets, and of the entries, is for what was used once.
_PROBATION = 5


@define(eq=False)
class SegmentedLRU:
    """
    Entries in two segments, each in the order of their last use.

    A new key begins on I{probation}; a second use makes it I{protected}.  What the protected
    segment has no room for falls back among the newest on probation, and the oldest there go
    first: so however many keys are used once, they take their places from one another.  Room
    that the protected segment does not use is for probation.

    A key that was pushed out and is put again has been used twice as well, as far as the sketch
    remembers.

    Karedla, Love and Wherry, "Caching strategies to improve disk system performance" (1994);
    for what is remembered of those pushed out, Johnson and Shasha, "2Q" (1994).

    :ivar most_octets: of all entries together; 0 for no limit.
    :ivar most_objects: most entries; 0 for no limit.
    :ivar pushed_out: counts the keys that had to go; None to remember none.
    :ivar protected: used twice or more, the least recently used first.
    :ivar probation: used once, or long ago, likewise.
    :ivar octets: of all entries.
    """

    most_octets: int
    most_objects: int = 0
    pushed_out: FrequencySketch | None = None
    protected: OrderedDict[str, Entry] = field(factory=OrderedDict, init=False, repr=False)
    probation: OrderedDict[str, Entry] = field(factory=OrderedDict, init=False, repr=False)
    octets: int = field(default=0, init=False)
    protected_octets: int = field(default=0, init=False)
    _put_last: str | None = field(default=None, init=False, repr=False)
    _protected_room: int = field(init=False, default=Factory(
        lambda self: _without_probation(self.most_octets), takes_self=True))
    _protected_places: int = field(init=False, default=Factory(
        lambda self: _without_probation(self.most_objects), takes_self=True))

    def __len__(self) -> int:
        return len(self.probation) + len(self.protected)

    def __iter__(self) -> Iterator[str]:
        """:return: the keys, those that go first before others."""
        yield from self.probation
        yield from self.protected

    def get(self, key: str) -> Entry | None:
        """:return: the entry; to look for it is no use of it."""
        return self.protected.get(key) or self.probation.get(key)

    def use(self, key: str) -> None:
        """
        Note a further use.

        :param key: of an entry.
        """
        if key in self.protected:
            self.protected.move_to_end(key)
        else:
            entry = self.probation.pop(key)
            self.octets -= entry[1]
            self._add(key, entry, is_used_again=True)

    def put(self, key: str, entry: Entry) -> None:
        """
        Add an entry, or put it in the place of another.

        :param entry: not larger than all that there may be; what then has to go,
            L{push_out} says.
        """
        is_used_again = self.pop(key) is not None or (
            self.pushed_out is not None and self.pushed_out.count(key) > 0)
        self._put_last = key
        self._add(key, entry, is_used_again)

    def pop(self, key: str) -> Entry | None:
        """
        :return: the entry, which is gone; None where there is none.
        """
        entry = self.protected.pop(key, None)
        if entry is not None:
            self.protected_octets -= entry[1]
        else:
            entry = self.probation.pop(key, None)
        if entry is not None:
            self.octets -= entry[1]
        return entry

    def push_out(self) -> str:
        """
        Choose what goes next, and remember that it had to.

        :return: the key that is to be popped, of several: not the one that was put last.
        """
        key = next(key for key in self if key != self._put_last)
        if self.pushed_out is not None:
            self.pushed_out.add(key)
        return key

    def clear(self) -> None:
        """Forget all entries."""
        self.protected.clear()
        self.probation.clear()
        self.octets = self.protected_octets = 0

    def _add(self, key: str, entry: Entry, is_used_again: bool) -> None:
        self.octets += entry[1]
        if not is_used_again or self._is_too_large(entry[1], 1):
            self.probation[key] = entry
            return
        self.protected[key] = entry
        self.protected_octets += entry[1]
        while self._is_too_large(self.protected_octets, len(self.protected)):
            self._demote()

    def _demote(self) -> None:
        key, entry = self.protected.popitem(last=False)
        self.protected_octets -= entry[1]
        self.probation[key] = entry

    def _is_too_large(self, octets: int, objects: int) -> bool:
        """:return: whether so much is more than may be protected."""
        return bool(self.most_octets and octets > self._protected_room
                    or self.most_objects and objects > self._protected_places)


def _without_probation(most: int) -> int:
    return most - -(-most // _PROBATION)
