"""The coded forms of bodies that are asked for again and again."""

from __future__ import annotations

from attrs import define, field

from trickster.remembering import SizedLRU

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

    :ivar limit: the most octets that are held, coded or not; 0 to remember none.
    :ivar hits: look-ups that found a coded form.
    :ivar misses: those that did not.
    """

    limit: int = 64 << 20
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    kept: SizedLRU[_Key, tuple[bytes, bytes]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.kept = SizedLRU(self.limit)

    @property
    def largest(self) -> int:
        """:return: octets, before coding, of the largest body that is remembered; 0 for none."""
        return self.limit // _LARGEST_SHARE

    def find(self, coding: bytes, octets: bytes) -> bytes | None:
        """:return: the coded form of a body, if it is remembered."""
        source, coded = self.kept.get(_key(coding, octets)) or (b"", None)
        if coded is None or source != octets:
            self.misses += 1
            return None
        self.hits += 1
        return coded

    def keep(self, coding: bytes, octets: bytes, coded: bytes) -> None:
        """
        :param octets: of a body; held on to.
        :param coded: its coded form.
        """
        if len(octets) <= self.largest:
            self.kept.put(_key(coding, octets), (octets, coded),
                          len(octets) + len(coded) + _OVERHEAD)


def _key(coding: bytes, octets: bytes) -> _Key:
    size = len(octets)
    return coding, size, octets[::size // _SAMPLES + 1], octets[-_LAST:]
