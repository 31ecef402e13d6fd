"""Tests of C{trickster.observability.merging.gauges}."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.attributes import modules
from tests.compose.configurations import loaded
from trickster.compose.program import metrics_of
from trickster.observability.merging.gauges import RULES, rule_of
from trickster.observability.merging.sums import added
from trickster.observability.metrics import add_process_metrics

_CONFIGURED = b"backends: {one: {provider: prometheus, origin_url: 'http://127.0.0.1:9090'}}\n"
_WATCHING = ("watch", "_watch")


def _families() -> Iterator[Metric]:
    registry = CollectorRegistry()
    add_process_metrics(registry)
    yield from metrics_of(loaded(_CONFIGURED), MemoryReactorClock()).collect()
    yield from registry.collect()


def _watched() -> Iterator[str]:
    """:return: the names of gauges, as the source has them."""
    for module in modules().values():
        for each in ast.walk(module):
            if (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
                    and each.func.attr in _WATCHING and each.args
                    and isinstance(each.args[0], ast.Constant)):
                yield f"trickster_{each.args[0].value}"


class RuleTests(SynchronousTestCase):
    """What gauges of several processes are together."""

    def test_all(self) -> None:
        """What each gauge of the program means is said, and nothing is said of any other."""
        gauges = {family.name for family in _families() if family.type == "gauge"}
        self.assertEqual(gauges | set(_watched()), set(RULES))

    def test_kinds(self) -> None:
        """All other families are counters and histograms, which are added up."""
        kinds = {family.type for family in _families()}
        self.assertEqual(kinds, {"gauge", "counter", "histogram"})

    def test_named(self) -> None:
        """The source names gauges where this test finds them."""
        self.assertIn("trickster_cache_up", set(_watched()))
        self.assertIn("trickster_in_flight_bytes", set(_watched()))

    def test_unknown(self) -> None:
        """A gauge that is not known is added up."""
        self.assertIs(rule_of("trickster_of_a_plugin"), added)
