"""Looks for purges also where no request comes."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.purging.purges import Purges

# Seconds between two looks.
_EVERY = 1.0


class PurgeWatch(Service):
    """
    Has a process know of each purge soon after it is made, also where it is asked for nothing.

    So as many as can tell that the store has lost a purge (L{Purges}); the process that made it may
    not be there any more, or may not be asked.
    """

    _log = Logger()

    def __init__(self, purges: Purges, clock: IReactorTime) -> None:
        """
        :param purges: of a cache that other processes may share.
        """
        self._purges = purges
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    def startService(self) -> None:
        """Look from time to time."""
        super().startService()
        self._loop.start(_EVERY, now=False).addErrback(self._failed)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def _look(self) -> Deferred[Any]:
        # Where the cache was never used, there is nothing that could come back.
        if not self._purges.mark:
            return succeed(None)
        return Deferred.fromCoroutine(self._purges.refreshed())

    def _failed(self, failure: Failure) -> None:
        self._log.failure("Purges are looked for no more", failure)
