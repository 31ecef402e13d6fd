"""What stores must do, and the store of files does."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.stores.filesystem.stores import Stores
from trickster.stores.filesystem.store import filesystem
from trickster.testing.stores import (
    cache_store_contract,
    compare_and_set_contract,
    durable_store_contract,
    metered_store_contract,
    peeking_store_contract,
    verify_store_type,
)

stores = Stores()


class FilesystemContractTests(
        cache_store_contract(stores.make, make_broken=stores.make_broken),
        compare_and_set_contract(stores.make), durable_store_contract(stores.make, stores.reopen),
        metered_store_contract(stores.make, make_limited=stores.make_limited),
        peeking_store_contract(stores.make), TestCase):
    """The store does what every one does, and what it says that it does beyond that."""

    def test_type(self) -> None:
        """The kind of store has all of its interface, and options that all have defaults."""
        verify_store_type(filesystem)
