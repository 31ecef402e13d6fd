"""With everything full, memory stays within what the configuration and the formula say."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.filling import FillingOrigin
from tests.end_to_end.servers import Trickster, fetch
from tests.end_to_end.talking import Field, Talk, eventually, gauges

MIB = 1 << 20
CACHE, HITS, CODED, NEWEST, IN_FLIGHT = 16 * MIB, 8 * MIB, 8 * MIB, 4 * MIB, 32 * MIB
CONNECTIONS, SLOW_CLIENTS, CONCURRENT, QUEUED = 200, 43, 8, 40
# Of docs/operations.md, "Sizing": what is remembered of requests; the factor for what the
# allocator and copies take; what a connection takes that waits, and one whose client is slow.
REMEMBERED, FACTOR, WAITING, SLOW = 70 * MIB, 2.3, 32 << 10, 5 * MIB // 4
# What a client and the kernel take of an answer that is not read is less than this.
LONG = 8 * MIB
FULL = 0.8


class Crowd:
    """Clients that have asked, and read nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._talks: list[Talk] = []

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._talks)

    def ask(self, target: str, headers: Iterable[Field] = ()) -> None:
        """Ask on a connection of its own, and read nothing."""
        talk = Talk(self._port, receive_buffer=4096)
        self._talks.append(talk)
        talk.ask(target, headers)

    def leave(self) -> None:
        """Hang up, all of them."""
        for talk in self._talks:
            talk.reset()
        self._talks.clear()


