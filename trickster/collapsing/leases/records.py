"""Boards in a store: read, compared and set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import Factory, define, field, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.leases.board import STAMP, Board
from trickster.interfaces import IPeekingStore
from trickster.keys.lease_key import lease_key

# Changes that are tried, where each time another process has made one meanwhile.
_MOST_TRIES = 16
# For how long a board is kept after its last change: in times that a lease lasts; and in seconds,
# at most, where nothing on it is under way: it takes room from entries.
_HELD, _ENDED = 3.0, 2.0


@frozen
class Record:
    """
    What a store has of a key.

    :ivar octets: as it gave them; None where there is nothing.
    """

    octets: bytes | None = None
    board: Board = field(init=False, default=Factory(
        lambda self: Board.decoded(self.octets), takes_self=True))


@frozen
class Changed:
    """
    What became of a change.

    :ivar octets: what there is now, as far as it is known.
    :ivar is_written: whether the store has taken it.
    """

    octets: bytes | None
    is_written: bool


@define(eq=False)
class Records:
    """
    The boards of a store.

    :ivar _store: guarded, so that it fails never.
    :ivar _seconds: that a lease lasts.
    """

    _store: Any
    clock: IReactorTime
    _seconds: float
    _peeks: bool = field(init=False, default=Factory(
        lambda self: bool(IPeekingStore.providedBy(self._store)), takes_self=True))

    async def read(self, key: str) -> Record | None:
        """:return: what there is; None where the store does not work."""
        unread = self._unread
        octets: bytes | None = await self._store.get(lease_key(key))
        return Record(octets) if octets is not None or self._unread == unread else None

    def peek(self, key: str, known: Record) -> bool | None:
        """
        :return: whether the store has still what is known; None where it would have to wait to
            tell that.
        """
        if not self._peeks or known.octets is None:
            return None
        begins = self._store.peek(lease_key(key), STAMP)
        return None if begins is None else bool(begins == known.octets[:STAMP])

    async def replaced(self, key: str, board: Board, expected: bytes | None) -> bool | None:
        """
        :param expected: what is there now.
        :return: whether the board has taken its place; None where that is not known, and it may
            do so yet.
        """
        ttl = self._seconds * _HELD if board.is_held else self.remembered
        done: bool | None = await self._store.replace(lease_key(key), board.encoded(), ttl, expected)
        return done

    async def changed(self, key: str, octets: bytes | None,
                      change: Callable[[Board], Board | None]) -> Changed | None:
        """
        Change a board, with no other change in between.

        :param octets: what there is, as far as it is known.
        :param change: makes the new board; None where it has nothing to change.
        :return: None where there was nothing to change.
        """
        for _ in range(_MOST_TRIES):
            made = change(Board.decoded(octets))
            if made is None:
                return None
            if await self.replaced(key, made, octets):
                return Changed(made.encoded(), True)
            record = await self.read(key)
            if record is None or record.octets == octets:
                break  # the store does not work: what it has is not known
            octets = record.octets
        return Changed(octets, False)

    @property
    def remembered(self) -> float:
        """:return: seconds for which it is told how a fetch has ended."""
        return min(self._seconds, _ENDED)

    @property
    def _unread(self) -> int:
        return getattr(self._store, "unread", 0)
