"""The table of metrics: what a collector without any traffic would expose."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from trickster.observability.metrics import Metrics


def _row(family: Metric) -> str:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


def render() -> str:
    """:return: a Markdown table, in the order of exposition."""
    rows = [_row(family) for family in Metrics(CollectorRegistry()).collect()]
    return "\n".join(["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", *rows])
