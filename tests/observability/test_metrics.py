"""Tests of C{trickster.observability.metrics}, C{.families} and C{.counters}."""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Reason
from trickster.messages import Engine, Outcome, Status
from trickster.observability.counters import (
    REQUEST_BUCKETS,
    ConnectionCounters,
    Histogram,
    MemoUsage,
    RouteLabels,
    class_label,
    folded_status,
    method_label,
    status_label,
)
from trickster.observability.metrics import Metrics, add_process_metrics
from trickster.stores.limits import StoreUsage

RANGE = RouteLabels("prom", "prometheus", "/api/v1/query_range")
HIT = Outcome(Engine.DELTA, Status.HIT)


class LabelTests(SynchronousTestCase):
    """Labels have a bounded set of values."""

    def test_methods(self) -> None:
        """Known methods are labels themselves; all others share one."""
        self.assertEqual([method_label(m) for m in (b"GET", b"PURGE", b"get", b"X" * 999)],
                         ["GET", "PURGE", "other", "other"])

    def test_status(self) -> None:
        """Registered status codes are labels themselves; others are the class alone."""
        self.assertEqual([status_label(c) for c in (200, 404, 499, 299, 571, 999, 0, -1)],
                         ["200", "404", "499", "2xx", "5xx", "other", "other", "other"])
        self.assertEqual([class_label(c) for c in (101, 499, 599, 600)],
                         ["1xx", "4xx", "5xx", "other"])


    def test_folded(self) -> None:
        """Codes that have the same label are counted as one, of which there are few."""
        codes = range(-1, 1100)
        for label in (status_label, class_label):
            self.assertEqual([label(folded_status(code)) for code in codes],
                             [label(code) for code in codes])
        self.assertLess(len({folded_status(code) for code in codes}), 80)


class HistogramTests(SynchronousTestCase):
    """Observations are counted in the buckets of a histogram."""

    @given(st.lists(st.floats(0, 30)))
    def test_naive(self, values: list[float]) -> None:
        """Each bucket counts the values that are at most its bound and above the one before."""
        histogram = Histogram()
        for value in values:
            histogram.observe(value)
        bounds = [-1.0, *REQUEST_BUCKETS, float("inf")]
        self.assertEqual(histogram.counts, [
            sum(low < value <= high for value in values)
            for low, high in pairwise(bounds)])
        self.assertAlmostEqual(histogram.total, sum(values))

    def test_add(self) -> None:
        """A histogram can be added to another."""
        one, other = Histogram(), Histogram()
        one.observe(0.03125)
        other.observe(0.03125)
        other.observe(99)
        one.add(other)
        self.assertEqual((one.counts[0], one.counts[-1], one.total), (2, 1, 99.0625))


class MetricsTestCase(SynchronousTestCase):
    """Sets up metrics that can be read."""

    def setUp(self) -> None:
        """Make a registry."""
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, "1.2.3", "abc")

    def value(self, name: str, **labels: str) -> float | None:
        """:return: one sample."""
        return self.registry.get_sample_value(f"trickster_{name}", labels)

    def text(self) -> str:
        """:return: everything, as Prometheus sees it."""
        return generate_latest(self.registry).decode()

    def count(self, outcome: Outcome = HIT, status: int = 200, octets: int = 0,
              labels: RouteLabels = RANGE) -> None:
        """Count a request that took 0.2 s to its headers and 0.3 s in all."""
        self.metrics.route(labels).count(b"GET", status, outcome, 0.2, 0.3, octets)


