"""Many clients of one object, and an origin that takes its time, on one core."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator

from attrs import define, field, frozen

_PIECE = 64 * 1024
_PATIENCE = 60.0


@frozen
class Steady:
    """
    An answer that is sent at a steady rate.

    :ivar body: of every object.
    :ivar rate: octets a second.
    """

    body: bytes
    rate: float

    def serve(self, peer: socket.socket) -> None:
        """Answer a request that has been read."""
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                     b"Cache-Control: max-age=3600\r\nETag: \"steady\"\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(self.body))
        began = time.perf_counter()
        for at in range(0, len(self.body), _PIECE):
            due = began + at / self.rate
            time.sleep(max(0.0, due - time.perf_counter()))
            peer.sendall(memoryview(self.body)[at:at + _PIECE])


@define(eq=False)
class Visitor:
    """
    One client.

    :ivar expected: the body that it should get.
    :ivar asked: when it has sent its request.
    :ivar first_ms: milliseconds from then on to the first octet of the body.
    """

    expected: bytes
    connection: socket.socket
    asked: float = field(factory=time.perf_counter)
    first_ms: float = 0.0
    _head: bytes = b""
    _has_head: bool = False
    _got: int = 0

    @property
    def is_served(self) -> bool:
        """Whether the body is here."""
        return self._got == len(self.expected)

    def receive(self) -> None:
        """
        Octets are here.

        :raises AssertionError: the answer is none, ends too early, or is not what it should be.
        """
        data = self.connection.recv(_PIECE)
        assert data, f"the answer ends after {self._got} octets: {self._head!r}"
        if not self._has_head:
            data = self._after_head(data)
        if not self._got and data:
            self.first_ms = 1000 * (time.perf_counter() - self.asked)
        # Neither copies nor sums: what is measured shares the machine with this.
        assert self.expected.startswith(data, self._got), f"wrong octets from {self._got} on"
        self._got += len(data)

    def _after_head(self, data: bytes) -> bytes:
        self._head, found, rest = (self._head + data).partition(b"\r\n\r\n")
        if not found:
            return b""
        self._has_head = True
        head = self._head.lower()
        assert head.startswith(b"http/1.1 200 "), head
        assert b"\r\ncontent-length: %d\r\n" % len(self.expected) in head + b"\r\n", head
        return rest


@define
class Crowd:
    """
    Clients that come one after the other, in equal steps.

    :ivar port: of the server, on 127.0.0.1.
    :ivar path: what they all ask for.
    :ivar body: what they should get.
    :ivar seconds: over which they arrive.
    """

    port: int
    path: str
    body: bytes
    clients: int
    seconds: float
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _visitors: list[Visitor] = field(factory=list)

    def visit(self) -> tuple[list[Visitor], float]:
        """
        :return: all, served; and the seconds that passed until the last one was.
        :raises AssertionError: not all were, or not with what they should get.
        """
        began = time.perf_counter()
        with self._selector:
            arrivals = self._arrivals(began)
            due = next(arrivals)
            left = self.clients
            while left:
                now = time.perf_counter()
                assert now < began + _PATIENCE, f"{left} clients are not served"
                if now >= due:
                    self._arrive()
                    due = next(arrivals, began + _PATIENCE)
                left -= sum(self._received(key.data)
                            for key, _ in self._selector.select(max(0.0, due - now)))
        return self._visitors, time.perf_counter() - began

    def _arrivals(self, began: float) -> Iterator[float]:
        return (began + i * self.seconds / self.clients for i in range(self.clients))

    def _arrive(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
                           % (self.path.encode(), self.port))
        visitor = Visitor(self.body, connection)
        self._visitors.append(visitor)
        self._selector.register(connection, selectors.EVENT_READ, visitor)

    def _received(self, visitor: Visitor) -> bool:
        visitor.receive()
        if visitor.is_served:
            self._selector.unregister(visitor.connection)
            visitor.connection.close()
        return visitor.is_served
