"""Purges of the delta cache and of fast forward (L{trickster.interfaces.IPurgeable})."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.purging.adding import add
from tests.ranges.deltarig import NOW, Rig
from tests.ranges.fakeprometheus import status
from trickster.errors import Reason
from trickster.messages import FastForward, Status
from trickster.purging.purges import Purges
from trickster.purging.table import Kind, Purge, Scope
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import PeekingStore, at_once

STORES = (MemoryStore, PeekingStore)
SECOND = 1_000_000_000
PATH = b"/api/v1/query_range"


def purged(rig: Rig, purge: Purge) -> None:
    """Purge what a scope names, as the program does."""
    add(rig.purges, purge, rig.now)
    for cache in (rig.delta, rig.newest):
        cache.outdate()


class PurgeTests(SynchronousTestCase):
    """What is purged is fetched again; everything else is not."""

    def test_scopes(self) -> None:
        """Each scope has fetched again what it names, and nothing else."""
        for store in STORES:
            for scope, is_named in (
                    (Scope(Kind.ALL), True), (Scope(Kind.BACKEND, "b"), True),
                    (Scope(Kind.BACKEND, "c"), False), (Scope(Kind.PATH, "b", PATH), True),
                    (Scope(Kind.PREFIX, "b", b"/api/"), True), (Scope(Kind.PATH, "b", b"/api"), False),
                    (Scope(Kind.QUERY, "b", b"up"), True), (Scope(Kind.QUERY, "b", b"down"), False)):
                rig = Rig(store, is_purged=True)
                for step in (60, 30):
                    rig.ask(-300, 0, step)
                purged(rig, Purge(scope))
                expected = [Status.KEY_MISS if is_named else Status.HIT, Status.HIT]
                for step in (60, 30):
                    self.assertEqual([rig.ask(-300, 0, step).status for _ in range(2)], expected)

    def test_span(self) -> None:
        """Of a purge of a span, only that is fetched again, once."""
        for store in STORES:
            rig = Rig(store, is_purged=True)
            rig.ask(-900, 0)
            purged(rig, Purge(Scope(Kind.QUERY, "b", b"up"),
                              span=((NOW - 590) * SECOND, (NOW - 310) * SECOND)))
            rig.fetches()
            answer = rig.ask(-900, 0)
            self.assertEqual(rig.fetches(), [(-600, -300)])
            self.assertEqual(answer.octets, rig.direct(-900, 0))
            self.assertEqual(rig.ask(-900, 0).status, Status.HIT)

    def test_soft(self) -> None:
        """What is purged softly is fetched again, and serves where the origin fails."""
        for store in STORES:
            rig = Rig(store, is_purged=True)
            direct = rig.ask(-300, 0).octets
            purged(rig, Purge(Scope(Kind.ALL), is_soft=True))
            rig.origin.faults = [status(500)]
            stale = rig.ask(-300, 0)
            self.assertEqual((stale.octets, stale.outcome.status, stale.outcome.reason),
                             (direct, Status.HIT, Reason.STALE))
            self.assertEqual([rig.ask(-300, 0).status for _ in range(2)],
                             [Status.KEY_MISS, Status.HIT])

    def test_on_its_way(self) -> None:
        """A response on its way during a purge reaches its waiters, no later client, no store."""
        for store in STORES:
            rig = Rig(store, is_purged=True)
            rig.origin.is_paused = True
            waiting = rig.start(-300, 0)
            purged(rig, Purge(Scope(Kind.PATH, "b", PATH)))
            later = rig.start(-300, 0)
            self.assertEqual(len(rig.origin.waiting), 2)
            rig.origin.release()
            for each in (waiting, later):
                self.assertEqual(self.successResultOf(each).octets, rig.direct(-300, 0))

    def test_newest(self) -> None:
        """A newest sample that is remembered is forgotten too."""
        rig = Rig(newest=True, is_purged=True)
        rig.now.advance(37)
        found = [rig.ask(-600, 30).outcome.fast_forward for _ in range(2)]
        purged(rig, Purge(Scope(Kind.PATH, "b", PATH)))
        found.append(rig.ask(-600, 30).outcome.fast_forward)
        self.assertEqual(found, [FastForward.MISS, FastForward.HIT, FastForward.MISS])


class OtherProcessTests(SynchronousTestCase):
    """Purges by another process that shares the store, which tells this one nothing."""

    def setUp(self) -> None:
        """Have another process."""
        self.rig = Rig(PeekingStore, newest=True, is_purged=True)
        self.other = Purges(self.rig.store, self.rig.now, self.rig.now.seconds)

    def test_stored(self) -> None:
        """What is stored here, and remembered as a hit, is fetched again."""
        for _ in range(3):
            self.rig.ask(-300, -60)
        add(self.other, Purge(Scope(Kind.QUERY, "b", b"up")), self.rig.now)
        self.assertEqual([self.rig.ask(-300, -60).status for _ in range(2)],
                         [Status.KEY_MISS, Status.HIT])

    def test_on_its_way(self) -> None:
        """What is being fetched here is joined by no client that comes after the purge."""
        rig = self.rig
        rig.origin.is_paused = True
        waiting = rig.start(-300, -60)
        add(self.other, Purge(Scope(Kind.ALL)), rig.now)
        later = rig.start(-300, -60)
        self.assertEqual(len(rig.origin.waiting), 2)
        rig.origin.release(0)
        self.successResultOf(waiting)
        self.assertEqual(at_once(rig.store.keys("b.")), [])
        rig.origin.release()
        self.assertEqual(self.successResultOf(later).octets, rig.direct(-300, -60))
        self.assertEqual(rig.ask(-300, -60).status, Status.HIT)
