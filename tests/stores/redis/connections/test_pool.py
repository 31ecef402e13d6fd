"""Tests of C{trickster.stores.redis.connections.pool} and C{trickster.stores.redis.node}."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.servers import Server, simple, turns
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.errors import ErrorReply, NoAnswer, NotConnected
from trickster.stores.redis.node import Node
from trickster.stores.redis.settings import Settings
from trickster.testing.runtime import FakeRuntime

SETTINGS = Settings(pool_size=3, pool_timeout=1.0, idle_timeout=30.0)


def silent(command: list[bytes]) -> bytes:
    """:return: nothing, as a hung server."""
    return b""


class PoolCases(SynchronousTestCase):
    """A server and the pool of connections to it."""

    def setUp(self) -> None:
        """A server that is up; connected to with L{started}."""
        self.clock = Clock()
        self.server = Server(self.clock)
        self.pending: list[Deferred[Any]] = []

    def started(self, **settings: Any) -> Node:
        """:return: a node that has had time to connect."""
        runtime = FakeRuntime(self.clock, [0.999])
        node = Node(Address("redis", 6379), evolve(SETTINGS, **settings), runtime,
                    self.server.dial)
        node.start()
        turns(self.clock)
        return node

    def begun(self, asked: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """:return: what a command gives, after some turns."""
        given = Deferred.fromCoroutine(asked)
        turns(self.clock)
        return given

    def passed(self, seconds: float) -> None:
        """Let time pass, a bit at a time."""
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)
        turns(self.clock)

    @property
    def open(self) -> int:
        """:return: how many connections there are."""
        return sum(bool(wire.protocol.connected) for wire in self.server.wires)


class CommandTests(PoolCases):
    """What becomes of commands."""

    def test_execute(self) -> None:
        """A reply is given; an error of the server's is raised, and harms no connection."""
        self.server.answer = lambda command: b"-OOM command not allowed\r\n" if (
            command[0] == b"SET") else b"$1\r\n1\r\n"
        node = self.started()
        error = self.failureResultOf(self.begun(node.execute("SET", "a", b"1")), ErrorReply).value
        self.assertEqual(error.code, "OOM")
        self.assertEqual(self.successResultOf(self.begun(node.execute("GET", "a"))), b"1")
        self.assertEqual(self.open, 1)

    def test_pipeline(self) -> None:
        """Of several commands, each has its reply, refusals among them."""
        self.server.answer = lambda command: b"-ERR no\r\n" if command[0] == b"B" else b":1\r\n"
        replies = self.successResultOf(self.begun(self.started().pipeline(("A",), ("B",), ("C",))))
        self.assertEqual((replies[0], replies[1].text, replies[2]), (1, "ERR no", 1))

    def test_before_connected(self) -> None:
        """A command that comes before it is known whether the server is there waits for that."""
        node = Node(Address("redis", 6379), SETTINGS, FakeRuntime(self.clock), self.server.dial)
        node.start()
        self.assertEqual(self.successResultOf(self.begun(node.execute("SET", "a", 1))), b"OK")

    def test_stopped(self) -> None:
        """Before it is started and once it is stopped, commands fail."""
        node = Node(Address("redis", 6379), SETTINGS, FakeRuntime(self.clock), self.server.dial)
        self.failureResultOf(self.begun(node.execute("GET", "a")), NotConnected)
        node.start()
        self.successResultOf(self.begun(node.stop()))
        self.failureResultOf(self.begun(node.execute("GET", "a")), NotConnected)
        self.assertEqual((self.open, self.clock.getDelayedCalls()), (0, []))

    def test_named(self) -> None:
        """Whatever fails, it is said on which server."""
        node = self.started()
        self.server.answer = silent
        lost = self.begun(node.execute("GET", "a"))
        self.server.stops()
        turns(self.clock)
        for asked, kind in ((lost, NoAnswer), (self.begun(node.execute("GET", "a")), NotConnected)):
            self.assertTrue(str(self.failureResultOf(asked, kind).value).startswith("redis:6379: "))

    def test_stopped_by_who_waits(self) -> None:
        """Whoever learns that there is no server may stop the node at once: nothing goes on."""
        dialled: Deferred[Any] = Deferred()

        async def dial() -> Any:
            return await dialled

        node = Node(Address("redis", 6379), SETTINGS, FakeRuntime(self.clock), dial)

        async def asked() -> None:
            try:
                await node.execute("GET", "a")
            except NotConnected:
                await node.stop()

        node.start()
        stopped = self.begun(asked())
        dialled.errback(NotConnected("refused"))
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_waits(self) -> None:
        """A command that is under way is not lost when the store is stopped."""
        self.server.answer = silent
        node = self.started()
        reply = self.begun(node.execute("SET", "a", 1))
        stopping = self.begun(node.stop())
        self.assertNoResult(stopping)
        self.server.wires[0].says(b"+OK\r\n")
        turns(self.clock)
        self.assertEqual(self.successResultOf(reply), b"OK")
        self.successResultOf(stopping)

    def test_stop_ends(self) -> None:
        """A hung server does not keep a store from stopping."""
        self.server.answer = silent
        node = self.started()
        reply, stopping = self.begun(node.execute("SET", "a", 1)), self.begun(node.stop())
        self.passed(3.1)
        self.failureResultOf(reply, NoAnswer)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """A command may be cancelled at any time; others are not harmed."""
        self.server.answer = silent
        node = self.started()
        first, second = (self.begun(node.execute("GET", key)) for key in "ab")
        first.cancel()
        self.failureResultOf(first)
        self.server.wires[0].says(b"$1\r\n1\r\n$1\r\n2\r\n")
        turns(self.clock)
        self.assertEqual(self.successResultOf(second), b"2")


