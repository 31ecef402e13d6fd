"""What processes may tell of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from trickster.messages import Outcome, Status
from trickster.observability.counters import RouteLabels
from trickster.observability.merging.families import Families, parsed
from trickster.observability.metrics import Metrics, add_process_metrics


@frozen(eq=False)
class Collected(Collector):
    """Families, as a registry."""

    families: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        """:return: them."""
        return self.families


def process(backends: Sequence[str] = ("one", "two"), requests: int = 3) -> bytes:
    """:return: the exposition of a process that has answered some requests to each backend."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, "1.2")
    add_process_metrics(registry)
    for backend in backends:
        route = metrics.route(RouteLabels(backend, "prometheus", '/api/"v1"\\n\n'))
        for number in range(requests):
            route.count(b"GET", 200, Outcome(Status.HIT), 0.1 * number, 0.3, 100)
        metrics.expose_origin(backend, "prometheus")
        metrics.expose_store(backend, "memory")
    return generate_latest(registry)


def telling(text: str) -> Families:
    """:return: what a process tells, without the spaces before each line."""
    return parsed("".join(f"{line.strip()}\n" for line in text.splitlines()).encode())


def numbers(metrics: Sequence[Metric]) -> Mapping[str, float]:
    """:return: the samples, by name and labels as they are written."""
    return {f"{sample.name}{_written(sample.labels)}": sample.value
            for metric in metrics for sample in metric.samples}


def _written(labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{told}}}" if told else ""
