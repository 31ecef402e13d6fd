"""Whatever happens to a store: no wrong answer, none that fails, and none that waits for long."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.end_to_end.clusters import RedisCluster
from tests.end_to_end.damaging import damaged, emptied, replaced, shut_out
from tests.end_to_end.faulting import Faulty, Load, difference, faults_of, figures
from tests.end_to_end.redises import PATIENT, Redis
from tests.end_to_end.sentinels import Group
from tests.end_to_end.store_faults import A_FEW, ROUNDS, BesideStores, Fault, StoreFaults
from tests.end_to_end.waiting import eventually, wait_until_idle
from trickster.stores.redis.cluster.slots import slot_of

_REDIS_SECONDS = 3.0
_PATIENT = {name: f"{seconds:g}s" for name, seconds in PATIENT.items()}
# How often what a busy machine may keep from happening is tried.
_TRIES = 5


class RedisFaultTests(StoreFaults):
    """Redis: one server, a master and its Sentinels, and a cluster."""

    def test_standalone(self) -> None:
        """A server that hangs, dies, is emptied, is full, is read-only, or has others' values."""
        server = self.server()
        faulty = self.faulty(self.redis(endpoint=server.endpoint), _REDIS_SECONDS)
        quiet: list[Fault] = [
            lambda: server.command("FLUSHALL"), lambda: self.spoil(server),
            lambda: server.command("CLIENT", "KILL", "TYPE", "normal")]
        lasting: list[tuple[Fault, Fault]] = [
            (server.pause, server.resume), (server.kill, server.start),
            (lambda: self.fill(server), lambda: self.empty(server)),
            (lambda: server.command("REPLICAOF", "127.0.0.1", "1"),
             lambda: server.command("REPLICAOF", "NO", "ONE"))]
        with self.load(faulty) as load:
            self.assertWell(load, faulty)
            for _ in range(ROUNDS):
                for fault in self.chance.sample(quiet * 2, 4):
                    fault()
                    self.change(load)
                for begin, end in self.chance.sample(lasting, 4):
                    begin()
                    self.change(load)
                    self.assertLoud(load, faulty)
                    end()
                    if self.chance.random() < 0.5:
                        self.assertWell(load, faulty)
                self.assertWell(load, faulty)
        self.assertRight(load, faulty, ROUNDS)

    def spoil(self, server: Redis) -> None:
        """Put what is not ours under our keys."""
        for key in server.command("KEYS", "*"):
            kind = self.chance.randrange(5)
            if kind == 0:
                server.command("SET", key, self.chance.randbytes(self.chance.randrange(2000)))
            elif kind == 1:
                server.command("SETRANGE", key, self.chance.randrange(300), b"\x00\xff")
            elif kind == 2:
                server.command("DEL", key)
                server.command("RPUSH", key, "1")
            elif kind == 3:
                server.command("APPEND", key, "x")

    def fill(self, server: Redis) -> None:
        """Have it take no more."""
        server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.command("CONFIG", "SET", "maxmemory", "1")

    def empty(self, server: Redis) -> None:
        """Have it take more again."""
        server.command("CONFIG", "SET", "maxmemory", "0")

    def test_sentinel(self) -> None:
        """A master that is killed, and one that hangs; the other takes its place."""
        group = Group(fails=True)
        self.addCleanup(group.stop)
        options = group.options()
        faulty = self.faulty(self.redis(
            client_type="sentinel", sentinel_master="ours", password=options.password,
            endpoints=list(options.endpoints), sentinel_password=options.sentinel_password),
            _REDIS_SECONDS)
        with self.load(faulty) as load:
            self.assertWell(load, faulty)
            for _ in range(ROUNDS):
                self.fail_over(group, load, faulty)
        self.assertRight(load, faulty, ROUNDS)

    def fail_over(self, group: Group, load: Load, faulty: Faulty) -> None:
        """Kill the master, and have it come back once the other one has taken its place."""
        servers = {each.port: each for each in (group.master, group.replica)}
        master = servers.pop(group.sentinels[0].named())
        master.kill()
        self.change(load)
        eventually(lambda: all(each.named() in servers for each in group.sentinels))
        self.assertWell(load, faulty)
        master.start()
        self.change(load)
        # The Sentinels would see to that as well, after a while.
        group.ask(master, "REPLICAOF", "127.0.0.1", *map(str, servers))
        eventually(lambda: b"master_link_status:up" in group.ask(master, "INFO"))
        self.assertWell(load, faulty)

    def test_cluster(self) -> None:
        """A node that dies, one that hangs, slots that move, and all that is forgotten."""
        cluster = self.cluster()
        faulty = self.faulty(self.redis(
            client_type="cluster", endpoints=cluster.endpoints[:2]), _REDIS_SECONDS)
        with self.load(faulty) as load:
            self.assertWell(load, faulty)
            for _ in range(ROUNDS):
                for begin, end in (("pause", "resume"), ("kill", "start")):
                    node = self.chance.choice(cluster.masters)
                    getattr(node, begin)()
                    self.change(load)
                    self.assertLoud(load, faulty)
                    getattr(node, end)()
                    cluster.settle()
                    self.assertWell(load, faulty)
                self.move_some(cluster)
                self.spoil(self.chance.choice(cluster.masters))
                self.change(load)
                self.chance.choice(cluster.masters).command("FLUSHALL")
                self.change(load)
        self.assertRight(load, faulty, 2 * ROUNDS)


    def move_some(self, cluster: RedisCluster) -> None:
        """Move slots in which there is something to another node."""
        source, to = self.chance.sample(cluster.masters, 2)
        slots = {slot_of(key) for key in source.command("KEYS", "*")}
        for slot in sorted(slots)[:10]:
            cluster.move(slot, to)


