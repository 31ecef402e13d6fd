"""Tests for what L{trickster.upstream.h1.connection} does with its transport."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.tcp import Client
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from tests.upstream.scripted import Keeper, Wire, a_request
from trickster.errors import UpstreamBroke
from trickster.testing.bodies import PausedBody
from trickster.upstream.h1.connection import Connection
from trickster.upstream.h1.outgoing import OutgoingRequest
from trickster.upstream.options import UpstreamOptions

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Kernel:
    """A socket that takes so many octets and then no more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""

    def send(self, octets: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        part = octets[:self.room]
        self.room -= len(part)
        self.taken += part
        return len(part)


class Plain(Client):
    """What the reactor makes for plain TCP, without a reactor."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.written = b""
        self.no_delay = False

    def getHandle(self) -> Any:
        return self.kernel

    def write(self, octets: bytes) -> None:
        self.written += octets

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass


class ConnectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.keeper = Keeper()
        self.connection = Connection(self.keeper, self.clock, UpstreamOptions(), False)

    def over(self, transport: Any) -> Any:
        self.connection.makeConnection(transport)
        return transport

    def ask(self, head: bytes = b"request", body: Any = None) -> Any:
        return self.connection.exchange(OutgoingRequest(a_request(body=body), head, body))


class EagerTests(ConnectionCase):
    def plain(self, room: int) -> Plain:
        transport = Plain(Kernel(room))
        self.over(transport)
        return transport

    def test_at_once(self) -> None:
        """What the kernel takes at once does not wait for the reactor."""
        transport = self.plain(100)
        self.ask()
        self.assertEqual((transport.kernel.taken, transport.written), (b"request", b""))

    def test_in_part(self) -> None:
        """
        Octets that the kernel did not take at once go through the transport, and all later ones
        after them.
        """
        transport = self.plain(3)
        self.ask()
        transport.kernel.room = 100
        self.connection.dataReceived(OK)
        self.ask(b"another")
        self.assertEqual((transport.kernel.taken, transport.written), (b"req", b"uestanother"))

    def test_after_an_upload(self) -> None:
        """Octets do not overtake a body that may still be waiting in the transport."""
        transport = self.plain(100)
        body = PausedBody(2)
        self.ask(b"head", body)
        body.feed(b"ab")
        body.feed(b"")
        self.connection.dataReceived(OK)
        self.ask(b"next")
        self.assertEqual((transport.kernel.taken, transport.written), (b"head", b"abnext"))

    def test_large_body(self) -> None:
        """
        A connection with much to read is read in large portions, and only while there is much.
        """
        transport = self.plain(100)
        self.ask()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n"
        self.connection.dataReceived(head.ljust(65536, b"x"))
        self.assertEqual(transport.bufferSize, 262144)
        self.connection.dataReceived(b"x" * (400_000 - 65536 + len(head)))
        self.assertEqual((transport.bufferSize, self.keeper.said), (65536, ["released"]))

    def test_others(self) -> None:
        """A transport that is not plain TCP is written to in the ordinary way."""
        wire = self.over(Wire())
        wire.protocol = self.connection
        self.ask()
        self.assertEqual(wire.asked(), b"request")


class LifeTests(ConnectionCase):
    def setUp(self) -> None:
        super().setUp()
        self.wire = Wire()
        self.wire.protocol = self.connection
        self.over(self.wire)

    def test_no_delay(self) -> None:
        """Small requests do not wait for acknowledgements."""
        plain = Plain(Kernel(0))
        directlyProvides(plain, ITCPTransport)
        connection = Connection(self.keeper, self.clock, UpstreamOptions(), False)
        connection.makeConnection(plain)
        self.assertTrue(plain.no_delay)

    def test_established(self) -> None:
        """A plain connection can be used at once, one with TLS after the handshake."""
        self.assertIsNone(self.successResultOf(self.connection.established))
        secure = Connection(self.keeper, self.clock, UpstreamOptions(), True)
        secure.makeConnection(Wire())
        self.assertNoResult(secure.established)
        secure.handshakeCompleted()
        secure.handshakeCompleted()
        self.successResultOf(secure.established)

    def test_handshake_fails(self) -> None:
        """A failed handshake is a connection that was not made and had no owner."""
        secure = Connection(self.keeper, self.clock, UpstreamOptions(), True)
        secure.makeConnection(Wire())
        secure.connectionLost(Failure(ValueError("bad certificate")))
        self.failureResultOf(secure.established, ValueError)
        self.assertEqual(self.keeper.said, ["closed"])

    def test_handshake_given_up(self) -> None:
        """A handshake without waiters ends the connection."""
        secure = Connection(self.keeper, self.clock, UpstreamOptions(), True)
        wire = Wire()
        wire.protocol = secure
        secure.makeConnection(wire)
        secure.established.cancel()
        self.failureResultOf(secure.established, CancelledError)
        self.assertTrue(wire.is_aborted)

    def test_released(self) -> None:
        """A connection is released to its owner before the caller gets the response."""
        said = self.keeper.said
        self.ask().addCallback(lambda _: said.append("answered"))
        self.wire.sends(OK)
        self.assertEqual(said, ["released", "answered"])

    def test_dropped_once(self) -> None:
        """A connection that cannot be used again is reported as dropped once, however it ends."""
        asked = self.ask()
        self.wire.sends(b"garbage")
        self.connection.abort()
        self.connection.readConnectionLost()
        self.failureResultOf(asked)
        self.assertEqual(self.keeper.said, ["dropped", "closed"])

    def test_closed_in_between(self) -> None:
        """An idle connection that the origin closes, or closes for sending, is dropped."""
        for close in (lambda: self.wire.closes(), lambda: self.connection.readConnectionLost()):
            self.setUp()
            self.ask()
            self.wire.sends(OK)
            self.connection.rest(10)
            self.assertTrue(self.connection.is_reused)
            close()
            self.assertEqual(self.keeper.said[1:], ["dropped", "closed"])

    def test_half_close(self) -> None:
        """A response without a length ends when the origin closes its sending side."""
        asked = self.ask()
        self.wire.sends(b"HTTP/1.1 200 OK\r\n\r\nabc")
        self.connection.readConnectionLost()
        self.successResultOf(asked)
        self.assertTrue(self.wire.is_aborted)
        self.assertEqual(self.keeper.said, ["dropped", "closed"])

    def test_aborted(self) -> None:
        """A caller that waits for a response gets an error when the connection is aborted."""
        asked = self.ask()
        self.connection.abort()
        self.failureResultOf(asked, UpstreamBroke)

    def test_closing_twice(self) -> None:
        """A connection that is lost after it was dropped is lost once."""
        self.ask().addErrback(lambda _: None)
        self.connection.abort()
        self.wire.is_open = True
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.keeper.said.count("dropped"), 1)
