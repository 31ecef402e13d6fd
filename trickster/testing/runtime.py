"""What a plugin may use of the process, in tests of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from zope.interface import implementer

from trickster.interfaces import IRuntime


@implementer(IRuntime)
@define(eq=False)
class FakeRuntime:
    """
    A process whose time passes when the test says so, in which nothing is random, and what is
    to be done in a thread is done at once.

    :ivar clock: the time.
    :ivar drawn: what C{random} gives, one after the other, the last again and again.
    :ivar states: what is shared, by name.
    """

    clock: Clock = field(factory=Clock)
    drawn: list[float] = field(factory=lambda: [0.5])
    states: dict[str, Any] = field(factory=dict)

    def wall(self) -> float:
        """:return: seconds since the epoch."""
        return 1_700_000_000.0 + self.clock.seconds()

    def random(self) -> float:
        """:return: what was said to be drawn."""
        return self.drawn.pop(0) if len(self.drawn) > 1 else self.drawn[0]

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function at once; see L{IRuntime.in_thread}."""
        return function(*arguments)

    def shared(self, name: str, make: Callable[[], Any]) -> Any:
        """See L{IRuntime.shared}."""
        if name not in self.states:
            self.states[name] = make()
        return self.states[name]
