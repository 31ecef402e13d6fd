"""Tests of C{trickster.stores.lmdb.noted} and C{upkeep}: what is done beside operations."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.stores.lmdb.files import Files
from trickster.errors import StoreError
from trickster.stores.lmdb.layout import Name
from trickster.stores.lmdb.noted import Noted


class NotedTests(SynchronousTestCase):
    """What is remembered."""

    def test_uses_in_order(self) -> None:
        """Each entry is once among the uses, where it was used last."""
        noted = Noted()
        for key in "abca":
            noted.used(Name.of(key))
        self.assertEqual(noted.taken(), [Name.of(key).entry for key in "bca"])
        self.assertEqual(noted.taken(), [])

    def test_many_uses(self) -> None:
        """So many uses are noted, and then they are to be written."""
        noted = Noted()
        for number in range(10_000):
            self.assertFalse(noted.has_many)
            noted.used(Name.of(f"{number}"))
        self.assertTrue(noted.has_many)

    def test_bounded(self) -> None:
        """Of the keys that are remembered, the one that was read or put longest ago goes first."""
        noted, name = Noted(), Name.of("a")
        for number in range(50_000):
            noted.put(f"{number}", name, 1)
        noted.put("0", name, 1)
        noted.put("more", name, 1)
        self.assertEqual([key in noted.warm for key in ("0", "1", "2", "more")],
                         [True, False, True, True])


class UpkeepTests(Files):
    """What is done now and then."""

    def test_opened_soon(self) -> None:
        """The file is opened before it is asked for anything, but not by the start itself."""
        store = self.opened()
        self.assertFalse(self.path.exists())
        self.clock.advance(0)
        self.assertTrue(self.path.exists())
        self.given(store.stopService())

    def test_stopped(self) -> None:
        """A store that is stopped waits for nothing, and one that never did anything is no file."""
        store = self.opened()
        self.given(store.stopService())
        self.clock.advance(0)
        self.assertEqual((self.clock.getDelayedCalls(), self.path.exists()), ([], False))

    def test_broken(self) -> None:
        """While the file cannot be opened, nothing is told by what is done now and then."""
        self.path.mkdir()
        store = self.opened(reap_interval=1.0, flush_interval=1.0)
        self.clock.pump([0, 1.5, 60.0])
        self.failure(store.get("a"), StoreError)

    def test_usage_of_others(self) -> None:
        """What another cache of the same bucket has put is known soon."""
        one, other = self.opened(flush_interval=5.0), self.opened(flush_interval=5.0)
        self.given(one.put("a", b"1", 60.0))
        self.clock.advance(5.1)
        self.assertEqual(other.usage(), one.usage())

    def test_intervals_of_nothing(self) -> None:
        """Intervals of no time are a tenth of a second, and do not hold up everything."""
        store = self.opened(reap_interval=0.0, flush_interval=0.0)
        self.given(store.put("a", b"1", 0.05))
        self.clock.pump([0, 0.11])
        self.assertEqual(store.usage().objects, 0)
