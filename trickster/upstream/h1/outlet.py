"""Writing to an origin no faster than it reads."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPushProducer,
    ISSLTransport,
)
from zope.interface import implementer

from trickster.errors import UpstreamBroke
from trickster.upstream.h1.patience import Patience


@implementer(IPushProducer)
@define(eq=False)
class Outlet:
    """
    The writing side of a connection, while more than the head of a request goes over it.

    :ivar is_blocked: whether the origin reads no more for now.
    """

    _transport: Any
    _patience: Patience
    is_blocked: bool = field(default=False, init=False)
    _is_open: bool = field(default=False, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)

    def open(self) -> None:
        """Ask the transport to say when it has enough."""
        self._is_open = True
        self._transport.registerProducer(self, True)

    def close(self) -> None:
        """Nothing more is written here; what has been is still sent."""
        if self._is_open:
            self._is_open = False
            self._transport.unregisterProducer()
        self._fail()

    async def write(self, octets: bytes) -> None:
        """
        Send octets; returns when there is room for more.

        :raises UpstreamBroke: the connection is gone, or closed by us.
        """
        if not self._is_open:
            raise UpstreamBroke("the connection to the origin is closed")
        self._transport.write(octets)
        if self.is_blocked:
            self._waiting = Deferred(self._stop_waiting)
            await self._waiting

    def end(self) -> None:
        """Close this direction only, where the transport has directions."""
        if not self._is_open:
            return
        self._is_open = False
        self._transport.unregisterProducer()
        if _has_directions(self._transport):
            self._transport.loseWriteConnection()
        else:
            self._transport.loseConnection()

    def pauseProducing(self) -> None:
        """The transport has enough."""
        self.is_blocked = True
        if self._is_open:
            self._patience.blocked()

    def resumeProducing(self) -> None:
        """The transport has room again."""
        self.is_blocked = False
        if self._is_open:
            self._patience.unblocked()
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The transport is gone."""
        self._is_open = False
        self._fail()

    def _fail(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.errback(UpstreamBroke("the connection to the origin is closed"))

    def _stop_waiting(self, _: Deferred[None]) -> None:
        self._waiting = None


def _has_directions(transport: Any) -> bool:
    # Under TLS, it is the transport below that has them, and that must not be closed alone.
    return bool(IHalfCloseableDescriptor.providedBy(transport)
                and not ISSLTransport.providedBy(transport))
