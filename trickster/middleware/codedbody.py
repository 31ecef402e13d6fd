"""Bodies that are coded piece by piece, as they are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody
from trickster.middleware.coders import Encoder
from trickster.net.tracebacks import without_frames

# Octets coded in one turn of the reactor: well under a millisecond's work.
PIECE = 64 * 1024


async def next_turn(clock: IReactorTime) -> None:
    """
    Let the reactor do other things before going on.

    :param clock: the reactor's; nothing stays with it where this is cancelled.
    """
    turn: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(0, turn.callback, None)
    await turn


@implementer(IBody)
@define(eq=False)
class Resumed:
    """
    A body of which the beginning has been read already.

    :ivar length: of all of it.
    """

    _begun: list[bytes]
    _rest: IBody
    length: int | None

    async def read(self) -> bytes:
        """
        See L{IBody.read}.

        :return: what was read before, in the same pieces, then what follows it.
        """
        return self._begun.pop(0) if self._begun else await self._rest.read()

    def close(self) -> None:
        """See L{IBody.close}."""
        self._begun.clear()
        self._rest.close()


@implementer(IBody)
@define(eq=False)
class CodedBody:
    """
    The coded form of another body.

    All that there is of the other body is passed on before its next octets are waited for:
    an answer that comes in slowly goes out as slowly.

    :ivar length: not known before the end.
    :ivar keep: called with all of the coded form at its end, or None.
    """

    _source: IBody
    _encoder: Encoder
    _turn: Callable[[], Awaitable[None]]
    keep: Callable[[bytes], None] | None = None
    length: int | None = field(default=None, init=False)
    _coming: Deferred[bytes] | None = field(default=None, init=False)
    _piece: memoryview = field(default=memoryview(b""), init=False)
    _taken: int = field(default=0, init=False)
    _budget: int = field(default=PIECE, init=False)
    _is_behind: bool = field(default=False, init=False)
    _is_over: bool = field(default=False, init=False)
    _coded: list[bytes] = field(factory=list, init=False)

    async def read(self) -> bytes:
        """
        See L{IBody.read}.

        :return: some octets of the coded form.  All that the source has given can be decoded
            before more of it is waited for.
        :raises UpstreamBroke: as of the source; or it ends elsewhere than its length says.
        """
        coded = b""
        while not coded and not self._is_over:
            coded = await self._step()
        if self.keep is not None:
            self._note(coded, self.keep)
        return coded

    def _note(self, coded: bytes, keep: Callable[[bytes], None]) -> None:
        self._coded.append(coded)
        if self._is_over:
            self.keep = None
            keep(b"".join(self._coded))
            self._coded.clear()

    async def _step(self) -> bytes:
        """:return: what is ready after the next piece, which may be nothing yet."""
        if not self._piece:
            coming = self._next()
            if self._is_behind and not coming.called:
                self._is_behind = False
                return self._encoder.flush()
            await self._arrival(coming)
            if not self._piece:
                return self._end()
        if self._budget <= 0:
            await self._turn()
            self._budget = PIECE
        return self._encoder.code(self._cut())

    def _next(self) -> Deferred[bytes]:
        if self._coming is None:
            self._coming = Deferred.fromCoroutine(_reading(self._source)).addErrback(without_frames)
        return self._coming

    async def _arrival(self, coming: Deferred[bytes]) -> None:
        if not coming.called:
            self._budget = PIECE  # other things are done while we wait
        try:
            self._piece = memoryview(await coming)
        finally:
            self._coming = None
        self._taken += len(self._piece)

    def _cut(self) -> memoryview:
        cut, self._piece = self._piece[:PIECE], self._piece[PIECE:]
        self._budget -= len(cut)
        self._is_behind = True
        return cut

    def _end(self) -> bytes:
        # A coded form that ends well must not be made of a body that did not.
        if self._source.length not in (None, self._taken):
            raise UpstreamBroke("a body is not as long as it was said to be")
        self._is_over = True
        return self._encoder.finish()

    def close(self) -> None:
        """See L{IBody.close}."""
        self._is_over = True
        self.keep = None
        self._piece = memoryview(b"")
        self._coded.clear()
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.addErrback(_left)
            coming.cancel()
        self._source.close()


async def _reading(body: IBody) -> bytes:
    return await body.read()


def _left(_: object) -> None:
    """
    What was still to come is not read.

    :param _: that it was cancelled, or why it would not have come, which concerns no reader now.
    """
