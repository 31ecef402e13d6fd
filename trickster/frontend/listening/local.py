"""A listener for another process of the same user."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort

from trickster.frontend.site import ProxySite

# Only the user of the process.
_MODE = 0o600
# More than there are workers and clients: one that finds no room takes the process for gone.
_BACKLOG = 4096


class LocalListener(Service):
    """
    Accepts connections on a Unix socket.

    :ivar site: what is served.
    """

    def __init__(self, reactor: Any, site: ProxySite, path: str) -> None:
        """
        :param reactor: with Unix sockets.
        :param path: of the socket, in a directory that only the user of the process may enter.
        """
        self._reactor = reactor
        self.site = site
        self._path = path
        self._listening: IListeningPort | None = None

    def startService(self) -> None:
        """
        Accept connections.

        :raises twisted.internet.error.CannotListenError: the socket cannot be made.
        """
        super().startService()
        self.site.resume()
        self._listening = self._reactor.listenUNIX(
            self._path, self.site, backlog=_BACKLOG, mode=_MODE)

    def stopService(self) -> Deferred[None]:
        """
        Accept no more, and let requests end.

        :return: fires when there are no connections left.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def abort(self) -> None:
        """Close all connections, also those with a request under way."""
        self.site.abort()

    async def _stop(self) -> None:
        listening, self._listening = self._listening, None
        stopped = None if listening is None else listening.stopListening()
        if stopped is not None:
            await stopped
        await self.site.drain()
