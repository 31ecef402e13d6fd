"""Tricksters over stores that have faults, under load: what tests of such faults are made of."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.clusters import RedisCluster
from tests.end_to_end.faulting import (
    Asked,
    Faulty,
    Load,
    Origins,
    Web,
    faults_of,
    figures,
    slow,
)
from tests.end_to_end.redises import Redis
from tests.end_to_end.standing import BesidePrometheus
from tests.end_to_end.waiting import eventually

# More of them for a longer run, with other seeds.
ROUNDS = int(os.environ.get("TRICKSTER_FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("TRICKSTER_FAULT_SEED", "8"))
# Beyond what the origin and the store may take: of a machine that has other things to do.
_SLACK = 5.0
_LOCAL_SECONDS = 3.0
_QUICK = {"dial_timeout": "1s", "read_timeout": "1s", "write_timeout": "1s",
          "pool_timeout": "1s"}
# Requests that show how it goes.
A_FEW = 40
Fault = Callable[[], None]


class BesideStores(BesidePrometheus):
    """Origins, and for each test places for stores, and Tricksters over them."""

    origins: ClassVar[Origins]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        web = cls.kept(Web(root / "web"))
        cls.origins = Origins(cls.prometheus.url, web, cls.now)

    def setUp(self) -> None:
        """Have a place for the store, and chance."""
        super().setUp()
        directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.chance = random.Random(SEED)
        self.starts = 1
        self.hangs = 0

    def faulty(self, cache: dict[str, Any], seconds: float = _LOCAL_SECONDS,
               workers: int = 1) -> Faulty:
        """:return: a Trickster with a cache."""
        made = Faulty(Path(tempfile.mkdtemp(dir=self.root)), self.origins, cache, seconds,
                      workers)
        self.addCleanup(made.stop)
        return made

    def redis(self, **more: Any) -> dict[str, Any]:
        """:return: a cache of a configuration."""
        return {"provider": "redis", "redis": {**_QUICK, **more}}

    def server(self, *options: str) -> Redis:
        """:return: one of its own."""
        server = Redis(self.root / "redis", options)
        self.addCleanup(server.stop)
        return server

    def cluster(self) -> RedisCluster:
        """:return: one of its own, in which nodes that are left go on without others."""
        cluster = RedisCluster(self.root / "cluster",
                               options=("--cluster-require-full-coverage", "no"))
        self.addCleanup(cluster.stop)
        return cluster

    def kinds(self) -> list[tuple[dict[str, Any], Path]]:
        """:return: the local stores, each with where it is."""
        files, file = self.root / "files", self.root / "lmdb" / "cache.lmdb"
        file.parent.mkdir(exist_ok=True)
        return [({"provider": "filesystem", "filesystem": {"cache_path": str(files)}}, files),
                ({"provider": "lmdb", "lmdb": {"path": str(file)}}, file.parent)]

    def load(self, *beside: Faulty) -> Load:
        """:return: clients of some instances."""
        return Load(self.origins, [each.url for each in beside], self.chance.randrange(1 << 30))


class StoreFaults(BesideStores):
    """For each test a Trickster whose store has faults under load."""

    def assertRight(self, load: Load, faulty: Faulty, hangs: int = 0) -> None:
        """
        Nothing that was asked came to a wrong answer, or to none, or took too long.

        :param hangs: how often the store began to hang, beside when it was opened; each time it
            may cost those that wait for it then its time, and no other request.
        """
        hangs += self.hangs
        sys.stderr.write(f"{self.id()}: {figures(load.asked)}, {faulty.told()} told\n")
        self.assertIsNone(faulty.trickster.process.poll())
        self.assertEqual(faults_of(load.asked)[:5], [])
        self.assertEqual(
            [(one.took, one.direct, one.question) for one in slow(
                load.asked, faulty.seconds + _SLACK)], [])
        waited = slow(load.asked, faulty.seconds * 0.8)
        self.assertLessEqual(len(waited), hangs * load.clients, [
            (one.took, one.direct, one.result) for one in waited])
        self.assertLessEqual(faulty.told(), faulty.most_told(self.starts))
        self.assertGreater(len(load.asked), A_FEW)

    def assertLoud(self, load: Load, faulty: Faulty) -> None:
        """While its store fails, all who may want to know are told."""
        eventually(lambda: not faulty.is_up())
        eventually(lambda: "cache default is failing" in faulty.health())
        eventually(lambda: any("reason=store-error" in one.result for one in load.more(5)))

    def assertWell(self, load: Load, faulty: Faulty) -> None:
        """Once the fault is over, all is well without a restart."""
        eventually(lambda: _has_hits(load.more(10)) and faulty.is_up()
                   and "cache default is failing" not in faulty.health())

    def change(self, load: Load) -> None:
        """Go on for a while, in which files of the origin change."""
        self.origins.web.change()
        load.more(A_FEW)

    def restarted(self, load: Load, faulty: Faulty, between: Fault = lambda: None) -> None:
        """Have Trickster killed at any moment, and started again."""
        time.sleep(self.chance.uniform(0.0, 0.3))
        with load.while_down():
            faulty.kill()
            between()
            faulty.start()
        self.starts += 1
        # What is there may be looked through first.
        self.hangs += 1

    def disk(self, size: str) -> Path:
        """:return: a place on a small disk."""
        place = self.root / "disk"
        place.mkdir()
        if os.geteuid() != 0:
            self.skipTest("only root can mount a file system")
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "none", str(place)]
        subprocess.run(mount, check=True, capture_output=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(place)], check=True)
        return place


def _has_hits(asked: Sequence[Asked]) -> bool:
    return any("status=hit" in one.result for one in asked)
