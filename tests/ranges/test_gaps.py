"""Tests of C{trickster.ranges.gaps}: each instant is asked for once, for all clients."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, Rig
from tests.ranges.fakeprometheus import (
    having,
    in_pieces,
    raising,
    status,
)
from trickster.errors import Reason, UpstreamBroke, UpstreamError
from trickster.messages import Headers, Octets, Response, Status
from trickster.stores.guard import guarded
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import DictStore, SlowStore
from trickster.timeseries.planning import Sharding

STORES = (MemoryStore, DictStore, lambda clock: guarded(DictStore(clock), "c", clock))


class CollapsingTests(SynchronousTestCase):
    """Samples that are being fetched are waited for, not fetched again."""

    def test_fifty(self) -> None:
        """Fifty clients with overlapping windows ask for each instant once."""
        for store in STORES:
            rig = Rig(store)
            rig.origin.is_paused = True
            windows = [(-3600 + 60 * i, -60 * (i % 7)) for i in range(50)]
            answers = [rig.start(*window) for window in windows]
            while rig.origin.waiting:
                rig.origin.release(len(rig.origin.waiting) - 1)
            for window, answer in zip(windows, answers, strict=True):
                self.assertEqual(self.successResultOf(answer).octets, rig.direct(*window))
            self.assertEqual(set(rig.origin.instants.values()), {1})
            self.assertEqual((len(rig.origin.instants), rig.left_over()), (61, (0, 0, 0)))

    def test_subrange(self) -> None:
        """A narrower request is answered from a wider fetch, and its outcome says so."""
        rig = Rig()
        rig.origin.is_paused = True
        wide, narrow = rig.start(-600, 0), rig.start(-300, -60)
        rig.origin.release()
        answer = self.successResultOf(narrow)
        self.assertEqual((answer.status, answer.outcome.reason, answer.outcome.fetched),
                         (Status.PROXY_HIT, Reason.COLLAPSED, ()))
        self.assertEqual(answer.octets, rig.direct(-300, -60))
        self.assertEqual((answer.outcome.points_fetched, answer.outcome.points_cached), (0, 15))
        self.assertEqual(self.successResultOf(wide).status, Status.KEY_MISS)

    def test_overlap(self) -> None:
        """Only extents that are neither stored nor being fetched are fetched."""
        rig = Rig()
        rig.ask(-1200, -900)
        rig.origin.is_paused = True
        rig.start(-600, -300)
        answer = rig.start(-1200, 0)
        self.assertEqual(rig.fetches(), [(-1200, -900), (-600, -300), (-840, -660), (-240, 0)])
        rig.origin.release()
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-1200, 0))

    def test_others_not_waited_for(self) -> None:
        """A fetch of another part of the same query is not waited for."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.start(-6000, -3000)
        answer = rig.start(-600, 0)
        rig.origin.release(1)
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-600, 0))

    def test_keys_apart(self) -> None:
        """Flights of other queries are not joined."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.start(-600, 0)
        rig.start(-600, 0, query="down")
        rig.start(-600, 0, headers=((b"Authorization", b"x"),))
        self.assertEqual(len(rig.origin.waiting), 3)

    def test_merges_keep_all(self) -> None:
        """Fetches that land in any order lose none of each other's samples."""
        for store in STORES:
            rig = Rig(store)
            rig.origin.is_paused = True
            answers = [rig.start(-300 * (i + 1), -300 * i - 60) for i in range(5)]
            for which in (3, 0, 2, 0, 0):
                rig.origin.release(which)
            for answer in answers:
                self.successResultOf(answer)
            self.assertEqual(rig.held(), [(-1500, -60)])
            self.assertEqual(rig.ask(-1500, -60).octets, rig.direct(-1500, -60))

    def test_read_while_written(self) -> None:
        """A read that began before a change ended does not ask for its samples again."""
        store = SlowStore()
        rig = Rig(lambda clock: store)
        first, second = rig.start(-300, 0), rig.start(-300, 0)
        store.go_on()
        self.assertEqual(rig.origin.instants.total(), 6)
        third = rig.start(-300, 0)
        store.go_on_always()
        for answer in (first, second, third):
            self.assertEqual(self.successResultOf(answer).octets, rig.direct(-300, 0))
        self.assertEqual((rig.origin.instants.total(), rig.left_over()), (6, (0, 0, 0)))


class SlowStoreTests(SynchronousTestCase):
    """A store that takes its time to keep what was fetched."""

    def setUp(self) -> None:
        """Have an answer fetched that the store is still being given."""
        self.store = SlowStore()
        self.rig = Rig(lambda clock: self.store)
        self.first = self.rig.start(-300, 0)
        self.store.go_on()
        self.assertNoResult(self.first)

    def test_not_waited_for(self) -> None:
        """An answer waits for a slow store a moment, and does not say then that it is stored."""
        self.rig.now.advance(0.2)
        self.assertNoResult(self.first)
        self.rig.now.advance(0.05)
        answer = self.successResultOf(self.first)
        self.assertEqual(answer.octets, self.rig.direct(-300, 0))
        self.assertFalse(answer.outcome.stored)

    def test_joined(self) -> None:
        """A request that comes before it is stored does not have it fetched again."""
        self.rig.now.advance(0.25)
        self.successResultOf(self.first)
        second = self.rig.start(-300, 0)
        self.store.go_on(len(self.store.steps) - 1)
        self.assertEqual(self.successResultOf(second).octets, self.rig.direct(-300, 0))
        self.assertEqual(self.rig.origin.instants.total(), 6)

    def test_stored_in_the_end(self) -> None:
        """What was fetched is stored after its clients have their answers; nothing is left over."""
        self.rig.now.advance(0.25)
        self.successResultOf(self.first)
        self.store.go_on_always()
        self.assertEqual((self.rig.held(), self.rig.left_over()), ([(-300, 0)], (0, 0, 0)))

    def test_in_time(self) -> None:
        """An answer that was stored within that moment says so, and leaves no timer."""
        self.store.go_on_always()
        self.assertTrue(self.successResultOf(self.first).outcome.stored)
        self.assertEqual(self.rig.now.getDelayedCalls(), [])


