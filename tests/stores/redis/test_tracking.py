"""Tests of C{trickster.stores.redis.tracking} and C{trickster.stores.redis.connections.subscription}."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.servers import Server, Wire, simple, spoken, turns
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.node import Node
from trickster.stores.redis.options import RedisOptions
from trickster.stores.redis.retrying import Retries
from trickster.stores.redis.servers import Standalone
from trickster.stores.redis.settings import Settings
from trickster.stores.redis.store import RedisStore
from trickster.stores.redis.tracking import FRESH, Tracking
from trickster.testing.runtime import FakeRuntime

CHANNEL = b"__redis__:invalidate"


class TrackingCase(SynchronousTestCase):
    """A store whose server tells of changes, when the test says so."""

    def setUp(self) -> None:
        """A store that is started, and told."""
        self.clock = Clock()
        self.server = Server(self.clock)
        self.values: dict[bytes, bytes] = {}
        self.is_telling = True
        self.refusals: dict[bytes, bytes] = {}
        self.server.answer = self.answer
        runtime = FakeRuntime(self.clock)
        self.tracking = Tracking(Address("a", 1), b"p:", self.server.dial, runtime)
        node = Node(Address("a", 1), Settings(), runtime, self.server.dial,
                    tracking=self.tracking)
        self.store = RedisStore(Standalone(node), "p:", Retries.of(RedisOptions(), runtime), 10.0)
        self.store.startService()
        turns(self.clock)

    def answer(self, command: list[bytes]) -> bytes:
        """:return: what a server with some values answers."""
        name, *words = command
        if name in self.refusals:
            return self.refusals[name]
        if name == b"CLIENT":
            return b":7\r\n" if words == [b"ID"] else b"+OK\r\n"
        if name == b"SUBSCRIBE":
            return spoken(b"subscribe", words[0], 1)
        if name == b"PING":
            return spoken(b"pong", b"")
        if name == b"PTTL":
            return b":60000\r\n"
        if name == b"GET":
            return spoken(self.values.get(words[0]))[4:]
        if name == b"SET":
            self.values[words[0]] = words[1]
            if self.is_telling:
                self.tells(words[0])
        return simple(command)

    @property
    def listened(self) -> Wire:
        """:return: the connection on which the server is listened to."""
        return next(wire for wire in self.server.wires[::-1]
                    if [b"SUBSCRIBE", CHANNEL] in wire.commands)

    def tells(self, *keys: bytes) -> None:
        """Have the server tell of changes."""
        self.listened.says(spoken(b"message", CHANNEL, list(keys)))

    def asked(self, ask: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """:return: what an operation gives, after some turns."""
        given = Deferred.fromCoroutine(ask)
        turns(self.clock)
        return given

    def given(self, ask: Coroutine[Any, Any, Any]) -> Any:
        """:return: what an operation gives at once."""
        return self.successResultOf(self.asked(ask))

    def passed(self, seconds: float) -> None:
        """Let time pass, a bit at a time."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            turns(self.clock, 5)

    def read(self) -> None:
        """A value is put and read, and so is known."""
        is_telling, self.is_telling = self.is_telling, True
        self.given(self.store.put("a", b"12", 60.0))
        self.is_telling = is_telling
        self.assertEqual(self.given(self.store.get("a")), b"12")
        self.assertEqual(self.store.peek("a", 1), b"1")


