"""Calls of functions in the threads of the reactor's pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from trickster.errors import TricksterError
from trickster.net.tracebacks import forget_traceback


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
    Calls functions in the threads of a reactor's pool.

    :ivar reactor: whose pool it is.
    """

    reactor: Any

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Call a function in a thread, and wait for it.

        :param function: must not use the reactor.  It begins when a thread comes free.
        :return: what the function returns.
        :raises Exception: what the function raises; a foreseen error without its frames.
        """
        outcome = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), _outcome,
                                          function, arguments)
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
