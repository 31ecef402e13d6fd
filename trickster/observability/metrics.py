"""The program's metrics, under the names and labels that Trickster's dashboards know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import define, field
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from trickster.observability import families
from trickster.observability.counters import (
    LAG_BUCKETS,
    PROBE_BUCKETS,
    Children,
    ConnectionCounters,
    Histogram,
    MemoUsage,
    OriginCounters,
    ReloadCounters,
    RouteCounters,
    RouteLabels,
    StoreCounters,
)
from trickster.observability.families import Gauge, GaugeKey
from trickster.stores.limits import StoreUsage


@define(eq=False)
class Metrics(Collector):
    """
    Hands out counters, and exposes them all through one registry.

    The counters are plain numbers; nothing but a scrape makes Prometheus samples of them.
    Asking twice for the same labels gives the same counters, so that they go on through a
    reload.  Those of a store or an origin are exposed once it is in use: a configuration that
    is never started leaves nothing here.

    :ivar registry: this registers itself there.
    :ivar version: of this program.
    :ivar revision: of its source, where known.
    """

    registry: CollectorRegistry
    version: str = ""
    revision: str = ""
    connections: ConnectionCounters = field(factory=ConnectionCounters, init=False)
    reloads: ReloadCounters = field(factory=ReloadCounters, init=False)
    reactor_lag: Histogram = field(factory=lambda: Histogram(LAG_BUCKETS), init=False)
    _routes: dict[RouteLabels, RouteCounters] = field(factory=dict, init=False)
    _stores: Children[tuple[str, str], StoreCounters] = field(
        factory=lambda: Children(StoreCounters), init=False)
    _usages: dict[tuple[str, str], Callable[[], StoreUsage]] = field(factory=dict, init=False)
    _memos: dict[str, Callable[[], MemoUsage]] = field(factory=dict, init=False)
    _origins: Children[tuple[str, str], OriginCounters] = field(
        factory=lambda: Children(OriginCounters), init=False)
    _probes: Children[str, Histogram] = field(
        factory=lambda: Children(lambda: Histogram(PROBE_BUCKETS)), init=False)
    _gauges: dict[GaugeKey, Gauge] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.registry.register(self)

    def route(self, labels: RouteLabels) -> RouteCounters:
        """:return: the counters for one route's requests."""
        return self._routes.setdefault(labels, RouteCounters(labels))

    def store(self, name: str, provider: str) -> StoreCounters:
        """
        :param name: the cache's, in the configuration.
        :return: the counters for one cache store.
        """
        return self._stores.of((name, provider))

    def expose_store(self, name: str, provider: str) -> None:
        """Show the counters for a cache store, which is in use from now on."""
        self._stores.expose((name, provider))

    def watch_usage(self, name: str, provider: str, read: Callable[[], StoreUsage]
                    ) -> Callable[[], None]:
        """
        Expose how full a store is.

        :param read: called at each scrape, maybe from another thread.
        :return: exposes it no more, unless another one has taken its place.
        """
        self._usages[name, provider] = read

        def unwatch() -> None:
            if self._usages.get((name, provider)) is read:
                del self._usages[name, provider]

        return unwatch

    def watch_memo(self, name: str, read: Callable[[], MemoUsage]) -> None:
        """
        Expose how full a memo of the process is, and how it is used.

        :param read: called at each scrape, maybe from another thread.
        """
        self._memos[name] = read

    def origin(self, backend: str, provider: str) -> OriginCounters:
        """:return: the counters for the traffic with one backend's origin."""
        return self._origins.of((backend, provider))

    def probe(self, backend: str) -> Histogram:
        """:return: where to observe how many seconds a backend's health probes take."""
        return self._probes.of(backend)

    def expose_origin(self, backend: str, provider: str) -> None:
        """Show the counters for a backend's origin and for its probes, in use from now on."""
        self._origins.expose((backend, provider))
        self._probes.expose(backend)

    def watch(self, name: str, documentation: str, read: Callable[[], float],
              **labels: str) -> Callable[[], None]:
        """
        Expose a gauge, such as how many fetches are under way; a later one of equal name and
        labels takes its place.

        :param name: without the C{trickster_} before it.
        :param read: called at each scrape, maybe from another thread.
        :param labels: of closed sets; the same names for each gauge of this name.
        :return: exposes it no more, unless another one has taken its place.
        """
        key = name, tuple(sorted(labels.items()))
        gauge = self._gauges[key] = Gauge(documentation, read)

        def unwatch() -> None:
            if self._gauges.get(key) is gauge:
                del self._gauges[key]

        return unwatch

    def watch_total(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """
        Expose a counter that is kept elsewhere.

        :param name: without the C{trickster_} before it, and the C{_total} after it.
        :param read: called at each scrape, maybe from another thread; never less than before.
        """
        self._gauges[name, ()] = Gauge(documentation, read, is_total=True)

    def describe(self) -> Iterable[Metric]:
        """:return: nothing: names are not checked when registering."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """:return: every family, for the registry."""
        routes = list(self._routes.values())
        yield families.build_info(self.version, self.revision)
        yield from families.of_reloads(self.reloads)
        yield from families.of_connections(self.connections)
        yield from families.of_frontend(routes)
        yield from families.of_proxy(routes)
        yield from families.of_origins(self._origins.exposed())
        yield from families.of_stores(self._stores.exposed())
        yield from families.of_usages(list(self._usages.items()))
        yield from families.of_memos(list(self._memos.items()))
        yield from families.of_gauges(list(self._gauges.items()))
        yield families.of_lag(self.reactor_lag)
        yield families.of_probes(self._probes.exposed())


def add_process_metrics(registry: CollectorRegistry) -> None:
    """
    Expose C{process_*} and C{python_*} as well.

    :param registry: which has none of these yet.
    """
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
