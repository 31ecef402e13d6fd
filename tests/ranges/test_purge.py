"""Purges of the delta cache and of fast forward (L{trickster.interfaces.IPurgeable})."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.ranges.deltarig import Rig
from trickster.interfaces import IPurgeable
from trickster.messages import FastForward, Status
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import DictStore, at_once

PATH = b"/api/v1/query_range"


class PurgeTests(SynchronousTestCase):
    """What is purged is fetched again; everything else is not."""

    def test_interface(self) -> None:
        """The delta cache can be purged, and so can fast forward."""
        rig = Rig()
        for cache in (rig.delta, rig.newest):
            verifyObject(IPurgeable, cache)

    def test_path(self) -> None:
        """All queries of a path are purged, and those of no other path."""
        for store in (MemoryStore, DictStore):
            rig = Rig(store)
            for step in (60, 30):
                rig.ask(-300, 0, step)
            self.assertEqual(at_once(rig.delta.purge(b"/api/v1/other")), 0)
            self.assertEqual(rig.ask(-300, 0).status, Status.HIT)
            self.assertEqual(at_once(rig.delta.purge(PATH)), 2)
            for step in (60, 30):
                self.assertEqual(rig.ask(-300, 0, step).status, Status.KEY_MISS)

    def test_all(self) -> None:
        """All paths of a backend are purged at once."""
        for store in (MemoryStore, DictStore):
            rig = Rig(store)
            rig.ask(-300, 0)
            self.assertEqual(at_once(rig.delta.purge(None)), 1)
            self.assertEqual(rig.ask(-300, 0).status, Status.KEY_MISS)

    def test_on_its_way(self) -> None:
        """A response on its way during a purge reaches its waiters and is not stored."""
        for store in (MemoryStore, DictStore):
            rig = Rig(store)
            rig.origin.is_paused = True
            waiting = rig.start(-300, 0)
            at_once(rig.delta.purge(PATH))
            rig.origin.release()
            self.assertEqual(self.successResultOf(waiting).octets, rig.direct(-300, 0))
            rig.origin.is_paused = False
            self.assertEqual(rig.ask(-300, 0).status, Status.KEY_MISS)

    def test_newest(self) -> None:
        """A newest sample that is remembered is forgotten too."""
        rig = Rig(newest=True)
        rig.now.advance(37)
        found = [rig.ask(-600, 30).outcome.fast_forward for _ in range(2)]
        at_once(rig.newest.purge(PATH))
        found.append(rig.ask(-600, 30).outcome.fast_forward)
        self.assertEqual(found, [FastForward.MISS, FastForward.HIT, FastForward.MISS])
