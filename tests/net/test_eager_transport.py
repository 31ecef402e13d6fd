"""Tests for L{trickster.net.eager_transport}, beside the stock transport."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from errno import EAGAIN, ECONNRESET
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import main, tcp
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, IReactorFDSet
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.frontend.listening.ports import EagerPort
from trickster.net.eager_transport import EagerServer


@define(eq=False)
class FakeSocket:
    """
    A socket that takes so many octets and no more.

    :ivar room: how many it takes before it would block.
    :ivar error: raised by the next calls instead.
    """

    room: int = 1 << 30
    taken: bytes = b""
    calls: int = 0
    error: OSError | None = None
    is_shut: bool = False
    is_closed: bool = False
    options: list[Any] = field(factory=list)

    def _take(self, data: bytes) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if not self.room and data:
            raise BlockingIOError(EAGAIN, "full")
        taken = data[:self.room]
        self.taken += taken
        self.room -= len(taken)
        return len(taken)

    def send(self, data: Any) -> int:
        return self._take(bytes(data))

    def sendmsg(self, buffers: Iterable[Any]) -> int:
        parts = list(buffers)
        assert len(parts) <= 1024, "EMSGSIZE"
        return self._take(b"".join(parts))

    def shutdown(self, how: int) -> None:
        self.is_shut = True

    def close(self) -> None:
        self.is_closed = True

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def setsockopt(self, *option: Any) -> None:
        self.options.append(option)

    def fileno(self) -> int:
        return 7


@implementer(IReactorFDSet)
class FakeReactor(Clock):
    """Notes who waits for what, and turns when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: set[Any] = set()
        self.readers: set[Any] = set()

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def removeAll(self) -> list[Any]:
        return []

    def getReaders(self) -> list[Any]:
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        return list(self.writers)

    def turn(self) -> None:
        """One turn of the loop: a transport that waits for writability gets it."""
        for writer in list(self.writers):
            why = writer.doWrite()
            if why is not None:
                writer.connectionLost(Failure(why))
        self.advance(0)


@implementer(IHalfCloseableProtocol)
class Recorder(Protocol):
    """Notes what happens to its connection."""

    lost: Failure | None = None
    half_closed = False

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason

    def writeConnectionLost(self) -> None:
        self.half_closed = True

    def readConnectionLost(self) -> None:
        pass


@implementer(IPushProducer)
@define(eq=False)
class Producer:
    calls: list[str] = field(factory=list)

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class World:
    """A transport of some kind between a fake socket and a fake reactor."""

    def __init__(self, kind: type[tcp.Server] = EagerServer, room: int = 1 << 30) -> None:
        self.reactor = FakeReactor()
        self.socket = FakeSocket(room)
        self.protocol = Recorder()
        self.transport: Any = kind(self.socket, self.protocol, ("127.0.0.1", 1),  # type: ignore[arg-type]
                                   None, 0, self.reactor)  # type: ignore[arg-type]
        self.protocol.makeConnection(self.transport)

    @property
    def is_waiting(self) -> bool:
        return self.transport in self.reactor.writers


