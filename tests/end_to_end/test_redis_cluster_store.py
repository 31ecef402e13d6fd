"""The store C{redis} on a cluster of real servers: the contracts, and Trickster over it."""

from __future__ import annotations

import itertools
import socket
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.end_to_end.clusters import RedisCluster
from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.redises import (
    PATIENT,
    Redis,
    directory_until_exit,
    kept,
    pass_time,
    store_of,
)
from tests.end_to_end.servers import Trickster, fetch
from tests.end_to_end.waiting import PATIENCE, eventually
from trickster.errors import StoreError
from trickster.stores.redis.cluster.slots import slot_of
from trickster.stores.redis.options import RedisOptions
from trickster.testing.stores import cache_store_contract, compare_and_set_contract

_numbers = itertools.count()


@cache
def shared() -> RedisCluster:
    """:return: a cluster for all tests of this process that do it no harm."""
    cluster: RedisCluster = kept(RedisCluster(
        directory_until_exit(), options=("--cluster-require-full-coverage", "no")))
    return cluster


def make(_: Any) -> Any:
    """:return: a store that sees no other one's entries."""
    return store_of(RedisOptions(
        **PATIENT, client_type="cluster", endpoints=tuple(shared().endpoints),
        key_prefix=f"test{next(_numbers)}:"))


def nowhere(_: Any) -> Any:
    """:return: a store whose servers are not there."""
    return store_of(RedisOptions(client_type="cluster", endpoints=("127.0.0.1:1", "[::1]:1")))


class ContractTests(cache_store_contract(make, pass_time, nowhere),  # type: ignore[misc]
                    compare_and_set_contract(make, pass_time), TestCase):
    """The contracts, on three servers."""

    timeout = 4 * PATIENCE

    async def test_spread(self) -> None:
        """Keys are on all servers, and are found, deleted and counted on all of them."""
        store: Any = await self.ready()
        keys = [f"{{{number}}}" for number in range(200)] + [f"{number}" for number in range(200)]
        for key in keys:
            await store.put(key, b"1", 60.0)
        self.assertEqual(sorted(await store.keys("")), sorted(keys))
        self.assertTrue(all(node.command("DBSIZE") > 0 for node in shared().masters))
        self.assertEqual(await store.delete([*keys, "not there"]), len(keys))

    async def test_wrong_type(self) -> None:
        """A key that holds something else is nothing, and is overwritten."""
        prefix = f"test{next(_numbers)}:"
        store = self.started(store_of(RedisOptions(
            **PATIENT, client_type="cluster", endpoints=tuple(shared().endpoints), key_prefix=prefix)))
        name = f"{prefix}a"
        shared().owner(slot_of(name.encode())).command("RPUSH", name, "1")
        self.assertIsNone(await store.get("a"))
        self.assertTrue(await store.put("a", b"1", 60.0))
        self.assertEqual(await store.get("a"), b"1")

    async def test_no_cluster(self) -> None:
        """Where a server is of no cluster, that is said."""
        server = Redis(directory_until_exit())
        self.addCleanup(server.stop)
        store = self.started(store_of(RedisOptions(client_type="cluster",
                                                   endpoints=(server.endpoint,))))
        with self.assertRaisesRegex(StoreError, "cluster support disabled"):
            await store.get("a")


