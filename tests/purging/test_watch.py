"""Tests of C{trickster.purging.watch}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from trickster.purging.purges import TABLE_KEY, Purges
from trickster.purging.table import Kind, Purge, PurgeTable, Scope
from trickster.purging.watch import PurgeWatch
from trickster.stores.guard import guarded
from trickster.testing.doubles import SharedStore, at_once

ALL = Purge(Scope(Kind.ALL))


class WatchTests(SynchronousTestCase):
    """A process that is asked for nothing."""

    def setUp(self) -> None:
        """Have a store, and a process that watches it."""
        self.clock = Clock()
        self.store = SharedStore(self.clock)
        self.purges = self.watching()

    def over(self) -> Purges:
        """:return: the purges of a process."""
        return Purges(guarded(self.store, "c", self.clock), self.clock, self.clock.seconds)

    def watching(self) -> Purges:
        """:return: those of one that watches."""
        purges = self.over()
        watch = PurgeWatch(purges, self.clock)
        watch.startService()
        self.addCleanup(watch.stopService)
        return purges

    def add(self, purges: Purges) -> int:
        """:return: the number of a purge, which is effective."""
        adding: Deferred[int] = Deferred.fromCoroutine(purges.add(ALL))
        self.clock.pump([0.1] * 11)
        return self.successResultOf(adding)

    def test_known(self) -> None:
        """It knows of a purge once that is answered."""
        at_once(self.purges.refreshed())
        number = self.add(self.over())
        self.clock.pump([0.1] * 10)
        self.assertEqual(self.purges.mark, number)

    def test_not_used(self) -> None:
        """Where nothing was asked for yet, nothing is put into the store."""
        self.clock.pump([1.0] * 9)
        self.assertEqual(self.store.entries, {})

    def test_come_back(self) -> None:
        """When the store has lost a purge, others learn of it, too, be they new."""
        at_once(self.purges.refreshed())
        before: Any = self.store.entries[TABLE_KEY]
        mark = self.add(self.over())
        self.clock.pump([0.1] * 10)
        self.store.entries[TABLE_KEY] = before
        with capturedLogs() as told:
            self.clock.pump([0.1] * 30)
        self.assertEqual(len(told), 1)
        new = self.over()
        at_once(new.refreshed())
        self.assertGreater(new.mark, mark)
        self.assertEqual(PurgeTable.decoded(self.store.entries[TABLE_KEY][0]), self.purges.table)

    def test_stopped(self) -> None:
        """Once it is stopped, it looks no more, and leaves no timer."""
        watch = PurgeWatch(self.over(), clock := Clock())
        watch.startService()
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        watch.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
