"""Every octet that a gauge counts is within a limit of the configuration, which a gauge tells."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.configurations import loaded
from trickster.compose.program import metrics_of

MIB = 1 << 20
LIMITS = {
    "cache": ("cache_usage_bytes", "cache_max_usage_bytes", (30 * MIB, 7 * MIB)),
    "memo": ("memo_usage_bytes", "memo_max_usage_bytes", (3 * MIB, 2 * MIB, 1 * MIB, 5 * MIB)),
    "in flight": ("in_flight_bytes", "in_flight_max_bytes", (11 * MIB, 13 * MIB)),
}
SMALL = b"""
main: {hit_memo_bytes: 3MiB, compressed_memo_bytes: 2MiB, fast_forward_memo_bytes: 1MiB,
       decoded_memo_bytes: 5MiB}
caches:
  default: {memory: {max_size_bytes: 30MiB}}
  other: {memory: {max_size_bytes: 7MiB}}
backends:
  prom: {provider: prometheus, origin_url: 'http://127.0.0.1:1', is_default: true,
         in_flight_bytes: 11MiB}
  web: {provider: rpc, origin_url: 'http://127.0.0.1:2', cache_name: other,
        in_flight_bytes: 13MiB}
"""


class MemoryLimitTests(SynchronousTestCase):
    """The gauges of a whole program."""

    def setUp(self) -> None:
        samples = [sample for family in metrics_of(loaded(SMALL), MemoryReactorClock()).collect()
                   for sample in family.samples]
        self.values = {(one.name.removeprefix("trickster_"), tuple(sorted(one.labels.items()))):
                       one.value for one in samples}

    def test_limits(self) -> None:
        """Every gauge of octets has a limit, which is that of its key."""
        for used, limit, expected in LIMITS.values():
            limits = {labels: value for (name, labels), value in self.values.items()
                      if name == limit}
            self.assertEqual(sorted(limits.values()), sorted(map(float, expected)), limit)
            self.assertEqual({labels for name, labels in self.values if name == used},
                             set(limits), used)

    def test_no_others(self) -> None:
        """There is no gauge of octets held without a limit."""
        known = {name for used, limit, _ in LIMITS.values() for name in (used, limit)}
        known.add("cache_usage_protected_bytes")  # a part of cache_usage_bytes
        found = {name for name, _ in self.values
                 if name.endswith("_bytes") and not name.startswith("process_")}
        self.assertEqual(found, known)