class EagerTests(SynchronousTestCase):
    """Octets are sent without waiting for the reactor."""

    def test_at_once(self) -> None:
        """Octets that the kernel takes are sent without a turn of the reactor."""
        world = World()
        world.transport.write(b"abc")
        self.assertEqual((world.socket.taken, world.is_waiting), (b"abc", False))

    def test_sequence_at_once(self) -> None:
        """Several buffers leave with one call."""
        world = World()
        world.transport.writeSequence([b"ab", memoryview(b"cd"), bytearray(b"e"), b""])
        self.assertEqual((world.socket.taken, world.socket.calls), (b"abcde", 1))
        self.assertFalse(world.is_waiting)

    def test_rest_waits(self) -> None:
        """Octets that the kernel does not take wait until it does."""
        world = World(room=2)
        world.transport.write(b"abc")
        self.assertEqual((world.socket.taken, world.is_waiting), (b"ab", True))
        self.assertEqual(world.transport.unsent, 1)
        world.socket.room = 10
        world.reactor.turn()
        self.assertEqual((world.socket.taken, world.is_waiting), (b"abc", False))

    def test_order(self) -> None:
        """Octets are not sent before those that wait."""
        world = World(room=0)
        world.transport.write(b"a")
        world.socket.room = 10
        world.transport.write(b"b")
        world.transport.writeSequence([b"c", b"d"])
        self.assertEqual(world.socket.taken, b"")
        world.reactor.turn()
        self.assertEqual(world.socket.taken, b"abcd")

    def test_many_buffers(self) -> None:
        """No call has more buffers than the kernel's limit."""
        world = World()
        world.transport.writeSequence([b"x"] * 3000)
        while world.is_waiting:
            world.reactor.turn()
        self.assertEqual(len(world.socket.taken), 3000)

    def test_large_body(self) -> None:
        """10 MiB leave as the kernel takes them, without a copy being joined."""
        world = World(room=100000)
        body = bytes(10 << 20)
        world.transport.writeSequence([b"head", body])
        while world.is_waiting:
            world.socket.room = 1 << 20
            world.reactor.turn()
        self.assertEqual(world.socket.taken, b"head" + body)
        self.assertEqual(world.transport.unsent, 0)

    def test_error(self) -> None:
        """A broken connection is found at the next turn, never inside a write."""
        world = World()
        world.socket.error = ConnectionResetError(ECONNRESET, "reset")
        world.transport.write(b"a")
        self.assertIsNone(world.protocol.lost)
        world.reactor.turn()
        assert world.protocol.lost is not None
        self.assertTrue(world.protocol.lost.check(type(main.CONNECTION_LOST)))
        self.assertTrue(world.socket.is_closed)

    def test_after_abort(self) -> None:
        """No octets are sent after an abort."""
        world = World(room=0)
        world.transport.write(b"a")
        world.transport.abortConnection()
        world.socket.room = 10
        world.transport.write(b"b")
        world.transport.writeSequence([b"c"])
        world.reactor.turn()
        self.assertEqual(world.socket.taken, b"")
        self.assertIsNotNone(world.protocol.lost)
        self.assertEqual(world.transport.unsent, 0)

    def test_after_the_end(self) -> None:
        """No octets are sent after the connection is lost."""
        world = World()
        world.transport.loseConnection()
        world.reactor.turn()
        world.transport.write(b"a")
        world.transport.writeSequence([b"a"])
        world.transport.loseWriteConnection()
        self.assertEqual((world.socket.taken, world.is_waiting), (b"", False))


class ClosingTests(SynchronousTestCase):
    """Closing and half-closing."""

    def test_close_flushes(self) -> None:
        """Octets written before a close are sent before it."""
        world = World(room=1)
        world.transport.write(b"abc")
        world.transport.loseConnection()
        world.reactor.turn()
        self.assertFalse(world.socket.is_closed)
        world.socket.room = 10
        world.reactor.turn()
        self.assertEqual((world.socket.taken, world.socket.is_closed), (b"abc", True))

    def test_close_with_nothing_to_send(self) -> None:
        """A close with nothing to send takes a turn of the reactor, as with the stock transport."""
        world = World()
        world.transport.write(b"a")
        world.transport.loseConnection()
        self.assertFalse(world.socket.is_closed)
        world.reactor.turn()
        self.assertTrue(world.socket.is_closed)

    def test_half_close_flushes(self) -> None:
        """A half-close comes after the octets that were written before it."""
        world = World(room=1)
        world.transport.write(b"abc")
        world.transport.loseWriteConnection()
        world.reactor.turn()
        self.assertFalse(world.socket.is_shut)
        world.socket.room = 10
        world.reactor.turn()
        self.assertEqual((world.socket.taken, world.socket.is_shut), (b"abc", True))
        self.assertTrue(world.protocol.half_closed)
        world.transport.write(b"no")
        self.assertEqual(world.socket.taken, b"abc")


