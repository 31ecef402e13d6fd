"""What a connection of a client is doing, and what it may do next."""

from __future__ import annotations

from enum import Enum

from attrs import define, field

from trickster.net.states import StateMachine, set_following


class State(Enum):
    """
    What a connection is doing; it is one of these at any time.

    :ivar is_over: whether nothing more is read or answered.
    :ivar is_busy: whether there is a request on its way, or a tunnel.
    """

    HEAD = "awaits a request head: the first one, or one that has begun"
    IDLE = "is kept for a next request, of which nothing is here"
    BODY = "has a request answered whose body is on its way"
    ANSWERING = "has a request answered whose body is here"
    TUNNEL = "relays what is not HTTP, after an upgrade"
    LINGERING = "has said its last, and drops what still comes until the client closes"
    FLUSHING = "closes once the client has taken the last octets"
    CLOSED = "is over"

    # Plain attributes, since members are slow to hash, and every request asks.
    is_over: bool
    is_busy: bool
    following: tuple[State, ...]


_OVER = (State.LINGERING, State.FLUSHING, State.CLOSED)
_BUSY = (State.BODY, State.ANSWERING, State.TUNNEL)

# What may come next.  Every connection may end at any time, in any of the three ways.
_FOLLOWING = (
    (State.HEAD, (State.ANSWERING, State.BODY, *_OVER)),
    (State.IDLE, (State.ANSWERING, State.BODY, State.HEAD, *_OVER)),
    # An answer that is whole before its request is ends the connection.
    (State.BODY, (State.ANSWERING, *_OVER)),
    (State.ANSWERING, (State.IDLE, State.TUNNEL, *_OVER)),
    (State.TUNNEL, _OVER),
    (State.LINGERING, (State.FLUSHING, State.CLOSED)),
    (State.FLUSHING, (State.CLOSED,)),
    (State.CLOSED, (State.CLOSED,)),
)
set_following(_FOLLOWING)
for _state in State:
    _state.is_over, _state.is_busy = _state in _OVER, _state in _BUSY


@define(eq=False)
class ConnectionState(StateMachine[State]):
    """
    The one place where the state of a connection changes.

    :ivar now: what it is doing.
    """

    now: State = field(default=State.HEAD, init=False)
