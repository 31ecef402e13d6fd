"""What a listener takes from its clients."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from trickster.http.forwarded import Trusted
from trickster.http.h1.head_reader import HeadLimits


@frozen
class ListenerLimits:
    """
    Bounds of one listener.  Times are seconds, and 0 is for ever.

    :ivar head: how large a request head may be.
    :ivar connections: most connections at once; 0 for no limit.
    :ivar reserve: one in so many of the process's descriptors is left to others.
    :ivar body: most octets in a request body; 0 for none at all, below 0 for no limit.
    :ivar truncate: whether a larger body is cut there instead of refused.
    :ivar header_timeout: for a whole head, from its first octet (for the first head of a
        connection, from the connection's start).
    :ivar idle_timeout: how long a connection is kept after an answer.
    :ivar body_timeout: how long some octets of a body that is waited for may take.
    :ivar body_rate: octets a second that a body must bring, averaged over C{body_timeout}.
    :ivar write_timeout: how long a client may take nothing of an answer that waits for it.
    :ivar trusted: the peers that may say how earlier hops were asked.
    """

    head: HeadLimits = field(factory=HeadLimits)
    connections: int = 0
    reserve: int = 8
    body: int = 10 << 20
    truncate: bool = False
    header_timeout: float = 10.0
    idle_timeout: float = 120.0
    body_timeout: float = 60.0
    body_rate: float = 0.0
    write_timeout: float = 60.0
    trusted: Trusted = field(factory=Trusted)


class ConnectionEvents(Protocol):
    """Is told what becomes of connections, for the metrics."""

    def opened(self) -> None:
        """A connection was asked for, and taken."""

    def ended(self) -> None:
        """A connection that was taken is over."""

    def refused(self) -> None:
        """A connection was asked for, and could not be taken."""


@frozen
class NoEvents:
    """Connections are not counted.  Provides L{ConnectionEvents}."""

    def opened(self) -> None:
        """Do nothing."""

    def ended(self) -> None:
        """Do nothing."""

    def refused(self) -> None:
        """Do nothing."""
