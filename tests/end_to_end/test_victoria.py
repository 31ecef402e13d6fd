"""VictoriaMetrics behind Trickster: equal answers, or none from the cache."""

from __future__ import annotations

import math
import random
import time
import urllib.parse
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.noise import difference
from tests.end_to_end.servers import Answer, Server, Trickster, fetch, free_port, program
from tests.end_to_end.standing import BesidePrometheus, Standing
from tests.end_to_end.waiting import PATIENCE

_CACHED = (
    "temperature", "rate(requests_total[5m])", "rate(requests_total)", "sum(temperature) by (floor)",
    "max_over_time(temperature[10m:1m])", "temperature offset 5m", "temperature default 0",
    "increase(requests_total[2m])", "{__name__=~'temp.*'}", "avg_over_time(temperature[10m])",
)
# MetricsQL that looks at the whole range, or picks series by it, or that is unknown here.
_PASSED = (
    "running_sum(temperature)", "range_max(temperature)", "temperature @ end()", "start()",
    "limitk(2, temperature)", "WITH (x = temperature) x + x", "sum(temperature) limit 1",
    "keep_last_value(temperature)", "rate(requests_total[1i])", "label_set(temperature, 'x', 'y')",
)


class Victoria(Server):
    """Debian's VictoriaMetrics over three hours of samples, up to five minutes ago."""

    def __init__(self, directory: Path, now: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        directory.mkdir()
        super().__init__([
            program("victoria-metrics"), f"-storageDataPath={directory}/data",
            f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y",
            "-loggerLevel=WARN"], directory / "victoria.log")
        self.wait_for(f"{self.url}/health")
        source, total, lines = random.Random(1), 0, []
        for at in range(now - 3 * 3600, now - 300, 15):
            total += source.randrange(50)
            lines.append(f'requests_total{{job="a"}} {total} {at}000')
            lines += [f'temperature{{room="r{room}",floor="{room % 2}"}} '
                      f"{20 + 5 * math.sin(at / 900 + room)} {at}000" for room in range(3)]
        fetch(f"{self.url}/api/v1/import/prometheus", "\n".join(lines).encode())
        self._wait_for_samples(now - 600)

    def _wait_for_samples(self, at: int) -> None:
        fetch(f"{self.url}/internal/force_flush")
        deadline = time.monotonic() + PATIENCE
        while b'"room"' not in fetch(
                f"{self.url}/api/v1/query?query=temperature&nocache=1&time={at}").body:
            assert time.monotonic() < deadline, "the samples do not come"
            time.sleep(0.1)


class VictoriaTests(Standing):
    """Random windows of fixed queries, sent to VictoriaMetrics directly and through Trickster."""

    victoria: ClassVar[Victoria]
    trickster: ClassVar[Trickster]
    now: ClassVar[int]

    @classmethod
    def started(cls, root: Path) -> None:
        program("victoria-metrics")
        cls.now = int(time.time()) // 300 * 300
        cls.victoria = cls.kept(Victoria(root / "victoria", cls.now))
        cls.trickster = cls.kept(Trickster(
            root / "trickster", BesidePrometheus.both_modes(cls.victoria.url)))

    def ask(self, backend: str, query: str, window: tuple[int, int, int],
            **more: Any) -> Answer:
        """:return: the answer through Trickster, which equals the direct one."""
        start, end, step = window
        target = "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "start": start, "end": end, "step": step, **more})
        got = fetch(f"{self.trickster.url}/{backend}{target}")
        told = f"{backend}{target} -> {got.result}"
        self.assertEqual(got.status, fetch(self.victoria.url + target).status, told)
        self.assertEqual(difference(got.body, lambda: fetch(self.victoria.url + target).body), "",
                         told)
        return got

    def windows(self, count: int, grid: int) -> list[tuple[int, int, int]]:
        """:return: start, end and step, the former on any grid."""
        source, found = random.Random(count), []
        for _ in range(count):
            step = source.choice((15, 60, 300))
            end = self.now - source.randrange(600, 3600)
            start = end - source.randrange(300, 5400)
            found.append((start - start % (grid or step), end - end % (grid or step), step))
        return found

    def test_aligned(self) -> None:
        """
        In mode aligned a range gets VictoriaMetrics's own aligned response, with its cache and
        without.
        """
        for query in _CACHED:
            for window in self.windows(6, 0):
                for more in ({}, {"nocache": 1}):
                    self.ask("aligned", query, window, **more)
                    self.assertEqual(self.ask("aligned", query, window, **more).lookup, "hit")

    def test_phase(self) -> None:
        """
        In mode phase a range gets VictoriaMetrics's own response if that one does not move the
        ends.
        """
        for query in _CACHED:
            for window in self.windows(8, 1):
                for _ in range(2):
                    last = self.ask("phase", query, window, nocache=1)
                self.assertEqual(last.lookup, "hit")

    def test_moved_ends(self) -> None:
        """A response whose ends VictoriaMetrics has moved is passed on as it is."""
        window = (self.now - 4807, self.now - 900, 60)
        got = self.ask("phase", "temperature + 1", window)
        self.assertIn("reason=undecodable", got.result)
        self.assertEqual(self.ask("phase", "temperature + 1", window).lookup, "proxy-only")

    def test_passed(self) -> None:
        """A query that depends on the whole range is never merged from parts."""
        for query in _PASSED:
            for window in self.windows(3, 0):
                self.assertIn("reason=", self.ask("aligned", query, window, nocache=1).result)
