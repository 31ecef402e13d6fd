"""Programs of several workers, as tests see them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.servers import Trickster, fetch


def serving(trickster: Trickster) -> float:
    """:return: how many workers serve."""
    return metric(trickster, "trickster_workers")


def metric(trickster: Trickster, name: str, **labels: str) -> float:
    """:return: the sum of a metric's samples with these labels."""
    text = fetch(f"{trickster.metrics_url}/metrics").body.decode()
    return sum(sample.value for family in text_string_to_metric_families(text)
               for sample in family.samples if sample.name == name
               and labels.items() <= sample.labels.items())


def workers_of(trickster: Trickster) -> list[int]:
    """:return: the ids of the worker processes."""
    return trickster.processes()[1:]