class RouteTests(MetricsTestCase):
    """Metrics of requests."""

    def frontend(self, name: str, http_status: str = "2xx", **labels: str) -> float | None:
        """:return: a sample of the requests of our route."""
        return self.value(f"frontend_{name}", backend_name="prom", provider="prometheus",
                          method="GET", path=RANGE.path, http_status=http_status, **labels)

    def test_not_in_frontend(self) -> None:
        """A path that is left out of the frontend's metrics is in all others."""
        labels = evolve(RANGE, in_frontend=False)
        self.metrics.route(labels).count(b"GET", 200, Outcome(points_cached=3), 0.1, 0.1, 5)
        self.assertIsNone(self.frontend("requests_total"))
        self.assertEqual(self.value("proxy_points_total", backend_name="prom", path=RANGE.path,
                                    provider="prometheus", cache_status="cached"), 3)

    def test_frontend(self) -> None:
        """What clients see is counted by the class of the status."""
        for status in (200, 206, 404):
            self.count(status=status, octets=10)
        self.assertEqual(self.frontend("requests_total"), 2)
        self.assertEqual(self.frontend("written_bytes_total"), 20)
        self.assertEqual(self.frontend("requests_total", "4xx"), 1)
        self.assertEqual(self.frontend("requests_duration_seconds_count"), 2)
        self.assertEqual(self.frontend("requests_duration_seconds_sum"), 0.6)

    def test_buckets(self) -> None:
        """Buckets are Trickster's, and cumulative."""
        self.count()
        values = [self.frontend("requests_duration_seconds_bucket", le=le)
                  for le in ("0.05", "0.1", "0.5", "1.0", "5.0", "10.0", "20.0", "+Inf")]
        self.assertEqual(values, [0, 0, 1, 1, 1, 1, 1, 1])

    def test_proxy(self) -> None:
        """Requests of caches are counted by status code and cache status."""
        self.count()
        self.count(Outcome(Engine.DELTA, Status.PARTIAL_HIT, Reason.RANGE_MISS))
        labels = {"backend_name": "prom", "provider": "prometheus", "method": "GET",
                  "http_status": "200", "path": RANGE.path}
        self.assertEqual(self.value("proxy_requests_total", cache_status="hit", **labels), 1)
        self.assertEqual(self.value("proxy_requests_total", cache_status="phit", **labels), 1)
        self.assertEqual(self.value("proxy_request_duration_seconds_sum", status="hit",
                                    **labels), 0.2)

    def test_reasons(self) -> None:
        """Reasons are counted; a full hit has none."""
        self.count()
        for _ in range(2):
            self.count(Outcome(Engine.DELTA, Status.KEY_MISS, Reason.KEY_MISS))
        self.assertEqual(self.value(
            "proxy_reasons_total", backend_name="prom", provider="prometheus", path=RANGE.path,
            cache_status="kmiss", reason="key-miss"), 2)
        self.assertEqual(self.text().count("trickster_proxy_reasons_total{"), 1)

    def test_points(self) -> None:
        """Points are counted by where they came from."""
        self.count(Outcome(points_cached=100, points_fetched=4))
        self.count(Outcome(points_cached=100))
        for word, points in (("cached", 200), ("uncached", 4)):
            self.assertEqual(self.value(
                "proxy_points_total", backend_name="prom", provider="prometheus",
                path=RANGE.path, cache_status=word), points)

    def test_rejections(self) -> None:
        """Refused ranges are counted for each backend."""
        self.count(Outcome(status=Status.ERROR, reason=Reason.RANGE_REFUSED), 422)
        self.count()
        self.assertEqual(self.value("proxy_query_range_rejections_total", backend_name="prom"), 1)

    def test_same_counters(self) -> None:
        """Equal labels go on with the same counts, as after a reload."""
        self.assertIs(self.metrics.route(RANGE),
                      self.metrics.route(RouteLabels(RANGE.backend, RANGE.provider, RANGE.path)))

    def test_bounded(self) -> None:
        """Nothing that a client invents makes another series."""
        route = self.metrics.route(RANGE)
        for number in range(100):
            route.count(b"X%d" % number, 200, HIT, 0, 0, 0)
        self.assertEqual(self.text().count("trickster_proxy_requests_total{"), 1)

    def test_bounded_origins(self) -> None:
        """Nothing that an origin invents makes another series, or is kept apart in memory."""
        route = self.metrics.route(RANGE)
        for status in range(600, 1000):
            route.count(b"GET", status, HIT, 0, 0, 0)
        self.assertEqual(len(route.cells()), 1)


