"""Tests of L{trickster.keys.lease_key}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.keys.lease_key import is_lease_key, lease_key
from trickster.purging.purges import TABLE_KEY
from trickster.stores.sealed import Chunk, chunk_key, entry_key, is_chunk_key


class LeaseKeyTests(SynchronousTestCase):
    """Keys of leases are told from all others."""

    def test_told(self) -> None:
        """A lease is no entry, no chunk and no table of purges, and belongs to no entry."""
        key = lease_key("b.opc.1.2@3")
        self.assertTrue(is_lease_key(key))
        self.assertTrue(key.startswith("b.opc.1.2@3"))
        self.assertFalse(is_chunk_key(key))
        self.assertEqual(entry_key(key), key)
        for other in ("b.opc.1.2", TABLE_KEY, chunk_key("b.opc.1.2", Chunk(bytes(16), 1, 0.0))):
            self.assertFalse(is_lease_key(other))
