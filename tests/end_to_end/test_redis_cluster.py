"""Redis Cluster, with real servers: slots that move under load, and servers that go away."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.end_to_end.clusters import RedisCluster, RedisNode, key_in
from tests.end_to_end.redises import PATIENT
from tests.end_to_end.waiting import PATIENCE, until
from trickster.errors import StoreError
from trickster.net.runtime import PluginRuntime
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.cluster import Cluster
from trickster.stores.redis.cluster.slots import slot_of
from trickster.stores.redis.commands import Commands
from trickster.stores.redis.connections.dialing import MakeTLS
from trickster.stores.redis.errors import NoAnswer
from trickster.stores.redis.node import Node
from trickster.stores.redis.settings import Credentials, Settings
from trickster.testing.certificates import Authority

_SCRIPT = b"return redis.call('GET', KEYS[1])"


@define(eq=False)
class Load:
    """
    Writes and reads keys, each again and again, and looks at what comes back.

    :ivar wrong: what was read and is not what was written.
    :ivar failed: what went wrong, by key.
    :ivar done: pairs of a write and a read.
    """

    cluster: Cluster
    keys: list[bytes]
    wrong: list[Any] = field(factory=list)
    failed: dict[bytes, list[str]] = field(factory=dict)
    done: Counter[bytes] = field(factory=Counter)
    slowest: float = 0.0
    is_over: bool = False
    _workers: list[Deferred[None]] = field(factory=list)

    def start(self) -> None:
        """Begin."""
        self._workers = [Deferred.fromCoroutine(self._work(key)) for key in self.keys]

    async def stop(self) -> None:
        """End, after what is under way."""
        self.is_over = True
        await gatherResults(self._workers, consumeErrors=True)

    async def until(self, pairs: int) -> None:
        """Return once each key was written and read so often from now on, or has failed."""
        before = Counter(self.done)
        while any(self.done[key] - before[key] < pairs for key in self.keys):
            await deferLater(reactor, 0.01)

    async def _work(self, key: bytes) -> None:
        number = 0
        while not self.is_over:
            number += 1
            value = b"%d" % number
            try:
                await self._pair(key, value)
            except StoreError as error:
                self.failed.setdefault(key, []).append(str(error))
                await deferLater(reactor, 0.02)
            self.done[key] += 1

    async def _pair(self, key: bytes, value: bytes) -> None:
        since = time.monotonic()
        await executed(self.cluster, b"SET", key, value, b"PX", b"600000")
        found = await executed(self.cluster, b"GET", key)
        self.slowest = max(self.slowest, time.monotonic() - since)
        if found != value:
            self.wrong.append((key, found, value))


async def executed(cluster: Cluster, *command: Any, key: bytes | None = None) -> Any:
    """:return: the reply to a command, about the key that is its first argument."""
    async def ask(server: Commands) -> Any:
        return await server.execute(*command)

    return await cluster.at(key or command[1], ask)


class ClusterCase(TestCase):
    """A cluster, and what is made of it by Trickster."""

    replicas = False
    options: ClassVar[tuple[str, ...]] = ()
    make_tls: MakeTLS | None = None
    root: ClassVar[tempfile.TemporaryDirectory[str]]
    servers: ClassVar[RedisCluster]
    timeout = 10 * PATIENCE

    @classmethod
    def setUpClass(cls) -> None:
        """Start the servers."""
        cls.root = tempfile.TemporaryDirectory()
        cls.servers = RedisCluster(Path(cls.root.name), 3, cls.replicas, cls.prepared())

    @classmethod
    def prepared(cls) -> tuple[str, ...]:
        """:return: options of the servers, which may need files."""
        return cls.options

    @classmethod
    def tearDownClass(cls) -> None:
        """End them."""
        cls.servers.stop()
        cls.root.cleanup()

    def endpoint(self) -> Address:
        """:return: of the first server."""
        return Address.parse(self.servers.masters[0].endpoint)

    def started(self, **settings: Any) -> Cluster:
        """:return: the cluster, from the first server; stopped after the test."""
        runtime = PluginRuntime(reactor, deferToThread, time.time, random.random)
        make = partial(Node.at, settings=Settings(**{**PATIENT, **settings}), runtime=runtime,
                       make_tls=self.make_tls)
        cluster = Cluster.of([self.endpoint()], make, runtime)
        cluster.start()
        self.addCleanup(cluster.stop)
        return cluster

    async def loaded(self, cluster: Cluster, keys: list[bytes]) -> Load:
        """:return: a load that runs, and ends before the cluster is stopped."""
        load = Load(cluster, keys)
        load.start()
        self.addCleanup(load.stop)
        await load.until(3)
        # The machine may be so busy that the map takes its time.
        load.failed.clear()
        return load

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """:return: what a function gives that blocks; the load goes on meanwhile."""
        return await deferToThread(function, *arguments)


class MovingTests(ClusterCase):
    """Slots that move while they are used."""

    async def test_slots(self) -> None:
        """Keys of any kind are where the servers say that they are."""
        for _ in range(300):
            key = random.randbytes(random.randrange(12)) + random.choice((b"", b"{a}", b"{", b"}{"))
            self.assertEqual(self.servers.masters[0].command("CLUSTER", "KEYSLOT", key),
                             slot_of(key))

    async def test_moved_under_load(self) -> None:
        """A slot whose keys are here and there, and one that has moved, cost no command its reply."""
        cluster = self.started()
        slot = 77
        keys = [key_in(slot, f"{{{key_in(slot)}}}{number}-").encode() for number in range(20)]
        elsewhere = [b"elsewhere-%d" % number for number in range(20)]
        load = await self.loaded(cluster, keys + elsewhere)
        to = self.servers.masters[1]
        source = await self.in_thread(self.servers.begin, slot, to)
        await load.until(20)
        # Half of the keys, one after the other, and then the others.
        for _ in range(10):
            await self.in_thread(self.servers.carry, slot, source, to, 1)
            await load.until(5)
        await self.in_thread(self.servers.end, slot, source, to)
        await load.until(20)
        await self.in_thread(self.servers.move, slot, source)
        await load.until(20)
        await load.stop()
        self.assertEqual((load.wrong, load.failed), ([], {}))
        errors = source.command("INFO", "errorstats") + to.command("INFO", "errorstats")
        self.assertIn(b"errorstat_ASK:", errors)
        self.assertIn(b"errorstat_MOVED:", errors)
        self.assertIs(self.servers.owner(slot), source)

    async def test_scripts(self) -> None:
        """A script that a server has never seen is missing there; it is told, and the script works."""
        cluster = self.started()
        slot, to = 78, self.servers.masters[2]
        key = key_in(slot).encode()
        sha = await executed(cluster, b"SCRIPT", b"LOAD", _SCRIPT, key=key)
        await executed(cluster, b"SET", key, b"1")
        await self.in_thread(self.servers.move, slot, to)
        with self.assertRaisesRegex(StoreError, "NOSCRIPT"):
            await executed(cluster, b"EVALSHA", sha, b"1", key, key=key)
        self.assertEqual(await executed(cluster, b"EVAL", _SCRIPT, b"1", key, key=key), b"1")
        self.assertEqual(await executed(cluster, b"EVALSHA", sha, b"1", key, key=key), b"1")

    async def test_each_while_moved(self) -> None:
        """All keys are found on all masters, whatever is on its way from one to another."""
        cluster = self.started()
        slot, tag = 79, key_in(79)
        keys = {f"moving-{{{tag}}}-{number}".encode() for number in range(2000)}
        for key in keys:
            await executed(cluster, b"SET", key, b"1", b"PX", b"600000")
        to = self.servers.masters[2]
        source = await self.in_thread(self.servers.begin, slot, to)
        moving = [deferToThread(self.servers.end, slot, source, to)]
        while not moving[0].called:
            self.assertEqual(await self.found(cluster, b"moving-*"), keys)
        await moving[0]
        self.assertEqual(await self.found(cluster, b"moving-*"), keys)

    async def found(self, cluster: Cluster, pattern: bytes) -> set[bytes]:
        """:return: the keys of all servers that match."""
        async def scan(server: Commands) -> list[bytes]:
            found: list[bytes] = []
            cursor: Any = b"0"
            while True:
                reply: Any = await server.execute(b"SCAN", cursor, b"MATCH", pattern, b"COUNT",
                                                  b"100")
                cursor, keys = reply
                found += keys
                if cursor == b"0":
                    return found

        return {key for keys in await cluster.each(scan) for key in keys}


class FailingTests(ClusterCase):
    """Servers that go away, and whose replicas take their places."""

    replicas = True
    options = ("--cluster-require-full-coverage", "no")
    cluster: Cluster
    gone: RedisNode
    theirs: list[bytes]
    others: list[bytes]
    load: Load

    async def started_with_load(self, **settings: Any) -> None:
        """Have a load on all masters, of which one is going to be away."""
        self.cluster = self.started(**settings)
        keys = [b"key-%d" % number for number in range(60)]
        self.gone = self.servers.owner(slot_of(keys[0]))
        self.theirs = [key for key in keys if self.servers.owner(slot_of(key)) is self.gone]
        self.others = [key for key in keys if key not in self.theirs]
        self.load = await self.loaded(self.cluster, keys)

    async def failed_over(self) -> None:
        """Look at what the load sees while the master is away, until all works again."""
        await until(self.is_over)
        self.assertEqual([one for one in self.load.wrong if one[0] in self.others], [])

    async def is_over(self) -> bool:
        """:return: whether nothing fails any more; of other masters, nothing ever does."""
        self.load.failed.clear()
        await self.load.until(5)
        self.assertEqual({key: why for key, why in self.load.failed.items() if key in self.others},
                         {})
        return not self.load.failed

    def let_fail_over(self, is_let: bool) -> None:
        """Say whether replicas may take the places of their masters."""
        for node in self.servers.nodes:
            if node.process.poll() is None:
                node.command("CONFIG", "SET", "cluster-replica-no-failover",
                             "no" if is_let else "yes")

    async def whole_again(self) -> None:
        """Return once all servers agree, and nothing fails any more."""
        await self.in_thread(self.servers.settle)
        self.load.failed.clear()
        await self.load.until(50)
        await self.load.stop()
        self.assertEqual(self.load.failed, {})

    async def test_killed(self) -> None:
        """
        While a master is away, commands for its slots fail at once, and all others work; its
        replica is found once it is the master.
        """
        await self.started_with_load()
        self.let_fail_over(False)
        await self.in_thread(self.gone.kill)
        self.addCleanup(self.gone.start)
        await until(self.is_known_to_be_away)
        for key in self.theirs:
            self.failureResultOf(
                Deferred.fromCoroutine(executed(self.cluster, b"GET", key)), StoreError)
        self.let_fail_over(True)
        await self.failed_over()
        self.gone.start()
        await self.whole_again()

    def is_known_to_be_away(self) -> bool:
        """:return: whether it is known that there is no connection to the server."""
        node = self.cluster.node_of(self.theirs[0])
        return node is not None and node.error is not None

    async def test_stopped(self) -> None:
        """A master that hangs holds nothing up but what was asked of it, and is given up as well."""
        await self.started_with_load(read_timeout=5.0, dial_timeout=5.0)
        self.gone.pause()
        self.addCleanup(self.gone.resume)
        with self.assertRaises(NoAnswer):
            await executed(self.cluster, b"GET", self.theirs[0])
        await self.failed_over()
        self.gone.resume()
        await self.whole_again()

    async def test_emptied(self) -> None:
        """What one server has been made to forget is missing, and nothing else is."""
        await self.started_with_load()
        await self.load.stop()
        self.gone.command("FLUSHALL")
        self.assertEqual([await executed(self.cluster, b"GET", key) for key in self.theirs],
                         [None] * len(self.theirs))
        for key in self.others:
            self.assertIsNotNone(await executed(self.cluster, b"GET", key))

    async def test_whole_cluster_down(self) -> None:
        """
        A cluster that serves nothing while a slot is not served, as it is by default, is used
        again as soon as it has made up its mind.
        """
        for node in self.servers.nodes:
            node.command("CONFIG", "RESETSTAT")
            node.command("CONFIG", "SET", "cluster-require-full-coverage", "yes")
            self.addCleanup(node.command, "CONFIG", "SET", "cluster-require-full-coverage", "no")
        await self.started_with_load()
        self.let_fail_over(False)
        await self.in_thread(self.gone.kill)
        self.addCleanup(self.gone.start)
        left = [node for node in self.servers.masters if node is not self.gone]
        await until(lambda: all(
            b"errorstat_CLUSTERDOWN:" in node.command("INFO", "errorstats") for node in left))
        self.let_fail_over(True)
        await self.in_thread(self.servers.eventually, lambda: self.servers.owner(
            slot_of(self.theirs[0])) is not self.gone)
        await until(self.all_works)
        self.gone.start()
        await self.whole_again()

    async def all_works(self) -> bool:
        """:return: whether nothing fails any more."""
        self.load.failed.clear()
        await self.load.until(5)
        return not self.load.failed


class SecuredTests(ClusterCase):
    """Servers that want TLS and a password."""

    @classmethod
    def prepared(cls) -> tuple[str, ...]:
        """Have certificates; connections without TLS are for the test itself."""
        root = Path(cls.root.name)
        cls.authority = Authority.make("Cluster Authority")
        trusted = root / "authority.pem"
        trusted.write_bytes(cls.authority.certificate)
        certificate, key = cls.authority.identity("127.0.0.1").save(root, "server")
        (root / "users.acl").write_text(
            "user default on nopass ~* &* +@all\n"
            "user cache on >secret ~* resetchannels +get +set +ping +cluster|slots\n")
        # Nodes tell each other's TLS ports where they talk to each other over TLS as well.
        return ("--tls-port", "{tls_port}", "--tls-cluster", "yes", "--tls-replication", "yes",
                "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
                "--tls-ca-cert-file", str(trusted),
                "--tls-auth-clients", "no", "--aclfile", str(root / "users.acl"))

    authority: ClassVar[Authority]

    def setUp(self) -> None:
        """Believe the servers' authority."""
        self.trusted: Authority = self.authority

    def make_tls(self, host: str) -> Any:
        """:return: what makes TLS connections to a host, and verifies who it is."""
        authority = Certificate.loadPEM(self.trusted.certificate)
        return optionsForClientTLS(host, trustRoot=trustRootFromCertificates([authority]))

    def endpoint(self) -> Address:
        """:return: of the first server."""
        return Address("127.0.0.1", self.servers.masters[0].tls_port)

    async def test_all_servers(self) -> None:
        """The servers that a server names are reached as it is: with TLS, as the same user."""
        cluster = self.started(credentials=Credentials(username="cache", password="secret"))
        for slot in (0, 8000, 16000):
            key = key_in(slot).encode()
            await executed(cluster, b"SET", key, b"1")
            self.assertEqual(await executed(cluster, b"GET", key), b"1")
        for node in self.servers.masters:
            self.assertIn(b"user=cache", node.command("CLIENT", "LIST"))

    async def test_wrong_password(self) -> None:
        """Who may not come in is told so."""
        cluster = self.started(credentials=Credentials(username="cache", password="other"))
        with self.assertRaisesRegex(StoreError, "WRONGPASS"):
            await executed(cluster, b"GET", b"a")

    async def test_strangers(self) -> None:
        """A server that cannot prove who it is gets nothing."""
        self.trusted = Authority.make("Another Authority")
        cluster = self.started(credentials=Credentials(username="cache", password="secret"))
        with self.assertRaisesRegex(StoreError, "certificate verify failed"):
            await executed(cluster, b"GET", b"a")
