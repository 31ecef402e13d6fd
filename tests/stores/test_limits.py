"""Tests of C{trickster.stores.limits}."""

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.options.caches import IndexOptions
from trickster.stores.limits import StoreLimits


class StoreLimitsTests(SynchronousTestCase):
    """What a store may keep, of the options of its index."""

    def test_all_options(self) -> None:
        """Every option of the index reaches the store."""
        limits = StoreLimits.of(IndexOptions(
            reap_interval=1.0, flush_interval=2.0, index_expiry=3.0, max_size_bytes=4000,
            max_size_backoff_bytes=500, max_size_objects=60, max_size_backoff_objects=7))
        self.assertEqual(limits, StoreLimits(
            reap_interval=1.0, flush_interval=2.0, index_expiry=3.0, max_octets=4000,
            backoff_octets=500, max_objects=60, backoff_objects=7))
        self.assertEqual((limits.low_octets, limits.low_objects), (3500, 53))

    def test_large_backoff(self) -> None:
        """An eviction leaves half of the limit, however large the backoff is."""
        limits = StoreLimits(max_octets=1000, backoff_octets=16 << 20, max_objects=3,
                             backoff_objects=100)
        self.assertEqual((limits.low_octets, limits.low_objects), (500, 2))

    def test_unlimited(self) -> None:
        """Where there is no limit, there is nothing to go below."""
        limits = StoreLimits(backoff_octets=1, backoff_objects=1)
        self.assertEqual((limits.low_octets, limits.low_objects), (0, 0))
