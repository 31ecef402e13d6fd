"""Tests of C{trickster.workers.shares}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.configurations import loaded
from trickster.config.document.settings import Facts, Key, keys_of, setting
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.config.options.model import Configuration
from trickster.config.reference import blocks_within
from trickster.plugins import GROUPS, Plugins
from trickster.workers.shares import notices, share, worker_configuration

# What is counted by each process, and means all of them.
_SHARED_OUT = {
    "main.hit_memo_bytes", "main.compressed_memo_bytes", "main.fast_forward_memo_bytes",
    "main.decoded_memo_bytes", "listeners.connections_limit", "backends.max_idle_conns",
    "backends.max_concurrent_conns", "backends.max_streaming_conns",
    "backends.max_queued_requests", "backends.in_flight_bytes", "redis.pool_size",
    "redis.min_idle_conns",
}
# What is not, and why.
_SAME: dict[str, set[str]] = {
    "is no limit": {
        "main.instance_id", "listeners.port", "listeners.tls_port",
        "backends.paths.response_code", "static.status", "redis.db",
        "backends.healthcheck.expected_codes"},
    "is of one request, answer, query or entry": {
        "listeners.max_request_body_size_bytes", "listeners.min_body_rate",
        "listeners.max_request_line_bytes", "listeners.max_header_bytes",
        "backends.max_response_header_bytes", "backends.max_object_size_bytes",
        "backends.max_cached_request_body_bytes", "backends.timeseries_retention_factor",
        "backends.timeseries_max_bytes", "backends.max_timeseries_bytes",
        "backends.backfill_tolerance_points", "backends.shard_max_size_points",
        "backends.fetch_concurrency_limit", "backends.chunk_read_concurrency_limit",
        "backends.chunk_write_concurrency_limit", "caches.timeseries_chunk_factor",
        "caches.byterange_chunk_size", "redis.max_retries"},
    "is of a store that all have": {
        "caches.index.max_size_bytes", "caches.index.max_size_backoff_bytes",
        "caches.index.max_size_objects", "caches.index.max_size_backoff_objects",
        "memory.max_size_bytes", "memory.num_counters"},
    "is what each finds out for itself": {
        "backends.healthcheck.failure_threshold", "backends.healthcheck.recovery_threshold"},
    "has no effect yet": {
        "backends.max_capture_bytes", "backends.max_fanout_capture_bytes",
        "backends.alb.healthy_floor", "backends.alb.max_capture_bytes",
        "backends.alb.max_fanout_capture_bytes", "backends.alb.fgr_status_codes",
        "backends.alb.fgr.query_concurrency_limit",
        "backends.alb.fgr.query_concurrency_multiplier", "backends.alb.fgr.status_codes",
        "backends.alb.nlm.query_concurrency_limit",
        "backends.alb.nlm.query_concurrency_multiplier",
        "backends.alb.tsm.query_concurrency_limit",
        "backends.alb.tsm.query_concurrency_multiplier", "backends.alb.tsm.dedup_tolerance_ms",
        "backends.alb.user_router.no_route_status_code", "rules.input_index",
        "rules.max_rule_executions"},
}
_WHOLE = b"""
main: {hit_memo_bytes: 10MiB, compressed_memo_bytes: 0, fast_forward_memo_bytes: 1,
       decoded_memo_bytes: 7}
listeners:
  default: {connections_limit: 1000, max_header_bytes: 64KiB}
  other: {port: 8490}
  metrics: {connections_limit: 9}
  mgmt: {connections_limit: 8}
caches:
  here: {index: {max_size_bytes: 64MiB, max_size_objects: 9}}
  there: {provider: redis, redis: {pool_size: 0, min_idle_conns: 5}}
backends:
  one: {provider: prometheus, origin_url: 'http://127.0.0.1:1', cache_name: here,
        is_default: true, max_idle_conns: 9, max_concurrent_conns: 0, max_streaming_conns: 10,
        max_queued_requests: 8, in_flight_bytes: 2GiB, max_timeseries_bytes: 9MiB}
  two: {provider: rpc, origin_url: 'http://127.0.0.1:2', cache_name: there,
        listener_name: other}
