"""Connections above the limit: told so, and closed."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from trickster.errors import Overloaded
from trickster.frontend.responsehead import response_head
from trickster.messages import octets_of
from trickster.observability.refusals import refusal

# A client that does not go by itself in this time is not waited for.
_LINGER = 1.0


class RefusingProtocol(Protocol):
    """Answers 503 at once, whatever was going to be asked, and closes."""

    transport: Any
    _call: IDelayedCall | None = None

    def __init__(self, clock: IReactorTime, peers: set[RefusingProtocol]) -> None:
        """
        :param peers: all of these that there are; it adds itself while it lives.
        """
        self._clock = clock
        self._peers = peers

    def connectionMade(self) -> None:
        """Tell the client."""
        self._peers.add(self)
        answer = refusal(Overloaded("too many connections"))
        head = response_head(b"GET", b"HTTP/1.1", answer, b"", closing=True)
        self._call = self._clock.callLater(_LINGER, self.abort)
        self.transport.write(head.octets + (octets_of(answer.body) or b""))
        # To close before the request is read would reset the connection, answer and all.
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is None or getattr(self.transport, "TLS", False):
            self.transport.loseConnection()
        else:
            half_close()

    def dataReceived(self, data: bytes) -> None:
        """Whatever it is: it will not be answered."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The client has gone."""
        self._peers.discard(self)
        if self._call is not None and self._call.active():
            self._call.cancel()

    def abort(self) -> None:
        """Close now."""
        self.transport.abortConnection()
