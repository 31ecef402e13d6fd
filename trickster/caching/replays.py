"""Answers that a cache gave a moment ago, for requests that are the same octet for octet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any
from weakref import ReferenceType, ref

from attrs import define, field, frozen

from trickster.interfaces import IReferenceStore
from trickster.messages import Headers, Octets, Outcome, Response

_LARGEST_BODY = 128 << 10


@frozen(slots=True)
class Replay:
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


@define
class Replays:
    """
    Remembers small full hits.  Viewers of one dashboard ask the same within a step, and so
    does one that refreshes more often than its step; and some objects everybody wants.

    :ivar _store: where the cache keeps what its hits are made from.
    :ivar _most: hits remembered; the least recently used goes first.
    """

    _store: IReferenceStore
    _most: int = 256
    _kept: OrderedDict[Hashable, Replay] = field(factory=OrderedDict, init=False)

    def response(self, question: Hashable, now: float) -> Response | None:
        """
        :param question: everything about a request that its answer may depend on.
        :param now: the clock's seconds.
        :return: the answer given before, its body unread, if it still holds.
        """
        found = self._kept.get(question)
        if found is None:
            return None
        stored = self._store.get_object(found.key)
        if now >= found.until or stored is None or stored is not found.stored():
            del self._kept[question]
            return None
        self._kept.move_to_end(question)
        return Response(found.status, found.headers, Octets(found.octets), found.outcome)

    def keep(self, question: Hashable, key: str, until: float, response: Response) -> None:
        """
        Remember a full hit, if it is small.

        :param key: of what it was made from.
        :param until: as in L{Replay}.
        """
        body, stored = response.body, self._store.get_object(key)
        if type(body) is not Octets or len(body.octets) > _LARGEST_BODY or stored is None:
            return
        self._kept[question] = Replay(key, ref(stored), until, response.status,
                                      response.headers, body.octets, response.outcome)
        self._kept.move_to_end(question)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


def replays(store: Any) -> Replays | None:
    """:return: an empty memory for hits from a store, or None where it gives no objects back."""
    return Replays(store) if IReferenceStore.providedBy(store) else None
