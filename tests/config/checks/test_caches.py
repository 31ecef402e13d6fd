"""Tests of L{trickster.config.checks.caches}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded, with_backend
from trickster.config.checks.caches import idle_cache_keys
from trickster.config.document.settings import keys_of
from trickster.config.options.caches import CacheOptions, IndexOptions

# Keys of an index that a cache in memory has no use for, each with another value.
IDLE: dict[str, Any] = {"max_size_backoff_bytes": 1, "max_size_backoff_objects": 1,
                        "flush_interval": 60.0, "index_expiry": 60.0}
CHUNKING = ("use_cache_chunking", "timeseries_chunk_factor", "byterange_chunk_size")


class IdleTests(SynchronousTestCase):
    """Keys that have no effect in the store of their cache."""

    def effective(self) -> dict[str, Any]:
        """:return: those of L{IDLE} that have an effect in any store."""
        return {key.name: IDLE[key.name] for key in keys_of(IndexOptions)
                if key.name in IDLE and key.facts.effective}

    def test_memory(self) -> None:
        """For a cache in memory, every key of an index is told that has no effect there."""
        index = IndexOptions(**IDLE, max_size_bytes=5, max_size_objects=5, reap_interval=5.0)
        idle = idle_cache_keys(CacheOptions(index=index, store="memory"))
        self.assertEqual({one.key for one in idle},
                         {f"index.{name}" for name in self.effective()})

    def test_redis(self) -> None:
        """Redis bounds itself: no key of an index has an effect on it."""
        index = IndexOptions(**IDLE, max_size_bytes=5, max_size_objects=5, reap_interval=5.0)
        idle = idle_cache_keys(CacheOptions(index=index, store="redis", provider="redis"))
        self.assertEqual({one.key for one in idle}, {
            f"index.{key.name}" for key in keys_of(IndexOptions) if key.facts.effective})

    def test_chunking(self) -> None:
        """How entries are cut has no effect in memory, and the bounds none where none is asked for."""
        for store, asked, idle in (("memory", True, CHUNKING), ("memory", False, CHUNKING[1:]),
                                   ("sqlite", True, ()), ("sqlite", False, CHUNKING[1:]),
                                   ("redis", False, CHUNKING[1:])):
            cache = CacheOptions(store=store, use_cache_chunking=asked, timeseries_chunk_factor=7,
                                 byterange_chunk_size=7)
            self.assertEqual(tuple(one.key for one in idle_cache_keys(cache)), idle)

    def test_leases(self) -> None:
        """Nothing is agreed on with other processes where the cache is in memory."""
        for store, idle in (("memory", ["collapse_lease"]), ("redis", []), ("lmdb", [])):
            cache = CacheOptions(store=store, collapse_lease=7.0)
            self.assertEqual([one.key for one in idle_cache_keys(cache)], idle)

    def test_backends(self) -> None:
        """How many chunks of an entry move at a time has no effect where the cache is in memory."""
        notices = loaded(with_backend("chunk_read_concurrency_limit: 2, "
                                      "chunk_write_concurrency_limit: 16")
                         + "caches: {default: {}}\n").notices
        (line,) = (line for line in notices if "chunk_" in line)
        self.assertIn("backends.one.chunk_read_concurrency_limit has no effect here: ", line)

    def test_defaults(self) -> None:
        """A key that repeats its default is not told, as in files that spell everything out."""
        self.assertEqual(idle_cache_keys(CacheOptions(store="memory")), [])

    def test_others(self) -> None:
        """For any other store nothing is told: it knows its limits."""
        options = CacheOptions(index=IndexOptions(**IDLE), store="sqlite", provider="sqlite")
        self.assertEqual(idle_cache_keys(options), [])
        self.assertEqual(idle_cache_keys(evolve(options, store="other")), [])

    def test_remarked(self) -> None:
        """A key without effect is a remark at its place, and refuses no configuration."""
        for name, value in self.effective().items():
            value = "1m" if value == 60.0 else value
            notices = loaded(f"{ONE}caches:\n  c: {{index: {{{name}: {value}}}}}\n").notices
            (line,) = (line for line in notices if name in line)
            self.assertRegex(line, rf"^t\.yaml:3:\d+: caches\.c\.index\.{name} has no effect here: ")
