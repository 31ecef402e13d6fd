"""A refresh of a large dataset by one step writes about what is new, to any store."""

from __future__ import annotations

import os
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.filling import FillingOrigin
from tests.end_to_end.redises import PATIENT, Redis
from tests.end_to_end.servers import Trickster, fetch
from tests.end_to_end.standing import Standing
from tests.end_to_end.waiting import eventually, wait_until_idle

# A day of them is 1440.
REFRESHES = int(os.environ.get("TRICKSTER_REFRESHES", "3"))
_STEP, _SERIES, _STEPS = 60, 1000, 1440
_MOST = 500_000
_CHUNKED = {"use_cache_chunking": True}


class RefreshTests(Standing):
    """About 36 MB, of which the last minutes are asked for again and again."""

    origin: ClassVar[FillingOrigin]
    redis: ClassVar[Redis]

    @classmethod
    def started(cls, root: Path) -> None:
        """Have an origin, and a server."""
        cls.origin = cls.kept(FillingOrigin())
        cls.redis = cls.kept(Redis(root / "redis"))

    def setUp(self) -> None:
        """Have a place for a store."""
        directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name)

    def cache(self, kind: str) -> dict[str, Any]:
        """:return: of a configuration."""
        options = {"filesystem": {"cache_path": str(self.place / "files")},
                   "lmdb": {"path": str(self.place / "cache.lmdb")},
                   "redis": {"endpoint": self.redis.endpoint, "key_prefix": f"{self.id()}:",
                             **{name: f"{seconds:g}s" for name, seconds in PATIENT.items()}}}
        return {"provider": kind, kind: options[kind]}

    def check(self, kind: str, **more: Any) -> None:
        """Refresh a dataset step by step, and count what the store is given."""
        trickster = Trickster(self.place / "trickster", {"plain": {
            "provider": "prometheus", "origin_url": self.origin.url, "is_default": True,
            "fast_forward_disable": True, "timeseries_retention_factor": _STEPS}},
            {"caches": {"default": {**self.cache(kind), **more}}})
        self.addCleanup(trickster.stop)
        written = self.to_redis if kind == "redis" else lambda: _to_files(trickster)
        first = int(time.time()) // _STEP - REFRESHES - 2
        self.ask(trickster, first - _STEPS + 1, first)
        self.kept_in(trickster, first)
        self.settle(trickster, written)
        before = written()
        for last in range(first + 1, first + REFRESHES + 1):
            self.ask(trickster, last - 20, last)
            self.kept_in(trickster, last)
        self.settle(trickster, written)
        each = (written() - before) / REFRESHES
        self.assertLess(each, _MOST)
        # A hundredth of what is new would be too little to be true.
        self.assertGreater(each, _SERIES / 8)

    def settle(self, trickster: Trickster, written: Callable[[], int]) -> None:
        """Return once nothing large is written any more, to be heard of or to be kept."""
        wait_until_idle([trickster, self.redis], lambda: written() // 10_000)

    def to_redis(self) -> int:
        """:return: octets that the server has got."""
        lines = self.redis.command("INFO", "stats").decode().split()
        return int(next(line for line in lines if "total_net_input_bytes" in line).split(":")[1])

    def ask(self, trickster: Trickster, first: int, last: int) -> str:
        """:return: what came of a question; the answer is the origin's own."""
        target = "/api/v1/query_range?" + urllib.parse.urlencode({
            "query": f"s{_SERIES}_x", "start": first * _STEP, "end": last * _STEP, "step": _STEP})
        got = fetch(trickster.url + target)
        self.assertTrue(got.body == fetch(self.origin.url + target).body, got.result)
        return got.lookup

    def kept_in(self, trickster: Trickster, last: int) -> None:
        """Return once the last steps are kept: they are written after they have been sent."""
        eventually(lambda: self.ask(trickster, last - 1, last) == "hit")

    def test_files(self) -> None:
        """A refresh replaces few files."""
        self.check("filesystem")

    def test_files_chunked(self) -> None:
        """It does so too where the operator has bounded the pieces."""
        self.check("filesystem", **_CHUNKED)

    def test_lmdb(self) -> None:
        """A refresh writes few pages."""
        self.check("lmdb")

    def test_lmdb_chunked(self) -> None:
        """It does so too where the operator has bounded the pieces."""
        self.check("lmdb", **_CHUNKED)

    def test_redis(self) -> None:
        """A refresh sends little."""
        self.check("redis")

    def test_redis_chunked(self) -> None:
        """It does so too where the operator has bounded the pieces."""
        self.check("redis", **_CHUNKED)


def _to_files(trickster: Trickster) -> int:
    """:return: octets that the process has written, but for those to sockets."""
    text = Path(f"/proc/{trickster.process.pid}/io").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("wchar")).split()[1])
