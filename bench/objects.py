"""Objects from the cache and passed through, beside nginx and Varnish doing the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from attrs import frozen

from bench.caches import PASSED, Caches
from bench.measuring import ON_LOAD_CORE, Row, Sample, interleaved, loaded
from tests.end_to_end.servers import Nginx, fetch

_CONNECTIONS = 16
_ROUNDS = 5
_SECONDS = 2.0
_KIB = 1024
_HEADERS = "root www; expires 1h;"


@frozen
class Case:
    """
    An object, and how it is asked for.

    :ivar beside_nginx: the aim: our CPU time by nginx's.
    :ivar beside_varnish: the same for Varnish's.
    """

    name: str
    path: str
    beside_nginx: float
    beside_varnish: float


# Small objects show what a request costs, where C is ahead; large ones what the kernel's copy
# does, which nginx alone gets around by sending from files.
CASES = (
    Case("object hit, 1 KiB", "/1k", 1.7, 1.7),
    Case("object hit, 100 KiB", "/100k", 1.4, 1.4),
    Case("object hit, 10 MiB", "/10m", 1.4, 1.4),
    Case("passed through, 1 KiB", f"{PASSED}1k", 2.5, 1.0),
    Case("passed through, 100 KiB", f"{PASSED}100k", 1.0, 1.0),
)
SIZES = {"1k": _KIB, "100k": 100 * _KIB, "10m": 10 * _KIB * _KIB}


def write_objects(directory: Path) -> None:
    """Write files of random octets, for both the cached and the passed paths."""
    source = random.Random(1)
    for folder in ("www", f"www{PASSED}"):
        root = directory / folder
        root.mkdir(parents=True)
        for name, size in SIZES.items():
            (root / name).write_bytes(source.randbytes(size))


def rows(directory: Path) -> Iterator[Row]:
    """Run them all, and give two lines for each as it is done."""
    write_objects(directory / "origin")
    with ExitStack() as running:
        origin = Nginx(directory / "origin", _HEADERS, prefix=ON_LOAD_CORE)
        running.callback(origin.stop)
        caches = Caches.started(running, directory, origin.port)
        for case in CASES:
            yield from _beside(case, _measured(origin, caches, case.path))


def _measured(origin: Nginx, caches: Caches, path: str) -> dict[str, Sample]:
    """:return: for each cache, what a request for a path costs."""
    expected = fetch(origin.url + path).body
    for server in caches.all.values():
        assert all(fetch(server.url + path).body == expected for _ in range(3))
    return interleaved(_ROUNDS, {
        name: partial(loaded, server, server.url + path, _CONNECTIONS, _SECONDS)
        for name, server in caches.all.items()})


def _beside(case: Case, found: dict[str, Sample]) -> Iterator[Row]:
    ours = found["trickster"]
    for name, limit in (("nginx", case.beside_nginx), ("varnish", case.beside_varnish)):
        theirs = found[name]
        note = f"median latency {ours.latency_ms:.2f} and {theirs.latency_ms:.2f} ms"
        yield Row(f"{case.name}: beside {name}", ours.cpu_ms, theirs.cpu_ms, limit, note)
