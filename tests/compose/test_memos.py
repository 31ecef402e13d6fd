"""Tests of L{trickster.compose.memos}."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.memos import Memos
from trickster.config.options.model import MainOptions
from trickster.observability.metrics import Metrics
from trickster.testing.doubles import ReferenceStore


class MemosTests(SynchronousTestCase):
    """What a process remembers beside its caches."""

    def test_limits(self) -> None:
        """Each memo is as large as its key says, and its gauges say so."""
        metrics = Metrics(CollectorRegistry())
        memos = Memos.of(MainOptions(hit_memo_bytes=1000, compressed_memo_bytes=64_000,
                                     fast_forward_memo_bytes=0, decoded_memo_bytes=5000))
        memos.watch(metrics)
        memos.coded.keep(b"gzip", b"x" * 500, b"y")
        memos.coded.find(b"gzip", b"x" * 500)
        self.assertFalse(memos.newest.put((self, "key"), "value", 1))
        for memo, limit, used in (
                ("hits", 1000, 0), ("compressed", 64_000, 501 + 1024 + 256), ("newest", 0, 0),
                ("decoded", 5000, 0)):
            self.assertEqual([metrics.registry.get_sample_value(
                f"trickster_memo_{name}", {"memo": memo})
                for name in ("max_usage_bytes", "usage_bytes")], [limit, used])
        self.assertEqual(metrics.registry.get_sample_value(
            "trickster_memo_lookups_total", {"memo": "compressed", "status": "hit"}), 1)

    def test_forgotten(self) -> None:
        """
        What was made of what caches hold is forgotten with them; forms that were compressed and
        entries that were decoded are found by what they were made of.
        """
        memos = Memos()
        memos.newest.put((self, "key"), "value", 1)
        memos.hits.kept.put((self, "key"), "value", 1)  # type: ignore[arg-type]
        memos.coded.keep(b"gzip", b"x" * 500, b"y")
        memos.decoded.kept.put((self, "key"), "value", 1)  # type: ignore[arg-type]
        memos.forget()
        self.assertEqual([len(memo) for memo in (
            memos.newest, memos.hits.kept, memos.coded.kept, memos.decoded.kept)], [0, 0, 1, 1])

    def test_apart(self) -> None:
        """Two processes, or two tests, share nothing."""
        one, other = Memos(), Memos()
        one.newest.put((self, "key"), "value", 1)
        self.assertEqual(len(other.newest), 0)

    def test_none(self) -> None:
        """A memo of 0 octets keeps nothing."""
        memos = Memos.of(MainOptions(hit_memo_bytes=0, compressed_memo_bytes=0))
        self.assertIsNone(memos.hits.of(ReferenceStore(None)))  # type: ignore[arg-type]
        self.assertEqual(memos.coded.largest, 0)