class MemoryTests(SynchronousTestCase):
    """A Trickster with small limits, and clients that use all of them."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.origin = FillingOrigin()
        self.addCleanup(self.origin.stop)
        patient = {"origin_url": self.origin.url, "timeout": "5m", "queue_timeout": "5m",
                   "in_flight_bytes": IN_FLIGHT, "max_concurrent_conns": CONCURRENT,
                   "max_queued_requests": QUEUED}
        self.trickster = Trickster(Path(directory.name) / "trickster", {
            "web": {**patient, "provider": "rpc", "is_default": True,
                    "max_object_size_bytes": LONG},
            "prom": {**patient, "provider": "prometheus"},
        }, {
            "caches": {"default": {"memory": {"max_size_bytes": CACHE}}},
            "main": {"hit_memo_bytes": HITS, "compressed_memo_bytes": CODED,
                     "fast_forward_memo_bytes": NEWEST},
        }, listener={"connections_limit": CONNECTIONS, "write_timeout": "5m",
                     "idle_timeout": "5m"})
        self.addCleanup(self.trickster.stop)
        self.crowd = Crowd(self.trickster.port)
        self.addCleanup(self.crowd.leave)

    def test_everything_full(self) -> None:
        """
        With caches, memos, budget, queue and connections full, memory stays within the formula.
        """
        self.warm_up()
        idle = self.trickster.resident_bytes()
        self.fill_memos()
        self.fill_in_flight()
        self.fill_cache()
        self.fill_queue()
        self.fill_connections()
        self.assert_full()
        bound = REMEMBERED + FACTOR * (CACHE + HITS + CODED + NEWEST + 2 * IN_FLIGHT) + (
            SLOW_CLIENTS * SLOW + CONNECTIONS * WAITING)
        self.assertLess(self.trickster.peak_bytes() - idle, bound)
        self.crowd.leave()
        self.assertTrue(eventually(lambda: not self.now("in_flight_bytes")), "given back")
        with Talk(self.trickster.port) as talk:
            self.assertEqual(talk.asked("/octets/100/after").status, 200)

    def warm_up(self) -> None:
        """Have each kind of request answered once."""
        for coding in ("gzip", "br", "zstd"):
            self.ask_all([f"/text/5000/{coding}"], [("Accept-Encoding", coding)])
        self.ask_all(["/octets/1000/warm", self.range("s3_warm")])

    def ask_all(self, targets: Iterable[str], headers: Iterable[Field] = ()) -> None:
        """Ask for all of them, one after the other on each of two connections."""
        def run(targets: list[str]) -> None:
            with Talk(self.trickster.port) as talk:
                for target in targets:
                    self.assertEqual(talk.asked(target, headers).status, 200, target)

        every = list(targets)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(run, (every[::2], every[1::2])))

    def range(self, query: str, step: int = 600) -> str:
        """:return: a range query for the last hour."""
        now = int(time.time())
        return (f"/prom/api/v1/query_range?query={query}&start={now - 3600}&end={now}"
                f"&step={step}")

    def fill_memos(self) -> None:
        """Ask for more than each holds; what is repeated fits into the cache."""
        texts = [f"/text/60000/{number}" for number in range(CODED // 60_000)]
        for _ in range(3):
            self.ask_all(texts, [("Accept-Encoding", "gzip")])
        small = [f"/octets/9000/{number}" for number in range(HITS // 8000)]
        for _ in range(3):
            self.ask_all(small)

    def fill_in_flight(self) -> None:
        """Have clients read slowly what the cache forgets, and others wait for an end."""
        for target in (f"/octets/{LONG}/slow", f"/text/{LONG}/slow"):
            self.ask_all([target])
            for _ in range(SLOW_CLIENTS // 2 - 1):
                self.crowd.ask(target, [("Accept-Encoding", "br")])
        self.wait_for("in_flight_bytes", 2 * LONG)
        for number in range(4):
            # The second waits for all of it, so that it comes though the first does not read.
            self.crowd.ask(f"/half/{LONG * 3 // 4}/{number // 2}")
        self.wait_for("in_flight_bytes", 3 * LONG)
        for number in range(3):
            target = self.range(f"s6000_{number}", step=60)
            self.ask_all([target])
            self.crowd.ask(target)
        self.wait_for("in_flight_bytes", FULL * 2 * IN_FLIGHT)

    def fill_cache(self) -> None:
        """Fill what large answers have left of it, and of the memo for newest samples."""
        self.ask_all(self.range(f"s100_{number}") for number in range(NEWEST // 40_000))
        self.ask_all(f"/octets/100000/{number}" for number in range(CACHE // 100_000))

    def fill_queue(self) -> None:
        """Have more wait for the origin than may be asked of it at once."""
        for number in range(CONCURRENT - 2 + QUEUED):
            self.crowd.ask(f"/hang/{number}")

    def fill_connections(self) -> None:
        """Take all that are left, with clients that wait together."""
        for _ in range(CONNECTIONS - self.crowd.size):
            self.crowd.ask("/hang/0")

    def wait_for(self, name: str, least: float) -> None:
        """Wait until a metric is as large."""
        self.assertTrue(eventually(lambda: self.now(name) >= least), (name, self.now(name), least))

    def now(self, name: str) -> float:
        """:return: a metric, added up."""
        return gauges(self.trickster.metrics_url, name)[name]

    def assert_full(self) -> None:
        """Fail unless everything is full, and nothing is fuller than its limit."""
        time.sleep(1.1)  # what is scraped may be a second old
        text = fetch(f"{self.trickster.metrics_url}/metrics").body.decode()
        values = {name: float(value) for name, _, value in (
            line.rpartition(" ") for line in text.splitlines() if line[:1] != "#")}
        for name, limit in (
                ('cache_usage_bytes{cache_name="default",provider="memory"}', CACHE),
                ('memo_usage_bytes{memo="hits"}', HITS),
                ('memo_usage_bytes{memo="compressed"}', CODED),
                ('memo_usage_bytes{memo="newest"}', NEWEST),
                ('in_flight_bytes{backend_name="web"}', IN_FLIGHT),
                ('in_flight_bytes{backend_name="prom"}', IN_FLIGHT),
                ('origin_active_connections{backend_name="web"}', CONCURRENT),
                ('origin_waiting_requests{backend_name="web"}', QUEUED),
                ("proxy_active_connections", CONNECTIONS)):
            self.assertLessEqual(values[f"trickster_{name}"], limit, name)
            self.assertGreaterEqual(values[f"trickster_{name}"], FULL * limit, name)
