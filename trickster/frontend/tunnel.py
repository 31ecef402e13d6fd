"""What a client sends after a protocol upgrade, on its way to the origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.interfaces import IBody


@define(eq=False)
class Tunnel:
    """
    Relays octets of a client to the far end (RFC 9110 section 7.8).

    :ivar _source: what the client sends.
    :ivar _duplex: an L{trickster.interfaces.IDuplex}, the far end.
    """

    _log: ClassVar[Logger] = Logger()

    _source: IBody
    _duplex: Any
    _running: Deferred[None] | None = field(default=None, init=False)

    def open(self, broke: Callable[[], None]) -> None:
        """
        Relay until one of the two ends.

        :param broke: called where the far end takes no more.
        """
        self._running = running = Deferred.fromCoroutine(self._relay())
        running.addErrback(self._broke, broke)

    def close(self) -> None:
        """Relay no more."""
        if self._running is not None:
            self._running.cancel()

    async def _relay(self) -> None:
        while data := await self._source.read():
            await self._duplex.write(data)
        self._duplex.end()

    def _broke(self, failure: Failure, broke: Callable[[], None]) -> None:
        if failure.check(CancelledError):
            return
        self._log.debug("A tunnel broke: {failure}", failure=failure)
        broke()
