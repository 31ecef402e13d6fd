"""Coroutines that often end in their first step, run without a Deferred."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import CoroutineType
from typing import Any, TypeVar

from attrs import define

T = TypeVar("T")


@define
class Suspended(Awaitable[T]):
    """
    A coroutine that has taken its first step, and what it waits for.

    Awaiting this goes on with it.
    """

    _coroutine: Coroutine[Any, Any, T]
    _awaited: Any

    def __await__(self) -> Generator[Any, Any, T]:
        """
        Relay what comes in to the coroutine, and what it waits for next to the outside.

        :return: the steps for what awaits this; to be taken once.  They end with what the
            coroutine returns or raises; to throw an error into them throws it into the coroutine.
        """
        coroutine, awaited = self._coroutine, self._awaited
        relay: Callable[[Any], Any]
        while True:
            try:
                value = yield awaited
                relay = coroutine.send
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001 - every error is relayed
                value, relay = error, coroutine.throw
            try:
                awaited = relay(value)
            except StopIteration as done:
                return done.value
            finally:
                # What was raised has this frame in its traceback: a cycle otherwise.
                del value, relay


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable


def first_step(awaitable: Awaitable[T]) -> Suspended[T]:
    """
    Run a coroutine up to where it has to wait.

    :return: the rest of it.
    :raises StopIteration: it is over already; its C{value} is the result.
    """
    coroutine: Any = awaitable
    if type(awaitable) is not CoroutineType:
        coroutine = _awaiting(awaitable)
    return Suspended(coroutine, coroutine.send(None))
