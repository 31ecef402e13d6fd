"""Decoded entries of stores that keep octets: so that a hit need not decode them again."""

from __future__ import annotations

from itertools import chain
from typing import Any

from attrs import define, field, frozen

from trickster.remembering import SizedLRU
from trickster.stores.sealed import Chunk, stamp_of

_LIMIT = 64 << 20


@frozen(slots=True)
class NearEntry:
    """
    An entry as it was read or written last.

    :ivar octets: what the store had under its key then; only what tells them from all others
        is kept of them.
    :ivar parts: the chunks of each part of the entry that is in chunks, to be deleted from the
        store with it.
    :ivar size: octets of memory that the entry takes.
    """

    stamp: bytes = field(alias="octets", converter=stamp_of)
    entry: Any
    parts: tuple[tuple[Chunk, ...], ...]
    size: int

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """:return: those of all parts."""
        return tuple(chain.from_iterable(self.parts))


def _empty() -> SizedLRU[tuple[object, str], NearEntry]:
    return SizedLRU(_LIMIT)


@define(eq=False)
class NearTier:
    """
    The entries that were used last, of all stores of a process.

    An entry is given only beside the octets that the store has now: those of another version
    of it, which another process may have put, do not match.

    :ivar kept: bounded by the octets of memory that the entries take.
    """

    kept: SizedLRU[tuple[object, str], NearEntry] = field(factory=_empty)
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)

    def get(self, owner: object, key: str, octets: bytes) -> NearEntry | None:
        """
        :param owner: whose key it is.
        :param octets: what the store has under it.
        :return: the entry that was made of the same octets, if it is here.
        """
        found = self.kept.get((owner, key))
        if found is None or found.stamp != stamp_of(octets):
            self.misses += 1
            return None
        self.hits += 1
        return found

    def last(self, owner: object, key: str) -> NearEntry | None:
        """
        :param owner: as in L{get}.
        :return: the entry that was read or written last, which need not be what the store has by now.
        """
        return self.kept.get((owner, key))

    def chunks(self, owner: object, key: str) -> tuple[Chunk, ...] | None:
        """
        :param owner: as in L{get}.
        :return: the chunks of what was there last; None where that is not known.
        """
        found = self.last(owner, key)
        return None if found is None else found.chunks

    def put(self, owner: object, key: str, near: NearEntry) -> None:
        """
        :param owner: as in L{get}.
        :param near: what was read or written under the key.
        """
        self.kept.put((owner, key), near, near.size)

    def drop(self, owner: object, key: str) -> None:
        """
        Forget an entry: the store has nothing under its key any more.

        :param owner: as in L{get}.
        :param key: of an entry that need not be here.
        """
        self.kept.pop((owner, key))
