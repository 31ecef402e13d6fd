"""What a plugin may use of the process, in tests of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from zope.interface import implementer

from trickster.interfaces import IRuntime


@implementer(IRuntime)
@define(eq=False)
class FakeRuntime:
    """
    A process whose time passes when the test says so, in which nothing is random, and what is to
    be done in a thread is done at once, in another thread each time, and waited for.

    :ivar clock: the time, 0 at first; the test advances it.
    :ivar epoch: what C{wall} says when the clock is at 0, in seconds.
    :ivar drawn: what C{random} gives, one after the other, the last again and again: from 0,
        inclusive, to 1, exclusive.
    :ivar states: what is shared, by name.
    """

    clock: Clock = field(factory=Clock)
    drawn: list[float] = field(factory=lambda: [0.5])
    states: dict[str, Any] = field(factory=dict)
    epoch: float = 1_700_000_000.0

    def wall(self) -> float:
        """
        :return: seconds since the epoch: the clock's, counted from C{epoch}, in November 2023.
        """
        return self.epoch + self.clock.seconds()

    def random(self) -> float:
        """:return: what was said to be drawn."""
        return self.drawn.pop(0) if len(self.drawn) > 1 else self.drawn[0]

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        See L{IRuntime.in_thread}.

        :param function: called in another thread, once what this method gives is awaited.
        :return: what the function returns.
        :raises Exception: what the function raises.
        """
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(function, *arguments).result()

    def shared(self, name: str, make: Callable[[], Any]) -> Any:
        """
        See L{IRuntime.shared}: state of one test, since each test makes a process of its own.

        :param make: called the first time a name is asked for.
        :return: the same object for the same name; the test finds it in C{states}.
        """
        if name not in self.states:
            self.states[name] = make()
        return self.states[name]
