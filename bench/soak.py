"""
C{python -m bench.soak}: mixed load for as long as is wanted, and a look at what it leaves.

A real Prometheus and a real nginx stand behind Trickster, whose cache is much smaller than
what is asked for.  One answer in some is held against that of the origin asked directly.  With
several workers, one of them may be killed now and then: what it is answering then is lost, and
nothing else may be.
"""

from __future__ import annotations

import argparse
import http.client
import math
import os
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from attrs import define, field, frozen

from bench.verdict import Reading, Run, Tally, faults, last_bytes, settled_bytes
from tests.end_to_end.samples import openmetrics
from tests.end_to_end.servers import Nginx, Prometheus, Server, Trickster
from tests.end_to_end.talking import Talk
from tests.end_to_end.waiting import eventually

_MIB = 1 << 20
_S = TypeVar("_S", bound=Server)
_CLIENTS = 6
_WARM_UP = 5.0
_COMPARED = 0.1  # of the answers
_KEPT = 20  # descriptions of wrong answers, for each client
_DYING = 1.0  # seconds in which a killed worker's connections end
_REST = 30.0  # seconds within which descriptors are given back
_WEB = "location / { root www; expires 1h; } location /short/ { root www; expires 1s; }"
# How many files of which size.
_SIZES = {"1k": (1 << 10, 300), "30k": (30 << 10, 300), "300k": (300 << 10, 60), "2m": (2 << 20, 20)}
_FORM = "application/x-www-form-urlencoded"
# Of which no value depends on the range: none adds up over series.
_QUERIES = (
    "temperature", "rate(requests_total[5m])", "max by (floor) (temperature)", "odd",
    "avg_over_time(temperature[10m])", 'requests_total{job="api"}', "count(temperature)",
    "temperature > 20", "increase(requests_total[2m])", "temperature offset 10m",
)
_COMPARED_FIELDS = ("Content-Type", "ETag", "Content-Range")


@frozen
class Ask:
    """A request, and which origin has the answer."""

    kind: str
    prefix: str
    target: str
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | None = None

    @property
    def method(self) -> str:
        """GET, or POST for what has a body."""
        return "GET" if self.body is None else "POST"


@frozen
class Answered:
    """What counts of an answer."""

    status: int
    fields: tuple[str | None, ...]
    body: bytes

    def differs_from(self, direct: Answered) -> str:
        """:return: in what, compared with the origin's; empty where it does not."""
        if self.status != direct.status:
            return f"status {self.status} for {direct.status}"
        if self.fields != direct.fields:
            return f"fields {self.fields} for {direct.fields}"
        if self.body != direct.body:
            return f"{len(self.body)} octets {self.body[:80]!r} for {len(direct.body)}"
        return ""


