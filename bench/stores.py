"""Hits from each kind of store beside those from memory, and what a refresh writes to each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, field

from bench.measuring import ON_LOAD_CORE, ON_SERVER_CORE, Row, interleaved, loaded
from bench.timeseries import HOURS, STEP, target_of, write_samples
from tests.end_to_end.redises import Redis
from tests.end_to_end.servers import Nginx, Prometheus, Trickster, fetch

# What the near tier may keep of decoded entries: all of them.
_MAIN = {"decoded_memo_bytes": "1GiB"}
_INDEX = {"max_size_bytes": "2GiB"}
# With the near tier warm, a hit from a store costs at most so much of one from memory.
_LIMIT = 1.3
_REFRESHES = 40
# Another query than those that are hit: of these the newest instants are there already.
_REFRESHED = "load * 1"
_WRITTEN_LIMIT = 0.5


@define
class _Stores:
    """
    One Trickster for each kind of store, on one core, in front of the same origins.

    :ivar servers: by the name of the store; memory first.
    """

    directory: Path
    running: ExitStack
    now: int
    prometheus: Prometheus = field(init=False)
    objects: Nginx = field(init=False)
    redis: Redis = field(init=False)
    servers: dict[str, Trickster] = field(init=False)

    def __attrs_post_init__(self) -> None:
        samples = self.directory / "samples.om"
        write_samples(samples, self.now, HOURS + 2)
        self.prometheus = Prometheus(self.directory / "prometheus", samples, prefix=ON_LOAD_CORE)
        self.running.callback(self.prometheus.stop)
        root = self.directory / "objects" / "www"
        root.mkdir(parents=True)
        (root / "20k").write_bytes(bytes(range(256)) * 80)
        self.objects = Nginx(self.directory / "objects", "root www; expires 1h;",
                             prefix=ON_LOAD_CORE)
        self.running.callback(self.objects.stop)
        self.redis = Redis(self.directory / "redis")
        self.running.callback(self.redis.stop)
        self.servers = {name: self._started(name, cache) for name, cache in self._caches().items()}

    def _caches(self) -> Mapping[str, Any]:
        files = self.directory / "files"
        return {
            "memory": {"provider": "memory", "index": _INDEX, "memory": _INDEX},
            "filesystem": {"provider": "filesystem", "index": _INDEX,
                           "filesystem": {"cache_path": str(files)}},
            "lmdb": {"provider": "lmdb", "index": _INDEX,
                     "lmdb": {"path": str(self.directory / "cache.lmdb")}},
            "redis": {"provider": "redis", "redis": {"endpoint": self.redis.endpoint}},
        }

    def _started(self, name: str, cache: Mapping[str, Any]) -> Trickster:
        server = Trickster(self.directory / name, {
            "prom": {"provider": "prometheus", "origin_url": self.prometheus.url,
                     "is_default": True, "timeseries_retention_factor": 4000,
                     "fast_forward_disable": True},
            "web": {"provider": "reverseproxycache", "origin_url": self.objects.url}},
            {"caches": {"default": cache}, "main": _MAIN}, prefix=ON_SERVER_CORE, sheds=True)
        self.running.callback(server.stop)
        return server

    def target(self, query: str, points: int, shift: int = 0) -> str:
        """:return: path and query of a range that ends C{shift} seconds after the start."""
        return target_of(query, points, self.now + shift)

    def written(self, name: str) -> int:
        """:return: octets that a store has been given since it was started."""
        if name == "redis":
            told = self.redis.command("INFO", "stats").decode()
            return int(dict(line.split(":") for line in told.splitlines() if ":" in line)[
                "total_net_input_bytes"])
        server = self.servers[name]
        return sum(_written(pid) for pid in server.processes())


def rows(directory: Path) -> Iterator[Row]:
    """Run them all, and give a line for each store as it is done."""
    with ExitStack() as running:
        stores = _Stores(directory, running, int(time.time()) // 60 * 60)
        for name, target, load in (
                ("20 KiB object", "/web/20k", (16, 2.0, 5)),
                ("100 series x 360", stores.target('load{panel=~"p[0-1]"}', 360), (1, 3.0, 5)),
                ("1000 series x 1440", stores.target("load", 1440), (1, 6.0, 3))):
            yield from _hits(stores, name, target, load)
        for name in list(stores.servers)[1:]:
            yield _refresh(stores, name)


def _hits(stores: _Stores, name: str, target: str, load: tuple[int, float, int]) -> Iterator[Row]:
    connections, seconds, rounds = load
    for server in stores.servers.values():
        expected = fetch(server.url + target).body
        assert all(fetch(server.url + target).body == expected for _ in range(3))
    found = interleaved(rounds, {
        store: partial(loaded, server, server.url + target, connections, seconds)
        for store, server in stores.servers.items()})
    memory = found.pop("memory")
    for store, ours in found.items():
        note = f"median latency {ours.latency_ms:.2f} and {memory.latency_ms:.2f} ms"
        yield Row(f"{name}: hit from {store}, beside memory", ours.cpu_ms, memory.cpu_ms, _LIMIT,
                  note)


def _refresh(stores: _Stores, name: str) -> Row:
    """Have a large dataset refreshed by a step, again and again."""
    url = stores.servers[name].url
    body = len(fetch(url + stores.target(_REFRESHED, 1440, -STEP * _REFRESHES)).body)
    before = stores.written(name)
    for i in range(1, _REFRESHES + 1):
        fetch(url + stores.target(_REFRESHED, 1440, STEP * (i - _REFRESHES)))
    each = (stores.written(name) - before) / _REFRESHES
    return Row(f"1000 series x 1440, refreshed by a step: octets written to {name}", each / 1e6,
               body / 1e6, _WRITTEN_LIMIT / 36, f"MB; mean of {_REFRESHES} refreshes")


def _written(pid: int) -> int:
    counts = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counts["wchar"])
