"""When a listener accepts connections, and when it leaves them to wait in the backlog."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from trickster.frontend.limits import ConnectionEvents, NoEvents

# Seconds between two looks for clients that wait while others are idle, and between two
# attempts where there were no descriptors.
_LOOK = 0.05
_RETRY = 1.0
_TELL = 60.0
# Idle connections that make room at one look, at least.
_LEAST_CLOSED = 16


class Accepting(Protocol):
    """A port, as L{Acceptance} needs it."""

    def startReading(self) -> None:
        """Accept connections."""

    def stopReading(self) -> None:
        """Leave them in the backlog."""

    def is_waited_for(self) -> bool:
        """:return: whether a client is in the backlog."""


class Connected(Protocol):
    """The connections that there are, as L{Acceptance} needs them."""

    title: str

    @property
    def connections(self) -> int:
        """:return: how many there are, also of those that are closing: each has a descriptor."""

    def close_idle(self, most: int) -> int:
        """
        Close connections that are kept for a next request, the longest idle ones first.

        :param most: how many to close; all that are idle where they are fewer.
        :return: how many are being closed.  They are among L{connections} until they are gone.
        """


def descriptors() -> int | None:
    """:return: how many descriptors this process may have; None for any number."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def lowest_free() -> int | None:
    """:return: the lowest descriptor that is free; None where none is."""
    try:
        descriptor = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
    os.close(descriptor)
    return descriptor


def ceiling(limit: int | None, reserve: int) -> int:
    """
    :param limit: descriptors of the process; None for any number.
    :param reserve: the part of all descriptors that is left to others, as one in so many; of
        few descriptors it is more, up to half of them.
    :return: the first descriptor that is not for clients; 0 where there is no limit.
    """
    if limit is None:
        return 0
    return limit - min(limit // 2, max(256 // reserve, limit // reserve))


@define(eq=False)
class Acceptance:
    """
    Pauses a port where there are as many connections as may be, or where the descriptors run
    out, and has idle connections make room for clients that wait.

    To accept a connection and close it, with or without an answer, has clients dial again at
    once; in the backlog they wait for their turn, and cost nothing.

    :ivar limit: most connections at one time; 0 for any number.
    :ivar ceiling: the first descriptor that is not for clients, so that there are some for
        origins, files and other listeners; 0 for none.
    :ivar free: tells the lowest descriptor that is free, or None where none is.
    """

    clock: IReactorTime
    connected: Connected
    limit: int = 0
    ceiling: int = 0
    events: ConnectionEvents = field(factory=NoEvents)
    port: Accepting | None = None
    free: Callable[[], int | None] = lowest_free
    _log: Logger = field(factory=Logger)
    _is_paused: bool = field(default=False, init=False)
    _is_scarce: bool = field(default=False, init=False)
    _looking: IDelayedCall | None = field(default=None, init=False)
    _retry_at: float = field(default=0.0, init=False)
    _told_at: float = field(default=float("-inf"), init=False)

    def room(self, most: int) -> int:
        """
        :param most: connections that could be accepted at once.
        :return: how many may be.
        """
        return min(most, self.limit - self.connected.connections) if self.limit else most

    def accepted(self, descriptor: int) -> bool:
        """
        A connection was accepted.

        :return: whether another one may be.
        """
        if self.ceiling and descriptor >= self.ceiling:
            self._is_scarce = True
            self._pause("descriptors of this process, of which some are left to others")
        elif self.limit and self.connected.connections >= self.limit:
            self._pause("connections that connections_limit allows")
        return not self._is_paused

    def exhausted(self) -> None:
        """There was no descriptor for a connection, which stays in the backlog."""
        self.events.refused()
        self._is_scarce = True
        self._pause("descriptors of this process")

    def ended(self) -> None:
        """A connection is over."""
        if self._is_paused and self._may_resume():
            self._resume()

    def stop(self) -> None:
        """The port is closed."""
        self._is_paused = self._is_scarce = False
        self.port = None
        if self._looking is not None:
            looking, self._looking = self._looking, None
            looking.cancel()

    def _pause(self, what: str) -> None:
        if self._is_paused or self.port is None:
            return
        self._is_paused = True
        self.port.stopReading()
        now = self.clock.seconds()
        self._retry_at = now + _RETRY
        if self._looking is None:
            self._looking = self.clock.callLater(_LOOK, self._look)
        if now - self._told_at >= _TELL:
            self._told_at = now
            self._log.warn("{title}: all {what} are in use ({connections} connections); clients "
                           "wait in the backlog", title=self.connected.title or "Listener",
                           what=what, connections=self.connected.connections)

    def _resume(self) -> None:
        self._is_paused = self._is_scarce = False
        if self.port is not None:
            self.port.startReading()

    def _look(self) -> None:
        self._looking = None
        if not self._is_paused or self.port is None:
            return
        self._looking = self.clock.callLater(_LOOK, self._look)
        if self.port.is_waited_for():
            self.connected.close_idle(max(_LEAST_CLOSED, self.connected.connections // 8))
        if self._is_scarce and self.clock.seconds() >= self._retry_at and self._may_resume():
            # Descriptors come free elsewhere, too.
            self._resume()

    def _may_resume(self) -> bool:
        if self.room(1) <= 0:
            return False
        if not self._is_scarce or not self.connected.connections:
            return True
        # The next connection would get the lowest descriptor that is free.
        free = self.free()
        return free is not None and (not self.ceiling or free < self.ceiling)
