"""Tests of C{trickster.compose.backends.settings}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.backends.overlay import PathPlan
from trickster.compose.backends.settings import (
    identity,
    object_options,
    overrides,
    range_policy,
    upstream_options,
)
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
from trickster.messages import Headers, Params
from trickster.routes import Route, Serve


class UpstreamTests(SynchronousTestCase):
    """How a backend's options reach the connections to its origin."""

    def test_timeouts(self) -> None:
        """Each timeout is one of its own, and no total is no bound."""
        chosen = upstream_options(BackendOptions(
            timeout=1.0, connect_timeout=2.0, total_timeout=3.0, keep_alive_timeout=4.0), "us")
        self.assertEqual(
            (chosen.timeout, chosen.connect_timeout, chosen.total_timeout,
             chosen.keep_alive_timeout), (1.0, 2.0, 3.0, 4.0))
        self.assertIsNone(upstream_options(BackendOptions(), "us").total_timeout)

    def test_bounds(self) -> None:
        """Each bound on connections and on waiting is one of its own, and 0 is none."""
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
        """In mode phase no instant is rounded; equal questions stay equal."""
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
