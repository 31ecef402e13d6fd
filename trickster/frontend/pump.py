"""The body of an answer, written as fast as the client takes it."""

from __future__ import annotations

from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from trickster.errors import UpstreamBroke
from trickster.frontend.link import Output
from trickster.http.h1.encoding import LAST_CHUNK, BodyFraming, chunk_head
from trickster.interfaces import IBody
from trickster.messages import Octets

# What is handed to the transport at a time: less, and calls cost; more, and memory does.
PIECE = 256 * 1024
# A client that reads as fast as we write must not keep all others waiting.
_AT_A_TURN = 1 << 20


class Turns(Protocol):
    """Lets other connections have a turn."""

    def turn(self) -> Deferred[None]:
        """:return: fires when all other connections have had a turn; may be cancelled."""


@define
class _Sliced:
    """A large body that is here, in pieces.  Reads like an L{IBody}."""

    _octets: memoryview
    _at: int = 0

    async def read(self) -> memoryview:
        """:return: the next piece; an empty one at the end."""
        piece = self._octets[self._at:self._at + PIECE]
        self._at += len(piece)
        return piece


@define(eq=False)
class BodyPump:
    """
    Writes a head and the body after it.

    The head is held until the first octets of the body are there, which go with it.

    :ivar framing: how the end of the body is told.
    :ivar has_begun: whether something was written.
    :ivar is_cut: whether nothing more is written, as the client has gone.
    """

    _output: Output
    _turns: Turns
    framing: BodyFraming
    _held: bytes
    has_begun: bool = field(default=False, init=False)
    is_cut: bool = field(default=False, init=False)

    async def write(self, body: IBody) -> None:
        """
        Write a body up to its last octet.

        :raises UpstreamBroke: it has more or fewer octets than it said.
        """
        source: Any = _Sliced(memoryview(body.octets)) if type(body) is Octets else body
        left = body.length if self.framing is BodyFraming.LENGTH else None
        unbroken = 0
        while piece := await source.read():
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise UpstreamBroke("a body is longer than it was said to be")
            self._put_framed(piece)
            unbroken += len(piece)
            if self._output.is_full:
                await self._output.room()
                unbroken = 0
            elif unbroken >= _AT_A_TURN:
                await self._turns.turn()
                unbroken = 0
        if left:
            raise UpstreamBroke("a body is shorter than it was said to be")

    def end(self) -> None:
        """Write what tells the end of the body; the head too, where there was no body."""
        self._put(LAST_CHUNK if self.framing is BodyFraming.CHUNKED else b"")

    def send_head(self) -> None:
        """The body keeps us waiting, and the client should have the head meanwhile."""
        if self._held:
            self._put()

    def _put_framed(self, piece: bytes) -> None:
        if self.framing is BodyFraming.CHUNKED:
            self._put(chunk_head(len(piece)), piece, b"\r\n")
        else:
            self._put(piece)

    def _put(self, *parts: bytes) -> None:
        if self._held:
            self.has_begun = True
            parts, self._held = (self._held, *parts), b""
        if not self.is_cut:
            self._output.send(*parts)
