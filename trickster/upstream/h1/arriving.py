"""Response bodies that are still on their way."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from trickster.interfaces import IBody, IDuplex
from trickster.upstream.h1.outlet import Outlet

# Octets that are read ahead of a body's reader: then its source is paused.
READ_AHEAD = 256 << 10


class Source(Protocol):
    """What a body comes from, as the body sees it."""

    def pause_reading(self) -> None:
        """Enough is here for now."""

    def resume_reading(self) -> None:
        """There is room again."""

    def written_to(self) -> None:
        """The other direction has brought something."""

    def abandon(self) -> None:
        """The reader does not want the rest."""


class _Nowhere:
    """What a body comes from that is over: it would else keep the whole exchange in a cycle."""

    def pause_reading(self) -> None:
        """Nothing comes."""

    def resume_reading(self) -> None:
        """Nothing comes."""

    def written_to(self) -> None:
        """There is no exchange to call."""

    def abandon(self) -> None:
        """There is nothing to abandon."""


_NOWHERE = _Nowhere()


@implementer(IBody)
class ArrivingBody:
    """
    Holds what has come and has not been read, and pauses its source when that is much.

    :ivar length: octets in all, or None when not known.
    """

    __slots__ = ("_error", "_held", "_is_ended", "_is_paused", "_pieces", "_source",
                 "_waiting", "length")

    def __init__(self, source: Source, length: int | None) -> None:
        self.length = length
        self._source: Source = source
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
            raise self._error
        return b""

    def close(self) -> None:
        """Drop what is here; the rest is not waited for."""
        self._pieces = []
        self._held = 0
        if not self._is_ended:
            self._is_ended = True
            self._source.abandon()
            self._forget_source()

    def push(self, pieces: list[bytes]) -> None:
        """
        :param pieces: the next of the body; the reader, if there is one, gets them.
        """
        self._pieces += pieces
        self._held += sum(map(len, pieces))
        if self._held >= READ_AHEAD and not self._is_paused:
            self._is_paused = True
            self._source.pause_reading()
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
            self._forget_source()
            self._wake()

    def _forget_source(self) -> None:
        self._source = _NOWHERE

    def _taken(self) -> bytes:
        pieces, self._pieces, self._held = self._pieces, [], 0
        octets = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._is_paused:
            self._is_paused = False
            if not self._is_ended:
                self._source.resume_reading()
        return octets

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _stop_waiting(self, _: Deferred[None]) -> None:
        self._waiting = None


@implementer(IDuplex)
class UpgradedBody(ArrivingBody):
    """What follows a 101 answer: octets both ways."""

    __slots__ = ("_outlet",)

    def __init__(self, source: Source, outlet: Outlet) -> None:
        """
        :param outlet: to the origin.
        """
        super().__init__(source, None)
        self._outlet = outlet

    async def write(self, octets: bytes) -> None:
        """
        :raises UpstreamBroke: the origin is gone.
        """
        self._source.written_to()
        await self._outlet.write(octets)

    def close(self) -> None:
        """Both directions of the upgrade end, even if the origin's had ended before."""
        super().close()
        self._source.abandon()
        self._source = _NOWHERE

    def _forget_source(self) -> None:
        """What the client says goes on to the origin still."""

    def end(self) -> None:
        """Say that nothing more will be written."""
        self._outlet.end()
