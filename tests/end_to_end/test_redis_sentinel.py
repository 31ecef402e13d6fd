"""The store C{redis} behind real Sentinels, which name another master when one fails."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tests.end_to_end.redises import (
    PASSWORD,
    PATIENT,
    Secure,
    directory_until_exit,
    pass_time,
    runtime,
    store_of,
)
from tests.end_to_end.sentinels import Group
from tests.end_to_end.servers import Server, free_port, program
from tests.end_to_end.waiting import PATIENCE, until
from trickster.errors import StoreError
from trickster.stores.redis.options import RedisOptions
from trickster.testing.stores import cache_store_contract, compare_and_set_contract


class GroupTests(cache_store_contract(  # type: ignore[misc]
        lambda _: store_of(GroupTests.group.options()), pass_time),
        compare_and_set_contract(lambda _: store_of(GroupTests.group.options()), pass_time),
        TestCase):
    """A group in which nothing fails."""

    timeout = 4 * PATIENCE
    group: Group

    @classmethod
    def setUpClass(cls) -> None:
        """One group for all."""
        cls.group = Group()

    @classmethod
    def tearDownClass(cls) -> None:
        """End it."""
        cls.group.stop()

    async def ready(self) -> Any:
        """:return: a store that knows the master: Sentinels may have no time to name it at once."""
        store = await super().ready()
        await until(lambda: store.put("ready", b"", 600.0))
        await store.delete(["ready"])
        return store

    async def test_wrong(self) -> None:
        """A master that no Sentinel knows, and passwords that are wrong, are told."""
        for more, why in (({"sentinel_master": "theirs"}, "No such master"),
                          ({"sentinel_password": "wr0ng"}, "WRONGPASS"),
                          ({"password": "wr0ng"}, "WRONGPASS"),
                          ({"endpoints": ("127.0.0.1:1",)}, "refused")):
            store = self.started(store_of(self.group.options(**more)))
            await until(partial(self.is_told, store, why))

    async def is_told(self, store: Any, why: str) -> bool:
        """:return: whether a store, which cannot be used, says why, and no password."""
        with self.assertRaises(StoreError) as caught:
            await store.put("a", b"1", 60.0)
        self.assertNotIn("wr0ng", str(caught.exception))
        return why in str(caught.exception)

    async def test_one_sentinel(self) -> None:
        """Of several Sentinels, one that answers is enough."""
        ends = ("127.0.0.1:1", self.group.sentinels[2].endpoint, "127.0.0.1:2")
        store = self.started(store_of(self.group.options(endpoints=ends)))
        await until(lambda: store.put("a", b"1", 60.0))


class SecureTests(TestCase):
    """A master and a Sentinel that both speak TLS."""

    timeout = 4 * PATIENCE

    async def test_tls(self) -> None:
        """Both are verified; where either cannot be, nothing is kept."""
        secure = Secure(directory_until_exit())
        self.addCleanup(secure.server.stop)
        directory = secure.ca.parent
        port = free_port()
        file = directory / "sentinel.conf"
        file.write_text("\n".join([
            "port 0", f"tls-port {port}", "bind 127.0.0.1", f"dir {directory}",
            f"tls-cert-file {directory}/server.pem", f"tls-key-file {directory}/server.key",
            f"tls-ca-cert-file {secure.ca}", "tls-auth-clients no", "tls-replication yes",
            f"sentinel monitor ours 127.0.0.1 {secure.tls_port} 1",
            f"sentinel auth-pass ours {PASSWORD}", ""]))
        sentinel = Server([program("redis-server"), str(file), "--sentinel"], directory / "log")
        self.addCleanup(sentinel.stop)
        options = RedisOptions(
            **PATIENT, client_type="sentinel", sentinel_master="ours", endpoints=(f"127.0.0.1:{port}",),
            username="trickster", password=PASSWORD, use_tls=True, tls_server_name="localhost",
            tls_ca_paths=(str(secure.ca),), max_retries=100)
        store = store_of(options)
        store.startService()
        self.addCleanup(store.stopService)
        self.assertTrue(await store.put("a", b"1", 60.0))
        for more in ({"tls_ca_paths": (str(secure.stranger),)}, {"tls_server_name": "other"},
                     {"use_tls": False, "tls_ca_paths": (), "tls_server_name": ""}):
            wrong = store_of(evolve(options, max_retries=0, **more))
            wrong.startService()
            self.addCleanup(wrong.stopService)
            with self.assertRaises(StoreError):
                await wrong.put("a", b"1", 60.0)


class FailoverTests(TestCase):
    """A master that fails."""

    timeout = 10 * PATIENCE

    async def test_failover(self) -> None:
        """A master that is killed under load: the next one is used once it is named."""
        group = Group(fails=True)
        self.addCleanup(group.stop)
        clock = runtime().clock
        store = store_of(group.options())
        store.startService()
        self.addCleanup(store.stopService)
        wrong: list[Any] = []
        done, slowest, is_over = 0, 0.0, False

        async def work(name: str) -> None:
            nonlocal done, slowest
            for number in itertools.count():
                if is_over:
                    return
                began = clock.seconds()
                try:
                    await store.put(name, b"%d" % number, 600.0)
                    found = await store.get(name)
                    if found not in (None, b"%d" % number):
                        wrong.append((name, number, found))
                    done += 1
                except StoreError:
                    await deferLater(clock, 0.01)
                slowest = max(slowest, clock.seconds() - began)

        async def more() -> None:
            least = done + 100
            await until(lambda: done >= least)

        workers = [Deferred.fromCoroutine(work(f"k{number}")) for number in range(10)]
        await more()
        with capturedLogs() as events:
            group.master.kill()
            await until(lambda: any(
                sentinel.named() == group.replica.port for sentinel in group.sentinels))
            await more()
        # What goes on is told once, and not for each of the commands that fail.
        texts = [formatEvent(event) for event in events]
        self.assertLess(len(texts), 12, texts)
        # What was the master comes back as a replica, and is not written to.
        group.master.start()
        await until(lambda: b"role:slave" in group.ask(group.master, "INFO"))
        await more()
        is_over = True
        await gatherResults(workers)
        self.assertEqual(wrong, [])
        self.assertLess(slowest, PATIENCE)

    async def test_planned(self) -> None:
        """A failover that an operator asks for is followed as well."""
        group = Group()
        self.addCleanup(group.stop)
        options = group.options()
        store = store_of(options)
        store.startService()
        self.addCleanup(store.stopService)
        await store.put("a", b"1", 600.0)
        # It may know of the replica, and not yet that it is well; and that may not have it all.
        await until(lambda: group.ask(
            group.replica, "GET", f"{options.key_prefix}a") == b"1")
        await until(lambda: group.sentinels[0].command(
            "SENTINEL", "FAILOVER", "ours", auth=["sent1nel"]) == b"OK")
        await until(lambda: store._servers.node_of(b"").address.port == group.replica.port)
        await until(lambda: store.put("b", b"2", 600.0))
        self.assertEqual(await store.get("a"), b"1")
