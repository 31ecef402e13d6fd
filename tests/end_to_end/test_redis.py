"""The store C{redis} on real servers: the contracts, and servers that go away, hang and forget."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from tests.end_to_end.redises import (
    PASSWORD,
    PATIENT,
    Redis,
    Secure,
    directory_until_exit,
    pass_time,
    runtime,
    shared,
    store_of,
)
from tests.end_to_end.waiting import PATIENCE, until
from trickster.errors import StoreError
from trickster.stores.redis.connections import protocol
from trickster.stores.redis.options import RedisOptions
from trickster.testing.stores import cache_store_contract, compare_and_set_contract

_numbers = itertools.count()
Make = Callable[[Any], Any]


def options_of(server: Redis, **more: Any) -> RedisOptions:
    """:return: for a store that sees no other one's entries, and does not fail for being slow."""
    return RedisOptions(**{**PATIENT, "endpoint": server.endpoint,
                           "key_prefix": f"test{next(_numbers)}:", **more})


def over_tcp(_: Any) -> Any:
    """:return: a store."""
    return store_of(options_of(shared()))


def over_unix(_: Any) -> Any:
    """:return: the same over a unix socket."""
    return store_of(options_of(shared(), protocol="unix", endpoint=shared().socket))


def nowhere(_: Any) -> Any:
    """:return: a store whose server is not there."""
    return store_of(RedisOptions(endpoint="127.0.0.1:1"))


class TcpTests(cache_store_contract(over_tcp, pass_time, nowhere),  # type: ignore[misc]
               compare_and_set_contract(over_tcp, pass_time), TestCase):
    """The contracts, over TCP."""

    timeout = 4 * PATIENCE


class UnixTests(cache_store_contract(over_unix, pass_time, nowhere),  # type: ignore[misc]
                compare_and_set_contract(over_unix, pass_time), TestCase):
    """The contracts, over a unix socket."""

    timeout = 4 * PATIENCE


class OtherParserTests(compare_and_set_contract(over_tcp, pass_time),  # type: ignore[misc]
                       TestCase):
    """The contracts, with the parser that is not the default one."""

    timeout = 4 * PATIENCE

    def setUp(self) -> None:
        """Have connections read by it."""
        other = {protocol.PureConnection: "hiredis", protocol.HiredisConnection: "python"}
        kinds = dict(protocol.KINDS)
        self.patch(protocol, "KINDS", {**kinds, "": kinds[other[kinds[""]]]})


class StoreCase(TestCase):
    """Starts stores."""

    timeout = 4 * PATIENCE

    def server(self, *options: str) -> Redis:
        """:return: a server of its own."""
        server = Redis(directory_until_exit(), options)
        self.addCleanup(server.stop)
        return server

    def store(self, options: RedisOptions) -> Any:
        """:return: a store that is started, and stopped after the test."""
        store = store_of(options)
        store.startService()
        self.addCleanup(store.stopService)
        return store

    async def failing(self, asked: Any) -> StoreError:
        """:return: how something fails, which does so before it would for being slow."""
        began = runtime().clock.seconds()
        with self.assertRaises(StoreError) as caught:
            await asked
        self.assertLess(runtime().clock.seconds() - began, PATIENCE)
        return caught.exception

    def failing_at_once(self, asked: Any) -> None:
        """See that something fails without waiting for anything."""
        self.failureResultOf(Deferred.fromCoroutine(asked), StoreError)


