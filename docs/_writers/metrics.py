"""The table of metrics: what a program with one backend would expose before any traffic."""

from __future__ import annotations

from prometheus_client.core import Metric
from tables import table
from twisted.internet.testing import MemoryReactorClock

from trickster.commandline import plugin_options
from trickster.compose.program import metrics_of
from trickster.config.load import Sources, load
from trickster.plugins import Plugins

_ONE = b"backends: {one: {provider: prometheus, origin_url: 'http://127.0.0.1:9090'}}\n"


def _row(family: Metric) -> tuple[str, ...]:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
    return f"`{name}`", family.type, labels, family.documentation


def render() -> str:
    """:return: a Markdown table, in the order of exposition."""
    configuration = load(Sources("", {}, {}), plugin_options(Plugins()), lambda path: _ONE)
    families = metrics_of(configuration, MemoryReactorClock()).collect()
    return table(("Metric", "Type", "Labels", "Meaning"), map(_row, families))
