"""Long computations, in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen

Offload = Callable[..., Awaitable[Any]]

MANY_SERIES = 1000  # merging and cutting as many would hold the reactor too long
_LARGE = 128 << 10  # octets from which decoding would hold the reactor too long


@frozen
class Offloading:
    """
    Keeps long computations from holding the reactor.

    :ivar _offload: calls a function with arguments in a thread.
    """

    _offload: Offload

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """:return: what a function returns that is called in a thread."""
        return await self._offload(function, *args)

    async def computed(self, size: int, function: Callable[..., Any], *args: Any) -> Any:
        """
        :param size: octets that it has to look at.
        :return: what a function returns, called in a thread only where it takes long.
        """
        if size > _LARGE:
            return await self._offload(function, *args)
        return function(*args)
