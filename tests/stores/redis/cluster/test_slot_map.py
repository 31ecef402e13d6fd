"""Tests of C{trickster.stores.redis.cluster.slot_map}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.cluster.clustered import A, B, C, FakeServers, is_slots
from trickster.errors import StoreError
from trickster.stores.redis.cluster.peers import Peers
from trickster.stores.redis.cluster.slot_map import MapTimes, SlotMap
from trickster.stores.redis.errors import NoAnswer
from trickster.testing.runtime import FakeRuntime


class SlotMapTests(SynchronousTestCase):
    """A map that is asked for when there is reason to."""

    def setUp(self) -> None:
        """Have two servers, and a map that is not started."""
        self.servers, self.runtime = FakeServers(), FakeRuntime()
        self.servers.own((0, 5000, [A]), (5001, 16383, [B]))
        self.moved: list[frozenset[int]] = []
        self.map = SlotMap(Peers(self.servers.make), (A,), self.runtime,
                           MapTimes(every=60.0, pause=1.0, patience=2.0), self.moved.append)
        self.addCleanup(self.map.stop)

    def asked(self) -> int:
        """:return: how often any server was asked for the map."""
        return len(self.servers.asked(is_slots))

    def known(self) -> Deferred[Any]:
        """:return: the map, once there is one."""
        return Deferred.fromCoroutine(self.map.known())

    def test_known(self) -> None:
        """What is known is given at once, and nothing is asked for that."""
        self.map.start()
        self.assertEqual(self.successResultOf(self.known()).owner(0), A)
        self.assertEqual((self.map.topology.owner(16383), self.asked()), (B, 1))

    def test_every_slot_is_news(self) -> None:
        """At first, all slots that are served have a master that they did not have."""
        self.map.start()
        self.assertEqual(self.moved, [frozenset(range(16384))])

    def test_no_news(self) -> None:
        """A map that is as it was is no news."""
        self.map.start()
        self.moved.clear()
        self.runtime.clock.advance(60.0)
        self.assertEqual((self.asked(), self.moved), (2, []))

    def test_learned(self) -> None:
        """A server's word that one slot has moved counts at once; the map is asked for, too."""
        self.map.start()
        self.map.moved(0, B)
        self.map.moved(0, B)
        self.assertEqual((self.moved[1:], self.map.topology.owner(0)), ([{0}], B))
        self.runtime.clock.advance(1.0)
        self.assertEqual((self.moved[2:], self.map.topology.owner(0)), ([{0}], A))

    def test_soon(self) -> None:
        """However often it is wanted, it is asked for once a pause, and while that lasts, once more."""
        self.map.start()
        for _ in range(5):
            self.map.refresh_soon()
        self.servers[A].held = []
        self.runtime.clock.advance(1.0)
        self.assertEqual(self.asked(), 2)
        for _ in range(5):
            self.map.refresh_soon()
        self.servers[A].let_go()
        self.assertEqual(self.asked(), 2)
        self.runtime.clock.advance(1.0)
        self.assertEqual(self.asked(), 3)
        self.runtime.clock.pump([1.0] * 10)
        self.assertEqual(self.asked(), 3)

    def test_refreshed(self) -> None:
        """Whoever wants what is so from now on does not get an answer that is on its way."""
        self.servers[A].held = []
        self.map.start()
        waiting = [self.map.refreshed(), self.map.refreshed()]
        self.servers[A].let_go()
        self.assertEqual([self.successResultOf(one).owner(0) for one in waiting], [A, A])
        self.assertEqual(self.asked(), 2)

    def test_refreshed_at_once(self) -> None:
        """It is asked for at once where it is not being asked for."""
        self.map.start()
        self.servers.own((0, 16383, [C]))
        self.assertEqual(self.successResultOf(self.map.refreshed()).owner(0), C)

    def test_left(self) -> None:
        """Who does not wait any more harms no other."""
        self.servers[A].held = []
        self.map.start()
        waiting = [self.known(), self.known()]
        waiting[0].cancel()
        self.failureResultOf(waiting[0])
        self.servers[A].let_go()
        self.successResultOf(waiting[1])

    def test_of_use_first(self) -> None:
        """Servers that were of no use are asked last, the configuration's where no other answers."""
        self.servers.own((0, 16383, [B, C]))
        self.map.start()
        for address in (B, C):
            self.servers[address].failure = NoAnswer("is away")
        self.successResultOf(self.map.refreshed())
        self.assertEqual(self.servers.asked(is_slots), [A, A, B, C])
        self.servers[C].failure = None
        self.successResultOf(self.map.refreshed())
        self.successResultOf(self.map.refreshed())
        self.assertEqual(self.servers.asked(is_slots).count(B), 2)

    def test_slow_last(self) -> None:
        """One that is too slow, or says what cannot be so, is asked after the others the next time."""
        for held, answer in (([], None), (None, [[1, 2, 3]])):
            self.setUp()
            self.map.start()
            self.servers[A].held, self.servers[A].slots_answer = held, answer
            first = self.map.refreshed()
            self.runtime.clock.advance(2.0)
            self.successResultOf(first)
            self.successResultOf(self.map.refreshed())
            self.assertEqual(self.servers.asked(is_slots).count(A), 2)

    def test_none(self) -> None:
        """Where no server tells, that is told, and why; what was known stays."""
        self.map.start()
        for address in (A, B):
            self.servers[address].failure = NoAnswer("is away")
        failure = self.failureResultOf(self.map.refreshed(), StoreError)
        self.assertIn("is away", str(failure.value))
        self.assertEqual(self.successResultOf(self.known()).owner(0), A)

    def test_only_one(self) -> None:
        """Where there is no other server to ask, the last one is waited for for longer."""
        self.servers[A].held = []
        self.map.start()
        known = self.known()
        self.runtime.clock.advance(4.9)
        self.assertNoResult(known)
        self.runtime.clock.advance(0.2)
        self.failureResultOf(known, StoreError)

    def test_defect(self) -> None:
        """What goes wrong otherwise is logged with its traceback, and tried again as well."""
        self.servers[A].failure = ZeroDivisionError("a defect")
        with capturedLogs() as logged:
            self.map.start()
        self.assertIn("cannot be had", str(logged[0]["log_format"]))
        self.flushLoggedErrors(ZeroDivisionError)
        self.servers[A].failure = None
        self.runtime.clock.advance(1.0)
        self.successResultOf(self.known())

    def test_stopped(self) -> None:
        """Once it is stopped, nothing is asked, and who waits is told."""
        self.servers[A].held = []
        self.map.start()
        waiting = [self.known(), self.map.refreshed()]
        self.map.stop()
        waiting.append(self.map.refreshed())
        for one in waiting:
            self.assertIn("not running", str(self.failureResultOf(one, StoreError).value))
        self.map.refresh_soon()
        self.assertEqual(self.runtime.clock.getDelayedCalls(), [])
