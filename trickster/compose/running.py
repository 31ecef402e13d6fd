"""The running program: what is started and stopped, and in which order."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, frozen
from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

# How many objects there must be more before the young ones are looked through, how often that
# is done before those that have survived it are, and how often that before all are.  What
# lives for as long as a request makes the first look at three times as many; 20 000 objects
# take 10 ms.  All of them are seldom looked through, since that takes 60 ms where a gibibyte of
# small objects is cached; but they are, as Twisted leaves cycles where it cancels.
_GC_THRESHOLDS = (3_000, 3, 100)
# Seconds that a request may be on its way.
_ON_ITS_WAY = 2.0


@frozen
class Parts:
    """
    What a program is made of.

    :ivar needed: by the listeners, in the order in which they are to be started.
    :ivar frontends: listeners of the backends, or what has them: services that can be told to
        C{abort}.
    :ivar own: listeners of the endpoints of the process; the same.
    """

    needed: Sequence[IService]
    frontends: Sequence[Any] = ()
    own: Sequence[Any] = ()


@define
class Phase:
    """
    Where a program stands.

    :ivar is_draining: whether it takes no more requests, and ends those that there are.
    """

    is_draining: bool = False


class Program(MultiService):
    """
    Starts what listeners need before the listeners, and stops it only after the last request.

    The listeners of its own endpoints are stopped after those of the backends, so that
    health and metrics can be asked while the last requests end.

    :ivar phase: where it stands.
    :ivar end: ends the process, as a signal does; nothing where it ends already.
    """

    def __init__(self, parts: Parts, phase: Phase, announce: Callable[[], None],
                 abort: Callable[[], None], end: Callable[[], None]) -> None:
        """
        :param announce: says in the log that all is started.
        :param abort: gives up all that goes on with origins.
        """
        super().__init__()
        self.phase = phase
        self.end = end
        self._parts = parts
        self._announce = announce
        self._abort = abort
        self._is_hurried = False
        for service in (*parts.needed, *parts.own, *parts.frontends):
            service.setServiceParent(self)

    def startService(self) -> None:
        """
        Start everything, and say so.

        :raises Exception: what a part raises that cannot be started; those that had been started
            are stopped again.
        """
        # Caches hold many small objects for long, which a full collection would walk through
        # again and again while nothing is answered.
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        try:
            self._start()
        except BaseException:
            self._undo()
            raise
        self._announce()

    def stopService(self) -> Deferred[Any]:
        """:return: fires when the last request has ended and everything is closed."""
        self.phase.is_draining = True
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    def give_way(self) -> None:
        """
        Others serve on the same sockets: when it stops, no request is to be lost that is on its way
        on a connection that seems to be idle.
        """
        for listener in self._parts.frontends:
            listener.patience = _ON_ITS_WAY

    def hurry(self) -> None:
        """While it stops: wait for no request any more."""
        self._is_hurried = True
        if self.phase.is_draining:
            for listener in (*self._parts.frontends, *self._parts.own):
                listener.abort()
            self._abort()

    def _start(self) -> None:
        # What the reactor says when ports are bound is not to come before the announcement
        # in a log file of our own, which is opened next.
        for listener in (*self._parts.own, *self._parts.frontends):
            listener.privilegedStartService()
        super().startService()

    def _undo(self) -> None:
        parts = self._parts
        Service.stopService(self)
        # A listener that has not been started may have its socket already.
        _stopped((*parts.frontends, *parts.own,
                  *(each for each in parts.needed[::-1] if each.running)))

    async def _stop(self) -> None:
        parts = self._parts
        for services in (parts.frontends, parts.own, parts.needed[::-1]):
            stopped = _stopped(services)
            if self._is_hurried:
                self.hurry()
            await stopped


def _stopped(services: Sequence[IService]) -> Deferred[Any]:
    return DeferredList([maybeDeferred(service.stopService) for service in services],
                        consumeErrors=True)


class HangUps(Service):
    """
    Hears of hang-ups, which ask programs to read their configuration again: without this they
    would end the process.
    """

    _log = Logger()

    def __init__(self, reactor: Any, handle: Callable[[int, Any], Any] = signal.signal,
                 reload: Callable[[], None] | None = None) -> None:
        """
        :param reactor: takes calls from signal handlers.
        :param handle: sets a signal's handler, and gives the one before.
        :param reload: reads the configuration again; None where that is not possible, which is
            said.
        """
        self._reactor = reactor
        self._reload = reload or self._refuse
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
        self._reactor.callFromThread(self._reload)

    def _refuse(self) -> None:
        self._log.warn("SIGHUP: reloading is not yet effective in one process; restart to read the "
                       "configuration again, or have several workers")


class StopSignals(Service):
    """
    Hears of the second signal to end: it means at once.

    The first one is for the reactor, which would stumble over another.  Where the program ends
    already for another cause, the first one changes nothing: what ends a service often sends it to
    all of its processes, of which one may have told the others by then.
    """

    _log = Logger()

    def __init__(self, reactor: Any, hurry: Callable[[], None],
                 signals: Any = signal) -> None:
        """
        :param reactor: takes calls from signal handlers.
        :param hurry: ends what goes on.
        :param signals: the module C{signal}, or what behaves so.
        """
        self._reactor = reactor
        self._hurry = hurry
        self._signals = signals
        self._is_ending = False
        self._has_heard = False
        self._before: dict[int, Any] = {}

    def startService(self) -> None:
        """Handle the signals, once the reactor does."""
        super().startService()
        self._reactor.addSystemEventTrigger("before", "shutdown", self._ending)
        self._reactor.callWhenRunning(self._handle)

    def stopService(self) -> None:
        """Leave the signals to the reactor again, unless it is what stops."""
        super().stopService()
        if not self._is_ending:
            for number, before in self._before.items():
                self._signals.signal(number, before)

    def end(self) -> None:
        """End the process as the first signal does, and without one: nothing if it ends already."""
        if not self._is_ending:
            # A signal that comes before the reactor has begun to stop is none for it any more.
            self._is_ending = True
            self._reactor.stop()

    def _handle(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            before = self._signals.getsignal(number)
            # What is ignored, as SIGINT is behind nohup, stays so.
            if callable(before):
                self._before[number] = before
                self._signals.signal(number, self._heard)

    def _ending(self) -> None:
        self._is_ending = True

    def _heard(self, number: int, frame: object) -> None:
        if self._has_heard:
            self._reactor.callFromThread(self._again)
        elif not self._is_ending:
            self._before[number](number, frame)
        self._has_heard = self._is_ending = True

    def _again(self) -> None:
        self._log.warn("Told to end once more: what is under way is given up")
        self._hurry()


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
