"""Calls of functions in threads: those of the reactor's pool, and those of one store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from trickster.errors import TricksterError
from trickster.net.tracebacks import forget_traceback

_MOST_THREADS = 10  # of one store; as many as the reactor has for all else


@define
class _Raised:
    """
    An error on its way out of a thread.

    Twisted's pool would keep it in a frame that is in its own traceback: a cycle, with all that
    the function was given.

    :ivar error: None once it has been taken.
    """

    error: Exception | None


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - it is raised where the function was called
        if isinstance(error, TricksterError):
            forget_traceback(error)
        return _Raised(error)


@frozen
class Threads:
    """
    Calls functions in the threads of a pool.

    :ivar reactor: whose pool it is, and in whose thread results are given.
    :ivar pool: another pool, where it is not the reactor's.
    """

    reactor: Any
    pool: ThreadPool | None = None

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Call a function in a thread, and wait for it.

        :param function: must not use the reactor.  It begins when a thread comes free.
        :return: what the function returns.
        :raises Exception: what the function raises; a foreseen error without its frames.
        """
        pool = self.pool or self.reactor.getThreadPool()
        outcome = await deferToThreadPool(self.reactor, pool, _outcome, function, arguments)
        if type(outcome) is not _Raised:
            return outcome
        # Frames that the error will have in its traceback still have what it came in.
        error, outcome.error = outcome.error, None
        assert error is not None
        try:
            raise error
        finally:
            del error

    def deferred(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """
        The same, for callers that do not await.

        :param function: called in a thread; it must not use the reactor.
        :return: fires with what the function returns, or fails with what it raises.  Cancelling
            it does not end the function, whose result is then dropped.
        """
        return Deferred.fromCoroutine(self.call(function, *arguments))


class _DaemonPool(ThreadPool):
    """Threads that end with the process, also in the middle of a call."""

    threadFactory = staticmethod(partial(Thread, daemon=True))  # type: ignore[assignment]


@define(eq=False)
class OwnThreads:
    """
    Threads for the store of one cache: calls that never end take none from what others do, such
    as looking up names, and do not keep the process from ending.

    :ivar name: of the cache.
    """

    reactor: Any
    name: str
    _pool: ThreadPool | None = field(default=None, init=False)

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Call a function in a thread, and wait for it; see L{Threads.call}.

        :param function: must not use the reactor.  It begins when a thread comes free.
        :return: what the function returns.
        """
        if self._pool is None:
            self._pool = _DaemonPool(0, _MOST_THREADS, f"store-{self.name}")
            self._pool.start()
        return await Threads(self.reactor, self._pool).call(function, *arguments)

    def stop(self) -> None:
        """Let the threads end, and wait for none of them: what is called after it never begins."""
        if self._pool is not None:
            Thread(target=self._pool.stop, daemon=True).start()
