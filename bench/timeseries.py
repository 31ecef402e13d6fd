"""Range queries: answered from the cache, beside Prometheus answering them itself."""

from __future__ import annotations

import http.client
import math
import statistics
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import define, field

from bench.measuring import ON_SERVER_CORE, Row, Sample, interleaved, loaded
from tests.end_to_end.servers import Prometheus, Trickster, fetch

STEP = 15
SERIES = 1000
PANELS = 20
HOURS = 6
_CONNECTIONS = 6


def write_samples(path: Path, now: int, hours: int) -> None:
    """Write gauges for promtool: one a panel and instance, deterministic."""
    with path.open("w") as out:
        out.write("# TYPE load gauge\n")
        for i in range(SERIES):
            labels = f'panel="p{i % PANELS}",instance="host-{i:04}.example.com:9100",job="node"'
            for at in range(now - hours * 3600, now + 1800, STEP):
                value = round(50 + 40 * math.sin(at / 5000 + i) + i % 7, 3)
                out.write(f"load{{{labels}}} {value} {at}\n")
        out.write("# EOF\n")


def target_of(query: str, points: int, end: int) -> str:
    """
    :param end: seconds since the epoch.
    :return: path and query of a range.
    """
    return "/api/v1/query_range?" + urllib.parse.urlencode({
        "query": query, "start": end - (points - 1) * STEP, "end": end, "step": STEP})


@define
class Stage:
    """A Prometheus with samples, and a Trickster in front of it, each on the same core."""

    directory: Path
    now: int = field(factory=lambda: int(time.time()) // 60 * 60)
    prometheus: Prometheus = field(init=False)
    trickster: Trickster = field(init=False)

    def __attrs_post_init__(self) -> None:
        samples = self.directory / "samples.om"
        write_samples(samples, self.now, HOURS + 2)
        self.prometheus = Prometheus(self.directory / "prometheus", samples,
                                     prefix=ON_SERVER_CORE)
        self.trickster = Trickster(
            self.directory / "trickster",
            {"prom": {"provider": "prometheus", "origin_url": self.prometheus.url,
                      "timeseries_retention_factor": 4000, "fast_forward_disable": True}},
            {"caches": {"default": {"provider": "memory", "index": {"max_size_bytes": "2GiB"},
                                    "memory": {"max_size_bytes": "2GiB"}}}},
            prefix=ON_SERVER_CORE, sheds=True)

    def stop(self) -> None:
        """End both."""
        self.trickster.stop()
        self.prometheus.stop()

    def target(self, query: str, points: int, shift: int = 0) -> str:
        """:return: path and query of a range that ends C{shift} seconds after the start."""
        return target_of(query, points, self.now + shift)

    def hits(self, query: str, points: int, load: tuple[int, float, int]) -> dict[str, Sample]:
        """
        :param load: connections, seconds a round, rounds.
        """
        connections, seconds, rounds = load
        target = self.target(query, points)
        through, direct = self.trickster.url + target, self.prometheus.url + target
        assert fetch(through).body == fetch(direct).body
        return interleaved(rounds, {
            "trickster": lambda: loaded(self.trickster, through, connections, seconds),
            "prometheus": lambda: loaded(self.prometheus, direct, connections, seconds),
        })


def rows(directory: Path) -> Iterator[Row]:
    """Run them all, and give a line for each as it is done."""
    stage = Stage(directory)
    try:
        yield _hit(stage, "hit, 1 series x 240, 16 connections",
                   'load{instance="host-0001.example.com:9100"}', 240, (16, 4, 5), 0.9)
        yield _hit(stage, "hit, 100 series x 360", 'load{panel=~"p[0-1]"}', 360, (1, 4, 3), 0.15)
        idle = stage.trickster.peak_bytes()
        yield _hit(stage, "hit, 1000 series x 1440", "load", 1440, (1, 8, 2), 0.2)
        yield _memory(stage, idle)
        yield from _dashboard(stage)
    finally:
        stage.stop()


def _hit(stage: Stage, name: str, query: str, points: int, load: tuple[int, float, int],
         limit: float) -> Row:
    found = stage.hits(query, points, load)
    ours, theirs = found["trickster"], found["prometheus"]
    note = f"median latency {ours.latency_ms:.2f} and {theirs.latency_ms:.2f} ms"
    return Row(name, ours.cpu_ms, theirs.cpu_ms, limit, note)


def _memory(stage: Stage, idle: int) -> Row:
    body = len(fetch(stage.prometheus.url + stage.target("load", 1440)).body)
    peak = stage.trickster.peak_bytes() - idle
    return Row("peak memory for that answer, by its size", peak / 1e6, body / 1e6, 4.0,
               "MB, beyond what was in use before")


def _dashboard(stage: Stage) -> Iterator[Row]:
    """Refresh a dashboard both ways in turn, its window a step further each time."""
    refreshes = 40
    direct, through = _Dashboard(stage, stage.prometheus.port), _Dashboard(
        stage, stage.trickster.port)
    for one in (direct, through):
        one.refresh(-STEP * refreshes)
    direct_cpu = proxied_cpu = own_cpu = 0.0
    times: dict[str, list[float]] = {"direct": [], "through": []}
    for i in range(1, refreshes + 1):
        shift = STEP * (i - refreshes)
        before = stage.prometheus.cpu_seconds()
        times["direct"].append(direct.refresh(shift))
        between, own = stage.prometheus.cpu_seconds(), stage.trickster.cpu_seconds()
        times["through"].append(through.refresh(shift))
        direct_cpu += between - before
        proxied_cpu += stage.prometheus.cpu_seconds() - between
        own_cpu += stage.trickster.cpu_seconds() - own
    each = 1000 / refreshes
    yield Row("dashboard refresh, 20 panels: origin CPU", proxied_cpu * each, direct_cpu * each,
              0.05, f"Trickster itself {own_cpu * each:.1f} ms a refresh")
    yield Row("dashboard refresh, 20 panels: latency",
              statistics.median(times["through"]), statistics.median(times["direct"]), 1.0,
              "median, milliseconds")


@define
class _Dashboard:
    """Twenty panels over six connections, as a browser asks for them."""

    stage: Stage
    port: int
    _connections: list[http.client.HTTPConnection] = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connections = [http.client.HTTPConnection("127.0.0.1", self.port)
                             for _ in range(_CONNECTIONS)]
        self._pool = ThreadPoolExecutor(_CONNECTIONS)

    def refresh(self, shift: int) -> float:
        """:return: milliseconds until the last panel is there."""
        started = time.perf_counter()
        list(self._pool.map(lambda i: self._panels(i, shift), range(_CONNECTIONS)))
        return 1000 * (time.perf_counter() - started)

    def _panels(self, connection: int, shift: int) -> None:
        for panel in range(connection, PANELS, _CONNECTIONS):
            query = f'avg_over_time(load{{panel="p{panel}"}}[1m])'
            target = self.stage.target(query, HOURS * 240 + 1, shift)
            self._connections[connection].request("GET", target)
            response = self._connections[connection].getresponse()
            body = response.read()
            assert response.status == 200, body[:500]
