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
    What is the same for all plugins, and for all configurations of a process.

    :ivar clock: for delays, deadlines and ages.
    :ivar wall: seconds since the epoch, for dates.
    :ivar random: from 0, inclusive, to 1, exclusive.
    """

    clock: IReactorTime
    _offload: Callable[..., Awaitable[Any]] = field(repr=False)
    wall: Callable[[], float]
    random: Callable[[], float]
    _shared: dict[str, Any] = field(factory=dict, init=False, repr=False)

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """
        See L{IRuntime.in_thread}.

        :return: an awaitable, in which the call begins.  To cancel it does not stop a function
            that runs; its result is dropped then.
        """
        return self._offload(function, *args)

    def shared(self, name: str, make: Callable[[], Any]) -> Any:
        """
        See L{IRuntime.shared}; to be called in the reactor's thread.

        :param make: where it raises, nothing is kept, and the next call makes it.
        :return: what the first call for this name has made.
        """
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]


@implementer(IRuntime)
@frozen
class RuntimeWithThreads:
    """
    The same process as another runtime's, but for threads.

    :ivar inner: has all else.
    """

    inner: IRuntime
    _offload: Callable[..., Awaitable[Any]] = field(repr=False)

    @property
    def clock(self) -> IReactorTime:
        """:return: for delays, deadlines and ages."""
        clock: IReactorTime = self.inner.clock
        return clock

    def wall(self) -> float:
        """:return: seconds since the epoch, for dates."""
        seconds: float = self.inner.wall()
        return seconds

    def random(self) -> float:
        """:return: a number from 0, inclusive, to 1, exclusive."""
        number: float = self.inner.random()
        return number

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """See L{PluginRuntime.in_thread}."""
        return self._offload(function, *args)

    def shared(self, name: str, make: Callable[[], Any]) -> Any:
        """See L{PluginRuntime.shared}."""
        return self.inner.shared(name, make)
