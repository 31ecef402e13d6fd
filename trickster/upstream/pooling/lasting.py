"""Connections that last, counted apart from those that requests wait for."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from trickster.upstream.h1.connection import Connection
from trickster.upstream.pooling.slots import Slots

_LOOK_EVERY = 1.0


@define(eq=False)
class LastingConnections:
    """
    What lasts must not starve what is short: a connection with an upgrade, a stream, or a body
    that takes long gives its slot back, and is counted here.

    :ivar limit: of connections; 0 for none.
    :ivar _open: all connections of the pool.
    """

    _clock: IReactorTime
    _slots: Slots
    limit: int
    _open: AbstractSet[Connection]
    _apart: set[Connection] = field(factory=set, init=False)
    _looking: IDelayedCall | None = field(default=None, init=False)

    def __len__(self) -> int:
        """:return: how many there are."""
        return len(self._apart)

    def set_apart(self, connection: Connection) -> bool:
        """
        Count a connection in use here, and have a slot come free.

        :return: whether it is; not where there are as many as may be.
        """
        if connection in self._apart:
            return True
        if self.limit and len(self._apart) >= self.limit:
            return False
        self._apart.add(connection)
        connection.watch_peer()
        self._slots.give_back()
        return True

    def give_back(self, connection: Connection) -> bool:
        """
        A connection is no longer in use.

        :return: whether it was counted here.
        """
        if connection not in self._apart:
            return False
        self._apart.discard(connection)
        return True

    def look_for_slow(self) -> None:
        """A request waits: set apart what takes long at another's pace, now and from time to time."""
        if self._looking is None:
            self._set_slow_apart()

    def look_no_more(self) -> None:
        """No request waits."""
        if self._looking is not None:
            looking, self._looking = self._looking, None
            looking.cancel()

    def _set_slow_apart(self) -> None:
        now = self._clock.seconds()
        for connection in [one for one in self._open if one.flow.lasts(now)]:
            self.set_apart(connection)
        if self._looking is None and self._slots.taken >= self._slots.limit > 0:
            self._looking = self._clock.callLater(_LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._looking = None
        self._set_slow_apart()
