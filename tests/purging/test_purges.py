"""Tests of C{trickster.purging.purges}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import StoreError
from trickster.purging.label import Label
from trickster.purging.purges import TABLE_KEY, Purges
from trickster.purging.table import Kind, Purge, PurgeTable, Scope, Verdict
from trickster.stores.guard import guarded
from trickster.testing.doubles import (
    BrokenOctetStore,
    DictStore,
    PausedStore,
    PeekingStore,
    ReferenceStore,
    SharedStore,
    at_once,
)

ALL = Purge(Scope(Kind.ALL))
WALL = 1_700_000_000.0


class PurgesCase(SynchronousTestCase):
    """Sets up purges of processes that share a store."""

    def setUp(self) -> None:
        self.clock = Clock()

    def over(self, store: Any) -> Purges:
        """:return: those of one process."""
        return Purges(store, self.clock, lambda: WALL + self.clock.seconds())

    def added(self, purges: Purges, purge: Purge = ALL) -> int:
        """:return: the number of a purge, once it is effective."""
        adding = Deferred.fromCoroutine(purges.add(purge))
        if not adding.called:
            self.clock.advance(1.01)
        number: int = self.successResultOf(adding)
        return number

    def verdict(self, purges: Purges, mark: int) -> Verdict:
        """:return: what becomes of an entry of that number."""
        return purges.judged(Label("web"), mark).verdict


class Counting(PeekingStore):
    """Counts how often it is peeked at."""

    peeks = 0

    def peek(self, key: str, length: int) -> bytes | None:
        """See L{IPeekingStore.peek}."""
        self.peeks += 1
        return PeekingStore.peek(self, key, length)


class SharedTests(PurgesCase):
    """Several processes share a store."""

    def processes(self) -> list[tuple[Purges, Purges]]:
        """:return: pairs of processes, over each kind of store that can be shared."""
        found = []
        for store in (SharedStore(self.clock), PeekingStore(self.clock), DictStore(self.clock)):
            for shared in (store, guarded(store, "c", self.clock)):
                found.append((self.over(shared), self.over(shared)))
                store.entries.clear()
        return found

    def test_reaches_all(self) -> None:
        """Once a purge is answered, every process that looks knows it."""
        for ours, theirs in self.processes():
            for purges in (ours, theirs):
                self.assertTrue(at_once(purges.refreshed()))
            mark = theirs.mark
            self.assertEqual((ours.mark, self.verdict(theirs, mark)), (mark, Verdict.SPARED))
            number = self.added(ours)
            self.assertTrue(at_once(theirs.refreshed()))
            self.assertEqual((theirs.mark, self.verdict(theirs, mark)), (number, Verdict.GONE))
            self.assertEqual(self.verdict(theirs, number), Verdict.SPARED)

    def test_none_lost(self) -> None:
        """Purges of two processes at a time are all kept, whichever comes first."""
        for ours, theirs in self.processes()[:4]:
            at_once(ours.refreshed())
            at_once(theirs.refreshed())
            mark = ours.mark
            self.added(ours, Purge(Scope(Kind.TAG, "", b"a")))
            self.added(theirs, Purge(Scope(Kind.TAG, "", b"b")))
            at_once(ours.refreshed())
            for purges in (ours, theirs):
                for tag in (b"a", b"b"):
                    label = Label("web", tags=(tag,))
                    self.assertEqual(purges.judged(label, mark).verdict, Verdict.GONE)

    def test_several(self) -> None:
        """Several purges are added in one step, and others that come meanwhile as well."""
        a, b, c = (Purge(Scope(Kind.TAG, "", tag)) for tag in (b"a", b"b", b"c"))
        for ours, theirs in self.processes():
            at_once(ours.refreshed())
            mark = ours.mark
            adding = [Deferred.fromCoroutine(ours.add(*some)) for some in ((a, b), (c,))]
            self.clock.advance(1.01)
            for each in adding:
                self.assertGreaterEqual(self.successResultOf(each), mark + 2)
            at_once(theirs.refreshed())
            for tag in (b"a", b"b", b"c"):
                self.assertEqual(theirs.judged(Label("web", tags=(tag,)), mark).verdict,
                                 Verdict.GONE)

    def test_meanwhile(self) -> None:
        """A purge that comes while another is being written is written before it is answered."""
        store = PausedStore()
        purges = self.over(store)
        adding = [Deferred.fromCoroutine(purges.add(ALL))]
        store.asked[0].callback(None)
        adding.append(Deferred.fromCoroutine(purges.add(ALL)))
        store.asked[1].callback(None)
        self.clock.advance(1.01)
        for each in adding:
            self.assertNoResult(each)
        store.asked[2].callback(None)
        store.asked[3].callback(None)
        self.clock.advance(1.01)
        for each in adding:
            self.successResultOf(each)

    def test_too_many_meanwhile(self) -> None:
        """Where more come than are remembered, everything is purged, and that is written."""
        store = PausedStore()
        purges = self.over(store)
        adding = [Deferred.fromCoroutine(purges.add(Purge(Scope(Kind.TAG, "", b"t"))))]
        store.asked[0].callback(PurgeTable().encoded())
        adding += [Deferred.fromCoroutine(purges.add(Purge(Scope(Kind.TAG, "", b"%d" % number))))
                   for number in range(101)]
        store.asked[1].callback(None)
        store.asked[2].callback(PurgeTable().encoded())
        store.asked[3].callback(None)
        self.clock.advance(1.01)
        for each in adding:
            self.successResultOf(each)
        self.assertEqual(self.verdict(purges, 0), Verdict.GONE)

    def test_at_once(self) -> None:
        """
        Where the store tells at once what it has, a purge is known elsewhere a hundredth of a
        second later, and answered a little after that.
        """
        store = PeekingStore(self.clock)
        ours, theirs = self.over(store), self.over(store)
        at_once(theirs.refreshed())
        adding = Deferred.fromCoroutine(ours.add(ALL))
        self.clock.advance(0.009)
        self.assertTrue(theirs.is_current)
        self.clock.advance(0.002)
        self.assertFalse(theirs.is_current)
        self.assertNoResult(adding)
        self.clock.advance(0.01)
        self.successResultOf(adding)

    def test_known_elsewhere(self) -> None:
        """
        What was looked at a moment ago is trusted, but where it is looked at now, and where another
        process says that it knows more.
        """
        store = PeekingStore(self.clock)
        one, other, third = (self.over(store) for _ in range(3))
        for each in (one, other, third):
            at_once(each.refreshed())
        self.assertTrue(other.looks_current())
        adding = Deferred.fromCoroutine(one.add(ALL))
        self.assertNoResult(adding)
        self.assertEqual((other.is_current, other.looks_current()), (True, False))
        at_once(third.caught_up())
        self.assertLess(third.mark, one.mark)
        at_once(third.caught_up(one.mark))
        self.assertEqual(third.mark, one.mark)

    def test_seldom_asked(self) -> None:
        """However many hits there are, a store is asked for the table once in that time."""
        store = Counting(self.clock)
        purges = self.over(store)
        at_once(purges.refreshed())
        for _ in range(100):
            self.assertTrue(purges.is_current)
        self.assertEqual(store.peeks, 0)
        self.clock.advance(0.02)
        for _ in range(100):
            self.assertTrue(purges.is_current)
        self.assertEqual(store.peeks, 1)

    def test_late_news(self) -> None:
        """Where the store learns late of changes, a purge is answered when it must have."""
        class Late(PeekingStore):
            peek_lag = 3.0

        for store in (Late(self.clock), guarded(Late(self.clock), "c", self.clock)):
            purges = self.over(store)
            adding = Deferred.fromCoroutine(purges.add(ALL))
            self.clock.advance(3.0)
            self.assertNoResult(adding)
            self.clock.advance(0.02)
            self.successResultOf(adding)

    def test_waited_for(self) -> None:
        """Elsewhere a purge is answered when all processes must have looked again."""
        store = SharedStore(self.clock)
        ours, theirs = self.over(store), self.over(store)
        at_once(theirs.refreshed())
        adding = Deferred.fromCoroutine(ours.add(ALL))
        self.clock.advance(0.9)
        self.assertNoResult(adding)
        self.assertTrue(theirs.is_current)
        self.clock.advance(0.11)
        self.successResultOf(adding)
        self.assertFalse(theirs.is_current)

    def test_restart(self) -> None:
        """A process that begins later knows what was purged before."""
        store = SharedStore(self.clock)
        ours = self.over(store)
        at_once(ours.refreshed())
        mark = ours.mark
        self.added(ours)
        later = self.over(store)
        at_once(later.refreshed())
        self.assertEqual(self.verdict(later, mark), Verdict.GONE)


class LostTests(PurgesCase):
    """Tables that are lost or damaged."""

    def test_lost(self) -> None:
        """Where the table is lost, all that was stored before is gone."""
        for damage in (None, b"", b"TkP2 of another"):
            store = SharedStore(self.clock)
            ours, theirs = self.over(store), self.over(store)
            at_once(ours.refreshed())
            at_once(theirs.refreshed())
            mark = ours.mark
            self.clock.advance(5.0)
            store.entries.pop(TABLE_KEY)
            if damage is not None:
                at_once(store.put(TABLE_KEY, damage, 60.0))
            for purges in (ours, theirs):
                self.assertTrue(at_once(purges.refreshed()))
                self.assertEqual(self.verdict(purges, mark), Verdict.GONE)
            self.assertEqual(ours.mark, theirs.mark)

    def test_come_back(self) -> None:
        """
        Where a store comes back as it was before the last purge, all that was stored before is gone
        for every process; that is told.  Others' purges since then count, and are no sign of it.
        """
        for others in range(3):
            store = SharedStore(self.clock)
            ours, theirs = self.over(guarded(store, "c", self.clock)), self.over(store)
            first = self.added(ours)
            at_once(theirs.refreshed())
            before = store.entries[TABLE_KEY]
            mark = self.added(ours, Purge(Scope(Kind.TAG, "", b"red")))
            self.clock.advance(5.0)
            store.entries[TABLE_KEY] = before
            new = self.over(store)
            for number in range(others):
                self.added(new, Purge(Scope(Kind.TAG, "", b"x%d" % number)))
            self.clock.advance(2.0)
            with capturedLogs() as told:
                for purges in (ours, theirs, new):
                    self.assertTrue(at_once(purges.refreshed()))
            for purges in (ours, theirs, new):
                self.assertEqual({self.verdict(purges, number) for number in (first, mark)},
                                 {Verdict.GONE})
                self.assertEqual(purges.table, ours.table)
            self.assertEqual(self.verdict(ours, ours.mark), Verdict.SPARED)
            self.assertEqual([event["cache"] for event in told], ["c"])

    def test_longest(self) -> None:
        """A purge is effective for as long as any of the processes keeps entries, however it learns."""
        store = SharedStore(self.clock)
        ours, theirs = self.over(store), self.over(store)
        for purges in (ours, theirs):
            at_once(purges.refreshed())
        mark = ours.mark
        with capturedLogs() as told:
            for days in (7, 30):
                theirs.keep_for(86400.0 * days)
                self.assertTrue(at_once(theirs.refreshed()))
                self.added(ours, Purge(Scope(Kind.BACKEND, "web")))
                self.clock.advance(86400.0 * (days - 1))
                self.added(ours, Purge(Scope(Kind.TAG, "", b"red")))
                self.assertTrue(at_once(theirs.refreshed()))
                self.assertEqual(self.verdict(theirs, mark), Verdict.GONE)
                mark = theirs.mark
        self.assertEqual(told, [])

    def test_first(self) -> None:
        """The first process makes the table, and two of them the same."""
        store = PeekingStore(self.clock)
        ours, theirs = self.over(store), self.over(store)
        self.assertFalse(ours.is_current)
        at_once(ours.refreshed())
        at_once(theirs.refreshed())
        self.assertEqual(PurgeTable.decoded(store.entries[TABLE_KEY][0]), ours.table)
        self.assertEqual(ours.table, theirs.table)


class FailureTests(PurgesCase):
    """Stores that do not work."""

    def test_not_known(self) -> None:
        """Where the store does not work, nothing is known to be spared, and nothing is lost."""
        store = SharedStore(self.clock)
        guard = guarded(store, "c", self.clock)
        purges = self.over(guard)
        at_once(purges.refreshed())
        self.clock.advance(2.0)
        guard.inner = BrokenOctetStore()
        self.assertFalse(at_once(purges.refreshed()))
        guard.inner = store
        self.assertTrue(at_once(purges.refreshed()))
        self.flushLoggedErrors()

    def test_not_added(self) -> None:
        """
        A purge that others cannot be told of is an error, and is made up for when the store works
        again, before anything in it is used.
        """
        store = SharedStore(self.clock)
        guard = guarded(store, "c", self.clock)
        purges = self.over(guard)
        at_once(purges.refreshed())
        mark = purges.mark
        guard.inner = BrokenOctetStore()
        self.failureResultOf(Deferred.fromCoroutine(purges.add(ALL)), StoreError)
        self.assertFalse(purges.is_current)
        self.assertFalse(at_once(purges.refreshed()))
        guard.inner = store
        other = self.over(store)
        self.assertTrue(at_once(purges.refreshed()))
        at_once(other.refreshed())
        for process in (purges, other):
            self.assertEqual(self.verdict(process, mark), Verdict.GONE)
        self.flushLoggedErrors()

    def test_many_not_added(self) -> None:
        """Where more purges are to be made up for than are remembered, everything is purged."""
        store = SharedStore(self.clock)
        guard = guarded(store, "c", self.clock)
        purges = self.over(guard)
        at_once(purges.refreshed())
        mark = purges.mark
        guard.inner = BrokenOctetStore()
        for number in range(150):
            self.failureResultOf(Deferred.fromCoroutine(purges.add(
                Purge(Scope(Kind.TAG, "", b"%d" % number)))), StoreError)
        guard.inner = store
        self.clock.advance(60.0)
        self.assertTrue(at_once(purges.refreshed()))
        self.assertEqual(self.verdict(purges, mark), Verdict.GONE)
        self.flushLoggedErrors()


class LocalTests(PurgesCase):
    """A store in this process."""

    def test_local(self) -> None:
        """A purge of a store in this process waits for nothing, and is known at once."""
        purges = self.over(ReferenceStore(self.clock))
        self.assertTrue(purges.is_current and at_once(purges.refreshed()))
        number = at_once(purges.add(ALL))
        self.assertEqual([self.verdict(purges, mark) for mark in (0, number)],
                         [Verdict.GONE, Verdict.SPARED])
