"""What a plugin may use of the process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.interfaces import IRuntime


@implementer(IRuntime)
@frozen
class PluginRuntime:
    """
    The clock and the threads of the process.

    :ivar clock: for delays, deadlines and ages.
    """

    clock: IReactorTime
    _offload: Callable[..., Awaitable[Any]] = field(repr=False)

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """See L{IRuntime.in_thread}."""
        return self._offload(function, *args)
