"""An object that many want while it is still on its way, beside nginx and Varnish."""

from __future__ import annotations

import os
import random
import socket
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import define, field, frozen

from bench.caches import Caches
from bench.crowd import Crowd, Steady
from bench.measuring import Row
from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import Nginx, Trickster, Varnish

_MIB = 1 << 20
_SIZE = 50 * _MIB
_RATE = 10 * _MIB
_CLIENTS = 50
_ARRIVING = 1.0
_ROUNDS = 3
_LOAD_CORE = {1}
# How long the origin's thread waits for the clients', in seconds, when it has octets to send.
_SWITCH = 0.0002
# Our CPU time by theirs.
_CPU = {"nginx": 1.0, "varnish": 1.0}
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
class SlowOrigin:
    """Sends one object in answer to every request, and counts the requests."""

    body: bytes = field(factory=lambda: random.Random(1).randbytes(_SIZE))
    requests: int = 0

    def serve(self, peer: socket.socket, head: bytes) -> None:
        """Answer one request."""
        self.requests += 1
        Steady(self.body, _RATE).serve(peer)

    def visit(self, server: Trickster | Nginx | Varnish, path: str) -> Visit:
        """
        Send fifty clients to a cache in front of it.

        :raises AssertionError: not all of them got the whole object.
        """
        self.requests = 0
        server.forget_peak()
        cpu, memory = server.cpu_seconds(), server.resident_bytes()
        visitors, seconds = Crowd(server.port, path, self.body, _CLIENTS, _ARRIVING).visit()
        return Visit(self.requests, [v.first_ms for v in visitors], seconds,
                     server.cpu_seconds() - cpu, server.peak_bytes() - memory)


def rows(directory: Path) -> Iterator[Row]:
    """Run all in turn, and give the lines at the end."""
    with ExitStack() as running:
        _keep_off_the_servers_core(running)
        slow = SlowOrigin()
        origin = ScriptedOrigin(slow.serve)
        running.callback(origin.stop)
        port = int(origin.url.rpartition(":")[2])
        caches = Caches.started(running, directory, port, progressive=True).all
        found: dict[str, list[Visit]] = {name: [] for name in caches}
        for i in range(_ROUNDS):
            for name, server in caches.items():
                found[name].append(slow.visit(server, f"/{name}/{i}"))
    ours = found.pop("trickster")
    yield from _bounds(ours)
    for name, theirs in found.items():
        yield from _beside(name, ours, theirs)


def _keep_off_the_servers_core(running: ExitStack) -> None:
    running.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
    running.callback(sys.setswitchinterval, sys.getswitchinterval())
    os.sched_setaffinity(0, _LOAD_CORE)
    sys.setswitchinterval(_SWITCH)


def _bounds(ours: Sequence[Visit]) -> Iterator[Row]:
    name = "50 clients, 50 MiB at 10 MiB/s"
    yield Row(f"{name}: most origin requests, by one", max(v.requests for v in ours), 1, 1.0,
              "all bodies are what the origin sent")
    first = _firsts(ours)
    late = sum(ms > _FIRST_MS for ms in first)
    yield Row(f"{name}: slowest first octet, by 5 ms", max(first), _FIRST_MS, 1.0,
              f"milliseconds; median {statistics.median(first):.2f}, "
              f"{late} of {len(first)} later than that")
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
    yield Row(f"{what}: CPU", _median(ours, "cpu_seconds"), _median(theirs, "cpu_seconds"),
              _CPU[name], f"seconds; memory {memory[0]:.0f} and {memory[1]:.0f} MB; "
              f"{requests} origin request{'s' if requests > 1 else ''} of theirs")


def _firsts(visits: Sequence[Visit]) -> list[float]:
    return [ms for visit in visits for ms in visit.first_ms]


def _median(visits: Sequence[Visit], figure: str) -> float:
    return statistics.median(getattr(visit, figure) for visit in visits)