class KeyTests(StoreCase):
    """What is under which key."""

    async def test_prefix(self) -> None:
        """All keys begin as the option says; what others have on the server is left alone."""
        server = shared()
        one, other = (self.store(options_of(server, key_prefix=prefix)) for prefix in ("own*:", "own"))
        await one.put("a", b"1", 60.0)
        await other.put("x", b"2", 60.0)
        self.assertEqual(server.command("GET", "own*:a"), b"1")
        self.assertEqual(list(await one.keys("")), ["a"])
        self.assertEqual(sorted(await other.keys("")), ["*:a", "x"])
        self.assertIsNone(await one.get("x"))

    async def test_ttl(self) -> None:
        """The server has the time to live, to the millisecond, the shortest and longest too."""
        server = shared()
        options = options_of(server)
        store = self.store(options)
        for ttl, least, most in ((90.5, 90_500, 90_500), (1e-9, -2, 1), (1e30, 10**12, 10**13)):
            for write in (partial(store.put, "a"), partial(self.replaced, store)):
                began = runtime().clock.seconds()
                await write(b"1", ttl)
                left = server.command("PTTL", f"{options.key_prefix}a")
                passed = 1000 * (runtime().clock.seconds() - began) + 1
                self.assertTrue(least - passed <= left <= most, (ttl, left, passed))

    async def replaced(self, store: Any, value: bytes, ttl: float) -> None:
        """Put a value in the place of what there is."""
        self.assertTrue(await store.replace("a", value, ttl, await store.get("a")))

    async def test_wrong_type(self) -> None:
        """A key that holds something else is nothing, and is overwritten."""
        server = shared()
        options = options_of(server)
        store = self.store(options)
        for fill in (("RPUSH", "1"), ("HSET", "a", "1"), ("SADD", "1"), ("ZADD", "1", "a"),
                     ("XADD", "*", "a", "1")):
            for write in (lambda: store.put("a", b"1", 60.0),
                          lambda: store.replace("a", b"1", 60.0, None)):
                server.command("DEL", f"{options.key_prefix}a")
                server.command(fill[0], f"{options.key_prefix}a", *fill[1:])
                self.assertIsNone(await store.get("a"))
                self.assertFalse(await store.replace("a", b"2", 60.0, b"1"))
                self.assertTrue(await write())
                self.assertEqual(await store.get("a"), b"1")
            server.command("DEL", f"{options.key_prefix}a")
            server.command(fill[0], f"{options.key_prefix}a", *fill[1:])
            self.assertEqual(list(await store.keys("")), ["a"])
            self.assertEqual(await store.delete(["a"]), 1)

    async def test_no_text(self) -> None:
        """Foreign keys that are no text are passed over."""
        server = shared()
        options = options_of(server)
        store = self.store(options)
        server.command("SET", options.key_prefix.encode() + b"\xff", "1")
        await store.put("\ud800", b"1", 60.0)
        self.assertEqual(list(await store.keys("")), ["\ud800"])

    async def test_many(self) -> None:
        """Thousands of keys are put at a time, named, and deleted in batches."""
        store = self.store(options_of(shared()))
        keys = [f"k{number}" for number in range(5000)]
        await gatherResults([Deferred.fromCoroutine(store.put(key, key.encode(), 60.0))
                             for key in keys])
        self.assertEqual(sorted(await store.keys("k")), sorted(keys))
        self.assertEqual(await store.delete([*keys, *keys]), len(keys))
        self.assertEqual(list(await store.keys("")), [])

    async def test_large_at_once(self) -> None:
        """Many values of a mebibyte are on their way at a time, each to where it belongs."""
        store = self.store(options_of(shared(), pool_size=3))
        values = [bytes([number]) * (1 << 20) for number in range(40)]
        await gatherResults([Deferred.fromCoroutine(store.put(f"{number}", value, 60.0))
                             for number, value in enumerate(values)])
        found = await gatherResults([Deferred.fromCoroutine(store.get(f"{number}"))
                                     for number in range(40)])
        self.assertEqual(found, values)

    async def test_scripts_forgotten(self) -> None:
        """A server that has forgotten the script is told it again."""
        store = self.store(options_of(shared()))
        self.assertTrue(await store.replace("a", b"1", 60.0, None))
        shared().command("SCRIPT", "FLUSH")
        self.assertTrue(await store.replace("a", b"2", 60.0, b"1"))