class ShardingTests(SynchronousTestCase):
    """Fetches in several shards."""

    def test_pieces(self) -> None:
        """Each shard of a range is fetched by a request of its own, and the shards are merged."""
        rig = Rig(sharding=Sharding(max_points=4))
        answer = rig.ask(-600, 0)
        self.assertEqual(rig.fetches(), [(-600, -420), (-360, -180), (-120, 0)])
        self.assertEqual((answer.octets, rig.held()), (rig.direct(-600, 0), [(-600, 0)]))

    def test_concurrency(self) -> None:
        """No more fetches of one request run at a time than are configured."""
        rig = Rig(sharding=Sharding(max_points=1), concurrency=3)
        rig.origin.is_paused = True
        answer = rig.start(-600, 0)
        most = 0
        while rig.origin.waiting:
            most = max(most, len(rig.origin.waiting))
            rig.origin.release(0)
        self.assertEqual((most, self.successResultOf(answer).octets), (3, rig.direct(-600, 0)))

    def test_no_concurrency(self) -> None:
        """A configured concurrency of 0 counts as 1, so that requests are answered."""
        rig = Rig(concurrency=0)
        self.assertEqual(rig.ask(-600, 0).code, 200)

    def test_failure_frees_turn(self) -> None:
        """A piece that fails makes room for the next."""
        rig = Rig(sharding=Sharding(max_points=4), concurrency=1)
        rig.origin.faults = [raising(UpstreamBroke("gone")), status(500), None]
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.times, rig.held()), ([-120, -60, 0], [(-120, 0)]))
        self.assertEqual(answer.outcome.failed,
                         (((NOW - 600) * SECOND_NS, (NOW - 180) * SECOND_NS),))


class BudgetTests(SynchronousTestCase):
    """Answers that are too large to be held."""

    def test_too_large(self) -> None:
        """
        A response that is too large to be held streams past the cache, and so do those of the next
        15 s.
        """
        for fault in (None, in_pieces(100)):
            rig = Rig(max_answer_bytes=500)
            rig.origin.always = fault
            answer = rig.ask(-590, 0)
            self.assertEqual((answer.status, answer.outcome.reason, answer.octets),
                             (Status.PROXY_ONLY, Reason.TOO_LARGE, rig.direct(-590, 0)))
            rig.ask(-590, 0)
            self.assertEqual(rig.fetches(), [(-600, 0), (-590, 0), (-590, 0)])
            self.assertEqual((rig.held(), rig.left_over()), ([], (0, 0, 0)))

    def test_in_flight(self) -> None:
        """
        A response refused for want of room in the byte budget does not mark its key hit-for-pass.
        """
        rig = Rig(limit=500)
        rig.origin.always = in_pieces(100)
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.outcome.reason, answer.octets),
                         (Reason.IN_FLIGHT_BUDGET, rig.direct(-600, 0)))
        self.assertEqual((rig.ask(-120, 0).status, rig.left_over()),
                         (Status.KEY_MISS, (0, 0, 0)))

    def test_transformed_too_large(self) -> None:
        """What must be changed cannot be streamed: too much of it is an error that says so."""
        rig = Rig(max_answer_bytes=500, transform=bytes.upper)
        error = self.failureResultOf(rig.start(-600, 0), UpstreamError).value
        self.assertEqual(error.reason, Reason.TOO_LARGE)


class TransformTests(SynchronousTestCase):
    """Answers that are passed on past the cache are changed as others are."""

    def test_passed(self) -> None:
        """
        A successful response that bypasses the cache is transformed whole, and without content
        coding.
        """
        rig = Rig(transform=bytes.upper)
        rig.origin.faults = [status(400), lambda _: Response(200, Headers(), Octets(b"ok"))]
        for octets in (b"no", b"OK"):  # only what is a success
            answer = rig.ask(-60, 0, query="up @ end()",
                             headers=((b"Accept-Encoding", b"gzip"),))
            self.assertEqual(answer.octets, octets)
        self.assertNotIn(b"accept-encoding", rig.origin.requests[-1].headers)

    def test_unkept(self) -> None:
        """Answers that are not to be kept are changed as well."""
        rig = Rig(transform=bytes.upper)
        rig.origin.faults = [having("warnings", ["abc"])]
        self.assertIn(b'"WARNINGS":["ABC"]', rig.ask(-600, 0).octets)