class OtherTests(MetricsTestCase):
    """Metrics beside those of requests."""

    def test_build(self) -> None:
        """The version and the revision of the program are exposed."""
        self.assertIn('revision="abc",version="1.2.3"} 1.0', self.text())

    def test_reloads(self) -> None:
        """Reloads are counted, and the last one is remembered."""
        self.metrics.reloads.succeeded(1000.0, 0.2)
        self.assertEqual(self.value("config_last_reload_successful"), 1)
        self.metrics.reloads.failed(0.1)
        names = ("last_reload_successful", "last_reload_success_time_seconds",
                 "reload_attempts_total", "reload_successes_total", "reload_failures_total",
                 "reload_duration_seconds_count")
        self.assertEqual([self.value(f"config_{name}") for name in names],
                         [0, 1000.0, 2, 1, 1, 2])

    def test_connections(self) -> None:
        """Connections are counted from being asked for to their end."""
        connections: ConnectionCounters = self.metrics.connections
        connections.limit = 5
        connections.opened()
        connections.opened()
        connections.ended()
        connections.refused()
        names = ("max_connections", "active_connections", "requested_connections_total",
                 "accepted_connections_total", "closed_connections_total",
                 "failed_connections_total")
        self.assertEqual([self.value(f"proxy_{name}") for name in names], [5, 1, 3, 2, 1, 1])

    def test_origins(self) -> None:
        """The traffic with origins is counted."""
        origin = self.metrics.origin("prom", "prometheus")
        self.metrics.expose_origin("prom", "prometheus")
        origin.requests, origin.failures = 3, 1
        origin.sent_octets, origin.received_octets = 100, 2000
        names = ("requests_total", "failures_total", "sent_bytes_total", "received_bytes_total")
        self.assertEqual([self.value(f"origin_{name}", backend_name="prom",
                                     provider="prometheus") for name in names],
                         [3, 1, 100, 2000])

    def test_store(self) -> None:
        """Operations, events and usage of stores."""
        store = self.metrics.store("default", "memory")
        self.metrics.expose_store("default", "memory")
        store.operation("get", "hit", 10)
        store.operation("get", "hit", 5)
        store.event("eviction", "ttl")
        store.lease("taken")
        self.metrics.watch_usage("default", "memory", lambda: StoreUsage(
            objects=1, octets=2, max_objects=3, max_octets=4, protected_octets=5))
        cache = {"cache_name": "default", "provider": "memory"}
        get = {"operation": "get", "status": "hit", **cache}
        self.assertEqual([
            self.value("cache_operation_objects_total", **get),
            self.value("cache_operation_bytes_total", **get),
            self.value("cache_events_total", event="eviction", reason="ttl", **cache),
            self.value("cache_usage_objects", **cache), self.value("cache_usage_bytes", **cache),
            self.value("cache_max_usage_objects", **cache),
            self.value("cache_max_usage_bytes", **cache),
            self.value("cache_usage_protected_bytes", **cache),
            self.value("cache_leases_total", event="taken", **cache)],
            [2, 15, 1, 1, 2, 3, 4, 5, 1])

    def test_not_in_use(self) -> None:
        """Counters of equal labels are shared, and have no samples before they are exposed."""
        store = self.metrics.store("default", "memory")
        store.event("eviction", "ttl")
        labels = {"event": "eviction", "reason": "ttl", "cache_name": "default",
                  "provider": "memory"}
        self.assertIsNone(self.value("cache_events_total", **labels))
        self.assertIs(self.metrics.store("default", "memory"), store)
        self.metrics.expose_store("default", "memory")
        self.assertIs(self.metrics.store("default", "memory"), store)
        self.assertEqual(self.value("cache_events_total", **labels), 1)

    def test_never_in_use(self) -> None:
        """Counters that are never exposed are forgotten with their users; others go on."""
        for is_exposed in (False, True):
            store = self.metrics.store(f"{is_exposed}", "memory")
            store.event("eviction", "ttl")
            if is_exposed:
                self.metrics.expose_store("True", "memory")
            del store
            gc.collect()
            self.assertEqual(len(self.metrics.store(f"{is_exposed}", "memory").events),
                             int(is_exposed))

    def test_odd_store(self) -> None:
        """A store that cannot say how full it is costs no other sample, nor do odd events."""
        odd: Any = None
        store = self.metrics.store("a", "odd")
        self.metrics.expose_store("a", "odd")
        for event, reason in (("eviction", "key 1"), ("eviction", "key 2"), (odd, odd)):
            store.event(event, reason)
        self.metrics.watch_usage("a", "odd", lambda: 1 / 0)
        self.metrics.watch_usage("b", "odd", lambda: StoreUsage(objects=odd, octets=2))
        self.metrics.watch_usage("c", "odd", lambda: StoreUsage(objects=1, octets=2))
        usages = [self.value("cache_usage_objects", cache_name=name, provider="odd")
                  for name in "abc"]
        self.assertEqual([str(usage) for usage in usages], ["nan", "nan", "1.0"])
        self.assertIsNone(self.value("cache_usage_protected_bytes", cache_name="c", provider="odd"))
        events = [self.value("cache_events_total", event=event, reason="other",
                             cache_name="a", provider="odd") for event in ("eviction", "other")]
        self.assertEqual(events, [2, 1])

    def test_memos(self) -> None:
        """Memos have samples; a memo that does not count lookups has none of those."""
        self.metrics.watch_memo("hits", lambda: MemoUsage(1, 2, 3, 4, 5))
        self.metrics.watch_memo("newest", lambda: MemoUsage(6, 7, 8))
        for memo, expected in (("hits", [1, 2, 3, 4, 5]), ("newest", [6, 7, 8, None, None])):
            self.assertEqual([
                *(self.value(f"memo_{name}", memo=memo)
                  for name in ("usage_objects", "usage_bytes", "max_usage_bytes")),
                *(self.value("memo_lookups_total", memo=memo, status=status)
                  for status in ("hit", "miss"))], expected)

    def test_probes_and_lag(self) -> None:
        """Probes and the reactor's lag have histograms of their own bounds."""
        probe = self.metrics.probe("prom")
        self.metrics.expose_origin("prom", "prometheus")
        probe.observe(0.02)
        self.metrics.reactor_lag.observe(0.003)
        self.assertEqual(self.value("healthcheck_probe_latency_seconds_bucket",
                                    backend_name="prom", le="0.025"), 1)
        self.assertEqual(self.value("reactor_lag_seconds_bucket", le="0.005"), 1)

    def test_gauges(self) -> None:
        """Anything can be watched, replaced, and watched no more."""
        first = self.metrics.watch("fetches", "Under way.", lambda: 1, backend_name="a")
        self.metrics.watch("fetches", "Under way.", lambda: 2, backend_name="b")
        unwatch = self.metrics.watch("fetches", "Under way.", lambda: 3, backend_name="a")
        first()
        self.assertEqual([self.value("fetches", backend_name=b) for b in "ab"], [3, 2])
        unwatch()
        self.assertIsNone(self.value("fetches", backend_name="a"))

    def test_total(self) -> None:
        """A value that only grows is exposed as a counter."""
        self.metrics.watch_total("refusals", "So far.", lambda: 3)
        self.assertEqual(self.value("refusals_total"), 3)
        self.assertIsNone(self.value("refusals"))

    def test_failing_gauge(self) -> None:
        """A gauge that cannot be read is NaN, and does not spoil the others."""
        self.metrics.watch("broken", "Cannot be read.", lambda: 1 / 0)
        self.metrics.watch("fine", "Can be.", lambda: 7)
        self.assertIn("trickster_broken NaN\n", self.text())
        self.assertEqual(self.value("fine"), 7)

    def test_readable(self) -> None:
        """Prometheus's own reader parses the whole text, odd labels too."""
        self.count(labels=RouteLabels('a"b\\c\nd', "prometheus", "/ä"))
        add_process_metrics(self.registry)
        families: dict[str, Any] = {
            family.name: family for family in text_string_to_metric_families(self.text())}
        [sample] = families["trickster_frontend_requests"].samples
        self.assertEqual(sample.labels["backend_name"], 'a"b\\c\nd')
        self.assertIn("python_info", families)
