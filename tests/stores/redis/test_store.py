"""Tests of C{trickster.stores.redis.store}, C{operations}, C{retrying} and C{kind}."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.stores.redis.servers import Server, simple, spoken, turns
from trickster.errors import ConfigurationError, StoreError
from trickster.interfaces import ICompareAndSetStore
from trickster.stores.limits import StoreLimits
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.errors import NotConnected
from trickster.stores.redis.kind import redis
from trickster.stores.redis.node import Node
from trickster.stores.redis.operations import milliseconds
from trickster.stores.redis.options import RedisOptions
from trickster.stores.redis.retrying import Retries
from trickster.stores.redis.servers import Standalone
from trickster.stores.redis.settings import Settings
from trickster.stores.redis.store import RedisStore
from trickster.testing.runtime import FakeRuntime
from trickster.testing.stores import verify_store_type

Answers = dict[bytes, bytes | Callable[[list[bytes]], bytes]]


class StoreCase(SynchronousTestCase):
    """A store on one server, which answers what the test says."""

    def setUp(self) -> None:
        """A store that is started and connected."""
        self.clock = Clock()
        self.server = Server(self.clock)
        self.begin()

    def begin(self, **options: Any) -> None:
        """Start a store with some options."""
        runtime = FakeRuntime(self.clock)
        node = Node(Address("a", 1), Settings(), runtime, self.server.dial)
        retries = Retries.of(RedisOptions(**options), runtime)
        self.store = RedisStore(Standalone(node), "p:", retries, 10.0)
        self.store.startService()
        turns(self.clock)

    def answers(self, answers: Answers) -> None:
        """Have the server answer some commands so."""
        def answer(command: list[bytes]) -> bytes:
            found = answers.get(command[0], simple(command))
            return found if isinstance(found, bytes) else found(command)

        self.server.answer = answer

    def asked(self, ask: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """:return: what an operation gives, after some turns."""
        given = Deferred.fromCoroutine(ask)
        turns(self.clock)
        return given

    def given(self, ask: Coroutine[Any, Any, Any]) -> Any:
        """:return: what an operation gives at once."""
        return self.successResultOf(self.asked(ask))

    def all(self) -> list[Coroutine[Any, Any, Any]]:
        """:return: every operation, begun."""
        store = self.store
        return [store.get("a"), store.put("a", b"1", 60.0), store.replace("a", b"1", 60.0, None),
                store.delete(["a"]), store.keys("")]


class OperationTests(StoreCase):
    """What is said to the server, and what becomes of its answers."""

    def test_provides(self) -> None:
        """The store has all members of its interfaces, and its type all that it needs."""
        verifyObject(ICompareAndSetStore, self.store)
        verify_store_type(redis)

    def test_commands(self) -> None:
        """Each operation is one command, with the prefix before each key."""
        self.answers({b"UNLINK": b":2\r\n", b"SCAN": spoken(b"0", []), b"EVALSHA": b":1\r\n"})
        self.server.commands.clear()
        self.given(self.store.get("ä"))
        self.given(self.store.put("a", b"1", 1.5))
        self.assertTrue(self.given(self.store.replace("a", b"2", 60.0, b"1")))
        self.assertEqual(self.given(self.store.delete(["a", "b", "a"])), 2)
        self.given(self.store.keys("x*?[y]\\"))
        get, put, replace, delete, scan = self.server.commands
        self.assertEqual(get, [b"GET", "p:ä".encode()])
        self.assertEqual(put, [b"SET", b"p:a", b"1", b"PX", b"1500"])
        self.assertEqual(replace[2:], [b"1", b"p:a", b"1", b"1", b"2", b"60000"])
        self.assertEqual(delete, [b"UNLINK", b"p:a", b"p:b"])
        self.assertEqual(scan, [b"SCAN", b"0", b"MATCH", b"p:x\\*\\?\\[y\\]\\\\*", b"COUNT",
                                b"1000"])

    def test_batches(self) -> None:
        """Many keys are deleted by few commands, each of a bounded number."""
        self.answers({b"UNLINK": lambda command: b":%d\r\n" % (len(command) - 1)})
        self.server.commands.clear()
        self.assertEqual(self.given(self.store.delete(map(str, range(1201)))), 1201)
        self.assertEqual([len(command) - 1 for command in self.server.commands], [500, 500, 201])

    def test_old_server(self) -> None:
        """A server that does not know UNLINK is told to DEL."""
        self.answers({b"UNLINK": b"-ERR unknown command 'UNLINK'\r\n", b"DEL": b":1\r\n"})
        self.assertEqual(self.given(self.store.delete(["a"])), 1)

    def test_scan_goes_on(self) -> None:
        """A scan goes on to its end; what is named twice, or is not asked for, is left out."""
        def scan(command: list[bytes]) -> bytes:
            return {b"0": spoken(b"7", [b"p:a", b"q:x"]), b"7": spoken(b"18446744073709551615", []),
                    b"18446744073709551615": spoken(b"0", [b"p:a", b"p:b", b"p:\xff", b"p"]),
                    }[command[1]]

        self.answers({b"SCAN": scan})
        self.assertEqual(self.given(self.store.keys("")), ["a", "b"])

    def test_ttl(self) -> None:
        """Times to live are whole milliseconds, at least one, and no more than Redis can count."""
        self.assertEqual([milliseconds(ttl) for ttl in (1.2345, 1e-9, 60.0)], [1234, 1, 60000])
        self.assertEqual(milliseconds(float("inf")), milliseconds(1e300))

    def test_refused(self) -> None:
        """What a server refuses fails every operation, with the server's reason."""
        for code in ("LOADING", "MASTERDOWN", "NOAUTH", "NOPERM", "OOM", "READONLY", "ERR",
                     "MISCONF", "NOREPLICAS", "EXECABORT"):
            self.answers(dict.fromkeys((b"GET", b"SET", b"EVALSHA", b"UNLINK", b"SCAN"),
                                       b"-%s because\r\n" % code.encode()))
            for ask in self.all():
                error = self.failureResultOf(self.asked(ask), StoreError).value
                self.assertIn(f"{code} because", str(error))

    def test_odd(self) -> None:
        """What no Redis answers is a StoreError, and nothing else."""
        for odd in (b":7\r\n", b"*0\r\n", b"*1\r\n:1\r\n", b"$1\r\nx\r\n", b"$-1\r\n", b"+\r\n",
                    spoken(b"0"), spoken(b"0", b"x"), spoken([], []), spoken(None, [])):
            self.answers(dict.fromkeys((b"GET", b"SET", b"EVALSHA", b"UNLINK", b"SCAN"), odd))
            for ask in self.all():
                given = self.asked(ask)
                if not isinstance(getattr(given, "result", None), (bytes, int, type(None))):
                    self.failureResultOf(given, StoreError)

    def test_not_running(self) -> None:
        """Once it is stopped, every operation is a StoreError."""
        self.given(self.store.stopService())
        for ask in self.all():
            self.failureResultOf(self.asked(ask), StoreError)


