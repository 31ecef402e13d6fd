"""An instant is asked of the origin once, however many clients want it, and whenever."""

from __future__ import annotations

import random
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from tests.end_to_end.counting import CountingProxy
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.standing import BesidePrometheus

STEP = 15


class SharingTests(BesidePrometheus):
    """Trickster before a Prometheus whose requested instants are counted."""

    counting: ClassVar[CountingProxy]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        cls.counting = cls.kept(CountingProxy(cls.prometheus.url))
        plain = cls.both_modes(cls.counting.url)["aligned"]
        other = {**plain, "is_default": False}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            "plain": plain,
            "sharded": {**other, "shard_max_size_points": 20, "fetch_concurrency_limit": 3},
            "tolerant": {**other, "backfill_tolerance": "2m"},
        }))

    def setUp(self) -> None:
        self.counting.asked.clear()

    def target(self, query: str, start: int, end: int) -> str:
        return "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "start": start, "end": end, "step": STEP})

    def ask(self, query: str, window: tuple[int, int], backend: str = "plain") -> Answer:
        """Ask through Trickster, and hold the answer against a direct one."""
        target = self.target(query, *window)
        got = fetch(f"{self.trickster.url}/{backend}{target}")
        self.assertEqual(got.body, fetch(self.prometheus.url + target).body, got.result)
        return got

    def assert_asked_once(self) -> None:
        asked = self.counting.asked
        self.assertEqual(len(asked), len(set(asked)))

    def test_fifty_clients(self) -> None:
        """Fifty clients with overlapping windows request no more of the origin than one would."""
        source = random.Random(7)
        last = self.now // STEP * STEP
        windows = [(last - source.randrange(60, 200) * STEP, last - source.randrange(20) * STEP)
                   for _ in range(49)]
        windows.append((last - 200 * STEP, last))
        for backend in ("plain", "sharded"):
            self.counting.asked.clear()
            query = f"sum by (job) (rate(requests_total[5m])) * {len(backend)}"
            with ThreadPoolExecutor(50) as clients:
                list(clients.map(lambda w, b=backend, q=query: self.ask(q, w, b), windows))
            self.assert_asked_once()
            self.assertEqual(len(self.counting.asked), 201)

    def test_any_sequence_of_windows(self) -> None:
        """Windows that slide, jump, grow and shrink never fetch an instant twice."""
        source = random.Random(8)
        last = self.now // STEP * STEP
        for _ in range(60):
            start = last - source.randrange(10, 400) * STEP
            self.ask("temperature", (start, min(last, start + source.randrange(200) * STEP)))
        self.assert_asked_once()

    def test_inside_the_tolerance_all_is_asked_again(self) -> None:
        """Samples within the tolerance are fetched each time, and older ones are not."""
        last = self.now // STEP * STEP
        for _ in range(3):
            self.ask("odd", (last - 60 * STEP, last), "tolerant")
        twice = {at for query, at in self.counting.asked
                 if self.counting.asked.count((query, at)) > 1}
        oldest = (time.time() - 120 - 30) * 1000
        self.assertTrue(twice)
        self.assertTrue(all(at > oldest for at in twice), sorted(twice)[:3])

    def test_statuses_tell_what_happened(self) -> None:
        """The result header has the status miss, hit, partial hit or range miss, and the reason."""
        last = self.now // STEP * STEP
        query = "avg(temperature)"
        statuses = [self.ask(query, window).lookup for window in (
            (last - 900, last - 600), (last - 900, last - 600), (last - 900, last - 300),
            (last - 3600, last - 3000))]
        self.assertEqual(statuses, ["kmiss", "hit", "phit", "rmiss"])
        again = self.ask(query, (last - 900, last - 150))
        self.assertIn(f"fetched=[{(last - 285) * 1000}-{(last - 150) * 1000}]", again.result)
        self.assertIn("reason=range-miss", again.result)
        self.assertIn("detail=range-miss", again.headers["Cache-Status"])