"""


@frozen
class _Inner:
    seats: int = setting(9, "Most of them.", shared_out=True)


@frozen
class _Stranger:
    """Options of a plugin that knows nothing of ours but the names of metadata."""

    most: int = field(default=10, metadata={"shared_out": True, "minimum": 4})
    inner: tuple[_Inner, ...] = (_Inner(), _Inner(1))
    size: int = 10


def _whole_numbers() -> Iterator[tuple[str, Key]]:
    """:return: path, without names, and key, of all settings that are whole numbers."""
    blocks = [("", Configuration), *blocks_within("", Configuration)]
    plugins = Plugins()
    for interface, group in GROUPS.items():
        blocks += ((name, plugins.load(group, name, interface).options)
                   for name in plugins.names(group))
    for block, options in blocks:
        for key in keys_of(options):
            if _is_whole(key.hint) and not key.facts.hidden:
                path = f"{block}.{key.name}".lstrip(".")
                yield path.replace(".<name>", "").replace("[]", ""), key


def _is_whole(hint: Any) -> bool:
    return hint is int or any(map(_is_whole, get_args(hint)))


class SettingsTests(SynchronousTestCase):
    """Which settings are limits of all workers together."""

    def test_each(self) -> None:
        """Of each whole number it is said whether it is shared out, and why not."""
        same = [path for paths in _SAME.values() for path in paths]
        self.assertEqual(len(same), len(set(same)))
        found = {path for path, _ in _whole_numbers()}
        self.assertEqual(found, _SHARED_OUT | set(same))

    def test_marked(self) -> None:
        """Those that are shared out are marked so, and no others."""
        marked = {path for path, key in _whole_numbers() if key.facts.shared_out}
        self.assertEqual(marked, _SHARED_OUT)


class ShareTests(SynchronousTestCase):
    """The share of one worker."""

    @given(st.integers(1, 1 << 60), st.integers(1, 1000))
    def test_together(self, limit: int, workers: int) -> None:
        """Together they have the limit, and less than one each more; none has nothing."""
        ours = share(limit, workers, Facts())
        self.assertTrue(limit <= ours * workers < limit + workers)
        self.assertGreaterEqual(ours, 1)

    @given(st.integers(-5, 0), st.integers(1, 9))
    def test_no_limit(self, limit: int, workers: int) -> None:
        """No limit is no limit for each, and nothing at all is nothing."""
        self.assertEqual(share(limit, workers, Facts(minimum=3)), limit)

    def test_least(self) -> None:
        """No share is less than the setting may be."""
        self.assertEqual(share(10, 4, Facts(minimum=5)), 5)


class WorkerConfigurationTests(SynchronousTestCase):
    """The configuration of one of several workers."""

    def test_shares(self) -> None:
        """Each has its share of what is of all, rounded up, and all else as it is."""
        ours = worker_configuration(loaded(_WHOLE), 4)
        main, one, two = ours.main, ours.backends["one"], ours.backends["two"]
        self.assertEqual((main.hit_memo_bytes, main.compressed_memo_bytes,
                          main.fast_forward_memo_bytes, main.decoded_memo_bytes),
                         (10 << 18, 0, 1, 2))
        self.assertEqual((one.max_idle_conns, one.max_concurrent_conns, one.max_streaming_conns,
                          one.max_queued_requests, one.in_flight_bytes, one.max_timeseries_bytes),
                         (3, 0, 3, 2, 512 << 20, 9 << 20))
        self.assertEqual((two.max_idle_conns, two.in_flight_bytes), (5, 256 << 20))
        self.assertEqual(ours.listeners["default"].connections_limit, 250)
        self.assertEqual(ours.listeners["default"].max_header_bytes, 64 << 10)
        self.assertEqual(ours.listeners["other"].connections_limit, 0)
        index = ours.caches["here"].index
        self.assertEqual((index.max_size_bytes, index.max_size_objects), (64 << 20, 9))

    def test_own_listeners(self) -> None:
        """The listeners of the supervisor have all of their limits."""
        ours = worker_configuration(loaded(_WHOLE), 4).listeners
        self.assertEqual((ours["metrics"].connections_limit, ours["mgmt"].connections_limit),
                         (9, 8))

    def test_default_of_zero(self) -> None:
        """Where 0 stands for the default, that is what is shared out."""
        redis = worker_configuration(loaded(_WHOLE), 4).caches["there"].plugin
        self.assertEqual((redis.pool_size, redis.min_idle_conns), (5, 2))

    def test_one(self) -> None:
        """One worker has all."""
        whole = loaded(_WHOLE)
        self.assertEqual(worker_configuration(whole, 1), whole)

    def test_input_unchanged(self) -> None:
        """The configuration of the installation stays as it is."""
        whole = loaded(_WHOLE)
        worker_configuration(whole, 4)
        self.assertEqual(whole, loaded(_WHOLE))

    def test_plugins(self) -> None:
        """Options of plugins are shared out where these say so, at any depth."""
        whole = loaded(_WHOLE)
        whole.middlewares["mine"] = _middleware()
        ours = worker_configuration(whole, 3).middlewares["mine"].plugin
        self.assertEqual(ours, _Stranger(most=4, inner=(_Inner(3), _Inner(1))))


class NoticeTests(SynchronousTestCase):
    """What an operator is told of limits that several workers have."""

    def test_none(self) -> None:
        """Limits that can be shared out are nothing to speak of."""
        self.assertEqual(notices(loaded(b"""
            backends: {a: {provider: proxy, origin_url: 'http://127.0.0.1:1'}}"""), 4), ())

    def test_few(self) -> None:
        """A limit of less than the workers are is named, in its place in the file."""
        whole = loaded(_WHOLE)
        whole.middlewares["mine"] = _middleware()
        said, *_ = notices(whole, 6)
        self.assertIn("6 workers", said)
        self.assertEqual(said.partition("1 each: ")[2].split(", "), [
            "main.fast_forward_memo_bytes (1)", "caches.there.redis.min_idle_conns (5)",
            "middlewares.mine.stranger.inner.seats (1)"])

    def test_too_small(self) -> None:
        """A budget whose share has no room for the largest answer is named."""
        [said] = notices(loaded(b"""
            backends:
              a: {provider: prometheus, origin_url: 'http://127.0.0.1:1', is_default: true}
              b: {provider: prometheus, origin_url: 'http://127.0.0.1:1', in_flight_bytes: 9GiB}
              c: {provider: prometheus, origin_url: 'http://127.0.0.1:1', in_flight_bytes: 8MiB}
            """), 8)
        self.assertTrue(said.endswith("not kept: backends.a.in_flight_bytes (128MiB each)"), said)


def _middleware() -> Any:
    return MiddlewareOptions(kind="stranger", plugin=_Stranger())
