"""What a pool of connections is doing, and what may follow."""

from __future__ import annotations

from enum import Enum

from trickster.net.states import set_following


class State(Enum):
    """What a pool is doing."""

    OPEN = "makes and keeps connections"
    DRAINING = "closes each connection as soon as it is idle, and takes no more requests"
    ABORTED = "has closed all connections"

    following: tuple[State, ...]


set_following((
    (State.OPEN, (State.DRAINING, State.ABORTED)),
    (State.DRAINING, (State.ABORTED,)),
    (State.ABORTED, (State.ABORTED,)),
))
