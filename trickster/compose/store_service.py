"""Starts and stops a store that is a service."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable, iscoroutine
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trickster.errors import BrokenPlugin
from trickster.plugins import explained
from trickster.stores.timed_call import TimedCall

_PATIENCE = 5.0  # seconds in which a store has to be closed


class StoreService(Service):
    """
    Stands before a store that is a service: an operator learns which store it was that could
    not be started or stopped, and no store can keep the process from ending.
    """

    _log = Logger()

    def __init__(self, store: IService, cache: str, clock: IReactorTime,
                 let_go: Callable[[], None]) -> None:
        """
        :param cache: the name of the cache in the configuration.
        :param let_go: called once the store is stopped, or has had its time for that.
        """
        self._store = store
        self._cache = cache
        self._clock = clock
        self._let_go = let_go

    def privilegedStartService(self) -> None:
        """
        Start what needs privileges.

        :raises BrokenPlugin: the store cannot be started; says why.
        """
        super().privilegedStartService()
        self._start(self._store.privilegedStartService)

    def startService(self) -> None:
        """
        Start the store.

        :raises BrokenPlugin: it cannot be started; says why.
        """
        self._start(self._store.startService)
        super().startService()

    def stopService(self) -> Deferred[None]:
        """:return: fires when the store is stopped, or has had its time for that."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _start(self, start: Callable[[], Any]) -> None:
        what = f"the store of cache {self._cache!r} cannot be started: "
        try:
            given = start()
        except (Exception, SystemExit) as error:
            # A stranger's code, which finds out only now that a file cannot be opened.
            raise BrokenPlugin(what + explained(error)) from error
        if isawaitable(given):
            _forget(given)
            raise BrokenPlugin(f"{what}its {start.__name__} gives {type(given).__name__}, and "
                               "services are not waited for; have the first operation wait")

    async def _stop(self) -> None:
        try:
            await TimedCall.of(maybeDeferred(self._store.stopService), self._clock, _PATIENCE)
        except Exception as error:  # noqa: BLE001 - a store must not keep others from stopping
            self._log.error("The store of cache {cache} did not stop: {error}",
                            cache=self._cache, error=explained(error))
        finally:
            self._let_go()


def _forget(given: Any) -> None:
    if isinstance(given, Deferred):
        given.addErrback(lambda _: None)
        given.cancel()
    elif iscoroutine(given):
        given.close()