class SecurityTests(StoreCase):
    """TLS and users."""

    @classmethod
    def setUpClass(cls) -> None:
        """One server for all."""
        cls.secure = Secure(directory_until_exit())

    @classmethod
    def tearDownClass(cls) -> None:
        """End it."""
        cls.secure.server.stop()

    def options(self, **more: Any) -> RedisOptions:
        """:return: with which the server can be used."""
        return RedisOptions(**{
            **PATIENT, "endpoint": f"localhost:{self.secure.tls_port}", "use_tls": True,
            "tls_ca_paths": (str(self.secure.ca),), "username": "trickster",
            "password": PASSWORD, **more})

    async def test_works(self) -> None:
        """A user with the rights that the documentation names does everything, over TLS."""
        for more in ({}, {"tls_client_cert_path": str(self.secure.client[0]),
                          "tls_client_key_path": str(self.secure.client[1])},
                     {"endpoint": f"127.0.0.1:{self.secure.tls_port}",
                      "tls_server_name": "localhost"}):
            with capturedLogs() as events:
                store = self.store(self.options(**more))
                await store.put("a", b"x" * (1 << 20), 60.0)
                await until(partial(self.is_told, store))
                self.assertTrue(await store.replace("a", b"2", 60.0, await store.get("a")))
                self.assertEqual(list(await store.keys("")), ["a"])
                self.assertEqual(await store.delete(["a"]), 1)
            self.assertEqual(events, [])

    @staticmethod
    def is_told(store: Any) -> bool:
        """:return: whether the server tells the store what changes."""
        return bool(store._servers.node_of(b"").tracking.is_live)

    async def test_not_verified(self) -> None:
        """A server that cannot be verified is not used, whatever else is right."""
        for more, why in (({"tls_ca_paths": ()}, "certificate"),
                          ({"tls_ca_paths": (str(self.secure.stranger),)}, "certificate"),
                          ({"endpoint": f"127.0.0.1:{self.secure.tls_port}"}, "match")):
            store = self.store(self.options(**more))
            error = await self.failing(store.put("a", b"1", 60.0))
            self.assertIn(why, str(error).lower())

    async def test_skipped(self) -> None:
        """Verification is left out only where that is asked for."""
        store = self.store(self.options(tls_ca_paths=(), tls_insecure_skip_verify=True,
                                        endpoint=f"127.0.0.1:{self.secure.tls_port}"))
        self.assertTrue(await store.put("a", b"1", 60.0))

    async def test_no_tls(self) -> None:
        """Plain connections to a port with TLS, and the other way, come to nothing, soon."""
        for more in ({"use_tls": False, "tls_ca_paths": ()},
                     {"endpoint": self.secure.server.endpoint}):
            store = self.store(self.options(**more, dial_timeout=1.0))
            await self.failing(store.get("a"))

    async def test_wrong_password(self) -> None:
        """Who is not known is told so, loudly, and without the password."""
        for more, code in (({"password": "wr0ng"}, "WRONGPASS"),
                           ({"username": "", "password": ""}, "NOAUTH"),
                           ({"username": "nobody", "password": "wr0ng"}, "WRONGPASS")):
            with capturedLogs() as events:
                error = await self.failing(self.store(self.options(**more)).get("a"))
            self.assertIn(code, str(error))
            self.assertIn(code, events[0]["why"])
            self.assertNotIn("wr0ng", f"{error} {events}")

    async def test_not_permitted(self) -> None:
        """What a user may not do fails with the reason."""
        store = self.store(self.options(key_prefix="others:"))
        error = await self.failing(store.put("a", b"1", 60.0))
        self.assertIn("NOPERM", str(error))