class TricksterTests(SynchronousTestCase):
    """Two processes over one cluster."""

    cluster: ClassVar[RedisCluster]
    origin: ClassVar[ScriptedOrigin]
    root: ClassVar[tempfile.TemporaryDirectory[str]]

    @classmethod
    def setUpClass(cls) -> None:
        """Have an origin of objects that may be kept, and a cluster of its own."""
        cls.root = tempfile.TemporaryDirectory()
        cls.asked: list[bytes] = []
        cls.origin = ScriptedOrigin(cls.answer)
        cls.cluster = RedisCluster(Path(cls.root.name) / "cluster",
                                   options=("--cluster-require-full-coverage", "no"))

    @classmethod
    def tearDownClass(cls) -> None:
        """End them."""
        cls.cluster.stop()
        cls.origin.stop()
        cls.root.cleanup()

    @classmethod
    def answer(cls, client: socket.socket, head: bytes) -> None:
        """Answer with what may be kept for a minute: the path."""
        path = head.split(b" ")[1]
        cls.asked.append(path)
        client.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n"
                       b"Content-Length: %d\r\n\r\n%s" % (len(path), path))

    def started(self) -> Trickster:
        """:return: a process that keeps what it has in the cluster."""
        # One server is enough to find the others.
        caches = {"default": {"provider": "redis", "redis": {
            "client_type": "cluster", "endpoints": self.cluster.endpoints[:1],
            **{name: f"{seconds:g}s" for name, seconds in PATIENT.items()}}}}
        trickster = Trickster(
            Path(tempfile.mkdtemp(dir=self.root.name)),
            {"web": {"provider": "reverseproxycache", "origin_url": self.origin.url}},
            {"caches": caches})
        self.addCleanup(trickster.stop)
        return trickster

    def asked_of(self, trickster: Trickster, paths: list[str]) -> list[str]:
        """:return: for each path, what came of it; the answers are the right ones."""
        answers = [fetch(trickster.url + path, headers={"Host": "a.example"}) for path in paths]
        self.assertEqual([answer.body.decode() for answer in answers], paths)
        return ["store-error" if "reason=store-error" in answer.result else answer.lookup
                for answer in answers]

    def kept_in(self, trickster: Trickster, paths: list[str]) -> None:
        """Have answers kept: they are written after they have been sent."""
        self.asked_of(trickster, paths)
        eventually(lambda: set(self.asked_of(trickster, paths)) == {"hit"})

    def test_shared(self) -> None:
        """What one process has kept is a hit in the other."""
        one, other = self.started(), self.started()
        paths = [f"/shared/{number}" for number in range(20)]
        self.kept_in(one, paths)
        self.assertEqual(self.asked_of(other, paths), ["hit"] * 20)

    def test_moved(self) -> None:
        """While slots are moved under load, hits are hits, and answers right."""
        trickster = self.started()
        paths = [f"/moved/{number}" for number in range(30)]
        self.kept_in(trickster, paths)
        first, second = self.cluster.masters[:2]
        moving = threading.Thread(target=self.move_all, args=(first, second))
        moving.start()
        seen: set[str] = set()
        while moving.is_alive():
            seen.update(self.asked_of(trickster, paths))
        moving.join()
        seen.update(self.asked_of(trickster, paths))
        self.assertEqual(seen, {"hit"})
        self.assertEqual(first.command("DBSIZE"), 0)
        self.move_all(second, first)

    def move_all(self, source: Any, to: Any) -> None:
        """Move all slots that have keys from one server to another."""
        for slot in sorted(set(map(slot_of, source.command("KEYS", "*")))):
            self.cluster.move(slot, to)

    def test_one_away(self) -> None:
        """While one server is away, its entries are misses at once, and the others' are hits."""
        trickster = self.started()
        paths = [f"/away/{number}" for number in range(30)]
        self.kept_in(trickster, paths)
        gone = self.cluster.masters[2]
        gone.kill()
        self.addCleanup(self.cluster.settle)
        self.addCleanup(gone.start)
        self.asked_of(trickster, paths)
        before = time.monotonic()
        found = [self.asked_of(trickster, paths) for _ in range(3)]
        self.assertLess(time.monotonic() - before, PATIENT["dial_timeout"])
        for each in found:
            self.assertEqual(each, found[0])
        self.assertEqual(set(found[0]), {"hit", "store-error"})
        self.assertGreater(found[0].count("hit"), 8)
        health = fetch(f"{trickster.metrics_url}/trickster/health").body
        self.assertIn(b"cache default is failing", health)
        gone.start()
        self.cluster.settle()
        eventually(lambda: set(self.asked_of(trickster, paths)) == {"hit"})

    def test_emptied(self) -> None:
        """What one server has forgotten is fetched and kept again."""
        trickster = self.started()
        paths = [f"/emptied/{number}" for number in range(30)]
        self.kept_in(trickster, paths)
        self.cluster.masters[0].command("FLUSHALL")
        self.assertNotIn("store-error", self.asked_of(trickster, paths))
        eventually(lambda: set(self.asked_of(trickster, paths)) == {"hit"})
