"""The coded forms of bodies that are asked for again and again."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

_Key = tuple[bytes, int, bytes, bytes]

_SAMPLES = 256
_LAST = 64
_LARGEST_SHARE = 32
# About what the objects of one entry take beside its octets.
_OVERHEAD = 1024


@define(eq=False)
class CodedMemo:
    """
    Remembers coded bodies by the very octets they were made of, those last used.

    A few octets of a body find its entry, and all of them are compared then: for the same
    object that costs nothing, and for an equal one a fraction of a digest.

    :ivar limit: the most octets that are held, coded or not.
    :ivar held: octets that are held now.
    """

    limit: int = 64 << 20
    held: int = field(default=0, init=False)
    _entries: OrderedDict[_Key, tuple[bytes, bytes]] = field(factory=OrderedDict, init=False)

    @property
    def largest(self) -> int:
        """Octets of the largest body that is worth remembering."""
        return self.limit // _LARGEST_SHARE

    def find(self, coding: bytes, octets: bytes) -> bytes | None:
        """:return: the coded form of a body, if it is remembered."""
        key = _key(coding, octets)
        source, coded = self._entries.get(key, (b"", None))
        if coded is None or source != octets:
            return None
        self._entries.move_to_end(key)
        return coded

    def keep(self, coding: bytes, octets: bytes, coded: bytes) -> None:
        """
        :param octets: of a body; held on to.
        :param coded: its coded form.
        """
        if len(octets) > self.largest:
            return
        key = _key(coding, octets)
        self._forget(self._entries.pop(key, None))
        self._entries[key] = (octets, coded)
        self.held += _size(octets, coded)
        while self.held > self.limit:
            self._forget(self._entries.popitem(last=False)[1])

    def _forget(self, entry: tuple[bytes, bytes] | None) -> None:
        if entry is not None:
            self.held -= _size(*entry)


def _size(octets: bytes, coded: bytes) -> int:
    return len(octets) + len(coded) + _OVERHEAD


def _key(coding: bytes, octets: bytes) -> _Key:
    size = len(octets)
    return coding, size, octets[::size // _SAMPLES + 1], octets[-_LAST:]
