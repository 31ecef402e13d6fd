"""Tests of C{trickster.stores.blocking}."""

from threading import current_thread

from twisted.trial.unittest import TestCase

from trickster.errors import StoreError
from trickster.stores.blocking import BlockingStore
from trickster.stores.limits import StoreLimits, StoreUsage
from trickster.testing.runtime import FakeRuntime


class ClosingStore(BlockingStore):
    """Notes how often it is closed, and by which thread."""

    closed_by = None

    def close(self) -> None:
        """Note the thread."""
        self.closed_by = current_thread()


def refusing() -> None:
    """:raises OSError: always."""
    raise OSError(28, "No space left on device")


class BlockingStoreTests(TestCase):
    """What all stores have in common whose operations block."""

    def setUp(self) -> None:
        """Make a store that runs."""
        self.store = ClosingStore(StoreLimits(max_octets=10, max_objects=2), FakeRuntime())
        self.store.startService()

    async def test_called_in_thread(self) -> None:
        """A function is called with its arguments, and not in the reactor's thread."""
        thread, value = await self.store.called(lambda value: (current_thread(), value), 7)
        self.assertEqual(value, 7)
        self.assertIsNot(thread, current_thread())

    async def test_failure_is_store_error(self) -> None:
        """What the storage raises becomes a StoreError that says it; its cause is kept."""
        with self.assertRaises(StoreError) as caught:
            await self.store.called(refusing)
        self.assertIn("No space left on device", str(caught.exception))
        self.assertIsInstance(caught.exception.__cause__, OSError)

    async def test_fault_is_none(self) -> None:
        """A fault in the store's own code is not hidden behind a failure of the storage."""
        with self.assertRaises(ZeroDivisionError):
            await self.store.called(lambda: 1 // 0)

    async def test_stopped(self) -> None:
        """A store that is stopped has closed what was open, in a thread, and calls nothing."""
        await self.store.stopService()
        self.assertIsNotNone(self.store.closed_by)
        self.assertIsNot(self.store.closed_by, current_thread())
        with self.assertRaises(StoreError):
            await self.store.called(int)

    def test_usage(self) -> None:
        """Usage is what is known of the store, beside its limits."""
        self.assertEqual(self.store.usage(),
                         StoreUsage(objects=0, octets=0, max_objects=2, max_octets=10))
