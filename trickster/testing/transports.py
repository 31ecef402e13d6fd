"""One end of a connection, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import StringTransport


class MemoryTransport(StringTransport):
    """
    A transport that can be half-closed, and notes what it was given.

    :ivar protocol: whose transport it is.
    :ivar writes: what was written, each by itself.
    :ivar is_half_closed: whether the protocol writes no more, and still reads.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protocol: Any = None
        self.writes: list[bytes] = []
        self.is_half_closed = False

    def write(self, data: bytes) -> None:
        """Note what is written."""
        self.writes.append(data)
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Note each piece."""
        for piece in data:
            self.write(piece)

    def loseWriteConnection(self) -> None:
        """Close our half of the connection, as a protocol may that provides for that."""
        self.is_half_closed = True
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is not None:
            half_closeable.writeConnectionLost()

    def unregisterProducer(self) -> None:
        """Take no more from the producer, if there is one."""
        self.producer = None

    def written(self) -> bytes:
        """:return: what was written since the last time."""
        octets: bytes = self.value()
        self.clear()
        return octets

    @property
    def is_read(self) -> bool:
        """Whether the protocol takes more octets now."""
        return bool(self.producerState == "producing")

    @property
    def is_aborted(self) -> bool:
        """Whether the protocol has given the connection up, with what was not sent."""
        return bool(self.disconnected)

    @property
    def ending(self) -> str:
        """How the protocol has ended the connection: or C{open}."""
        if self.is_aborted:
            return "aborted"
        if self.disconnecting:
            return "closed"
        return "half-closed" if self.is_half_closed else "open"
