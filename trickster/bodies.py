"""Reading bodies to their end, and making bodies of pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import define, field
from zope.interface import implementer

from trickster.errors import Overloaded, Reason, RequestError, TricksterError
from trickster.interfaces import IBody
from trickster.messages import octets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Buffer = bytes | bytearray | memoryview

PIECE = 256 * 1024


class BodyTooLarge(TricksterError):
    """
    A body has more octets than its reader has room for.

    :ivar limit: octets for which there is room in all.
    :ivar reason: whether it is too large by itself (L{Reason.TOO_LARGE}), or beside what is held
        of others (L{Reason.IN_FLIGHT_BUDGET}).
    """

    def __init__(self, limit: int, reason: Reason = Reason.TOO_LARGE) -> None:
        super().__init__(f"a body of more than {limit} octets" if reason is Reason.TOO_LARGE
                         else "no room for a body beside others")
        self.limit = limit
        self.reason = reason

    def refusal(self, too_large: RequestError) -> RequestError:
        """
        :param too_large: what is told where it is too large by itself.
        :return: what a client is told where nothing can be passed on instead.
        """
        if self.reason is Reason.TOO_LARGE:
            return too_large
        return Overloaded("too many octets of requests and answers are in flight", self.reason)


def _room_for_all(octets: int) -> bool:
    return True


async def read_all(body: IBody, limit: int,
                   take: Callable[[int], bool] = _room_for_all) -> bytes | bytearray:
    """
    Read a body to its end, and close it.

    The octets are held once, in a buffer that grows as they come: an announced length is
    only ever used to refuse early, since it may be a lie.  The octets of an
    L{trickster.messages.Octets} are given as they are, and may be read again.

    :param limit: the most octets that are taken.
    :param take: told how many octets have come, each time that some have, but not of those that
        were here already; says whether there is room for them.
    :return: all of it; the caller owns it.
    :raises BodyTooLarge: there is more than that, or no room for it.
    """
    try:
        if body.length is not None and body.length > limit:
            raise BodyTooLarge(limit)
        here = octets_of(body)
        return await _Reading(body, limit, take).whole() if here is None else here
    finally:
        body.close()


@define
class _Reading:
    """A body that is being read whole."""

    _body: IBody
    _limit: int
    _take: Callable[[int], bool]
    _size: int = field(default=0, init=False)

    async def whole(self) -> bytes | bytearray:
        first = await self._piece()
        more = await self._piece() if first else first
        if not more:
            return bytes(first)  # itself, unless it is a view
        kept = bytearray(first)
        del first
        while more:
            kept += more
            more = await self._piece()
        return kept

    async def _piece(self) -> Buffer:
        piece = await self._body.read()
        self._size += len(piece)
        if self._size > self._limit:
            raise BodyTooLarge(self._limit)
        if piece and not self._take(len(piece)):
            raise BodyTooLarge(self._limit, Reason.IN_FLIGHT_BUDGET)
        return piece


async def drain(body: IBody, limit: int) -> bool:
    """
    Read what is left and forget it, so that the connection under it can be used again.

    :param limit: octets after which dropping the connection is cheaper.
    :return: whether the end was reached; if not, the body is closed.
    """
    left = limit
    try:
        while True:
            octets = await body.read()
            if not octets:
                return True
            left -= len(octets)
            if left < 0:
                return False
    finally:
        body.close()


@implementer(IBody)
@define(eq=False)
class Pieces:
    """
    A body made of many buffers, which are joined into pieces of about 256 KiB as they are
    asked for; a buffer larger than that is cut without being copied.

    :ivar length: octets in all, or None when not known.
    """

    _buffers: Iterator[Buffer]
    length: int | None
    _unempty: Iterator[Buffer] = field(init=False)
    _rest: Buffer | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._unempty = filter(len, self._buffers)

    @classmethod
    def of(cls, buffers: Sequence[Buffer]) -> Pieces:
        """:return: a body of buffers that are all here, and so of known length."""
        return cls(iter(buffers), sum(map(len, buffers)))

    @classmethod
    def streamed(cls, buffers: Iterable[Buffer],
                 length: int | None = None) -> Pieces:
        """
        :param buffers: asked for the next buffer only when a reader wants it.
        :param length: octets in all, where the caller knows.
        :return: a body of buffers still to be made.
        """
        return cls(iter(buffers), length)

    async def read(self) -> bytes:
        """:return: the next piece, as any buffer; C{b""} at the end."""
        taken: list[Buffer] = []
        size = 0
        buffer = self._next()
        while buffer is not None:
            if size + len(buffer) > PIECE:
                return self._overfull(taken, buffer)
            taken.append(buffer)
            size += len(buffer)
            buffer = self._next()
        return taken[0] if len(taken) == 1 else b"".join(taken)  # type: ignore[return-value]

    def _next(self) -> Buffer | None:
        if self._rest is None:
            return next(self._unempty, None)
        rest, self._rest = self._rest, None
        return rest

    def _overfull(self, taken: list[Buffer], buffer: Buffer) -> bytes:
        if taken:
            self._rest = buffer
            return b"".join(taken)
        view = memoryview(buffer)
        self._rest = view[PIECE:]
        return view[:PIECE]  # type: ignore[return-value]

    def close(self) -> None:
        """Let go of what has not been read."""
        self._rest = None
        self._unempty = iter(())
        unread, self._buffers = self._buffers, self._unempty
        if hasattr(unread, "close"):
            unread.close()
