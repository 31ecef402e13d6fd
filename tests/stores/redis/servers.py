"""A Redis that says what the test says, over connections in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from trickster.stores.redis.connections.protocol import KINDS
from trickster.stores.redis.errors import NotConnected
from trickster.testing.transports import MemoryTransport

# From a command to what is sent back for it: RESP, nothing where it takes its time.
Answer = Callable[[list[bytes]], bytes]


def simple(command: list[bytes]) -> bytes:
    """:return: what a server with nothing in it answers."""
    return {b"PING": b"+PONG\r\n", b"GET": b"$-1\r\n", b"PTTL": b":-2\r\n",
            b"ROLE": b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"}.get(command[0], b"+OK\r\n")


class Wire(MemoryTransport):
    """
    The connection of a client to the server.

    :ivar commands: as they came.
    """

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.commands: list[list[bytes]] = []
        self._reader = hiredis.Reader()

    def write(self, data: bytes) -> None:
        """Answer what is whole by now."""
        self._reader.feed(bytes(data))
        command = self._reader.gets()
        while command is not False:
            self.commands.append(command)
            self.server.commands.append(command)
            self.says(self.server.answer(command))
            command = self._reader.gets()

    def says(self, octets: bytes) -> None:
        """Have the server send octets, a turn of the reactor later."""
        if octets:
            self.server.clock.callLater(0, self._received, octets)

    def _received(self, octets: bytes) -> None:
        if self.protocol.connected:
            self.protocol.dataReceived(octets)

    def loseConnection(self) -> None:
        """The client closes the connection."""
        super().loseConnection()
        self.drops()

    def abortConnection(self) -> None:
        """The client gives the connection up."""
        super().abortConnection()
        self.drops()

    def drops(self, reason: Exception | None = None) -> None:
        """End the connection, a turn of the reactor later."""
        self.server.clock.callLater(0, self._lost, Failure(reason or ConnectionDone()))

    def _lost(self, reason: Failure) -> None:
        if self.protocol.connected:
            self.protocol.connectionLost(reason)


@define(eq=False)
class Server:
    """
    A server.

    :ivar kind: of the connections to it: C{python} or C{hiredis}.
    :ivar answer: what it answers.
    :ivar is_up: whether it takes connections.
    :ivar wires: the connections that it has had.
    :ivar dials: how often one was tried.
    """

    clock: Clock
    kind: str = "python"
    answer: Answer = simple
    is_up: bool = True
    wires: list[Wire] = field(factory=list)
    commands: list[list[bytes]] = field(factory=list)
    dials: int = 0

    async def dial(self) -> Any:
        """:return: a connection to it, without a greeting."""
        self.dials += 1
        if not self.is_up:
            raise NotConnected("refused")
        return self.connected(KINDS[self.kind](self.clock, 3.0, 2.0))

    def connected(self, protocol: Any) -> Any:
        """:return: the protocol, which is connected to the server from now on."""
        wire = Wire(self)
        wire.protocol = protocol
        self.wires.append(wire)
        protocol.makeConnection(wire)
        return protocol

    def stops(self) -> None:
        """It ends: its connections do, and it takes no others."""
        self.is_up = False
        for wire in self.wires:
            wire.drops()


@define(eq=False)
class Listening:
    """What connects to a server, as an endpoint does."""

    server: Server

    def connect(self, factory: Any) -> Deferred[Any]:
        """See C{IStreamClientEndpoint.connect}."""
        made: Deferred[Any] = Deferred()
        if self.server.is_up:
            made.callback(self.server.connected(factory.buildProtocol(None)))
        else:
            made.errback(ConnectionRefusedError())
        return made


def turns(clock: Clock, count: int = 50) -> None:
    """Let what is to be done at once be done."""
    for _ in range(count):
        clock.advance(0)


def spoken(*words: Sequence[Any]) -> bytes:
    """:return: an array of octets, numbers and None in RESP."""
    return b"*%d\r\n" % len(words) + b"".join(map(_word, words))


def _word(word: Any) -> bytes:
    if word is None:
        return b"$-1\r\n"
    if isinstance(word, int):
        return b":%d\r\n" % word
    if isinstance(word, list | tuple):
        return spoken(*word)
    return b"$%d\r\n%s\r\n" % (len(word), word)
