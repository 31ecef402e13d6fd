"""An object that many want while it is still on its way, beside nginx and Varnish."""

from __future__ import annotations

import os
import random
import socket
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import define, field, frozen

from bench.caches import Caches
from bench.crowd import Crowd, Steady
from bench.measuring import Row
from tests.end_to_end.counting import ScriptedOrigin

_MIB = 1 << 20
_SIZE = 50 * _MIB
_RATE = 10 * _MIB
_CLIENTS = 50
_ARRIVING = 1.0
_ROUNDS = 3
_LOAD_CORE = {1}
# What a client may wait for its first octet, in milliseconds.
_FIRST_MS = 5.0


@frozen
class Visit:
    """What fifty clients of one object saw, and what serving them took."""

    requests: int
    first_ms: list[float]
    last_seconds: float
    cpu_seconds: float
    memory: int


@define
class Stage:
    """A slow origin, and three caches in front of it."""

    directory: Path
    origin: ScriptedOrigin = field(init=False)
    caches: Caches = field(init=False)
    body: bytes = field(factory=lambda: random.Random(1).randbytes(_SIZE))
    _asked: list[bytes] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.origin = ScriptedOrigin(self._serve)
        self.caches = Caches(self.directory, int(self.origin.url.rpartition(":")[2]),
                             progressive=True)

    def _serve(self, peer: socket.socket, head: bytes) -> None:
        self._asked.append(head.split()[1])
        Steady(self.body, _RATE).serve(peer)

    def stop(self) -> None:
        """End them all."""
        self.caches.stop()
        self.origin.stop()

    def visit(self, name: str, path: str) -> Visit:
        """
        Send fifty clients.

        :raises AssertionError: not all of them got the whole object.
        """
        server = self.caches.all[name]
        self._asked.clear()
        server.forget_peak()
        cpu, memory = server.cpu_seconds(), server.resident_bytes()
        crowd = Crowd(server.port, path, self.body, _CLIENTS, _ARRIVING)
        visitors, seconds = crowd.visit()
        return Visit(len(self._asked), [v.first_ms for v in visitors], seconds,
                     server.cpu_seconds() - cpu, server.peak_bytes() - memory)


def rows(directory: Path) -> Iterator[Row]:
    """Run all in turn, and give the lines at the end."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _LOAD_CORE)
    stage = Stage(directory)
    try:
        found: dict[str, list[Visit]] = {name: [] for name in stage.caches.all}
        for i in range(_ROUNDS):
            for name, visits in found.items():
                visits.append(stage.visit(name, f"/{name}/{i}"))
    finally:
        stage.stop()
        os.sched_setaffinity(0, usual)
    ours = found.pop("trickster")
    yield from _bounds(ours)
    for name, theirs in found.items():
        yield from _beside(name, ours, theirs)


def _bounds(ours: Sequence[Visit]) -> Iterator[Row]:
    name = "50 clients, 50 MiB at 10 MiB/s"
    yield Row(f"{name}: most origin requests, by one", max(v.requests for v in ours), 1, 1.0,
              "all bodies are what the origin sent")
    first = [ms for visit in ours for ms in visit.first_ms]
    yield Row(f"{name}: slowest first octet, by 5 ms", max(first), _FIRST_MS, 1.0,
              f"milliseconds; median {statistics.median(first):.2f}")
    yield Row(f"{name}: memory, by the object's size",
              max(v.memory for v in ours) / 1e6, _SIZE / 1e6, 2.0,
              "MB at most, beyond what was in use before")


def _beside(name: str, ours: Sequence[Visit], theirs: Sequence[Visit]) -> Iterator[Row]:
    what = f"50 clients, beside {name}"
    mine, other = _firsts(ours), _firsts(theirs)
    yield Row(f"{what}: first octet", statistics.median(mine), statistics.median(other), 2.0,
              f"median, milliseconds; slowest {max(mine):.1f} and {max(other):.0f}")
    yield Row(f"{what}: last client served", _median(ours, "last_seconds"),
              _median(theirs, "last_seconds"), 1.05, "seconds")
    memory = [max(v.memory for v in visits) / 1e6 for visits in (ours, theirs)]
    requests = max(v.requests for v in theirs)
    yield Row(f"{what}: CPU", _median(ours, "cpu_seconds"), _median(theirs, "cpu_seconds"), 1.0,
              f"seconds; memory {memory[0]:.0f} and {memory[1]:.0f} MB; "
              f"{requests} origin request{'s' if requests > 1 else ''} of theirs")


def _firsts(visits: Sequence[Visit]) -> list[float]:
    return [ms for visit in visits for ms in visit.first_ms]


def _median(visits: Sequence[Visit], figure: str) -> float:
    return statistics.median(getattr(visit, figure) for visit in visits)
