"""Tests of C{trickster.compose.backends.settings}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.backends.overlay import PathPlan
from trickster.compose.backends.settings import (
    chunking_of_objects,
    chunking_of_ranges,
    identity,
    key_prefix,
    most_instants,
    object_options,
    overrides,
    place_of,
    probe_origin,
    range_policy,
    upstream_options,
)
from trickster.config.options.backends import BackendOptions, HealthCheckOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.paths import PathOptions
from trickster.messages import Headers, Params
from trickster.ranges.policy import RangePolicy
from trickster.routes import Route, Serve
from trickster.stores.sealed import CHUNK
from trickster.timeseries.planning import Sharding


class UpstreamTests(SynchronousTestCase):
    """How a backend's options reach the connections to its origin."""

    def test_timeouts(self) -> None:
        """Each timeout of a backend reaches its connections, and no total timeout is no bound."""
        chosen = upstream_options(BackendOptions(
            timeout=1.0, connect_timeout=2.0, total_timeout=3.0, keep_alive_timeout=4.0), "us")
        self.assertEqual(
            (chosen.timeout, chosen.connect_timeout, chosen.total_timeout,
             chosen.keep_alive_timeout), (1.0, 2.0, 3.0, 4.0))
        self.assertIsNone(upstream_options(BackendOptions(), "us").total_timeout)

    def test_bounds(self) -> None:
        """Each bound on connections and on waiting reaches the pool, and 0 is no bound."""
        chosen = upstream_options(BackendOptions(
            max_streaming_conns=1, max_queued_requests=2, queue_timeout=3.0, max_conn_age=4.0,
            stream_idle_timeout=5.0, max_response_header_bytes=6000), "us")
        self.assertEqual(chosen.max_response_header_bytes, 6000)
        self.assertEqual(
            (chosen.max_streaming_conns, chosen.max_queued_requests, chosen.queue_timeout,
             chosen.max_conn_age, chosen.stream_idle_timeout), (1, 2, 3.0, 4.0, 5.0))
        chosen = upstream_options(BackendOptions(max_conn_age=0.0), "us")
        self.assertEqual((chosen.max_conn_age, chosen.stream_idle_timeout), (None, None))


class ExactTests(SynchronousTestCase):
    """What a backend's mode says about answers that are kept whole."""

    def test_phase(self) -> None:
        """In mode C{phase} no instant is rounded, and queries are still normalised."""
        def same(params: Params) -> Params:
            return params

        plan = PathPlan(Route("/q", Serve.OBJECT, form=True, normalise=same, align=lambda _: None))
        for mode, is_aligned in (("aligned", True), ("phase", False)):
            backend = BackendOptions(origin_url="http://h/", timeseries_step_mode=mode)
            rules = object_options("p", backend, plan, {}).key
            self.assertEqual(rules.align is not None, is_aligned)
            self.assertIs(rules.normalise, same)


class BoundTests(SynchronousTestCase):
    """What a path's caches hold of requests and answers."""

    def test_both_caches(self) -> None:
        """The bounds of a backend are those of whole answers and of range queries alike."""
        backend = BackendOptions(origin_url="http://h/", max_cached_request_body_bytes=5,
                                 max_timeseries_bytes=6)
        plan = PathPlan(Route("/q", Serve.OBJECT))
        whole = object_options("p", backend, plan, {})
        ranges = range_policy("p", backend, plan)
        self.assertEqual((whole.max_request_body_bytes, whole.max_capture_bytes), (5, 6))
        self.assertEqual((ranges.max_request_bytes, ranges.max_answer_bytes), (5, 6))


class PlaceTests(SynchronousTestCase):
    """Where a backend's origin is."""

    def test_origin(self) -> None:
        """An origin's authority and prefix are those of its URL."""
        place = place_of(BackendOptions(origin_url="http://h:81/p"))
        self.assertEqual((place.authority, place.prefix), (b"h:81", b"/p"))

    def test_probe(self) -> None:
        """Health checks go to the origin, unless their keys name another host or scheme."""
        for said, url in (({}, "http://h:81/p"), ({"host": "i"}, "http://i/p"),
                          ({"scheme": "https"}, "https://h:81/p"),
                          ({"host": "i:9", "scheme": "https"}, "https://i:9/p")):
            backend = BackendOptions(origin_url="http://h:81/p",
                                     healthcheck=HealthCheckOptions(**said))
            self.assertEqual(str(probe_origin(backend)), url)

    def test_keys(self) -> None:
        """Keys begin with the backend's name and its origin, or its C{cache_key_prefix}."""
        for said, prefix in (({}, "b.h:81"), ({"cache_key_prefix": "q"}, "b.q")):
            backend = BackendOptions(origin_url="http://h:81/p", **said)
            self.assertEqual(key_prefix("b", backend), prefix)


