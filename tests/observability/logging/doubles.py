"""Where log lines and octets of logs go in the tests: into lists."""

from __future__ import annotations

from attrs import define, field
from zope.interface import implementer

from trickster.observability.logging.destinations import IDestination
from trickster.observability.logging.lines import ILineSink


@implementer(ILineSink)
@define
class Lines:
    """
    Keeps lines.

    :ivar lines: what was written.
    :ivar flushes: how often what was written had to be out.
    """

    lines: list[str] = field(factory=list)
    flushes: int = 0

    def write(self, line: str) -> None:
        """See L{ILineSink.write}."""
        self.lines.append(line)

    def flush(self) -> None:
        """Count."""
        self.flushes += 1


@implementer(IDestination)
@define
class Paper:
    """
    Keeps what is written.

    :ivar room: octets that it takes from now on.
    """

    written: list[bytes] = field(factory=list)
    room: int = 1 << 40
    error: OSError | None = None
    is_open: bool = False

    def open(self) -> None:
        """See L{IDestination.open}."""
        self.is_open = True

    def write(self, octets: bytes) -> bytes:
        """See L{IDestination.write}."""
        if self.error is not None:
            raise self.error
        self.written.append(octets[:self.room])
        return octets[self.room:]

    def close(self) -> None:
        """See L{IDestination.close}."""
        self.is_open = False
