"""What the store C{redis} tells at once, on real servers: never what another process has replaced."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from tests.end_to_end.clusters import RedisCluster
from tests.end_to_end.redises import (
    PATIENT,
    Redis,
    directory_until_exit,
    pass_time,
    runtime,
    shared,
    store_of,
)
from tests.end_to_end.waiting import PATIENCE, until
from trickster.errors import StoreError
from trickster.stores.redis.cluster.slots import slot_of
from trickster.stores.redis.options import RedisOptions
from trickster.stores.sealed import chunk_key, seal
from trickster.testing.stores import peeking_store_contract

_numbers = itertools.count()


def options_of(server: Redis, **more: Any) -> RedisOptions:
    """:return: for a store that sees no other one's entries, and does not fail for being slow."""
    return RedisOptions(**{**PATIENT, "endpoint": server.endpoint,
                           "key_prefix": f"peek{next(_numbers)}:", **more})


def is_told(store: Any) -> bool:
    """:return: whether a server tells the store which values change."""
    node = store._servers.node_of(b"")
    return node is not None and node.tracking.is_live


class ContractTests(peeking_store_contract(  # type: ignore[misc]
        lambda _: store_of(options_of(shared())), pass_time), TestCase):
    """The contract."""

    timeout = 4 * PATIENCE

    async def ready(self) -> Any:
        """:return: a store that is told what changes, as it is soon after it was started."""
        store = await super().ready()
        await until(lambda: is_told(store))
        return store


class PeekCase(TestCase):
    """Starts stores."""

    timeout = 10 * PATIENCE

    def server(self, *options: str) -> Redis:
        """:return: a server of its own."""
        server = Redis(directory_until_exit(), options)
        self.addCleanup(server.stop)
        return server

    async def store(self, options: RedisOptions) -> Any:
        """:return: a store that is told what changes."""
        store = store_of(options)
        store.startService()
        self.addCleanup(store.stopService)
        await until(lambda: is_told(store))
        return store

    async def read(self, store: Any, key: str, value: bytes) -> None:
        """Have a store know how a value begins, once the news of its changes have come."""
        await until(partial(self.tells, store, key, value))

    async def tells(self, store: Any, key: str, value: bytes) -> bool:
        """:return: whether a store, which has read a value, tells how it begins."""
        self.assertEqual(await store.get(key), value)
        begins = store.peek(key, 20)
        self.assertIn(begins, (None, value[:20]))
        return begins is not None

    async def heard_all(self, store: Any, name: str, change: Callable[[], Any]) -> None:
        """
        Return once a store has heard of all changes up to now: their news come in order.

        :param name: of a value that is there, for this alone.
        :param change: changes it.
        """
        await until(partial(self.known, store, name))
        change()
        await until(lambda: store.peek(name, 20) is None)

    @staticmethod
    async def known(store: Any, name: str) -> bool:
        """:return: whether a store, which has read a value, tells how it begins."""
        await store.get(name)
        return store.peek(name, 20) is not None


