"""Answers that caches gave a moment ago, for requests that are the same octet for octet."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol
from weakref import ReferenceType, ref

from attrs import define, field, frozen

from trickster.messages import Headers, Octets, Outcome, Response
from trickster.remembering import SizedLRU, octets_held

_LARGEST_BODY = 128 << 10
# About what the objects of one hit take beside its octets, its key and its fields.
_OVERHEAD = 1024
# Times that its fields are held: as they came, by name, with those that say how, as they are
# sent; and by name once more.
_FORMS_OF_FIELDS = 5


@frozen(slots=True)
class Hit:
    """
    A full hit, ready to be given again.

    :ivar key: under which the store has what it was made from.
    :ivar stored: that, not kept alive by this; once something else stands in its place, this
        is void.
    :ivar until: the clock's seconds from which on the answer would be another one.
    """

    key: str
    stored: ReferenceType[Any]
    until: float
    status: int
    headers: Headers
    octets: bytes
    outcome: Outcome


class Peeking(Protocol):
    """Entries of a cache, as far as the memo knows them."""

    @property
    def peeks(self) -> bool:
        """Whether L{peek} ever gives anything."""

    def peek(self, key: str) -> object | None:
        """The very object that is kept under a key, where that is known without waiting."""

    def used(self, key: str) -> None:
        """Hear that what is under a key was given to a client."""


@define(eq=False)
class HitMemo:
    """
    Small full hits of all caches of a process.  Viewers of one dashboard ask the same within
    a step, and so does one that refreshes more often than its step; and some objects
    are asked for by every client.

    :ivar limit: the most octets of memory that they take; 0 to remember none.
    :ivar hits: look-ups that found one which still held.
    :ivar misses: those that did not.
    """

    limit: int = 64 << 20
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    kept: SizedLRU[Hashable, Hit] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.kept = SizedLRU(self.limit)

    def of(self, entries: Peeking) -> CacheHits | None:
        """
        :param entries: what a cache makes its hits from.
        :return: the memo for one cache, whose hits are no other one's; None where what is kept
            is never known without waiting, or none are remembered.
        """
        return CacheHits(self, entries.peek, entries.used) if self.limit and entries.peeks else None


@define(eq=False)
class CacheHits:
    """
    The part of a L{HitMemo} that one cache has.

    :ivar _peek: gives what is kept under a key, where that is known without waiting.
    :ivar _used: is told the key of what was given.
    """

    _memo: HitMemo
    _peek: Callable[[str], object | None]
    _used: Callable[[str], None]

    def response(self, memo_key: Hashable, now: float) -> Response | None:
        """
        :param memo_key: everything about a request that its answer may depend on.
        :param now: the clock's seconds.
        :return: the answer given before, its body unread, if it still holds.
        """
        memo = self._memo
        found = memo.kept.get((self, memo_key))
        if found is None:
            memo.misses += 1
            return None
        stored = self._peek(found.key)
        if now >= found.until or stored is None or stored is not found.stored():
            memo.kept.pop((self, memo_key))
            memo.misses += 1
            return None
        memo.hits += 1
        self._used(found.key)
        return Response(found.status, found.headers, Octets(found.octets), found.outcome)

    def keep(self, memo_key: Hashable, key: str, until: float, response: Response) -> None:
        """
        Remember a full hit, if it is small.

        :param key: of what it was made from.
        :param until: as in L{Hit}.
        """
        body, stored = response.body, self._peek(key)
        if type(body) is not Octets or len(body.octets) > _LARGEST_BODY or stored is None:
            return
        hit = Hit(key, ref(stored), until, response.status, response.headers, body.octets,
                  response.outcome)
        self._memo.kept.put((self, memo_key), hit, _OVERHEAD + len(body.octets)
                            + octets_held(memo_key)
                            + _FORMS_OF_FIELDS * octets_held(response.headers.pairs))