@define
class Mix:
    """
    Makes requests of all kinds.

    :ivar now: Unix seconds; every range ends some time before.
    :ivar tags: the ETag of each file, as far as they have been seen.
    """

    now: int
    random: random.Random
    tags: dict[str, str] = field(factory=dict)

    def any(self) -> Ask:
        """:return: the next request."""
        kinds: tuple[Callable[[], Ask], ...] = (
            self.range_query, self.range_query, self.form, self.instant, self.object,
            self.object, self.conditional, self.part)
        return self.random.choice(kinds)()

    def range_query(self) -> Ask:
        """:return: a window, on a grid of its own."""
        return Ask("range query", "/prom", f"/api/v1/query_range?{self._window()}")

    def form(self) -> Ask:
        """:return: the same in a form."""
        return Ask("form", "/prom", "/api/v1/query_range", {"Content-Type": _FORM},
                   self._window().encode())

    def instant(self) -> Ask:
        """:return: a query at an instant that the cache does not round."""
        at = self.now - 600 - 15 * self.random.randrange(400)
        params = {"query": self.random.choice(_QUERIES), "time": at}
        return Ask("instant query", "/prom", "/api/v1/query?" + urllib.parse.urlencode(params))

    def object(self) -> Ask:
        """:return: a file, small ones more often."""
        return Ask("object", "/web", self._path())

    def conditional(self) -> Ask:
        """:return: a file that is wanted if it has changed; it has not."""
        path = self._path()
        tag = self.tags.get(path)
        return Ask("conditional", "/web", path, {"If-None-Match": tag} if tag else {})

    def part(self) -> Ask:
        """:return: some octets of a file."""
        path = self._path()
        size = _SIZES[path.split("/")[2]][0]
        first = self.random.randrange(size)
        last = min(size - 1, first + self.random.randrange(100_000))
        return Ask("part", "/web", path, {"Range": f"bytes={first}-{last}"})

    def _path(self) -> str:
        size = self.random.choice(("1k", "1k", "1k", "30k", "30k", "300k", "2m"))
        freshness = self.random.choice(("long", "long", "short"))
        return f"/{freshness}/{size}/{self.random.randrange(_SIZES[size][1])}"

    def _window(self) -> str:
        step = self.random.choice((15, 60, 300))
        end = self.now - 300 - self.random.randrange(3600)
        start = end - step * self.random.randrange(1, 200)
        return urllib.parse.urlencode({"query": self.random.choice(_QUERIES),
                                       "start": start, "end": end, "step": step})


@define
class Place:
    """A server that is asked over one connection, which is made anew where it has ended."""

    port: int
    _connection: http.client.HTTPConnection | None = None

    def answer(self, ask: Ask, prefix: str = "") -> Answered:
        """
        :raises OSError: it does not answer.
        :raises HTTPException: it answers nonsense, or less than it said.
        """
        fresh = self._connection is None
        try:
            return self._answer(ask, prefix)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if fresh:
                raise
            # The server had closed it while it was idle.
            return self._answer(ask, prefix)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def _answer(self, ask: Ask, prefix: str) -> Answered:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self._connection.request(ask.method, prefix + ask.target, ask.body, dict(ask.headers))
        response = self._connection.getresponse()
        fields = tuple(response.headers[name] for name in _COMPARED_FIELDS)
        return Answered(response.status, fields, response.read())

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@define
class Deaths:
    """When workers were killed, in seconds of the monotonic clock."""

    times: list[float] = field(factory=list)

    def excuse(self, began: float) -> bool:
        """:return: whether what began then, and has failed by now, may have been answered by one."""
        return any(began <= at + _DYING for at in self.times)


@define
class Client:
    """
    One of the clients, in a thread of its own.

    :ivar origins: the port of the origin behind each prefix.
    :ivar lost: answers that ended with a worker.
    """

    mix: Mix
    port: int
    origins: Mapping[str, int]
    requests: int = 0
    compared: int = 0
    wrong: list[str] = field(factory=list)
    failed: list[str] = field(factory=list)
    lost: int = 0
    deaths: Deaths = field(factory=Deaths)

    def run(self, end: threading.Event) -> None:
        """Ask until it is time to end."""
        through = Place(self.port)
        direct = {prefix: Place(port) for prefix, port in self.origins.items()}
        try:
            while not end.is_set():
                if self.mix.random.random() < 0.05:
                    self._vanish(self.mix.any())
                else:
                    self._ask(self.mix.any(), through, direct)
        finally:
            for place in (through, *direct.values()):
                place.close()

    @property
    def tally(self) -> Tally:
        """What it has seen so far."""
        return Tally(self.requests, self.compared, tuple(self.wrong), tuple(self.failed),
                     self.lost)

    def _ask(self, ask: Ask, through: Place, direct: Mapping[str, Place]) -> None:
        self.requests += 1
        began = time.monotonic()
        try:
            got = through.answer(ask, ask.prefix)
            if got.status == 502 and self.deaths.excuse(began):
                self.lost += 1  # the worker that has the client was given half an answer by it
            elif got.status >= 500:
                _note(self.failed, ask, f"status {got.status}: {got.body[:80]!r}")
            elif self.mix.random.random() < _COMPARED:
                self._compare(ask, got, direct[ask.prefix].answer(ask))
        except (OSError, http.client.HTTPException) as error:
            if self.deaths.excuse(began):
                self.lost += 1
            else:
                _note(self.failed, ask, repr(error))
            return
        if ask.kind == "object" and got.fields[1]:
            self.mix.tags[ask.target] = got.fields[1]

    def _compare(self, ask: Ask, got: Answered, direct: Answered) -> None:
        self.compared += 1
        difference = got.differs_from(direct)
        if difference:
            _note(self.wrong, ask, difference)

    def _vanish(self, ask: Ask) -> None:
        """Ask, and go away before the answer has come, or in its middle."""
        began = time.monotonic()
        try:
            with Talk(self.port) as talk:
                talk.ask(ask.prefix + ask.target, ask.headers.items(), ask.method, ask.body or b"")
                if self.mix.random.random() < 0.5:
                    talk.socket.recv(self.mix.random.randrange(1, 20_000))
                talk.reset()
        except OSError as error:
            if not self.deaths.excuse(began):
                _note(self.failed, ask, repr(error))


