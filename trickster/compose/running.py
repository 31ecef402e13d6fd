"""The running program: what is started and stopped, and in which order."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

_GC_THRESHOLDS = (50_000, 20, 50)


class Program(MultiService):
    """
    Starts what listeners need before the listeners, and stops it only after the last request.

    :ivar notices: what the operator should read once, at the start.
    :ivar unprotected: the same, for what is open although the configuration says otherwise.
    """

    _log = Logger()

    def __init__(self, needed: Sequence[IService], listeners: Sequence[IService],
                 notices: Sequence[str] = (), unprotected: Sequence[str] = ()) -> None:
        super().__init__()
        self._needed = needed
        self._listeners = listeners
        self.notices = notices
        self.unprotected = unprotected
        for service in (*needed, *listeners):
            service.setServiceParent(self)

    def startService(self) -> None:
        """Start everything."""
        for line in self.unprotected:
            self._log.critical(_literal(line))
        for notice in self.notices:
            self._log.warn(_literal(notice))
        # Caches hold many small objects for long, which a full collection would walk through
        # again and again while nobody is answered.
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """:return: fires when the last request has ended and everything is closed."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await _stopped(self._listeners)
        await _stopped(self._needed[::-1])


def _literal(line: str) -> str:
    return line.replace("{", "{{").replace("}", "}}")


def _stopped(services: Sequence[IService]) -> Deferred[Any]:
    return DeferredList([maybeDeferred(service.stopService) for service in services],
                        consumeErrors=True)


class HangUps(Service):
    """
    Says that a hang-up, which asks other programs to read their configuration again, changes
    nothing: without this it would end the process.
    """

    _log = Logger()

    def __init__(self, reactor: Any, handle: Callable[[int, Any], Any] = signal.signal) -> None:
        """
        :param reactor: takes calls from signal handlers.
        :param handle: sets a signal's handler, and gives the one before.
        """
        self._reactor = reactor
        self._handle = handle
        self._before: Any = None

    def startService(self) -> None:
        """Handle the signal from now on."""
        super().startService()
        self._before = self._handle(signal.SIGHUP, self._heard)

    def stopService(self) -> None:
        """Leave it to who handled it before."""
        super().stopService()
        self._handle(signal.SIGHUP, signal.SIG_DFL if self._before is None else self._before)

    def _heard(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(
            self._log.warn, "SIGHUP: reloading is not yet effective in this release; restart to "
            "read the configuration again")


class Origins(Service):
    """
    The ways to the origins.

    :ivar stops: end what goes on with one origin, and fire when its connections are closed.
    """

    def __init__(self, stops: Sequence[Callable[[], Deferred[None]]]) -> None:
        self.stops = stops

    def stopService(self) -> Deferred[Any]:
        """:return: fires when all connections are closed."""
        super().stopService()
        return DeferredList([stop() for stop in self.stops])