class RetryTests(StoreCase):
    """What is tried again."""

    def attempts(self, ask: Coroutine[Any, Any, Any], name: bytes, seconds: float = 30.0) -> int:
        """:return: how often a command is sent that never succeeds, with two retries."""
        self.server.commands.clear()
        given = self.asked(ask)
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)
        self.failureResultOf(given, StoreError)
        return sum(command[0] == name for command in self.server.commands)

    def test_refused(self) -> None:
        """What a server may do later is asked again; what it will never do is not."""
        self.begin(max_retries=2)
        for code, count in ((b"LOADING", 3), (b"READONLY", 3), (b"MASTERDOWN", 3),
                            (b"CLUSTERDOWN", 3), (b"TRYAGAIN", 3), (b"OOM", 1), (b"NOPERM", 1)):
            self.answers({b"SET": b"-%s x\r\n" % code, b"EVALSHA": b"-%s x\r\n" % code})
            self.assertEqual(self.attempts(self.store.put("a", b"1", 9.0), b"SET"), count)
            self.assertEqual(
                self.attempts(self.store.replace("a", b"1", 9.0, None), b"EVALSHA"), count)

    def test_no_answer(self) -> None:
        """Where it is not known what became of a command, it is repeated if that does no harm."""
        self.begin(max_retries=2)
        self.answers({b"SET": b"", b"EVALSHA": b""})
        self.assertEqual(self.attempts(self.store.put("a", b"1", 9.0), b"SET"), 3)
        self.assertEqual(self.attempts(self.store.replace("a", b"1", 9.0, None), b"EVALSHA"), 1)

    def test_never(self) -> None:
        """By default, and with -1, nothing is tried again."""
        for most in (0, -1):
            self.begin(max_retries=most)
            self.answers({b"SET": b"-LOADING x\r\n"})
            self.assertEqual(self.attempts(self.store.put("a", b"1", 9.0), b"SET"), 1)

    def test_pauses(self) -> None:
        """Pauses grow from the shortest to the longest, and are cut at random, to a half at most."""
        for drawn, part in ((0.0, 0.5), (0.5, 0.75)):
            clock = Clock()
            retries = Retries.of(
                RedisOptions(max_retries=5, min_retry_backoff=1.0, max_retry_backoff=5.0),
                FakeRuntime(clock, [drawn]))
            times: list[float] = []

            async def ask(clock: Clock = clock, times: list[float] = times) -> None:
                times.append(clock.seconds())
                raise NotConnected("no")

            given = Deferred.fromCoroutine(retries.tried(ask))
            for _ in range(3000):
                clock.advance(0.01)
            self.failureResultOf(given, NotConnected)
            pauses = [round(after - before, 1) for before, after in pairwise(times)]
            self.assertEqual(pauses, [round(part * each, 1) for each in (1, 2, 4, 5, 5)])
            self.assertEqual(retries.timeout(10.0), 85.0)


class KindTests(SynchronousTestCase):
    """Stores are made of options."""

    def test_made(self) -> None:
        """Making one opens nothing, and needs no reactor."""
        clock = Clock()
        for options in (RedisOptions(), RedisOptions(use_tls=True),
                        RedisOptions(protocol="unix", endpoint="/run/redis.sock")):
            store = redis.store("default", options, StoreLimits(), FakeRuntime(clock))
            self.assertEqual(store.timeout, 10.0)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_files(self) -> None:
        """A file for TLS that cannot be used is told by its name."""
        options = RedisOptions(use_tls=True, tls_ca_paths=("/nowhere.pem",))
        error = self.assertRaises(ConfigurationError, redis.store, "default", options,
                                  StoreLimits(), FakeRuntime())
        self.assertIn("/nowhere.pem", str(error))