class ToldTests(TrackingCase):
    """A server that tells of changes."""

    def test_asked_to_tell(self) -> None:
        """It is asked to tell of all keys with the prefix, over the connection itself."""
        tracked = [command for command in self.listened.commands if command[0] != b"PING"]
        self.assertEqual(tracked, [
            [b"CLIENT", b"ID"],
            [b"CLIENT", b"TRACKING", b"ON", b"REDIRECT", b"7", b"BCAST", b"PREFIX", b"p:"],
            [b"SUBSCRIBE", CHANNEL]])

    def test_changed(self) -> None:
        """What it names, and everything where it names nothing, is not known any more."""
        for words in ([b"p:a"], None):
            self.read()
            self.listened.says(spoken(b"message", CHANNEL, words))
            turns(self.clock)
            self.assertIsNone(self.store.peek("a", 1))

    def test_others_stay(self) -> None:
        """What it does not name stays known."""
        self.read()
        self.tells(b"p:b", b"a")
        turns(self.clock)
        self.assertEqual(self.store.peek("a", 1), b"1")

    def test_own_changes(self) -> None:
        """What is written, if only maybe, or deleted here is not known, before any news."""
        self.is_telling = False
        for change in (lambda: self.store.put("a", b"2", 60.0),
                       lambda: self.store.replace("a", b"2", 60.0, b"1"),
                       lambda: self.store.delete(["a"])):
            for refusal in (b"-OOM no\r\n", b""):
                self.read()
                self.refusals = {name: refusal for name in (b"SET", b"EVALSHA", b"UNLINK")
                                 if refusal}
                changing = self.asked(change())
                self.passed(0.2)
                changing.addErrback(lambda _: None)
                self.assertIsNone(self.store.peek("a", 1))
                self.refusals = {}

    def test_news_of_own(self) -> None:
        """The news of a change of ours are no news of what was read after it."""
        self.is_telling = False
        putting = self.asked(self.store.put("a", b"12", 60.0))
        self.assertNoResult(putting)
        self.tells(b"p:a")
        turns(self.clock)
        self.assertTrue(self.successResultOf(putting))
        self.given(self.store.get("a"))
        self.assertEqual(self.store.peek("a", 2), b"12")

    def test_no_news_of_own(self) -> None:
        """News that do not come hold up no write for long."""
        self.is_telling = False
        putting = self.asked(self.store.put("a", b"12", 60.0))
        self.passed(0.1)
        self.assertTrue(self.successResultOf(putting))

    def test_chunks(self) -> None:
        """Of chunks nothing is kept, and no news are waited for."""
        self.is_telling = False
        key = "a~" + "0" * 32
        self.assertTrue(self.given(self.store.put(key, b"1", 60.0)))
        self.assertEqual(self.given(self.store.get(key)), b"1")
        self.assertIsNone(self.store.peek(key, 1))

    def test_on_its_way(self) -> None:
        """A value that has changed while it was on its way is not kept."""
        self.read()
        self.refusals = {b"GET": b"", b"PTTL": b""}
        getting = self.asked(self.store.get("a"))
        self.tells(b"p:a")
        turns(self.clock)
        data = next(wire for wire in self.server.wires if wire is not self.listened)
        data.says(b"$1\r\n0\r\n:60000\r\n")
        turns(self.clock)
        self.assertEqual(self.successResultOf(getting), b"0")
        self.assertIsNone(self.store.peek("a", 1))

    def test_used(self) -> None:
        """Once a minute the server is told that a value is used; that it fails is no matter."""
        self.read()
        for answer in (b":1\r\n", b"-NOPERM no\r\n"):
            self.refusals = {b"TOUCH": answer}
            self.server.commands.clear()
            for _ in range(10):
                self.passed(6.1)
                self.assertEqual(self.store.peek("a", 1), b"1")
                turns(self.clock)
                self.tracking.beginnings._kept[b"p:a"].until += 100.0
            self.assertEqual(self.server.commands.count([b"TOUCH", b"p:a"]), 1)

    def test_no_ttl(self) -> None:
        """Where the time that is left is not told, the value is read, and not kept."""
        self.given(self.store.put("a", b"1", 60.0))
        for said in (b"-NOPERM no\r\n", b":-1\r\n", b":-2\r\n", b"$1\r\nx\r\n"):
            self.refusals = {b"PTTL": said}
            self.assertEqual(self.given(self.store.get("a")), b"1")
            self.assertIsNone(self.store.peek("a", 1))


class LostTests(TrackingCase):
    """A server that is not heard any more."""

    def test_asked(self) -> None:
        """The server is asked every second whether it is there; while it answers, all is known."""
        self.read()
        self.passed(30.0)
        self.assertEqual(self.store.peek("a", 1), b"1")
        pings = self.listened.commands.count([b"PING"])
        self.assertTrue(25 <= pings <= 31, pings)

    def test_silent(self) -> None:
        """Where it does not answer, nothing is known after three seconds, and all is void."""
        self.read()
        self.refusals = {b"PING": b""}
        self.passed(FRESH - 0.1)
        self.assertEqual(self.store.peek("a", 1), b"1")
        self.passed(1.2)
        self.assertIsNone(self.store.peek("a", 1))
        self.passed(4.0)
        self.assertEqual(len(self.tracking.beginnings), 0)

    def test_lost(self) -> None:
        """When the connection is lost, all is void at once; it is made again, and all begins anew."""
        self.read()
        self.listened.drops()
        turns(self.clock)
        self.assertIsNone(self.store.peek("a", 1))
        self.assertFalse(self.tracking.is_live)
        self.passed(0.5)
        self.assertTrue(self.tracking.is_live)
        self.assertIsNone(self.store.peek("a", 1))
        self.read()

    def test_lost_while_reading(self) -> None:
        """What was on its way when the connection was lost is not kept once there is another."""
        self.read()
        self.refusals = {b"GET": b"", b"PTTL": b""}
        getting = self.asked(self.store.get("a"))
        data = next(wire for wire in self.server.wires if wire is not self.listened)
        self.listened.drops()
        self.passed(0.5)
        self.assertTrue(self.tracking.is_live)
        data.says(b"$1\r\n0\r\n:60000\r\n")
        turns(self.clock)
        self.assertEqual(self.successResultOf(getting), b"0")
        self.assertIsNone(self.store.peek("a", 1))

    def test_stopped(self) -> None:
        """Nothing is left when the store is stopped, whatever is under way."""
        self.read()
        self.given(self.store.stopService())
        turns(self.clock)
        self.assertIsNone(self.store.peek("a", 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_outage(self) -> None:
        """While the server is away it is tried again, after pauses."""
        self.server.stops()
        self.passed(30.0)
        self.assertLess(self.server.dials, 60)
        self.server.is_up = True
        self.passed(3.0)
        self.assertTrue(self.tracking.is_live)


class UntoldTests(TrackingCase):
    """A server that does not tell of changes."""

    def test_refused(self) -> None:
        """It is said once; values are read as ever, and nothing is known; it is tried again."""
        for said in (b"-ERR unknown subcommand 'TRACKING'\r\n", b"-NOPERM no\r\n", b"+OK\r\n"):
            self.setUp()
            with capturedLogs() as events:
                self.refusals = {b"CLIENT": said}
                self.listened.drops()
                self.passed(200.0)
                self.assertFalse(self.tracking.is_live)
                self.given(self.store.put("a", b"1", 60.0))
                self.assertEqual(self.given(self.store.get("a")), b"1")
                self.assertIsNone(self.store.peek("a", 1))
            self.assertEqual(len(events), 1)
            self.refusals = {}
            self.passed(61.0)
            self.assertTrue(self.tracking.is_live)
