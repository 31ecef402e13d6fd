"""What of a body in transit is at hand: the newest octets in memory, older ones in a spool."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from trickster.collapsing.blocks import PIECE, Blocks
from trickster.collapsing.spool import ISpool
from trickster.errors import UpstreamBroke


@define(eq=False)
class BodyBuffer:
    """
    Octets of one body, as far as its readers may still need them.

    :ivar _window: octets behind the end that stay in memory beside a spool.
    :ivar _make_spool: makes the place for what no longer fits; None to have none.
    """

    _window: int
    _make_spool: Callable[[], ISpool] | None
    _blocks: Blocks = field(factory=Blocks, init=False)
    _spool: ISpool | None = field(default=None, init=False)
    _spooled: int = field(default=0, init=False)
    _spool_is_full: bool = field(default=False, init=False)

    @property
    def size(self) -> int:
        """:return: octets that have arrived, also those that have been let go of."""
        return self._blocks.size

    @property
    def has_beginning(self) -> bool:
        """:return: whether it can be read from its first octet on, in memory or in a spool."""
        return self._blocks.first == 0 or self._spooled >= self._blocks.first

    @property
    def is_spooled(self) -> bool:
        """
        :return: whether it has a spool, if only one that is full: a reader that lags behind is
            then not waited for.
        """
        return self._spool is not None

    def in_memory(self) -> tuple[bytes, ...]:
        """:return: all that is in memory."""
        return self._blocks.all()

    def append(self, piece: bytes) -> None:
        """
        Add octets at the end, in memory.

        :param piece: as in L{Blocks.append}.
        """
        self._blocks.append(piece)

    def join(self, enough: bool = False) -> None:
        """
        Join what has come in small pieces.

        :param enough: only if there is enough of it for a large one.
        """
        if enough:
            self._blocks.join_enough()
        else:
            self._blocks.join()

    def at(self, offset: int) -> bytes | memoryview | None:
        """:return: octets from an offset on, if they are in memory."""
        return self._blocks.at(offset)

    async def from_spool(self, offset: int) -> bytes:
        """
        :return: octets that are no longer in memory.
        :raises UpstreamBroke: they are nowhere any more: the reader was too slow.
        """
        if self._spool is None or offset >= self._spooled:
            raise UpstreamBroke("too slow for what could be held")
        try:
            return await self._spool.read(offset, min(PIECE, self._spooled - offset))
        except OSError as error:
            raise UpstreamBroke("what could not be held in memory is lost") from error

    async def spill(self) -> None:
        """Bring to the spool what is too much for the memory."""
        if self._make_spool is None or self._spool_is_full:
            return
        if self._spool is None:
            if self.size <= self._window:
                return
            self._spool = self._make_spool()
        while self._spooled < self.size and not self._spool_is_full:
            await self._write(self._spool, bytes(self.at(self._spooled) or b""))

    async def _write(self, spool: ISpool, piece: bytes) -> None:
        try:
            if self._spooled + len(piece) > spool.limit:
                raise OSError("the spool is full")
            await spool.write(self._spooled, piece)
            self._spooled += len(piece)
        except OSError:
            # No reader can join any more, and one that lags too far behind is lost.
            self._spool_is_full = True

    def forget(self, before: int) -> None:
        """
        Let go of what is not needed in memory.

        :param before: the offset that the slowest reader is at.
        """
        if self._spool is not None:
            before = max(before, self.size - self._window)
            if not self._spool_is_full:
                before = min(before, self._spooled)
        elif self._make_spool is not None:
            return  # all of it fits still, or will be spooled
        self._blocks.forget(before)

    def close(self) -> None:
        """Give the spool back; harmless where there is none."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None
