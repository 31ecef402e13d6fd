"""One reader's way through a body that others read too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody

if TYPE_CHECKING:
    from trickster.collapsing.broadcast import SharedBody


@implementer(IBody)
@define(eq=False)
class Follower:
    """
    One reader's way through a shared body.

    :ivar at: offset of the octet that is read next.
    """

    _shared: SharedBody
    at: int = field(default=0, init=False)
    _start: int = field(default=0, init=False)
    _stop: int | None = field(default=None, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)

    @property
    def whole_length(self) -> int | None:
        """Octets of the whole body, None while that is not known."""
        return self._shared.length

    def narrow(self, start: int, stop: int) -> None:
        """
        Want less than all, before anything is read.

        :param start: offset of the first octet.
        :param stop: offset after the last.
        """
        self.at = self._start = start
        self._stop = stop
        self._shared.carry_on()

    def pass_up(self) -> None:
        """Want nothing, but have it all come for the store."""
        self._shared.carry_on()
        self.close()

    @property
    def length(self) -> int | None:
        """Octets in all, None while that is not known."""
        stop = self._shared.length if self._stop is None else self._stop
        return None if stop is None else stop - self._start

    async def read(self) -> bytes:
        """
        :return: some octets (any buffer); C{b""} at the end.
        :raises UpstreamBroke: the origin went away, or this reader was far too slow.
        """
        while self._stop is None or self.at < self._stop:
            piece = self._shared.at(self.at)
            if piece is None and self.at < self._shared.size:
                piece = await self._shared.from_spool(self.at)
            if piece is not None:
                return self._taken(piece)
            if self._shared.failure is not None:
                self._shared.leave(self)
                raise UpstreamBroke(self._shared.failure.detail)
            if self._shared.has_ended:
                break
            await self._more()
        self._shared.leave(self)
        return b""

    def _taken(self, piece: bytes | memoryview) -> bytes:
        if self._stop is not None and len(piece) > self._stop - self.at:
            piece = memoryview(piece)[:self._stop - self.at]
        self.at += len(piece)
        self._shared.trim()
        self._shared.wake()
        return piece  # type: ignore[return-value]

    async def _more(self) -> None:
        self._waiting = Deferred()
        try:
            self._shared.wake()
            await self._waiting
        finally:
            self._waiting = None

    def tell(self) -> None:
        """More has arrived, or the end."""
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(None)

    def close(self) -> None:
        """Leave; other readers are not disturbed."""
        self._shared.leave(self)