class OutageTests(PoolCases):
    """A server that is not there, or hangs."""

    def test_fails_at_once(self) -> None:
        """While the server is known not to be there, commands fail at once."""
        self.server.is_up = False
        node = self.started()
        self.failureResultOf(self.begun(node.execute("GET", "a")), NotConnected)
        self.assertIsNotNone(node.error)

    def test_reconnects(self) -> None:
        """Connecting goes on in the background, with pauses that grow up to some seconds."""
        self.server.is_up = False
        node = self.started()
        self.passed(1.0)
        early = self.server.dials
        self.assertGreaterEqual(early, 4)
        self.passed(60.0)
        dials = self.server.dials
        self.passed(20.0)
        self.assertAlmostEqual(self.server.dials - dials, 10, delta=1)
        self.server.is_up = True
        self.passed(2.1)
        self.assertEqual(self.successResultOf(self.begun(node.execute("SET", "a", 1))), b"OK")
        self.assertIsNone(node.error)

    def test_logged_once(self) -> None:
        """That a server cannot be used is said once, with the reason, and that it can be again."""
        self.server.is_up = False
        with capturedLogs() as events:
            self.started()
            self.passed(30.0)
            self.server.is_up = True
            self.passed(3.0)
        self.assertEqual([event["log_level"].name for event in events], ["error", "info"])
        self.assertEqual(events[0]["why"], "refused")

    def test_lost(self) -> None:
        """A connection that is lost fails what is under way, and is made again at once."""
        node = self.started()
        self.passed(2.0)
        self.server.answer = silent
        reply = self.begun(node.execute("GET", "a"))
        self.server.wires[0].drops()
        turns(self.clock)
        self.failureResultOf(reply, NoAnswer)
        self.server.answer = simple
        self.assertEqual(self.successResultOf(self.begun(node.execute("SET", "a", 1))), b"OK")

    def test_stops(self) -> None:
        """When a server ends, commands fail at once, and go on when it is there again."""
        node = self.started()
        self.passed(2.0)
        self.server.stops()
        turns(self.clock)
        self.failureResultOf(self.begun(node.execute("GET", "a")), NotConnected)
        self.server.is_up = True
        self.passed(0.2)
        self.assertEqual(self.successResultOf(self.begun(node.execute("SET", "a", 1))), b"OK")

    def test_hung_once(self) -> None:
        """A hung server costs the time for one answer, on all connections together."""
        node = self.started(min_idle=3)
        self.assertEqual(self.open, 3)
        self.passed(5.0)
        self.server.answer = silent
        reply = self.begun(node.execute("GET", "a"))
        self.server.is_up = False
        self.passed(3.05)
        self.failureResultOf(reply, NoAnswer)
        self.failureResultOf(self.begun(node.execute("GET", "a")), NotConnected)
        self.assertEqual(self.open, 0)

    def test_other_connections_work(self) -> None:
        """A connection that is hung alone costs no other one its place."""
        node = self.started(min_idle=2)
        self.passed(5.0)
        self.server.answer = silent
        reply = self.begun(node.execute("GET", "a"))
        self.passed(1.0)
        self.server.answer = simple
        self.successResultOf(self.begun(node.execute("SET", "a", 1)))
        self.passed(2.1)
        self.failureResultOf(reply, NoAnswer)
        self.assertIsNone(node.error)
        self.successResultOf(self.begun(node.execute("SET", "a", 1)))

    def test_short_lives(self) -> None:
        """A server that takes connections and drops them is not asked again without a pause."""
        node = self.started()
        for _ in range(200):
            for wire in self.server.wires:
                wire.drops()
            turns(self.clock)
            self.clock.advance(0.05)
        self.assertLess(self.server.dials, 20)
        self.assertIsNotNone(node)