class LocalFaultTests(StoreFaults):
    """Files that are damaged, go away, or have no room, and processes that are killed."""

    def check_damage(self, number: int, *, while_it_runs: bool) -> None:
        """
        Damage what there is in every way, while Trickster does not run, and, if said so, while
        it does.
        """
        cache, place = self.kinds()[number]
        faulty = self.faulty(cache)
        gone: list[Fault] = [lambda: emptied(place), lambda: replaced(place, self.chance)]
        with self.load(faulty) as load:
            self.assertWell(load, faulty)
            for _ in range(ROUNDS):
                for _ in range(5 if while_it_runs else 0):
                    damaged(place, self.chance)
                    self.change(load)
                for _ in range(2 if while_it_runs else 5):
                    self.restarted(load, faulty, lambda: damaged(place, self.chance))
                    self.change(load)
                for fault in self.chance.sample(gone, 2):
                    fault()
                    self.hangs += 1
                    self.change(load)
                # What an operator has to do where there is a directory in the place of a file.
                emptied(place)
                self.assertWell(load, faulty)
        self.assertRight(load, faulty)

    def test_damaged_files(self) -> None:
        """The store of files gives nothing that it was not given."""
        self.check_damage(0, while_it_runs=True)

    def test_damaged_lmdb(self) -> None:
        """
        A file of LMDB gives nothing that was not put there.  What is written into it, or into its
        locks, while a process has it mapped, is not for any program to survive (docs/stores.md).
        """
        self.check_damage(1, while_it_runs=False)

    def check_away(self, number: int) -> None:
        """Have a file where the directory was, for as long as it takes until all know."""
        cache, place = self.kinds()[number]
        faulty = self.faulty(cache)
        with self.load(faulty) as load:
            self.assertWell(load, faulty)
            for _ in range(ROUNDS):
                shut_out(place)
                self.change(load)
                self.assertLoud(load, faulty)
                place.unlink()
                self.assertWell(load, faulty)
        self.assertRight(load, faulty)

    def test_away_files(self) -> None:
        """A directory that cannot be used is told, and used once it can be."""
        self.check_away(0)

    def test_away_lmdb(self) -> None:
        """A file of LMDB that cannot be used is told, and used once it can be."""
        self.check_away(1)

    def check_killed(self, number: int) -> None:
        """Have Trickster killed at any moment, again and again."""
        cache, _ = self.kinds()[number]
        faulty = self.faulty(cache)
        with self.load(faulty) as load:
            for _ in range(4 * ROUNDS):
                self.change(load)
                self.restarted(load, faulty)
            self.assertWell(load, faulty)
        self.assertRight(load, faulty)
        self.assertEqual(faulty.broken(), [])

    def test_killed_files(self) -> None:
        """Killed at any moment of a write, the store of files is well."""
        self.check_killed(0)

    def test_killed_lmdb(self) -> None:
        """Killed at any moment of a write, a file of LMDB is well."""
        self.check_killed(1)

    def check_stopped(self, number: int) -> None:
        """Stop another instance at any moment; it may hold a lock."""
        cache, _ = self.kinds()[number]
        faulty, other = self.faulty(cache), self.faulty(cache)
        with self.load(faulty) as load, self.load(other) as beside:
            load.more(A_FEW)
            hangs = 3 * ROUNDS
            for _ in range(hangs):
                time.sleep(self.chance.uniform(0.0, 0.3))
                other.trickster.process.send_signal(signal.SIGSTOP)
                self.change(load)
                other.trickster.process.send_signal(signal.SIGCONT)
                beside.more(A_FEW)
            self.assertWell(load, faulty)
        self.assertRight(load, faulty, hangs)
        self.assertEqual(faults_of(beside.asked), [])

    def test_stopped_files(self) -> None:
        """Another process that is stopped keeps no one from files."""
        self.check_stopped(0)

    def test_stopped_lmdb(self) -> None:
        """Another process that is stopped keeps no one from a file of LMDB."""
        self.check_stopped(1)

    def check_full(self, number: int) -> None:
        """Have a disk with less room than the cache may have, and one without any."""
        disk = self.disk("6m")
        cache, _ = self.kinds()[number]
        if number == 0:
            cache["filesystem"]["cache_path"] = str(disk / "files")
        else:
            cache["lmdb"]["path"] = str(disk / "cache.lmdb")
        faulty, other = self.faulty(cache), disk / "other"
        with self.load(faulty) as load:
            for _ in range(2 * ROUNDS):
                load.more(100)
                with other.open("wb", buffering=0) as file:
                    for _ in range(10):
                        # What the store lets go is taken as well.
                        with contextlib.suppress(OSError):
                            while file.write(bytes(4096)):
                                pass
                        load.more(5)
                other.unlink()
                self.change(load)
            self.assertWell(load, faulty)
        self.assertRight(load, faulty)

    def test_full_files(self) -> None:
        """A full disk costs what would have been kept."""
        self.check_full(0)

    def test_full_lmdb(self) -> None:
        """A full disk costs what would have been kept, in a file of LMDB too."""
        self.check_full(1)

    def test_tiny_map(self) -> None:
        """Where there is room for little, what is asked is right, and something is a hit."""
        cache, _ = self.kinds()[1]
        faulty = self.faulty({**cache, "index": {"max_size_bytes": 500_000}})
        with self.load(faulty) as load:
            for _ in range(4 * ROUNDS):
                self.change(load)
            self.assertWell(load, faulty)
        self.assertRight(load, faulty)
        self.assertEqual(faulty.broken(), [])