class OutageTests(StoreCase):
    """Servers that are not there, hang, are full or forget."""

    async def test_not_there(self) -> None:
        """A server that is not there keeps no store from starting, is told, and used later."""
        server = self.server()
        server.kill()
        with capturedLogs() as events:
            store = self.store(options_of(server))
            await self.failing(store.get("a"))
            for _ in range(50):
                self.failing_at_once(store.get("a"))
            self.assertEqual(len(events), 1)
            server.start()
            await until(lambda: store.put("a", b"1", 60.0))
        self.assertEqual([event["log_level"].name for event in events], ["error", "info"])

    async def test_killed_under_load(self) -> None:
        """
        Killed and started again under load: no wrong value, nothing waits for an answer that will
        not come, and work goes on by itself.
        """
        server = self.server()
        store = self.store(options_of(server))
        wrong: list[Any] = []
        is_over = False
        slowest, done, failed = 0.0, 0, 0

        async def work(name: str) -> None:
            nonlocal slowest, done, failed
            for number in itertools.count():
                began = runtime().clock.seconds()
                try:
                    await store.put(name, b"%d" % number, 600.0)
                    found = await store.get(name)
                    if found not in (None, b"%d" % number):
                        wrong.append((name, number, found))
                    done += 1
                except StoreError:
                    failed += 1
                    await deferLater(runtime().clock, 0.005)
                slowest = max(slowest, runtime().clock.seconds() - began)
                if is_over:
                    return

        async def more(count: Callable[[], int]) -> None:
            least = count() + 200
            await until(lambda: count() >= least)

        workers = [Deferred.fromCoroutine(work(f"k{number}")) for number in range(20)]
        for _ in range(3):
            await more(lambda: done)
            server.kill()
            await more(lambda: failed)
            server.start()
        await more(lambda: done)
        is_over = True
        await gatherResults(workers)
        self.assertEqual(wrong, [])
        self.assertLess(slowest, PATIENCE)

    async def test_hung(self) -> None:
        """A hung server costs the time for one answer; then all fails at once until it goes on."""
        server = self.server()
        store = self.store(options_of(server, read_timeout=2.0, min_idle_conns=3))
        await store.put("a", b"1", 600.0)
        server.pause()
        try:
            await self.failing(store.get("a"))
            await until(lambda: store._servers.node_of(b"").error)
            for _ in range(20):
                self.failing_at_once(store.get("a"))
        finally:
            server.resume()
        await until(lambda: store.get("a"))
        self.assertEqual(await store.get("a"), b"1")

    async def test_hung_while_writing(self) -> None:
        """A server that hangs while a large value is written costs no more than its timeouts."""
        server = self.server()
        store = self.store(options_of(server, write_timeout=2.0))
        await store.put("a", b"1", 600.0)
        server.pause()
        try:
            await gatherResults([
                Deferred.fromCoroutine(self.failing(store.put("b", b"x" * (8 << 20), 60.0)))
                for _ in range(4)])
        finally:
            server.resume()
        await until(lambda: store.get("a"))

    async def test_full(self) -> None:
        """What a full server refuses is told; what it has can be read and deleted."""
        server = self.server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
        store = self.store(options_of(server))
        await store.put("a", b"1", 60.0)
        with self.assertRaises(StoreError) as caught:
            for number in range(10_000):
                await store.put(f"b{number}", b"x" * 1000, 60.0)
        self.assertIn("OOM", str(caught.exception))
        error = await self.failing(store.replace("a", b"2", 60.0, b"1"))
        self.assertIn("OOM", str(error))
        self.assertEqual(await store.get("a"), b"1")
        self.assertGreater(await store.delete(await store.keys("b")), 0)
        self.assertTrue(await store.put("a", b"2", 60.0))

    async def test_read_only(self) -> None:
        """A server that has become a replica refuses to write, with the reason."""
        server, other = self.server(), self.server()
        store = self.store(options_of(server))
        await store.put("a", b"1", 60.0)
        server.command("REPLICAOF", "127.0.0.1", other.port)
        error = await self.failing(store.put("a", b"2", 60.0))
        self.assertIn("READONLY", str(error))
        server.command("REPLICAOF", "NO", "ONE")
        self.assertTrue(await store.put("a", b"2", 60.0))

    async def test_retried(self) -> None:
        """With retries, a moment's outage costs no operation its result."""
        server = self.server()
        store = self.store(options_of(server, max_retries=100, min_retry_backoff=0.05))
        await store.put("a", b"1", 60.0)
        server.kill()
        put = Deferred.fromCoroutine(store.put("a", b"2", 60.0))
        await deferLater(runtime().clock, 0.3)
        server.start()
        self.assertTrue(await put)

    async def test_flushed(self) -> None:
        """What is flushed is nothing."""
        server = self.server()
        store = self.store(options_of(server))
        await store.put("a", b"1", 60.0)
        server.command("FLUSHALL")
        self.assertIsNone(await store.get("a"))
        self.assertFalse(await store.replace("a", b"2", 60.0, b"1"))

    async def test_dropped_by_server(self) -> None:
        """A server that ends connections, which nothing is on, costs no operation its result."""
        server = self.server()
        store = self.store(options_of(server))
        for number in range(20):
            self.assertTrue(await store.put("a", b"%d" % number, 60.0))
            before = self.connections(store)
            await deferLater(runtime().clock, 0.06)
            server.command("CLIENT", "KILL", "TYPE", "normal")
            await until(lambda before=before: not before & self.connections(store))

    @staticmethod
    def connections(store: Any) -> set[Any]:
        """:return: those that take commands."""
        return set(store._servers.node_of(b"")._pool._ready)

    async def test_options(self) -> None:
        """A store tells how long an operation may take at most."""
        options = RedisOptions(read_timeout=1.0, write_timeout=2.0, pool_timeout=3.0)
        self.assertEqual(store_of(options).timeout, 6.0)
        retried = evolve(options, max_retries=2, max_retry_backoff=0.5)
        self.assertEqual(store_of(retried).timeout, 19.0)
