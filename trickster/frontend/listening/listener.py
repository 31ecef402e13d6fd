"""Services that listen for clients."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory

from trickster.frontend.listening.accepting import Acceptance, ceiling, descriptors
from trickster.frontend.listening.ports import EagerPort, HeldPort
from trickster.frontend.site import ProxySite


class Listener(Service):
    """
    Accepts connections on one address, and lets requests end before it stops.

    :ivar site: what is served.
    :ivar patience: seconds for which connections without a request are kept once it stops: for one
        that is on its way.  0 where nothing else serves then: the sooner it is gone, the better.
    """

    patience = 0.0

    def __init__(self, reactor: Any, site: ProxySite, listening: Callable[[], socket.socket],
                 drain_timeout: float = 30.0, tls: Any = None,
                 is_shared: bool = False) -> None:
        """
        :param reactor: with descriptors and time.
        :param listening: gives, at each start, a socket that listens, most often by
            L{trickster.frontend.listening.ports.bound}; the listener closes it.
        :param drain_timeout: seconds that open requests have to end on stopping.
        :param tls: an C{IOpenSSLContextFactory}, or None for plain connections.
        :param is_shared: whether other processes accept from the same socket, and are to have
            their share.
        """
        self._reactor = reactor
        self.site = site
        self._socket = listening
        self._drain_timeout = drain_timeout
        self._tls = tls
        self._is_shared = is_shared
        self._listening: IListeningPort | None = None
        self._acceptance: Acceptance | None = None
        self._stopping: Deferred[None] | None = None

    @property
    def address(self) -> Any:
        """
        :return: where it listens, as an C{IAddress}, with the port that the system chose where
            0 was asked for; None while it does not.
        """
        return None if self._listening is None else self._listening.getHost()

    def privilegedStartService(self) -> None:
        """
        Get the socket, while ports below 1024 may still be bound.

        :raises twisted.internet.error.CannotListenError: the address is taken, or not ours.
        """
        super().privilegedStartService()
        if self._listening is None:
            self._listening = self._bind()

    def startService(self) -> None:
        """
        Accept connections.

        :raises twisted.internet.error.CannotListenError: as L{privilegedStartService}, where
            that was not called.
        """
        if self._listening is None:
            self._listening = self._bind()
        self._stopping = None
        self.site.resume()
        super().startService()

    def stopService(self) -> Deferred[None]:
        """
        Accept no more, close idle connections, let requests end.

        :return: fires when there are no connections left.
        """
        super().stopService()
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
        stopped: Deferred[None] = Deferred()
        self._stopping.chainDeferred(stopped)
        return stopped

    def abort(self) -> None:
        """Close all connections, also those with a request under way."""
        self.site.abort()

    def _bind(self) -> IListeningPort:
        self.site.title = f"Listener {self.name}" if self.name else ""
        kind: type[HeldPort] = EagerPort
        factory: Any = self.site
        if self._tls is not None:
            kind = HeldPort
            factory = TLSMemoryBIOFactory(self._tls, False, self.site)
        port = kind.of(self._socket(), factory, self._reactor)
        limits = self.site.limits
        port.acceptance = self._acceptance = Acceptance(
            self._reactor, self.site, limits.connections, ceiling(descriptors(), limits.reserve),
            self.site.events, port)
        self.site.ended = self._acceptance.ended
        port.startListening()
        if self._is_shared:
            port.share()
        return port

    async def _stop(self) -> None:
        listening, self._listening = self._listening, None
        if self._acceptance is not None:
            self._acceptance.stop()
        if listening is not None:
            stopped = listening.stopListening()
            if stopped is not None:
                await stopped
        gone = self.site.drain(self.patience)
        late = self._reactor.callLater(self._drain_timeout, self.site.abort)
        try:
            await gone
        finally:
            if late.active():
                late.cancel()