class SharedTests(BesideStores):
    """Two instances over one store."""

    def check(self, cache: dict[str, Any]) -> None:
        """Ask both of them at random, and then for what either should have in full."""
        both = [self.faulty(cache), self.faulty(cache)]
        with self.load(*both) as load:
            for _ in range(4 * ROUNDS):
                self.origins.web.change()
                load.more(A_FEW)
        sys.stderr.write(f"{self.id()}: {figures(load.asked)}\n")
        self.assertEqual(faults_of(load.asked)[:5], [])
        for name in ("requests_total", "temperature") * ROUNDS:
            self.assertTrue(any(self.are_kept(both, f"{name} offset {offset}s")
                                for offset in self.chance.sample(range(500), _TRIES)))
        self.assertEqual([each.broken() for each in both], [[], []])

    def are_kept(self, both: Sequence[Faulty], query: str) -> bool:
        """
        Have both keep parts of one range at a time: none of them is lost.

        :return: whether none was; False where a store had no time to keep something, as it says.
        """
        before = [each.skipped() for each in both]
        parts = [range(start, start + 10) for start in range(0, 200, 10)]
        asked = [(self.chance.choice(both), part)
                 for part in self.chance.sample(parts, len(parts))]
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(lambda one: self.ask(one[0], query, one[1]), asked))
        self.settle(both)
        found = [self.ask(each, query, range(200)) for each in self.chance.sample(both, 2)]
        if before != [each.skipped() for each in both]:
            return False
        for result in found:
            self.assertIn("status=hit", result)
        return True

    def ask(self, one: Faulty, query: str, steps: range) -> str:
        """:return: what came of a question; the answer is the origin's own."""
        question = self.origins.window(query, steps)
        got = question.through(one.url)
        self.assertEqual(difference(got, question.direct()), "", got.result)
        return got.result

    def settle(self, both: Sequence[Faulty]) -> None:
        """Return once all is written: that is done after answers have been sent."""
        wait_until_idle([each.trickster for each in both], lambda: [each.sets() for each in both])

    def test_files(self) -> None:
        """Two instances share a directory."""
        self.check(self.kinds()[0][0])

    def test_lmdb(self) -> None:
        """Two instances share a file of LMDB."""
        self.check(self.kinds()[1][0])

    def test_redis(self) -> None:
        """Two instances share a server."""
        self.check(self.redis(endpoint=self.server().endpoint, **_PATIENT))

    def test_cluster(self) -> None:
        """Two instances share a cluster."""
        self.check(self.redis(client_type="cluster", endpoints=self.cluster().endpoints[:1],
                              **_PATIENT))
