"""One reader's way through a body that others read too."""

from __future__ import annotations

from attrs import define, field
from zope.interface import implementer

from trickster.collapsing.broadcast import BroadcastBody, Cursor
from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody


@implementer(IBody)
@define(eq=False)
class BodyReader:
    """One reader's way through a body that others read too."""

    _broadcast: BroadcastBody
    _cursor: Cursor
    _start: int = field(default=0, init=False)
    _stop: int | None = field(default=None, init=False)

    @classmethod
    def of(cls, broadcast: BroadcastBody) -> BodyReader:
        """:return: a reader that gets what is here at once, and then what arrives."""
        return cls(broadcast, broadcast.join())

    @property
    def whole_length(self) -> int | None:
        """
        :return: octets of the whole body, of which this reader may want a part, as in
            L{BroadcastBody.length}.
        """
        return self._broadcast.length

    def narrow(self, start: int, stop: int) -> None:
        """
        Want less than all, before anything is read.

        :param start: offset of the first octet.
        :param stop: offset after the last.
        """
        self._cursor.offset = self._start = start
        self._stop = stop
        self._broadcast.carry_on()

    def pass_up(self) -> None:
        """Want nothing, but have it all come for the store."""
        self._broadcast.carry_on()
        self.close()

    @property
    def length(self) -> int | None:
        """:return: octets that this reader gets, read ones included; None while not known."""
        stop = self._broadcast.length if self._stop is None else self._stop
        return None if stop is None else stop - self._start

    async def read(self) -> bytes:
        """
        :return: some octets (any buffer); C{b""} at the end.
        :raises UpstreamBroke: the origin went away, or this reader was far too slow.
        """
        while self._stop is None or self._cursor.offset < self._stop:
            offset = self._cursor.offset
            piece = self._broadcast.buffer.at(offset)
            if piece is None and offset < self._broadcast.buffer.size:
                piece = await self._broadcast.buffer.from_spool(offset)
            if piece is not None:
                return self._taken(piece)
            if self._broadcast.failure is not None:
                self.close()
                raise UpstreamBroke(self._broadcast.failure.detail)
            if self._broadcast.has_ended:
                break
            await self._broadcast.arrival()
        self.close()
        return b""

    def _taken(self, piece: bytes | memoryview) -> bytes:
        if self._stop is not None and len(piece) > self._stop - self._cursor.offset:
            piece = memoryview(piece)[:self._stop - self._cursor.offset]
        self._cursor.offset += len(piece)
        self._broadcast.trim()
        self._broadcast.wake()
        return piece  # type: ignore[return-value]

    def close(self) -> None:
        """Leave; other readers are not disturbed."""
        self._broadcast.leave(self._cursor)
