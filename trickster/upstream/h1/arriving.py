"""Response bodies that are still on their way."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from twisted.internet.defer import Deferred
from zope.interface import implementer

from trickster.errors import UpstreamError
from trickster.interfaces import IBody, IDuplex
from trickster.net.callbacks import ignore
from trickster.upstream.h1.link import OriginLink
from trickster.upstream.h1.outlet import Outlet

# Octets that are read ahead of a body's reader: then the connection is not read from.
READ_AHEAD = 256 << 10


@implementer(IBody)
class ArrivingBody:
    """
    Holds what has come and has not been read, and pauses the connection when that is much.

    :ivar length: octets in all, or None when not known.
    """

    __slots__ = ("_abandon", "_error", "_held", "_is_ended", "_is_paused", "_link", "_pieces",
                 "_waiting", "length")

    def __init__(self, link: OriginLink, abandon: Callable[[], None], length: int | None) -> None:
        """
        :param link: over which it comes.
        :param abandon: called when the reader does not want the rest.
        """
        self.length = length
        self._link: OriginLink | None = link
        self._abandon = abandon
        self._pieces: list[bytes] = []
        self._held = 0
        self._is_paused = False
        self._is_ended = False
        self._error: Exception | None = None
        self._waiting: Deferred[None] | None = None

    async def read(self) -> bytes:
        """
        :return: what has come, or, if that is nothing, what comes next.
        :raises UpstreamError: the rest will not come; raised after all that did.
        """
        if not self._pieces and not self._is_ended:
            self._waiting = Deferred(self._stop_waiting)
            await self._waiting
        if self._pieces:
            return self._taken()
        if self._error is not None:
            # Else its frames, which have this body and what it came from, were in a cycle with it.
            raise copy(self._error) if isinstance(self._error, UpstreamError) else self._error
        return b""

    def close(self) -> None:
        """Drop what is here; the rest is not waited for."""
        self._pieces = []
        self._held = 0
        self._is_ended = True
        self._abandon()

    def push(self, pieces: list[bytes]) -> None:
        """
        :param pieces: the next of the body; the reader, if there is one, gets them.
        """
        self._pieces += pieces
        self._held += sum(map(len, pieces))
        if self._held >= READ_AHEAD and not self._is_paused and self._link is not None:
            self._is_paused = True
            self._link.inflow.pause()
        if self._pieces:
            self._wake()

    def finish(self, error: Exception | None = None) -> None:
        """
        No more will come.

        :param error: why, where it is not the body's end.
        """
        if not self._is_ended:
            self._is_ended = True
            self._error = error
            self._wake()

    def release(self) -> None:
        """The exchange is over, and the connection another's: it would else stay in a cycle."""
        self._link = None
        self._abandon = ignore

    def _taken(self) -> bytes:
        pieces, self._pieces, self._held = self._pieces, [], 0
        octets = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._is_paused:
            self._is_paused = False
            if self._link is not None and not self._is_ended:
                self._link.inflow.resume()
        return octets

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _stop_waiting(self, _: Deferred[None]) -> None:
        self._waiting = None


@implementer(IDuplex)
class UpgradedBody(ArrivingBody):
    """What follows a 101 response: octets both ways, until both ends have said all."""

    __slots__ = ("_outlet",)

    def __init__(self, link: OriginLink, abandon: Callable[[], None], outlet: Outlet) -> None:
        """
        :param outlet: to the origin.
        """
        super().__init__(link, abandon, None)
        self._outlet = outlet

    async def write(self, octets: bytes) -> None:
        """
        :raises UpstreamBroke: the origin is gone.
        """
        if self._link is not None and not self._outlet.is_blocked:
            self._link.patience.await_origin()
        await self._outlet.write(octets)

    def end(self) -> None:
        """Say that nothing more will be written."""
        self._outlet.end()

    def release(self) -> None:
        """The exchange is over, and nothing more is written either."""
        super().release()
        self._outlet.close()