def _note(told: list[str], ask: Ask, what: str) -> None:
    if len(told) < _KEPT:
        told.append(f"{ask.kind} {ask.prefix}{ask.target} {(ask.body or b'').decode()}: {what}")


@define
class Stage:
    """
    Trickster before a Prometheus and an nginx.

    :ivar workers: processes that serve.
    """

    directory: Path
    running: ExitStack
    workers: int = 1
    deaths: Deaths = field(factory=Deaths)
    now: int = field(factory=lambda: int(time.time()) // 60 * 60)
    trickster: Trickster = field(init=False)
    origins: dict[str, int] = field(init=False)

    def start(self) -> None:
        """Write samples and files, and start all three."""
        openmetrics(self.directory / "samples.om", self.now)
        prometheus = self._kept(Prometheus(
            self.directory / "prometheus", self.directory / "samples.om"))
        source = random.Random(1)
        for folder in ("long", "short"):
            for name, (size, count) in _SIZES.items():
                place = self.directory / "nginx" / "www" / folder / name
                place.mkdir(parents=True)
                for n in range(count):
                    (place / str(n)).write_bytes(source.randbytes(size))
        nginx = self._kept(Nginx(self.directory / "nginx", _WEB))
        self.origins = {"/prom": prometheus.port, "/web": nginx.port}
        self.trickster = self._kept(Trickster(self.directory / "trickster", {
            "prom": {"provider": "prometheus", "origin_url": prometheus.url,
                     "timeseries_step_mode": "phase", "fast_forward_disable": True,
                     "is_default": True},
            "web": {"provider": "rpc", "origin_url": nginx.url},
        }, {
            # All that fills is small enough to be full when memory has settled.
            "main": {"workers": self.workers, "hit_memo_bytes": "4MiB", "compressed_memo_bytes": "4MiB",
                     "fast_forward_memo_bytes": "2MiB"},
            "caches": {"default": {"provider": "memory", "memory": {"max_size_bytes": "32MiB"}}},
        }, sheds=True))

    def _kept(self, server: _S) -> _S:
        self.running.callback(server.stop)
        return server

    def clients(self, seed: int) -> list[Client]:
        """:return: some that have not begun."""
        return [Client(Mix(self.now, random.Random(seed * 1000 + n)), self.trickster.port,
                       self.origins, deaths=self.deaths) for n in range(_CLIENTS)]

    def loaded(self, seconds: float, seed: int) -> Iterator[tuple[float, Tally]]:
        """:return: seconds that have passed and what was seen by then, each second."""
        clients, end = self.clients(seed), threading.Event()
        threads = [threading.Thread(target=client.run, args=(end,), daemon=True)
                   for client in clients]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            while (passed := time.monotonic() - began) < seconds:
                yield passed, sum((client.tally for client in clients), Tally())
                time.sleep(1.0)
        finally:
            end.set()
            for thread in threads:
                thread.join(60)
        yield passed, sum((client.tally for client in clients), Tally())

    def files(self) -> int:
        """:return: descriptors that Trickster has open."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir()))
                   for pid in self.trickster.processes())

    def kill(self, source: random.Random) -> None:
        """Kill a worker; return once another one has taken its place."""
        workers = self.trickster.processes()[1:]
        victim = source.choice(workers)
        self.deaths.times.append(time.monotonic())
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: victim not in (now := self.trickster.processes())
                   and len(now) > self.workers)

    def rested_files(self, at_most: int) -> int:
        """:return: the same, once there are no more than so many, or after a while."""
        deadline = time.monotonic() + _REST
        while self.files() > at_most and time.monotonic() < deadline:
            time.sleep(0.5)
        return self.files()


def soaked(directory: Path, options: argparse.Namespace) -> Run:
    """:return: what a run shows; a line is printed for each part of it."""
    seconds, seed, source = options.seconds, options.seed, random.Random(options.seed)
    with ExitStack() as running:
        stage = Stage(directory, running, options.workers)
        stage.start()
        for _ in stage.loaded(_WARM_UP, seed):
            pass
        time.sleep(2.0)
        idle = stage.files()
        readings, tally = [], Tally()
        every = max(1.0, seconds / 30)
        print("| seconds | requests | compared | wrong | failed | memory, MiB | descriptors |")
        print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
        due, dies = 0.0, options.kill or math.inf
        for passed, tally in stage.loaded(seconds, seed + 1):
            reading = Reading(passed, stage.trickster.resident_bytes(), stage.files(),
                              tally.requests)
            readings.append(reading)
            if passed >= dies:
                stage.kill(source)
                dies = passed + options.kill
            if passed >= due:
                print(line(reading, tally), flush=True)
                due = passed + every
        return Run(tally, readings, (idle, stage.rested_files(idle)))


def line(reading: Reading, tally: Tally) -> str:
    """:return: a row of the table."""
    return (f"| {reading.at:.0f} | {tally.requests} | {tally.compared} | {len(tally.wrong)} "
            f"| {len(tally.failed)} | {reading.rss / _MIB:.0f} | {reading.files} |")


def summary(run: Run, found: Sequence[str]) -> str:
    """:return: what there is to say in the end."""
    rate = run.tally.requests / max(1.0, run.readings[-1].at)
    seen = (f"{run.tally.requests} requests ({rate:.0f}/s), {run.tally.compared} compared with "
            f"the origin, {len(run.tally.wrong)} wrong, {len(run.tally.failed)} failed, "
            f"{run.tally.lost} lost with workers that were killed")
    memory = (f"memory: settled at {settled_bytes(run.readings) / _MIB:.0f} MiB, "
              f"in the end {last_bytes(run.readings) / _MIB:.0f} MiB")
    files = (f"descriptors without clients: {run.idle_files[0]} at first, "
             f"{run.idle_files[1]} in the end")
    told = [f"FAULT: {fault}" for fault in found] or ["as it should be"]
    return "\n".join(["", seen, memory, files, *told])


def main(arguments: Sequence[str]) -> int:
    """:return: an exit code: 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="make soak", description="mixed load for a long time")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that serve")
    parser.add_argument("--kill", type=float, default=0.0,
                        help="seconds after which one of several workers is killed, again and again")
    options = parser.parse_args(arguments)
    if options.kill and options.workers < 2:
        parser.error("--kill is for several workers")
    with tempfile.TemporaryDirectory() as directory:
        run = soaked(Path(directory), options)
    found = faults(run)
    print(summary(run, found))
    return 1 if found else 0


def _asked_to_stop(*_: object) -> None:
    # Left to itself, it would end at once, and leave all servers running.
    sys.exit("stopped")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _asked_to_stop)
    sys.exit(main(sys.argv[1:]))
