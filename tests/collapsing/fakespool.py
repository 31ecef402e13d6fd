"""A spool that holds its octets in memory."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from trickster.collapsing.spool import ISpool


@implementer(ISpool)
@define(eq=False)
class FakeSpool:
    """
    Holds octets in memory, as a file would.

    :ivar held: writes and reads wait while this is set.
    """

    limit: int = 10**9
    octets: bytearray = field(factory=bytearray)
    was_closed: bool = False
    fails: bool = False
    held: list[Deferred[None]] | None = None

    def write(self, offset: int, octets: bytes) -> Deferred[None]:
        """Append."""
        assert offset == len(self.octets) and not self.was_closed
        if self.fails:
            raise OSError("disk full")
        self.octets += octets
        if self.held is None:
            return succeed(None)
        self.held.append(Deferred())
        return self.held[-1]

    def read(self, offset: int, size: int) -> Deferred[bytes]:
        """Read what was written."""
        assert offset + size <= len(self.octets) and not self.was_closed
        if self.fails:
            raise OSError("disk gone")
        return succeed(bytes(self.octets[offset:offset + size]))

    def close(self) -> None:
        """Note it."""
        self.was_closed = True