class ChunkingTests(SynchronousTestCase):
    """How the options of a cache and a backend reach stores of octets."""

    def test_pieces(self) -> None:
        """The sizes of pieces are those of the cache where it is to be chunked, and ours otherwise."""
        backend = BackendOptions(origin_url="http://h/")
        for asked, instants, octets, whole in ((False, 0, CHUNK, 0), (True, 7, 9, 3)):
            cache = CacheOptions(use_cache_chunking=asked, timeseries_chunk_factor=7,
                                 byterange_chunk_size=9)
            self.assertEqual(most_instants(cache), instants)
            self.assertEqual(chunking_of_objects(backend, cache).octets, octets)
            self.assertEqual(chunking_of_ranges(backend, cache).octets, CHUNK)
            self.assertEqual((chunking_of_objects(backend, cache).whole,
                              chunking_of_ranges(backend, cache).whole), (0, whole))

    def test_largest(self) -> None:
        """No piece is larger than a chunk may be, whatever the cache says."""
        cache = CacheOptions(use_cache_chunking=True, byterange_chunk_size=CHUNK + 1)
        self.assertEqual(
            chunking_of_objects(BackendOptions(origin_url="http://h/"), cache).octets, CHUNK)

    def test_at_a_time(self) -> None:
        """How many pieces move at a time is the backend's to say, in both caches."""
        backend = BackendOptions(origin_url="http://h/", chunk_read_concurrency_limit=2,
                                 chunk_write_concurrency_limit=3)
        for made in (chunking_of_objects, chunking_of_ranges):
            chunking = made(backend, CacheOptions())
            self.assertEqual((chunking.reads, chunking.writes), (2, 3))


class RangeTests(SynchronousTestCase):
    """How a backend's options reach its range queries."""

    def policy(self, **said: Any) -> RangePolicy:
        """:return: that of a path without options of its own."""
        return range_policy("p", BackendOptions(origin_url="http://h/", **said),
                            PathPlan(Route("/q", Serve.DELTA)))

    def test_times(self) -> None:
        """Times of shards are converted to nanoseconds; points and times differ."""
        policy = self.policy(shard_max_size_time=2.5, shard_step=3.0, shard_max_size_points=4,
                             backfill_tolerance=5.0, backfill_tolerance_points=6)
        self.assertEqual(policy.sharding, Sharding(4, 2_500_000_000, 3_000_000_000))
        self.assertEqual((policy.tolerance, policy.tolerance_points), (5.0, 6))

    def test_bounds(self) -> None:
        """Each bound is one of its own."""
        policy = self.policy(
            timeseries_retention_factor=1, timeseries_max_age=2.0, timeseries_max_bytes=3,
            timeseries_ttl=4.0, fastforward_ttl=5.0, fetch_concurrency_limit=6,
            max_query_range=7.0)
        self.assertEqual(
            (policy.retention, policy.max_age, policy.max_bytes, policy.ttl,
             policy.fast_forward_ttl, policy.concurrency, policy.max_query_range),
            (1, 2.0, 3, 4.0, 5.0, 6, 7.0))

    def test_modes(self) -> None:
        """Where no answer may be changed, none is changed by fast forward either."""
        for said, expected in (
                ({}, (False, True, False)),
                ({"fast_forward_disable": True}, (False, False, False)),
                ({"timeseries_step_mode": "phase"}, (True, False, False)),
                ({"timeseries_eviction_method": "lru"}, (False, True, True))):
            policy = self.policy(**said)
            self.assertEqual((policy.phase, policy.fast_forward, policy.lru), expected, said)

    def test_directives(self) -> None:
        """Whether clients' directives are obeyed, a path says before its backend."""
        for wide, narrow, expected in ((True, None, True), (False, None, False),
                                       (True, False, False), (False, True, True)):
            backend = BackendOptions(origin_url="http://h/", honour_request_directives=wide)
            plan = PathPlan(Route("/q", Serve.DELTA), PathOptions(
                path="/q", honour_request_directives=narrow))
            self.assertEqual([range_policy("p", backend, plan).honours, object_options(
                "p", backend, plan, {}).honour_request_directives], [expected] * 2)


class KeyTests(SynchronousTestCase):
    """What of a request is part of a path's keys, and what keeps it from the caches."""

    def test_beginnings(self) -> None:
        """What a path or its backend counts is no override, though its name begins like one."""
        asked = Headers(((b"X-Forwarded-Team", b"a"),))
        plain = PathPlan(Route("/q", Serve.OBJECT))
        counting = PathPlan(plain.route, PathOptions(
            path="/q", cache_key_headers=("X-Forwarded-Team",)))
        naming = BackendOptions(origin_url="http://h/", identity_headers=("X-Forwarded-Team",))
        for backend, plan, is_overriding in (
                (BackendOptions(origin_url="http://h/"), plain, True),
                (BackendOptions(origin_url="http://h/"), counting, False), (naming, plain, False)):
            self.assertIs(overrides(backend, plan).are_in(asked), is_overriding)
            self.assertIs(identity(backend, plan).of(asked) is None, is_overriding)
