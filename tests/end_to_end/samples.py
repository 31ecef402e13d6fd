"""The series that the real servers of the tests hold: awkward on purpose, and the same each time."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

STEP = 15


def openmetrics(path: Path, now: int, hours: float = 3.0) -> None:
    """
    Write samples around an instant, for C{promtool tsdb create-blocks-from openmetrics}.

    :param now: Unix seconds; samples go on for an hour after it, as if they were yet to come.
    """
    start = int(now - hours * 3600) // STEP * STEP
    with path.open("w") as out:
        for family, kind, lines in _families(start, now + 3600):
            out.write(f"# TYPE {family} {kind}\n")
            out.writelines(lines)
        out.write("# EOF\n")


def _families(start: int, end: int) -> Iterator[tuple[str, str, Iterator[str]]]:
    yield "requests", "counter", _counters(start, end)
    yield "temperature", "gauge", _gauges(start, end)
    yield "odd", "gauge", _odd(start, end)
    yield "latency_seconds", "histogram", _histogram(start, end)


def _counters(start: int, end: int) -> Iterator[str]:
    source = random.Random(1)
    for job in ("api", "web", "db"):
        for instance in range(4):
            total = 0.0
            for at in range(start + instance, end, STEP):
                total = 0.0 if source.random() < 0.002 else total + source.randrange(50)
                yield f'requests_total{{job="{job}",instance="i{instance}"}} {total} {at}\n'


def _gauges(start: int, end: int) -> Iterator[str]:
    for room in range(6):
        for at in range(start, end, STEP):
            if room == 3 and (at // 600) % 3 == 0:
                continue  # gaps of ten minutes
            if room == 4 and at > start + (end - start) // 2:
                continue  # gone half way
            if room == 5 and at < start + (end - start) // 2:
                continue  # comes half way
            value = 20 + 5 * math.sin(at / 900 + room) + room / 7
            yield f'temperature{{room="r{room}",floor="{room % 2}"}} {value!r} {at}\n'


def _odd(start: int, end: int) -> Iterator[str]:
    names = (r'a\"b', r"back\\slash", "brackets[]{}()", "comma,=", "ünïcode", "<&>", "#comment")
    values = ("NaN", "+Inf", "-Inf", "1e-300", "123456789012345680", "0", "-0.1")
    for i, name in enumerate(names):
        for at in range(start, end, 4 * STEP):
            value = values[(at // 60 + i) % len(values)]
            yield f'odd{{name="{name}",n="{i}"}} {value} {at}\n'


def _histogram(start: int, end: int) -> Iterator[str]:
    bounds = ("0.1", "0.5", "1", "+Inf")
    counts = [0] * len(bounds)
    source = random.Random(2)
    for at in range(start, end, STEP):
        for i in range(len(bounds)):
            counts[i] += source.randrange(3) + (counts[i - 1] and 0)
        running = 0
        for bound, count in zip(bounds, counts, strict=True):
            running += count
            yield f'latency_seconds_bucket{{le="{bound}"}} {running} {at}\n'
        yield f"latency_seconds_sum {running / 3} {at}\n"
        yield f"latency_seconds_count {running} {at}\n"
