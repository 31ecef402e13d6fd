"""What a purge costs, of one backend with few entries and of one with many: as much."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.measuring import ON_LOAD_CORE, ON_SERVER_CORE, Row
from tests.end_to_end.redises import Redis
from tests.end_to_end.servers import Nginx, Trickster, fetch

_FEW, _MANY = 100, 10_000
_PURGES = 20
# What a purge of many entries may cost beside one of few, which is to be the same.
_LIMIT = 1.3


def rows(directory: Path) -> Iterator[Row]:
    """Run them all, and give two lines for each store as it is done."""
    with ExitStack() as running:
        root = directory / "objects" / "www"
        root.mkdir(parents=True)
        (root / "1k").write_bytes(bytes(1024))
        origin = Nginx(directory / "objects", "root www; expires 1h;", prefix=ON_LOAD_CORE)
        running.callback(origin.stop)
        redis = Redis(directory / "redis")
        running.callback(redis.stop)
        backend = {"provider": "reverseproxycache", "origin_url": origin.url}
        for store, cache in _caches(directory, redis).items():
            server = Trickster(directory / store, {"few": backend, "many": backend},
                               {"caches": {"default": cache}}, prefix=ON_SERVER_CORE)
            try:
                yield from _purged(server, store)
            finally:
                server.stop()


def _caches(directory: Path, redis: Redis) -> Mapping[str, Any]:
    return {"memory": {"provider": "memory"},
            "filesystem": {"provider": "filesystem",
                           "filesystem": {"cache_path": str(directory / "files")}},
            "lmdb": {"provider": "lmdb", "lmdb": {"path": str(directory / "cache.lmdb")}},
            "redis": {"provider": "redis", "redis": {"endpoint": redis.endpoint}}}


def _purged(server: Trickster, store: str) -> Iterator[Row]:
    for backend, count in (("few", _FEW), ("many", _MANY)):
        _fill(server, backend, count)
    # In turns, and each of what is there: what was purged is stored again in between.
    took: dict[str, list[tuple[float, float]]] = {"few": [], "many": []}
    for _ in range(_PURGES):
        for backend, taken in took.items():
            fetch(f"{server.url}/{backend}/1k?0")
            taken.append(_purge(server, backend))
    for number, unit in enumerate(("ms until it is answered", "CPU, ms")):
        few, many = (statistics.median(each[number] for each in took[which])
                     if number == 0 else statistics.fmean(each[number] for each in took[which])
                     for which in ("few", "many"))
        yield Row(f"purge of a backend, {store}: {_MANY} entries beside {_FEW}", many, few, _LIMIT,
                  unit)


def _fill(server: Trickster, backend: str, count: int) -> None:
    with ThreadPoolExecutor(8) as clients:
        for answer in clients.map(lambda n: fetch(f"{server.url}/{backend}/1k?{n}"), range(count)):
            assert answer.status == 200


def _purge(server: Trickster, backend: str) -> tuple[float, float]:
    """:return: milliseconds that it took: until the answer, and of processors."""
    order = json.dumps({"backend": backend}).encode()
    before, began = server.cpu_seconds(), time.monotonic()
    answer = fetch(f"{server.mgmt_url}/trickster/api/v1/purge", order,
                   {"Content-Type": "application/json"})
    spent = 1000 * (time.monotonic() - began)
    assert answer.status == 200, answer.body
    return spent, 1000 * (server.cpu_seconds() - before)
