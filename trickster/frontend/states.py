"""What a connection of a client is doing, and what it may do next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from attrs import define, field


class State(Enum):
    """What a connection is doing; it is one of these at any time."""

    HEAD = "awaits a request head: the first one, or one that has begun"
    IDLE = "is kept for a next request, of which nothing is here"
    BODY = "has a request answered whose body is on its way"
    ANSWERING = "has a request answered whose body is here"
    TUNNEL = "relays what is not HTTP, after an upgrade"
    LINGERING = "has said its last, and drops what still comes until the client closes"
    FLUSHING = "closes once the client has taken the last octets"
    CLOSED = "is over"


_OVER = frozenset((State.LINGERING, State.FLUSHING, State.CLOSED))
_BUSY = frozenset((State.BODY, State.ANSWERING, State.TUNNEL))

# What may come next.  Every connection may end at any time, in any of the three ways.
_FOLLOWING: Mapping[State, frozenset[State]] = MappingProxyType({
    State.HEAD: _OVER | {State.BODY, State.ANSWERING},
    State.IDLE: _OVER | {State.HEAD, State.BODY, State.ANSWERING},
    # An answer that is whole before its request is ends the connection.
    State.BODY: _OVER | {State.ANSWERING},
    State.ANSWERING: _OVER | {State.IDLE, State.TUNNEL},
    State.TUNNEL: _OVER,
    State.LINGERING: frozenset((State.FLUSHING, State.CLOSED)),
    State.FLUSHING: frozenset((State.CLOSED,)),
    State.CLOSED: frozenset((State.CLOSED,)),
})


class WrongTransition(RuntimeError):
    """A connection was to do what cannot follow what it is doing: a fault of ours."""


@define(eq=False)
class ConnectionState:
    """
    The one place where the state of a connection changes.

    :ivar now: what it is doing.
    """

    now: State = field(default=State.HEAD, init=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is read or answered."""
        return self.now in _OVER

    @property
    def is_busy(self) -> bool:
        """Whether there is a request on its way, or a tunnel."""
        return self.now in _BUSY

    def enter(self, state: State) -> None:
        """
        :param state: what the connection does from now on.
        :raises WrongTransition: it cannot follow what the connection is doing.
        """
        if state not in _FOLLOWING[self.now]:
            raise WrongTransition(f"{self.now.name} is not followed by {state.name}")
        self.now = state
