"""Prometheus families made of counts: the names and labels that dashboards know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from math import nan
from platform import python_version

from attrs import frozen
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from trickster.errors import Reason
from trickster.observability.counters import (
    Cell,
    CellKey,
    ConnectionCounters,
    Histogram,
    MemoUsage,
    OriginCounters,
    ReloadCounters,
    RouteCounters,
    StoreCounters,
    class_label,
    status_label,
)
from trickster.stores.limits import StoreUsage

_ROUTE = ("backend_name", "provider")
_FRONTEND = (*_ROUTE, "method", "path", "http_status")
_STORE = ("cache_name", "provider")
_USAGE = (("cache_usage_objects", "Objects in caches."),
          ("cache_usage_bytes", "Octets in caches, overhead included."),
          ("cache_max_usage_objects", "Most objects in caches; 0: no limit."),
          ("cache_max_usage_bytes", "Most octets in caches; 0: no limit."),
          ("cache_usage_protected_bytes", "Octets in caches that were used more than once."))

GaugeKey = tuple[str, tuple[tuple[str, str], ...]]


@frozen
class Gauge:
    """
    A number that is read when it is asked for.

    :ivar is_total: whether it only grows, and so is a counter.
    """

    documentation: str
    read: Callable[[], float]
    is_total: bool = False


def build_info(version: str, revision: str) -> Metric:
    """
    :param version: of Trickster.
    :param revision: of its sources, or empty.
    :return: a gauge that is always 1, whose labels say what is running.
    """
    return _gauge("build_info", "What is running; the value is always 1.",
                  ("pythonversion", "revision", "version"),
                  [((python_version(), revision, version), 1)])


def of_reloads(reloads: ReloadCounters) -> Iterator[Metric]:
    """
    :return: of attempts to load a configuration: when the last one went well, how many did and did
        not, and how many seconds they took.
    """
    yield _gauge("config_last_reload_successful", "Whether the last reload went well.", (),
                 [((), reloads.last_successful)])
    yield _gauge("config_last_reload_success_time_seconds",
                 "When a configuration was last loaded, since the epoch.", (),
                 [((), reloads.last_success_time)])
    yield _counter("config_reload_attempts", "Reloads tried.", (), [((), reloads.attempts)])
    yield _counter("config_reload_successes", "Reloads that went well.", (),
                   [((), reloads.successes)])
    yield _counter("config_reload_failures", "Reloads that changed nothing.", (),
                   [((), reloads.failures)])
    yield _histogram("config_reload_duration_seconds", "Duration of reloads.", (),
                     [((), reloads.durations)])


def of_connections(connections: ConnectionCounters) -> Iterator[Metric]:
    """:return: of client connections: how many there are and may be, and what became of them."""
    yield _gauge("proxy_max_connections", "Most client connections at once; 0: no limit.", (),
                 [((), connections.limit)])
    yield _gauge("proxy_active_connections", "Client connections open now.", (),
                 [((), connections.active)])
    for verb in ("requested", "accepted", "closed", "failed"):
        yield _counter(f"proxy_{verb}_connections", f"Client connections {verb}.", (),
                       [((), getattr(connections, verb))])


def of_frontend(routes: list[RouteCounters]) -> Iterator[Metric]:
    """
    :param routes: several with equal labels are added up.
    :return: of requests as clients see them: how many, seconds until their answers were handed
        over, and octets of bodies.
    """
    cells: dict[tuple[str, ...], Cell] = defaultdict(Cell)
    for route in routes:
        labels = route.labels
        if not labels.in_frontend:
            continue
        for (method, status, _, _), cell in route.cells():
            key = (labels.backend, labels.provider, method, labels.path, class_label(status))
            cells[key].to_end.add(cell.to_end)
            cells[key].octets += cell.octets
    yield _counter("frontend_requests", "Requests answered.", _FRONTEND,
                   [(key, sum(cell.to_end.counts)) for key, cell in cells.items()])
    yield _histogram("frontend_requests_duration_seconds",
                     "From the request until its answer was handed over whole.", _FRONTEND,
                     [(key, cell.to_end) for key, cell in cells.items()])
    yield _counter("frontend_written_bytes", "Octets of bodies handed to clients.", _FRONTEND,
                   [(key, cell.octets) for key, cell in cells.items()])


def of_proxy(routes: list[RouteCounters]) -> Iterator[Metric]:
    """
    :param routes: several with equal labels are added up.
    :return: of requests by what the caches made of them, by reason where they were no full hits,
        and of points of time series.
    """
    by_outcome: dict[tuple[str, ...], Histogram] = defaultdict(Histogram)
    by_reason: dict[tuple[str, ...], int] = defaultdict(int)
    rejections: dict[tuple[str, ...], int] = defaultdict(int)
    for route in routes:
        labels = route.labels
        rejections[(labels.backend,)] += _rejected(route.cells())
        for (method, status, cache_status, reason), cell in route.cells():
            by_outcome[labels.backend, labels.provider, method, cache_status,
                       status_label(status), labels.path].add(cell.to_headers)
            if reason is not None:
                by_reason[labels.backend, labels.provider, labels.path, cache_status,
                          reason] += sum(cell.to_headers.counts)
    yield _counter("proxy_requests", "Requests by what the cache made of them.",
                   (*_ROUTE, "method", "cache_status", "http_status", "path"),
                   [(key, sum(h.counts)) for key, h in by_outcome.items()])
    yield _histogram("proxy_request_duration_seconds",
                     "From the request until there was an answer to send.",
                     (*_ROUTE, "method", "status", "http_status", "path"), by_outcome.items())
    yield _counter("proxy_reasons", "Why answers did not come whole from the cache.",
                   (*_ROUTE, "path", "cache_status", "reason"), by_reason.items())
    yield _counter("proxy_query_range_rejections", "Queries of too long a time range.",
                   ("backend_name",), rejections.items())
    yield _counter("proxy_points", "Points of time series, by where they came from.",
                   (*_ROUTE, "cache_status", "path"), _points(routes))


def _rejected(cells: list[tuple[CellKey, Cell]]) -> int:
    refused = Reason.RANGE_REFUSED.value
    return sum(sum(cell.to_headers.counts) for key, cell in cells if key[3] == refused)


def _points(routes: list[RouteCounters]) -> Iterable[tuple[tuple[str, ...], int]]:
    found: dict[tuple[str, ...], int] = defaultdict(int)
    for route in routes:
        labels = route.labels
        for word, points in (("cached", route.points_cached),
                             ("uncached", route.points_fetched)):
            if points:
                found[labels.backend, labels.provider, word, labels.path] += points
    return found.items()


def of_origins(
        origins: list[tuple[tuple[str, str], OriginCounters]]) -> Iterator[Metric]:
    """
    :param origins: with names of backend and provider.
    :return: of the traffic with origins: requests, failures, octets each way, leniencies.
    """
    yield _counter("origin_requests", "Requests sent to origins.", _ROUTE,
                   [(key, counters.requests) for key, counters in origins])
    yield _counter("origin_failures", "Requests to origins that got no usable answer.", _ROUTE,
                   [(key, counters.failures) for key, counters in origins])
    yield _counter("origin_sent_bytes", "Octets of request bodies sent to origins.", _ROUTE,
                   [(key, counters.sent_octets) for key, counters in origins])
    yield _counter("origin_received_bytes", "Octets of bodies received from origins.", _ROUTE,
                   [(key, counters.received_octets) for key, counters in origins])
    yield _counter("origin_leniencies", "Answers taken that are not quite HTTP/1.1, by what is "
                   "wrong with them.", ("backend_name", "kind"),
                   [((key[0], kind), number) for key, counters in origins
                    for kind, number in list(counters.leniencies.items())])


def of_stores(
        stores: list[tuple[tuple[str, str], StoreCounters]]) -> Iterator[Metric]:
    """
    :param stores: with names of cache and provider.
    :return: of operations on cache stores, in objects and octets, and of what stores did by
        themselves.
    """
    operations = [((*key, *what), counts) for key, counters in stores
                  for what, counts in list(counters.operations.items())]
    yield _counter("cache_operation_objects", "Operations on caches.",
                   (*_STORE, "operation", "status"),
                   [(key, counts[0]) for key, counts in operations])
    yield _counter("cache_operation_bytes", "Octets moved by operations on caches.",
                   (*_STORE, "operation", "status"),
                   [(key, counts[1]) for key, counts in operations])
    yield _counter("cache_events", "What caches did by themselves.",
                   (*_STORE, "event", "reason"),
                   [((*key, *what), count) for key, counters in stores
                    for what, count in list(counters.events.items())])
    yield _counter("cache_leases", "Fetches that processes which share a cache agree on.",
                   (*_STORE, "event"),
                   [((*key, event), count) for key, counters in stores
                    for event, count in list(counters.leases.items())])


def of_usages(
        usages: list[tuple[tuple[str, str], Callable[[], StoreUsage]]]) -> Iterator[Metric]:
    """
    :param usages: with names of cache and provider; read at each scrape.
    :return: of how full cache stores are, in objects and octets, and how full they may be.  A
        usage that cannot be read is NaN, and costs no other.
    """
    now = [(key, _usage(read)) for key, read in usages]
    for place, (name, documentation) in enumerate(_USAGE):
        told = [(key, usage[place]) for key, usage in now]
        yield _gauge(name, documentation, _STORE,
                     [(key, number) for key, number in told if number is not None])


def of_memos(memos: list[tuple[str, Callable[[], MemoUsage]]]) -> Iterator[Metric]:
    """
    :param memos: by name; read at each scrape.
    :return: of what is remembered beside the caches: how much, how much at most, hits and misses.
    """
    now = [((name,), read()) for name, read in memos]
    yield _gauge("memo_usage_objects", "Answers and samples in memos.", ("memo",),
                 [(key, usage.objects) for key, usage in now])
    yield _gauge("memo_usage_bytes", "Octets in memos, overhead included.", ("memo",),
                 [(key, usage.octets) for key, usage in now])
    yield _gauge("memo_max_usage_bytes", "Most octets in memos.", ("memo",),
                 [(key, usage.max_octets) for key, usage in now])
    looked_up = [((*key, status), count) for key, usage in now
                 for status, count in (("hit", usage.hits), ("miss", usage.misses))
                 if count is not None]
    yield _counter("memo_lookups", "Look-ups in memos, and how they went.",
                   ("memo", "status"), looked_up)


def of_gauges(gauges: list[tuple[GaugeKey, Gauge]]) -> Iterator[Metric]:
    """
    :param gauges: with name, without the C{trickster_} before it, and labels.
    :return: a family for each name.  A number that cannot be read is NaN, and costs no other.
    """
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for (name, labels), gauge in sorted(gauges, key=lambda item: item[0]):
        family = families.get(name)
        if family is None:
            kind = CounterMetricFamily if gauge.is_total else GaugeMetricFamily
            family = families[name] = kind(
                f"trickster_{name}", gauge.documentation, labels=[k for k, _ in labels])
        family.add_metric([value for _, value in labels], _reading(gauge))
    yield from families.values()


def of_lag(lag: Histogram) -> Metric:
    """
    :param lag: seconds.
    :return: of how late the reactor calls what is due.
    """
    return _histogram("reactor_lag_seconds", "How late the reactor calls what is due.", (),
                      [((), lag)])


def of_probes(probes: list[tuple[str, Histogram]]) -> Metric:
    """
    :param probes: seconds that probes took, by backend.
    :return: of the duration of health probes.
    """
    return _histogram("healthcheck_probe_latency_seconds", "Duration of health probes.",
                      ("backend_name",), [((backend,), h) for backend, h in probes])


def _usage(read: Callable[[], StoreUsage]) -> Sequence[float | None]:
    """:return: numbers as in C{_USAGE}; None for what the store does not tell."""
    try:
        usage = read()
        numbers = (usage.objects, usage.octets, usage.max_objects, usage.max_octets)
        protected = usage.protected_octets
        return [*map(float, numbers), None if protected is None else float(protected)]
    except Exception:  # noqa: BLE001 - a stranger's store must not cost the other samples
        return [nan, nan, nan, nan, None]


def _reading(gauge: Gauge) -> float:
    try:
        return float(gauge.read())
    except Exception:  # noqa: BLE001 - a stranger's number must not cost the other samples
        return nan


def _counter(name: str, documentation: str, labels: Iterable[str],
             values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(f"trickster_{name}", documentation, labels=list(labels))
    for key, value in values:
        family.add_metric(key, value)
    return family


def _gauge(name: str, documentation: str, labels: Iterable[str],
           values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"trickster_{name}", documentation, labels=list(labels))
    for key, value in values:
        family.add_metric(key, value)
    return family


def _histogram(name: str, documentation: str, labels: Iterable[str],
               values: Iterable[tuple[tuple[str, ...], Histogram]]) -> Metric:
    family = HistogramMetricFamily(f"trickster_{name}", documentation, labels=list(labels))
    for key, histogram in values:
        bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
        family.add_metric(key, list(zip(bounds, accumulate(histogram.counts), strict=True)),
                          histogram.total)
    return family
