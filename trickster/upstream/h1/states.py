"""What a connection to an origin and the exchange on it are doing, and what may follow."""

from __future__ import annotations

from enum import Enum

from trickster.net.states import set_following


class State(Enum):
    """
    What a connection is doing.

    :ivar is_leased: whether the owner of the connection counts it, in use or kept.
    """

    CONNECTING = "is no use yet: over TLS, the handshake is still to come"
    FRESH = "can be used, and was not yet"
    BUSY = "carries an exchange"
    IDLE = "is kept for a next exchange"
    LOST = "is gone, which its exchange and its owner are about to be told"
    FLUSHING = "closes once the origin has taken the last octets"
    CLOSED = "is over"

    is_leased: bool
    following: tuple[State, ...]


set_following((
    (State.CONNECTING, (State.FRESH, State.CLOSED)),
    (State.FRESH, (State.BUSY, State.CLOSED)),
    (State.BUSY, (State.IDLE, State.LOST, State.FLUSHING, State.CLOSED)),
    (State.IDLE, (State.BUSY, State.LOST, State.CLOSED)),
    (State.LOST, (State.CLOSED,)),
    (State.FLUSHING, (State.CLOSED,)),
    (State.CLOSED, ()),
))
for _state in State:
    _state.is_leased = _state in (State.BUSY, State.IDLE, State.LOST)


class Phase(Enum):
    """How far the response of an exchange has come."""

    HEAD = "its head is awaited"
    BODY = "its body is on its way"
    STREAM = "its body is on its way, in which a silence may last"
    TUNNEL = "it was an upgrade, after which octets go both ways"
    OVER = "nothing more comes of it"

    following: tuple[Phase, ...]


set_following((
    (Phase.HEAD, (Phase.BODY, Phase.STREAM, Phase.TUNNEL, Phase.OVER)),
    (Phase.BODY, (Phase.STREAM, Phase.OVER)),
    (Phase.STREAM, (Phase.OVER,)),
    (Phase.TUNNEL, (Phase.OVER,)),
    (Phase.OVER, ()),
))


class Sending(Enum):
    """What becomes of the body of a request that is streamed."""

    HELD = "waits for the origin to ask for it (RFC 9110 section 10.1.1)"
    ON_ITS_WAY = "is sent as it comes"
    SENT = "is sent whole"
    UNWANTED = "was not asked for by an origin that has answered"
    STOPPED = "is not sent any further"

    following: tuple[Sending, ...]


set_following((
    (Sending.HELD, (Sending.ON_ITS_WAY, Sending.UNWANTED, Sending.STOPPED)),
    (Sending.ON_ITS_WAY, (Sending.SENT, Sending.STOPPED)),
    (Sending.SENT, (Sending.STOPPED,)),
    (Sending.UNWANTED, (Sending.STOPPED,)),
    (Sending.STOPPED, ()),
))