class ProducerTests(SynchronousTestCase):
    """Back pressure by the length of the queue."""

    def setUp(self) -> None:
        self.world = World(room=0)
        self.producer = Producer()
        self.world.transport.registerProducer(self.producer, True)

    def test_pauses_above_high(self) -> None:
        """A queue up to the high mark is borne, and one octet more pauses the producer, once."""
        self.world.transport.write(bytes(EagerServer.high))
        self.assertEqual(self.producer.calls, [])
        self.world.transport.write(b"x")
        self.world.transport.write(b"x")
        self.assertEqual(self.producer.calls, ["pause"])

    def test_resumes_at_low(self) -> None:
        """A paused producer is resumed at the low mark, before the queue is empty."""
        self.world.transport.write(bytes(EagerServer.high + 1))
        self.world.socket.room = EagerServer.high - EagerServer.low
        self.world.reactor.turn()
        self.assertEqual(self.producer.calls, ["pause"])
        self.world.socket.room = 1
        self.world.reactor.turn()
        self.assertEqual(self.producer.calls, ["pause", "resume"])
        self.assertEqual(self.world.transport.unsent, EagerServer.low)

    def test_stops_when_lost(self) -> None:
        """A producer is stopped when the connection is lost."""
        self.world.transport.abortConnection()
        self.world.reactor.turn()
        self.assertEqual(self.producer.calls, ["stop"])

    def test_pull_producer(self) -> None:
        """A pull producer is asked when there is nothing left to send."""
        self.world.transport.unregisterProducer()
        self.world.transport.registerProducer(self.producer, False)
        self.world.transport.write(b"abc")
        self.world.socket.room = 10
        self.world.reactor.turn()
        self.assertEqual(self.producer.calls, ["resume", "resume"])


class TLSTests(SynchronousTestCase):
    """Starting TLS."""

    def test_what_waits_goes_first(self) -> None:
        """Octets written in the clear stay in the clear, and come first."""
        world = World(room=1)
        world.transport.write(b"abc")
        world.transport.startTLS(CertificateOptions())
        self.assertTrue(world.transport.TLS)
        world.socket.room = 1 << 20
        world.reactor.turn()
        self.assertTrue(world.socket.taken.startswith(b"abc"))


class PortTests(SynchronousTestCase):
    """Which transports a listening port makes."""

    def test_transport(self) -> None:
        """An eager port makes eager transports."""
        self.assertIs(EagerPort.transport, EagerServer)


OPERATIONS = st.lists(st.one_of(
    st.tuples(st.just("write"), st.integers(0, 300_000)),
    st.tuples(st.just("sequence"), st.lists(st.integers(0, 9), max_size=5)),
    st.tuples(st.just("room"), st.integers(0, 400_000)),
    st.tuples(st.just("turn"), st.none()),
    st.tuples(st.sampled_from(["close", "half", "abort"]), st.none()),
), max_size=14)


class SameAsStockTests(SynchronousTestCase):
    """Any sequence of calls ends as with the stock transport."""

    def result(self, kind: type[tcp.Server], operations: list[tuple[str, Any]]) -> Any:
        world = World(kind, room=0)
        transport, octet = world.transport, 0
        actions = {"turn": lambda _: world.reactor.turn(),
                   "close": lambda _: transport.loseConnection(),
                   "half": lambda _: transport.connected and transport.loseWriteConnection(),
                   "abort": lambda _: transport.abortConnection(),
                   "room": lambda size: setattr(world.socket, "room", size)}
        is_ending = False
        for name, value in operations:
            octet = (octet + 1) % 256
            is_ending = is_ending or name in ("close", "half", "abort")
            if is_ending and name in ("write", "sequence"):
                # Whether such octets are still sent depends on when others were.
                continue
            if name == "write":
                transport.write(bytes([octet]) * value)
            elif name == "sequence":
                transport.writeSequence([bytes([octet]) * size for size in value])
            else:
                actions[name](value)
        for _ in range(60):
            world.socket.room = 1 << 30
            world.reactor.turn()
        return (world.socket.taken, world.socket.is_shut, world.socket.is_closed,
                world.protocol.half_closed, world.is_waiting)

    @settings(max_examples=150, deadline=None)
    @given(OPERATIONS)
    def test_random_operations(self, operations: list[tuple[str, Any]]) -> None:
        """Any calls have the stock transport's octets and ends; an abort may drop less."""
        eager, stock = self.result(EagerServer, operations), self.result(tcp.Server, operations)
        if any(name == "abort" for name, _ in operations):
            self.assertTrue(eager[0].startswith(stock[0]))
            self.assertEqual(eager[2], stock[2])
        else:
            self.assertEqual(eager, stock)

    def test_no_delay(self) -> None:
        """The socket options are set as by the stock transport."""
        world = World()
        world.transport.setTcpNoDelay(True)
        self.assertEqual(world.socket.options, [(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)])