class SizeTests(PoolCases):
    """How many connections there are."""

    def test_pipelined(self) -> None:
        """Commands share a connection; there are more only where it has much to do."""
        self.server.answer = silent
        node = self.started()
        replies = [self.begun(node.execute("GET", "a")) for _ in range(10)]
        self.assertEqual(self.open, 1)
        replies += [self.begun(node.execute("GET", "a")) for _ in range(200)]
        self.assertEqual(self.open, 3)
        self.passed(3.1)
        for reply in replies:
            self.failureResultOf(reply, NoAnswer)

    def test_no_room(self) -> None:
        """Where no connection takes more, a command waits for one, but not longer than it may."""
        node = self.started(pool_size=1)
        self.server.wires[0].producer.pauseProducing()
        late, soon = (self.begun(node.execute("SET", "a", 1)) for _ in range(2))
        late.cancel()
        self.failureResultOf(late)
        self.server.wires[0].producer.resumeProducing()
        turns(self.clock)
        self.assertEqual(self.successResultOf(soon), b"OK")
        self.server.wires[0].producer.pauseProducing()
        never = self.begun(node.execute("SET", "a", 1))
        self.passed(1.1)
        self.failureResultOf(never, NotConnected)

    def test_idle(self) -> None:
        """Connections that are not used are closed, down to those that are kept."""
        for least in (0, 1, 2):
            self.setUp()
            node = self.started(min_idle=least)
            self.passed(1.0)
            self.assertEqual(self.open, max(1, least))
            self.passed(32.0)
            self.assertEqual(self.open, least)
            self.successResultOf(self.begun(node.execute("SET", "a", 1)))
            self.assertIsNone(node.error)

    def test_age(self) -> None:
        """An old connection is replaced, after what is under way on it."""
        node = self.started(max_age=10.0)
        self.passed(8.9)
        self.server.answer = silent
        reply = self.begun(node.execute("GET", "a"))
        self.passed(2.0)
        self.server.answer = simple
        self.successResultOf(self.begun(node.execute("SET", "a", 1)))
        self.assertEqual(self.open, 2)
        self.server.wires[0].says(b"$1\r\n1\r\n")
        turns(self.clock)
        self.assertEqual((self.successResultOf(reply), self.open), (b"1", 1))
