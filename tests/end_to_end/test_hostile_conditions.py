"""Clients that vanish, caches far too small, stores that fail: the answers stay the right ones."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.servers import Trickster, fetch
from tests.end_to_end.standing import BesidePrometheus
from tests.end_to_end.waiting import PATIENCE

_REQUESTS = int(os.environ.get("TRICKSTER_HOSTILE_CASES", "400"))
_QUERIES = ("temperature", "requests_total", "odd", "rate(requests_total[5m])",
            "latency_seconds_bucket", "temperature * 0 + 1")
_RESET = struct.pack("ii", 1, 0)
_BACKENDS: dict[str, dict[str, Any]] = {
    "plain": {"is_default": True},
    "sharded": {"shard_max_size_points": 7, "fetch_concurrency_limit": 2},
    "phase": {"timeseries_step_mode": "phase", "shard_max_size_time": "5m",
              "fetch_concurrency_limit": 1},
    "lru": {"timeseries_eviction_method": "lru", "timeseries_retention_factor": 20},
    "oldest": {"timeseries_retention_factor": 20, "max_concurrent_conns": 2},
    "brief": {"timeseries_ttl": "1s", "shard_max_size_points": 20},
    "small": {"max_timeseries_bytes": 10240, "in_flight_bytes": 30000},
}


class ConditionTests(BesidePrometheus):
    """Many clients at once, of which many do not wait for their responses."""

    root: ClassVar[Path]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        cls.root = root
        found = root / "odd-1.dist-info"
        found.mkdir()
        (found / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
        (found / "entry_points.txt").write_text(
            "[trickster.stores]\nodd = tests.end_to_end.oddstore:odd\n")

    def test_small_cache(self) -> None:
        """
        Responses are right with a cache of one MiB that evicts what others are just adding to.
        """
        self.besiege({"provider": "memory", "memory": {"max_size_bytes": 1 << 20}}, 1)

    def test_slow_store(self) -> None:
        """Responses are right with a plugin's store that takes its time."""
        self.besiege({"provider": "odd"}, 2)

    def test_failing_store(self) -> None:
        """
        Responses are right with a plugin's store that fails in ways that it should and should not.
        """
        self.besiege({"provider": "odd", "odd": {"failing": 0.1}}, 3)

    def test_spoiling_store(self) -> None:
        """Responses are right with a store that gives other octets than were put."""
        self.besiege({"provider": "odd", "odd": {"spoiling": 0.2}}, 4)

    def besiege(self, cache: dict[str, Any], seed: int) -> None:
        """Ask a Trickster with this cache from many sides; all answers are the direct ones."""
        common = {"provider": "prometheus", "origin_url": self.prometheus.url,
                  "fast_forward_disable": True}
        root = self.root
        path = os.pathsep.join((str(root), str(Path(__file__).parents[2])))
        trickster = Trickster(
            root / f"trickster{seed}", {n: {**common, **b} for n, b in _BACKENDS.items()},
            {"caches": {"default": cache}}, ("env", f"PYTHONPATH={path}"))
        try:
            with ThreadPoolExecutor(16) as clients:
                list(clients.map(lambda case: self.ask(trickster, seed * 1_000_000 + case),
                                 range(_REQUESTS)))
            self.assert_idle(trickster)
        finally:
            trickster.stop()
        self.assertNotIn("Traceback", trickster.log.read_text())

    def ask(self, trickster: Trickster, seed: int) -> None:
        """Ask for some window; now and then, leave without an answer."""
        source = random.Random(seed)
        backend, step = source.choice(tuple(_BACKENDS)), source.choice((15, 15, 60))
        end = (self.now - source.randrange(1800)) // step * step
        target = "/api/v1/query_range?" + urllib.parse.urlencode({
            "query": source.choice(_QUERIES), "start": end - source.randrange(300) * step,
            "end": end, "step": step})
        if source.random() < 0.4:
            leave(trickster.port, f"/{backend}{target}", source)
            return
        got, want = fetch(f"{trickster.url}/{backend}{target}"), fetch(self.prometheus.url + target)
        self.assertEqual((got.status, got.body), (want.status, want.body),
                         f"{seed} {backend}{target} -> {got.result}")

    def assert_idle(self, trickster: Trickster) -> None:
        """Nothing is held or asked for any more."""
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = fetch(f"{trickster.metrics_url}/metrics").body.decode().splitlines()
            busy = [line for line in lines if line.startswith((
                "trickster_in_flight_bytes{", "trickster_origin_active_connections{",
                "trickster_proxy_active_connections ")) and not line.endswith(" 0.0")]
            if not busy or time.monotonic() > deadline:
                self.assertEqual(busy, [])
                return
            time.sleep(0.1)


def leave(port: int, target: str, source: random.Random) -> None:
    """Ask, and close or reset the connection some time later."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(source.choice((0, 0, 0.001, 0.005, 0.02)))
        if source.random() < 0.5:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
