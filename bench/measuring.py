"""CPU time of processes under load, in interleaved rounds."""

from __future__ import annotations

import math
import re
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from tests.end_to_end.servers import Server, program

ON_SERVER_CORE = ("taskset", "-c", "0")
ON_LOAD_CORE = ("taskset", "-c", "1")
_REQUESTS = re.compile(r"(\d+) requests in")
_LATENCY = re.compile(r"50%\s+([\d.]+)(us|ms|s)")
_ERRORS = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")
_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@frozen
class Sample:
    """
    One round of load on one system.

    :ivar cpu_ms: CPU time for each request, in milliseconds.
    :ivar latency_ms: median, in milliseconds.
    """

    requests: int
    cpu_ms: float
    latency_ms: float


@frozen
class Row:
    """A line of the closing table; figures are CPU milliseconds a request, or as said."""

    name: str
    ours: float
    theirs: float
    limit: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours by theirs: the smaller, the better."""
        return self.ours / self.theirs if self.theirs else math.inf


def loaded(server: Server, url: str, connections: int, seconds: float) -> Sample:
    """
    Put a URL under load, from the other core.

    :raises AssertionError: answers were other than 200.
    """
    before = server.cpu_seconds()
    told = subprocess.run(
        [*ON_LOAD_CORE, program("wrk"), "-t1", f"-c{connections}", f"-d{seconds:.0f}s",
         "--timeout", "20s", "--latency", url],
        check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    spent = server.cpu_seconds() - before
    errors = _ERRORS.search(told)
    if errors:
        raise AssertionError(f"{url}: {errors.group()}")
    requests = int(_REQUESTS.findall(told)[0])
    number, unit = _LATENCY.findall(told)[0]
    return Sample(requests, 1000 * spent / requests, float(number) * _UNIT_MS[unit])


def interleaved(rounds: int, systems: Mapping[str, Callable[[], Sample]]) -> dict[str, Sample]:
    """:return: for each system the median over rounds in which all take their turn."""
    taken: dict[str, list[Sample]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, measure in systems.items():
            taken[name].append(measure())
    return {name: _median(samples) for name, samples in taken.items()}


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(sum(s.requests for s in samples),
                  statistics.median(s.cpu_ms for s in samples),
                  statistics.median(s.latency_ms for s in samples))
