"""How often keys were met lately, about: in a few octets, however many keys there are."""

from __future__ import annotations

from attrs import Factory, define, field

_FULL = 255
# Each counter is halved once while as many keys are added as an eighth of the counters: with
# more, a key that was never added would often share its counter with one that was.
_LOAD = 8
# Counters that are halved at a time: some dozens of microseconds.
_STRIPE = 1 << 16
_HALVES = bytes(count >> 1 for count in range(_FULL + 1))


@define(eq=False)
class FrequencySketch:
    """
    Counts keys, with one hash and one octet for each of them, and no key itself.

    Keys that share a counter are taken for one another: about one in ten at most.  What is not
    added again is forgotten by and by, since the counters are halved.

    :ivar size: how many counters, at least one.
    """

    size: int
    _counts: bytearray = field(init=False, repr=False, default=Factory(
        lambda self: bytearray(self.size), takes_self=True))
    _next: int = field(default=0, init=False)
    _left: int = field(init=False, default=Factory(lambda self: self._pace, takes_self=True))

    def add(self, key: str) -> None:
        """Count a key once more."""
        counter = hash(key) % self.size
        self._counts[counter] = min(_FULL, self._counts[counter] + 1)
        self._left -= 1
        if self._left <= 0:
            self._age()
            self._left = self._pace

    def count(self, key: str) -> int:
        """:return: how often a key was added lately, or more often than that."""
        return self._counts[hash(key) % self.size]

    @property
    def _pace(self) -> int:
        stripes = -(-self.size // _STRIPE)
        return max(1, self.size // _LOAD // stripes)

    def _age(self) -> None:
        start, end = self._next, self._next + _STRIPE
        self._counts[start:end] = self._counts[start:end].translate(_HALVES)
        self._next = end if end < self.size else 0
