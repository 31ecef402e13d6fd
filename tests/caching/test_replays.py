"""Tests of C{trickster.caching.replays}, as both caches use it."""

from __future__ import annotations

import gc
from weakref import ref

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.caching.deltarig import Rig
from tests.caching.objectworld import World
from trickster.messages import Status
from trickster.testing.doubles import DictStore, at_once
from trickster.timeseries.dataset import Dataset


class ReplayTests(SynchronousTestCase):
    """Full hits that are given again."""

    def setUp(self) -> None:
        self.rig = Rig()

    def hit(self, rig: Rig | None = None) -> None:
        """Have a range of five minutes answered from the cache, so that it is remembered."""
        for _ in range(2):
            (rig or self.rig).ask(-300, 0)

    def remembered(self) -> int:
        """:return: how many answers are remembered."""
        replays = self.rig.cache._replays
        assert replays is not None
        return len(replays._kept)

    def test_equal(self) -> None:
        """What is given again is what was given, and each client can read it."""
        self.hit()
        answers = [self.rig.ask(-300, 0) for _ in range(3)]
        self.assertEqual({a.octets for a in answers}, {self.rig.direct(-300, 0)})
        self.assertEqual({a.status for a in answers}, {Status.HIT})
        self.assertEqual(self.remembered(), 1)

    def test_new_samples(self) -> None:
        """Once the entry has changed, the answer is made of the new one."""
        self.hit()
        self.rig.ask(-600, 0)
        self.assertEqual(self.rig.ask(-300, 0).octets, self.rig.direct(-300, 0))
        entry = self.rig.entry()
        assert entry is not None
        key = at_once(self.rig.store.keys(""))[0]
        at_once(self.rig.entries.change(key, lambda _: evolve(
            entry, dataset=Dataset(entry.dataset.extents, {}))))
        self.assertEqual(self.rig.ask(-300, 0).json["data"]["result"], [])

    def test_purged(self) -> None:
        """After a purge nothing is given again."""
        self.hit()
        self.rig.ask(-300, 0, headers=((b"Cache-Control", b"no-cache"),))
        self.assertEqual(self.rig.ask(-300, 0).status, Status.KEY_MISS)

    def test_too_old(self) -> None:
        """What has become too old to be cached is asked of the origin."""
        rig = Rig(retention=10)
        self.hit(rig)
        rig.now.advance(700)
        self.assertEqual(rig.ask(-300, 0).status, Status.PROXY_ONLY)

    def test_identities(self) -> None:
        """Who says who he is is answered for himself."""
        self.hit()
        answer = self.rig.ask(-300, 0, headers=((b"Authorization", b"x"),))
        self.assertEqual(answer.status, Status.KEY_MISS)

    def test_holds_nothing(self) -> None:
        """An entry that the store has let go of is not held on to."""
        self.hit()
        entry = ref(self.rig.entry())
        at_once(self.rig.store.delete(at_once(self.rig.store.keys(""))))
        gc.collect()
        self.assertIsNone(entry())

    def test_only_so_many(self) -> None:
        """The least recently used goes first."""
        replays = self.rig.cache._replays
        assert replays is not None
        replays._most = 2
        for start in (-300, -360, -420):
            for _ in range(2):
                self.rig.ask(start, 0)
        self.assertEqual(self.remembered(), 2)

    def test_not_remembered(self) -> None:
        """Other methods, wishes for the cache, and identities, are looked up each time."""
        self.hit()
        for more in ({"method": b"POST"}, {"headers": ((b"Cache-Control", b"max-age=0"),)},
                     {"headers": ((b"Authorization", b"a"),)}):
            self.rig.ask(-300, 0, **more)
            self.assertEqual(self.remembered(), 1, more)

    def test_not_where_each_request_counts(self) -> None:
        """Last uses, and stores of octets, are without."""
        for rig in (Rig(lru=True), Rig(DictStore)):
            self.assertIsNone(rig.cache._replays)
            self.hit(rig)
            self.assertEqual(rig.ask(-300, 0).octets, rig.direct(-300, 0))

    def test_newest_sample(self) -> None:
        """A range that ends now may get a newest sample, one that ended before may not."""
        self.rig = Rig(newest=True)
        self.hit()
        self.assertEqual(self.remembered(), 0)
        for _ in range(2):
            self.rig.ask(-300, -60)
        self.assertEqual(self.remembered(), 1)

    def test_newest_sample_of_short_steps(self) -> None:
        """Nor may one whose steps are as short as the time that a newest sample serves."""
        self.rig = Rig(newest=True)
        for _ in range(2):
            self.rig.ask(-300, 0, 15)
        self.assertEqual(self.remembered(), 1)

    def test_large(self) -> None:
        """Large answers are made anew."""
        self.rig.origin.series = 2000
        self.hit()
        self.assertEqual(self.remembered(), 0)


class ObjectTests(SynchronousTestCase):
    """Hits of the object cache."""

    def setUp(self) -> None:
        self.world = World.of()
        self.world.given(self.world.answer(Cache_Control="max-age=60"),
                         self.world.answer(Cache_Control="max-age=60", body=b"new"))
        self.world.ask()
        self.world.ask()

    def remembered(self) -> int:
        """:return: how many answers are remembered."""
        replays = self.world.cache._replays
        assert replays is not None
        return len(replays._kept)

    def test_again(self) -> None:
        """The same request is answered the same, to the field."""
        first, again = self.world.ask(), self.world.ask()
        self.assertEqual((again.octets, again.response.headers), (
            first.octets, first.response.headers))
        self.assertEqual((self.remembered(), self.world.asked), (1, 1))

    def test_age_grows(self) -> None:
        """For as long as its Age is the same."""
        for seconds in range(1, 5):
            self.world.clock.advance(1)
            self.assertEqual(self.world.ask().header(b"age"), b"%d" % seconds)

    def test_stale(self) -> None:
        """And not once it is stale."""
        self.world.clock.advance(59.75)
        self.assertEqual(self.world.ask().octets, b"hello")
        self.world.clock.advance(0.25)
        self.assertEqual(self.world.ask().octets, b"new")

    def test_forgotten(self) -> None:
        """What is forgotten is not given again."""
        at_once(self.world.cache.forget(at_once(self.world.store.keys(""))[0]))
        self.assertEqual(self.world.ask().octets, b"new")

    def test_other_fields(self) -> None:
        """Whoever sends other fields is looked up."""
        self.assertEqual(self.world.ask(If_None_Match="*").status, 304)
        self.assertEqual(self.world.ask(Range="bytes=0-0").octets, b"h")

    def test_variants(self) -> None:
        """Which of several variants it was is found out each time."""
        world = World.of()
        world.given(*(world.answer(Cache_Control="max-age=60", Vary="A", body=body)
                      for body in (b"1", b"2")))
        for _ in range(2):
            self.assertEqual([world.ask(A=a).octets for a in "xy"], [b"1", b"2"])
        replays = world.cache._replays
        assert replays is not None
        self.assertEqual(len(replays._kept), 0)
