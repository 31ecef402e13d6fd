"""Tests of C{trickster.stores.redis.sentinel}."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.servers import Server, simple, spoken, turns
from trickster.errors import StoreError
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.commands import Commands
from trickster.stores.redis.errors import NotConnected
from trickster.stores.redis.node import Node
from trickster.stores.redis.sentinel import Master
from trickster.stores.redis.settings import Settings
from trickster.testing.runtime import FakeRuntime

ONE, TWO = Address("one", 1), Address("two", 2)


@define(eq=False)
class FakeSentinel:
    """
    A Sentinel.

    :ivar master: that it names.
    :ivar epoch: of which it knows.
    """

    server: Server
    master: Address | None = ONE
    epoch: int = 1
    asked: int = 0
    odd: bytes = b""

    def answer(self, command: list[bytes]) -> bytes:
        """:return: what it answers."""
        if command[0] == b"SUBSCRIBE":
            return spoken(b"subscribe", command[1], 1)
        if command[0] != b"SENTINEL":
            return simple(command)
        self.asked += 1
        if self.odd:
            return self.odd
        if self.master is None:
            return b"-ERR No such master with that name\r\n"
        return spoken(b"name", b"ours", b"ip", self.master.host.encode(), b"port",
                      b"%d" % self.master.port, b"config-epoch", b"%d" % self.epoch)

    def says(self, octets: bytes) -> None:
        """Tell those who listen."""
        for wire in self.server.wires:
            if any(command[0] == b"SUBSCRIBE" for command in wire.commands):
                wire.says(spoken(b"message", b"+switch-master", octets))


@define(eq=False)
class Redises:
    """The servers that may be masters."""

    clock: Clock
    servers: dict[Address, Server] = field(factory=dict)

    def node(self, address: Address) -> Node:
        """:return: one of them."""
        server = self.servers.setdefault(address, Server(self.clock))
        return Node(address, Settings(), FakeRuntime(self.clock), server.dial)


class MasterCase(SynchronousTestCase):
    """A master, and three Sentinels."""

    def setUp(self) -> None:
        """All of them are well."""
        self.clock = Clock()
        self.redises = Redises(self.clock)
        self.sentinels = [FakeSentinel(Server(self.clock)) for _ in range(3)]
        for sentinel in self.sentinels:
            sentinel.server.answer = sentinel.answer

    def started(self) -> Master:
        """:return: the master, which has been asked for."""
        runtime = FakeRuntime(self.clock)
        nodes = [(Node(Address(f"s{number}", 1), Settings(), runtime, sentinel.server.dial),
                  sentinel.server.dial) for number, sentinel in enumerate(self.sentinels)]
        self.master = Master.of("ours", nodes, self.redises.node, runtime, Settings())
        self.master.start()
        turns(self.clock)
        return self.master

    def passed(self, seconds: float) -> None:
        """Let time pass, a bit at a time."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            turns(self.clock, 5)

    def asked(self, ask: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """:return: what comes of something, after some turns."""
        given = Deferred.fromCoroutine(ask)
        turns(self.clock)
        return given

    def put(self) -> Deferred[Any]:
        """:return: what comes of a write."""
        async def put(node: Commands) -> Any:
            return await node.execute("SET", "a", "1")

        return self.asked(self.master.at(b"a", put))

    def name(self, address: Address, epoch: int) -> None:
        """Have all Sentinels name a master."""
        for sentinel in self.sentinels:
            sentinel.master, sentinel.epoch = address, epoch

    @property
    def address(self) -> Address | None:
        """:return: of the server that is used."""
        node = self.master.node_of(b"")
        return None if node is None else node.address


class NamedTests(MasterCase):
    """Which server is used."""

    def test_named(self) -> None:
        """The one that the Sentinels name has all keys."""
        master = self.started()
        self.assertEqual(self.successResultOf(self.put()), b"OK")
        self.assertEqual(self.address, ONE)
        self.assertEqual(list(master.grouped([b"a", b"b"])), [[b"a", b"b"]])

        async def where(node: Commands) -> Any:
            return node

        self.assertEqual(self.successResultOf(self.asked(master.each(where))),
                         [master.node_of(b"")])

    def test_latest(self) -> None:
        """Where they differ, the one that knows of the latest failover is right."""
        self.sentinels[1].master, self.sentinels[1].epoch = TWO, 2
        self.started()
        self.assertEqual(self.address, TWO)

    def test_one_answers(self) -> None:
        """One Sentinel that answers is enough; those that hang are not waited for."""
        self.sentinels[0].server.is_up = False
        self.sentinels[1].server.answer = lambda command: b""
        self.started()
        put = self.put()
        self.passed(1.2)
        self.assertEqual(self.successResultOf(put), b"OK")

    def test_odd(self) -> None:
        """What no Sentinel answers names no master, and is no exception."""
        for odd in (b":1\r\n", b"*-1\r\n", b"$-1\r\n", b"*0\r\n", spoken(b"ip"),
                    spoken(b"ip", b"a", b"port", b"x", b"config-epoch", b"1"),
                    spoken(b"ip", b"a", b"port", b"0", b"config-epoch", b"1"),
                    spoken(b"ip", b"", b"port", b"1", b"config-epoch", b"1"),
                    spoken(b"ip", b"\xff", b"port", b"1", b"config-epoch", b"1"),
                    spoken(b"ip", b"a", b"port", b"1", b"config-epoch", 1)):
            self.setUp()
            for sentinel in self.sentinels:
                sentinel.odd = odd
            self.started()
            self.failureResultOf(self.put(), StoreError)
            self.assertIsNone(self.address)

    def test_unknown(self) -> None:
        """Where none names one, operations fail at once, with the reason, until one does."""
        self.name(None, 1)  # type: ignore[arg-type]
        with capturedLogs() as events:
            self.started()
            error = self.failureResultOf(self.put(), NotConnected).value
            self.assertIn("No such master", str(error))
            self.passed(20.0)
        self.assertEqual([event["log_level"].name for event in events], ["error"])
        self.name(ONE, 1)
        self.passed(1.0)
        self.assertEqual(self.successResultOf(self.put()), b"OK")


class SwitchTests(MasterCase):
    """Another master than before."""

    def test_told(self) -> None:
        """When a Sentinel says that there is another one, it is used at once."""
        self.started()
        self.successResultOf(self.put())
        self.name(TWO, 2)
        self.sentinels[2].says(b"ours one 1 two 2")
        turns(self.clock)
        self.assertEqual(self.address, TWO)
        self.assertEqual(self.successResultOf(self.put()), b"OK")
        self.passed(1.0)
        self.assertFalse(any(wire.protocol.connected for wire in self.redises.servers[ONE].wires))

    def test_of_others(self) -> None:
        """What is said of other masters is passed over."""
        self.started()
        count = self.sentinels[0].asked
        for said in (b"theirs one 1 two 2", b"oursx one 1 two 2", b"", b"\xff"):
            self.sentinels[0].says(said)
        turns(self.clock)
        self.assertEqual(self.sentinels[0].asked, count)

    def test_fails(self) -> None:
        """Where the master fails, the Sentinels are asked again and again, and not told of."""
        self.started()
        self.successResultOf(self.put())
        self.redises.servers[ONE].stops()
        turns(self.clock)
        self.failureResultOf(self.put(), StoreError)
        self.name(TWO, 2)
        self.passed(0.6)
        self.assertEqual(self.successResultOf(self.put()), b"OK")
        self.assertEqual(self.address, TWO)

    def test_read_only(self) -> None:
        """A master that says that it is none any more is not believed in until it is asked for."""
        self.started()
        self.redises.servers[ONE].answer = lambda command: (
            b"-READONLY no\r\n" if command[0] == b"SET" else simple(command))
        self.name(TWO, 2)
        self.failureResultOf(self.put(), StoreError)
        self.passed(0.6)
        self.assertEqual(self.successResultOf(self.put()), b"OK")

    def test_not_flooded(self) -> None:
        """However many operations fail, the Sentinels are asked twice a second at most."""
        self.started()
        self.redises.servers[ONE].stops()
        turns(self.clock)
        count = self.sentinels[0].asked
        for _ in range(400):
            self.failureResultOf(self.put(), StoreError)
            self.clock.advance(0.01)
        self.assertLess(self.sentinels[0].asked - count, 12)

    def test_now_and_then(self) -> None:
        """Also where all is well and nothing is said, they are asked now and then."""
        self.started()
        self.passed(1.0)
        self.name(TWO, 2)
        self.passed(10.0)
        self.assertEqual(self.address, TWO)


class EndTests(MasterCase):
    """The end."""

    def test_stopped(self) -> None:
        """Nothing is left of it, and operations fail."""
        master = self.started()
        self.passed(1.0)
        self.successResultOf(self.asked(master.stop()))
        turns(self.clock)
        self.failureResultOf(self.put(), NotConnected)
        self.assertIsNone(self.address)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_early(self) -> None:
        """So it is where the Sentinels have not answered yet."""
        for sentinel in self.sentinels:
            sentinel.server.answer = lambda command: b""
        master = self.started()
        put, stopped = self.put(), self.asked(master.stop())
        self.failureResultOf(put, NotConnected)
        self.passed(4.0)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
