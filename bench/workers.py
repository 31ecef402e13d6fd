"""Two workers beside one process: processor time a request, and requests a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from attrs import define, field

from bench.measuring import ON_LOAD_CORE, Row, Sample, interleaved, loaded
from bench.timeseries import HOURS, STEP, target_of, write_samples
from tests.end_to_end.servers import Nginx, Prometheus, Trickster, fetch

# Two workers do 1.7 times what one process does where a request costs them no more than this.
_LIMIT = 2 / 1.7
# A miss is the work of two processes for one in two keys.
_MISS_LIMIT = 1.5
_REFRESHES = 40
_MISSES = 3000


@define
class _Pair:
    """
    One process, and two workers, in front of the same origins.

    :ivar servers: C{one} and C{two}.
    """

    directory: Path
    running: ExitStack
    now: int
    prometheus: Prometheus = field(init=False)
    objects: Nginx = field(init=False)
    servers: dict[str, Trickster] = field(init=False)

    def __attrs_post_init__(self) -> None:
        samples = self.directory / "samples.om"
        write_samples(samples, self.now, HOURS + 2)
        self.prometheus = Prometheus(self.directory / "prometheus", samples, prefix=ON_LOAD_CORE)
        self.running.callback(self.prometheus.stop)
        root = self.directory / "objects" / "www"
        root.mkdir(parents=True)
        for name, size in (("1k", 1024), ("100k", 102_400)):
            (root / name).write_bytes(bytes(range(256)) * (size // 256))
        self.objects = Nginx(self.directory / "objects", "root www; expires 1h;",
                             prefix=ON_LOAD_CORE)
        self.running.callback(self.objects.stop)
        self.servers = {name: self._started(name, number)
                        for name, number in (("one", 1), ("two", 2))}

    def _started(self, name: str, workers: int) -> Trickster:
        server = Trickster(self.directory / name, {
            "prom": {"provider": "prometheus", "origin_url": self.prometheus.url,
                     "is_default": True, "timeseries_retention_factor": 4000,
                     "fast_forward_disable": True},
            "web": {"provider": "reverseproxycache", "origin_url": self.objects.url}},
            {"main": {"workers": workers, "decoded_memo_bytes": "1GiB"},
             "caches": {"default": {"index": {"max_size_bytes": "2GiB"}}}})
        self.running.callback(server.stop)
        return server


def rows(directory: Path) -> Iterator[Row]:
    """Run them all, and give a line for each kind of request as it is done."""
    with ExitStack() as running:
        pair = _Pair(directory, running, int(time.time()) // 60 * 60)
        some = target_of('load{panel=~"p[0-1]"}', 360, pair.now)
        for name, target, load in (("object hit, 1 KiB", "/web/1k", (64, 3.0, 5)),
                                   ("object hit, 100 KiB", "/web/100k", (64, 3.0, 5)),
                                   ("range hit, 100 series x 360", some, (4, 3.0, 5))):
            yield _hits(pair, name, target, load)
        yield _missed(pair)
        yield _refreshed(pair)


def _hits(pair: _Pair, name: str, target: str, load: tuple[int, float, int]) -> Row:
    connections, seconds, rounds = load
    for server in pair.servers.values():
        for _ in range(20):
            fetch(server.url + target)
    found = interleaved(rounds, {
        which: partial(loaded, server, server.url + target, connections, seconds)
        for which, server in pair.servers.items()})
    one, two = found["one"], found["two"]
    return Row(f"two workers beside one process: {name}", two.cpu_ms, one.cpu_ms, _LIMIT,
               f"requests, with the load on the same two cores: {two.requests / one.requests:.2f} "
               f"times; two cores do {2 * one.cpu_ms / two.cpu_ms:.2f} times what one does")


def _missed(pair: _Pair) -> Row:
    count = iter(range(1_000_000))

    def measure(server: Trickster) -> Sample:
        before, began, some = server.cpu_seconds(), time.monotonic(), next(count)
        with ThreadPoolExecutor(4) as clients:
            for _ in clients.map(lambda n: fetch(f"{server.url}/web/1k?{some}-{n}"),
                                 range(_MISSES)):
                pass
        spent = time.monotonic() - began
        return Sample(_MISSES, 1000 * (server.cpu_seconds() - before) / _MISSES,
                      1000 * spent / _MISSES)

    found = interleaved(3, {which: partial(measure, server)
                            for which, server in pair.servers.items()})
    return Row("two workers beside one process: object miss, 1 KiB", found["two"].cpu_ms,
               found["one"].cpu_ms, _MISS_LIMIT, "a new connection each")


def _refreshed(pair: _Pair) -> Row:
    """Have a dataset refreshed by a step, again and again."""
    cpu = {}
    for which, server in pair.servers.items():
        fetch(server.url + target_of("load * 1", 360, pair.now - STEP * _REFRESHES))
        before = server.cpu_seconds()
        for i in range(1, _REFRESHES + 1):
            fetch(server.url + target_of("load * 1", 360, pair.now + STEP * (i - _REFRESHES)))
        cpu[which] = 1000 * (server.cpu_seconds() - before) / _REFRESHES
    return Row("two workers beside one process: 1000 series x 360, refreshed by a step",
               cpu["two"], cpu["one"], _MISS_LIMIT, f"mean of {_REFRESHES} refreshes")
