"""Whatever happens to workers and to what they share: no wrong answer, and none that fails."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.end_to_end.faulting import Faulty, Load
from tests.end_to_end.servers import fetch
from tests.end_to_end.store_faults import ROUNDS, StoreFaults
from tests.end_to_end.waiting import eventually
from tests.end_to_end.working import metric, serving, workers_of

_WORKERS = 2
# Seconds that a worker is stopped, at most: shorter than it takes to be known as one that hangs.
_STOPPED = 2.0
Fault = Callable[[Load, Faulty], None]


class WorkerFaultTests(StoreFaults):
    """For each store a program of two workers, under load, with faults of both."""

    def killed(self, load: Load, faulty: Faulty) -> None:
        """Kill a worker at any moment; what it was answering is lost, and nothing else."""
        trickster = faulty.trickster
        before = metric(trickster, "trickster_worker_restarts_total")
        time.sleep(self.chance.uniform(0.0, 0.3))
        with load.while_down():
            os.kill(self.chance.choice(workers_of(trickster)), signal.SIGKILL)
            eventually(lambda: metric(trickster, "trickster_worker_restarts_total") > before)
        eventually(lambda: serving(trickster) == _WORKERS)
        self.starts += 1
        # What it held is free after a while, in which others may wait for it.
        self.hangs += 1

    def stopped(self, load: Load, faulty: Faulty) -> None:
        """Have a worker stand still for a while: those wait whom it answers."""
        victim = self.chance.choice(workers_of(faulty.trickster))
        os.kill(victim, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.0, _STOPPED))
        os.kill(victim, signal.SIGCONT)
        self.hangs += 1

    def purged(self, load: Load, faulty: Faulty) -> None:
        """Purge all there is of one backend, once the store takes purges."""
        order = json.dumps({"backend": self.chance.choice(("web", "plain"))}).encode()
        eventually(lambda: fetch(f"{faulty.trickster.mgmt_url}/trickster/api/v1/purge", order,
                                 {"Content-Type": "application/json"}).status == 200)

    def check(self, cache: dict[str, Any], *more: Fault) -> None:
        """Have each of the faults happen, in any order."""
        faulty = self.faulty(cache, workers=_WORKERS)
        self.starts = _WORKERS
        eventually(lambda: serving(faulty.trickster) == _WORKERS)
        with self.load(faulty) as load:
            self.assertWell(load, faulty)
            for _ in range(ROUNDS):
                faults = [self.killed, self.stopped, self.purged, *more]
                for fault in self.chance.sample(faults * 2, 2 * len(faults)):
                    fault(load, faulty)
                    self.change(load)
            self.assertWell(load, faulty)
        self.assertRight(load, faulty)

    def test_memory(self) -> None:
        """What all workers have in memory outlives any one of them."""
        self.check({"provider": "memory"})

    def test_files(self) -> None:
        """Workers that share files."""
        self.check(self.kinds()[0][0])

    def test_lmdb(self) -> None:
        """Workers that share a file of LMDB, and are killed while they write into it."""
        self.check(self.kinds()[1][0])

    def test_redis(self) -> None:
        """Workers that share a Redis, which is emptied, and killed."""
        server = self.server()

        def emptied(load: Load, faulty: Faulty) -> None:
            server.command("FLUSHALL")

        def away(load: Load, faulty: Faulty) -> None:
            server.kill()
            self.change(load)
            self.hangs += 1
            server.start()

        self.check(self.redis(endpoint=server.endpoint), emptied, away)