class ChangeTests(PeekCase):
    """What changes is not told any more."""

    async def test_other_instance(self) -> None:
        """What one instance replaces or deletes, another one does not tell, once it hears of it."""
        options = options_of(shared())
        one, other = await self.store(options), await self.store(options)
        for change in (lambda: one.put("a", b"2", 60.0),
                       lambda: one.replace("a", b"2", 60.0, b"1"),
                       lambda: one.delete(["a"])):
            await one.put("a", b"1", 600.0)
            await self.read(other, "a", b"1")
            await change()
            await until(lambda: other.peek("a", 20) is None)

    async def test_foreign_changes(self) -> None:
        """So it is with what a stranger changes, or FLUSHALL, or the lack of memory removes."""
        server = self.server()
        options = options_of(server)
        store, key = await self.store(options), f"{options.key_prefix}a"
        for change in (("SET", key, "2"), ("APPEND", key, "2"), ("DEL", key), ("RENAME", key, "x"),
                       ("FLUSHALL",), ("FLUSHDB",), ("PEXPIRE", key, "1")):
            await store.put("a", b"1", 600.0)
            await self.read(store, "a", b"1")
            server.command(*change)
            await until(lambda: store.peek("a", 20) is None)
        await store.put("a", b"1", 600.0)
        await self.read(store, "a", b"1")
        server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        server.command("CONFIG", "SET", "maxmemory", "1")
        await until(lambda: store.peek("a", 20) is None)

    async def test_expired(self) -> None:
        """What has expired is not told, also where the server has not removed it yet."""
        server = self.server("--enable-debug-command", "yes")
        server.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        store = await self.store(options_of(server))
        await until(partial(self.is_told_in_time, store))
        # Redis counts whole milliseconds, and gives a value until its last one is over.
        await until(partial(self.is_gone, store))

    @staticmethod
    async def is_gone(store: Any) -> bool:
        """:return: whether the server gives the value no more."""
        return await store.get("a") is None

    async def is_told_in_time(self, store: Any) -> bool:
        """:return: whether a value was told before its time was over; afterwards it is not."""
        clock = runtime().clock
        await store.put("a", b"1", 1.0)
        latest, found = clock.seconds() + 1.0, 0
        while clock.seconds() < latest:
            found += await self.known(store, "a")
            await deferLater(clock, 0.01)
        self.assertIsNone(store.peek("a", 20))
        return found > 0

    async def test_lost(self) -> None:
        """While the server is not there or hangs, nothing is told; afterwards what it has then."""
        server = self.server()
        options = options_of(server)
        store = await self.store(options)
        await store.put("a", b"1", 600.0)
        await self.read(store, "a", b"1")
        server.kill()
        await until(lambda: store.peek("a", 20) is None)
        server.start()
        await until(lambda: is_told(store))
        self.assertIsNone(store.peek("a", 20))
        await until(lambda: store.put("a", b"2", 600.0))
        await self.read(store, "a", b"2")
        server.pause()
        try:
            await until(lambda: store.peek("a", 20) is None)
        finally:
            server.resume()

    async def test_stopped(self) -> None:
        """A store that is stopped tells nothing."""
        store = await self.store(options_of(shared()))
        await store.put("a", b"1", 60.0)
        await self.read(store, "a", b"1")
        await store.stopService()
        self.assertIsNone(store.peek("a", 20))

    async def test_under_load(self) -> None:
        """
        Two instances that write and read the same keys never tell what has been replaced, once
        they have heard of all that was changed by then.
        """
        server = shared()
        options = options_of(server)
        stores = [await self.store(options), await self.store(options)]
        latest: dict[str, int] = {}
        stale: list[Any] = []
        peeked = 0
        clock = runtime().clock
        is_over = False

        def touch(name: str) -> None:
            server.command("SET", f"{options.key_prefix}{name}", "1", "PX", 600_000)

        async def look(store: Any, key: str, name: str) -> None:
            least = latest[key]
            await self.heard_all(store, name, partial(touch, name))
            found = store.peek(key, 20)
            if found is not None and int(found) < least:
                stale.append((key, found, least))

        async def write(number: int) -> None:
            for count in itertools.count():
                if is_over:
                    return
                key = f"k{count % 5}-{number}"
                await stores[count % 2].put(key, b"%010d" % count, 600.0)
                latest[key] = count
                await deferLater(clock, 0.03)

        async def read(number: int) -> None:
            nonlocal peeked
            name = f"heard{next(_numbers)}"
            touch(name)
            for count in itertools.count():
                if is_over:
                    return
                store, key = stores[(count // 5) % 2], f"k{count % 5}-{number}"
                found = store.peek(key, 20)
                if found is None:
                    await store.get(key)
                else:
                    peeked += 1
                    if int(found) < latest.get(key, -1):
                        await look(store, key, name)
                await deferLater(clock, 0.001)

        workers = [Deferred.fromCoroutine(work(number)) for work in (write, read, read)
                   for number in range(3)]
        await deferLater(clock, 4.0)
        await until(lambda: peeked > 20)
        is_over = True
        await gatherResults(workers)
        touch("end")
        for store, key in itertools.product(stores, latest):
            await look(store, key, "end")
        self.assertEqual(stale, [])


class ClusterTests(PeekCase):
    """Each server of a cluster tells of its own keys."""

    async def test_cluster(self) -> None:
        """What another instance changes is not told, on whichever server it is, nor once it moves."""
        cluster = RedisCluster(directory_until_exit())
        self.addCleanup(cluster.stop)
        options = RedisOptions(**PATIENT, client_type="cluster", key_prefix="p:",
                               endpoints=tuple(cluster.endpoints))
        one, other = store_of(options), store_of(options)
        keys = [f"{number}" for number in range(60)]
        for store in (one, other):
            store.startService()
            self.addCleanup(store.stopService)
            for key in keys:
                await store.get(key)
            await until(partial(self.is_told_by_all, store, keys))
        await until(partial(self.are_told_apart, one, other, keys))
        slot = slot_of(f"p:{keys[30]}".encode())
        source = cluster.owner(slot)
        to = next(node for node in cluster.masters if node is not source)
        await deferToThread(cluster.move, slot, to)
        await until(lambda: other.peek(keys[30], 20) is None)
        await one.put(keys[30], b"3", 600.0)
        await self.read(other, keys[30], b"3")

    async def are_told_apart(self, one: Any, other: Any, keys: list[str]) -> bool:
        """
        Have one instance change half of the values that another one knows.

        :return: whether the other one still knows the others: it does not where a server that had
            no time to tell was given up meanwhile, or where what was told came late.
        """
        for key in keys:
            await one.put(key, b"1", 600.0)
        await deferLater(runtime().clock, 0.1)
        for key in keys:
            await self.read(other, key, b"1")
        for key in keys[:30]:
            await one.put(key, b"2", 600.0)
        await until(lambda: not any(other.peek(key, 20) for key in keys[:30]))
        return all(other.peek(key, 20) == b"1" for key in keys[30:])

    @staticmethod
    def is_told_by_all(store: Any, keys: list[str]) -> bool:
        """:return: whether all servers tell a store what changes."""
        nodes = [store._servers.node_of(f"p:{key}".encode()) for key in keys]
        return all(node is not None and node.tracking.is_live for node in nodes)


class UntoldTests(PeekCase):
    """Servers that do not tell what changes."""

    async def test_not_permitted(self) -> None:
        """Where a user may not be told, nothing is told at once, and that is said once."""
        server = self.server()
        server.command("ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "-client|tracking")
        with capturedLogs() as events:
            store = store_of(options_of(server, username="u", password="p"))
            store.startService()
            self.addCleanup(store.stopService)
            await store.put("a", b"1", 60.0)
            self.assertEqual(await store.get("a"), b"1")
            await until(lambda: events)
            self.assertIsNone(store.peek("a", 20))
            await deferLater(runtime().clock, 0.5)
        (event,) = events
        self.assertIn("NOPERM", event["why"])

    async def test_use(self) -> None:
        """The server learns now and then that an entry is used that is only told at once."""
        server = self.server("--maxmemory-policy", "allkeys-lru")
        options = options_of(server)
        store = await self.store(options)
        sealed = seal([b"head", b"x" * 100_000]).placed((), 0.0, 600.0)
        (chunk,) = sealed.chunks
        await store.put("a", sealed.encoded(), 600.0)
        await store.put(chunk_key("a", chunk), b"x" * 100_000, 600.0)
        await until(partial(self.is_use_told, server, store, options.key_prefix, sealed.encoded()))

    async def is_use_told(self, server: Redis, store: Any, prefix: str, head: bytes) -> bool:
        """
        :return: whether the server knows of the use of an entry that was told at once; False where
            it was not, since a server that had no time to tell was given up meanwhile.
        """
        await self.read(store, "a", head)
        tracking = store._servers.node_of(b"").tracking
        for kept in tracking.beginnings._kept.values():
            kept.used -= 100.0
        keys = [key.decode() for key in server.command("KEYS", f"{prefix}*")]

        def idle() -> list[int]:
            return [server.command("OBJECT", "IDLETIME", key) for key in keys]

        # The server counts whole seconds of a clock that it looks at now and then.
        await until(lambda: min(idle()) >= 4)
        used = runtime().clock.seconds()
        if store.peek("a", 20) is None:
            return False
        await until(lambda: max(idle()) <= runtime().clock.seconds() - used + 2)
        return True

    async def test_failure(self) -> None:
        """A write that fails leaves nothing to be told of the value before."""
        server = self.server()
        store = await self.store(options_of(server))
        await store.put("a", b"1", 60.0)
        await self.read(store, "a", b"1")
        server.command("CONFIG", "SET", "maxmemory", "1")
        with self.assertRaises(StoreError):
            await store.put("a", b"2", 60.0)
        self.assertIsNone(store.peek("a", 20))
