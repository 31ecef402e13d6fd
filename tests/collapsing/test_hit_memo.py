"""Tests of C{trickster.collapsing.hit_memo}, as both caches use it."""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import Any
from weakref import ref

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World
from tests.ranges.deltarig import Rig
from trickster.collapsing.hit_memo import HitMemo
from trickster.http.freshness import FreshnessRules, Policy
from trickster.messages import NO_HEADERS, Octets, Response, Status, octets_of
from trickster.objects.codec import ResponseFormat
from trickster.objects.stored_response import StoredResponse
from trickster.stores.typed_store import TypedStore
from trickster.testing.doubles import PeekingStore, ReferenceStore, SharedStore, at_once
from trickster.timeseries.dataset import Dataset


def kept_in(store: Any) -> TypedStore[Any]:
    """:return: a store, as one of stored responses."""
    return TypedStore(store, ResponseFormat(FreshnessRules()), store.clock)


class RangeTests(SynchronousTestCase):
    """Hits of the delta cache."""

    def setUp(self) -> None:
        self.rig = Rig()

    def hit(self, rig: Rig | None = None) -> None:
        """Have a range of five minutes answered from the cache, so that it is remembered."""
        for _ in range(2):
            (rig or self.rig).ask(-300, 0)

    def remembered(self) -> int:
        """:return: how many answers are remembered."""
        return len(self.rig.memo.kept)

    def test_equal(self) -> None:
        """A remembered response equals the first one, and each client can read its body."""
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

    def test_fresh(self) -> None:
        """A fresh response for a no-cache request replaces the remembered one."""
        self.hit()
        self.rig.origin.salt = "later"
        fresh = self.rig.ask(-300, 0, headers=((b"Cache-Control", b"no-cache"),))
        self.assertEqual(self.rig.ask(-300, 0).octets, fresh.octets)

    def test_old(self) -> None:
        """What has become too old to be stored is given again while it is held."""
        rig = Rig(retention=10)
        self.hit(rig)
        rig.now.advance(1200)
        self.assertEqual(rig.ask(-300, 0).status, Status.HIT)

    def test_identities(self) -> None:
        """Requests with different identities share no remembered response."""
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
        """The least recently used response is forgotten first."""
        self.rig = Rig(memo=HitMemo(9000))
        for start in (-300, -360, -420):
            for _ in range(2):
                self.rig.ask(start, 0)
        self.assertEqual(self.remembered(), 2)
        self.assertLess(self.rig.memo.kept.octets, 9000)

    def test_not_remembered(self) -> None:
        """
        Requests with another method, a cache directive or an identity are looked up each time.
        """
        self.hit()
        for more in ({"method": b"POST"}, {"headers": ((b"Cache-Control", b"max-age=0"),)},
                     {"headers": ((b"Authorization", b"a"),)}):
            self.rig.ask(-300, 0, **more)
            self.assertEqual(self.remembered(), 1, more)

    def test_not_where_each_request_counts(self) -> None:
        """Caches with lru retention, and those over stores that are waited for, have no memo."""
        for rig in (Rig(lru=True), Rig(SharedStore)):
            self.hit(rig)
            self.assertEqual(len(rig.memo.kept), 0)
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
        """A range whose steps are as short as the time that a newest sample serves gets none."""
        self.rig = Rig(newest=True)
        for _ in range(2):
            self.rig.ask(-300, 0, 15)
        self.assertEqual(self.remembered(), 1)

    def test_large(self) -> None:
        """Large responses are not remembered."""
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
        return len(self.world.memo.kept)

    def test_again(self) -> None:
        """An equal request is answered from the memo with the same fields and body."""
        first, again = self.world.ask(), self.world.ask()
        self.assertEqual((again.octets, again.response.headers), (
            first.octets, first.response.headers))
        self.assertEqual((self.remembered(), self.world.asked), (1, 1))

    def test_age_grows(self) -> None:
        """A response is remembered only for as long as its Age stays the same."""
        for seconds in range(1, 5):
            self.world.clock.advance(1)
            self.assertEqual(self.world.ask().header(b"age"), b"%d" % seconds)

    def test_stale(self) -> None:
        """An answer is not given again once it is stale."""
        self.world.clock.advance(59.75)
        self.assertEqual(self.world.ask().octets, b"hello")
        self.world.clock.advance(0.25)
        self.assertEqual(self.world.ask().octets, b"new")

    def test_forgotten(self) -> None:
        """What is forgotten is not given again."""
        at_once(self.world.cache.forget(at_once(self.world.store.keys(""))[0]))
        self.assertEqual(self.world.ask().octets, b"new")

    def test_other_fields(self) -> None:
        """A request with other fields is looked up."""
        self.assertEqual(self.world.ask(If_None_Match="*").status, 304)
        self.assertEqual(self.world.ask(Range="bytes=0-0").octets, b"h")

    def test_variants(self) -> None:
        """A memo does not mix up the variants of a stored response."""
        world = World.of()
        world.given(*(world.answer(Cache_Control="max-age=60", Vary="A", body=body)
                      for body in (b"1", b"2")))
        for _ in range(2):
            self.assertEqual([world.ask(A=a).octets for a in "xy"], [b"1", b"2"])
        self.assertEqual(len(world.memo.kept), 0)


class PeekingTests(SynchronousTestCase):
    """Hits from a store of octets that tells at once what it has."""

    def test_range(self) -> None:
        """A range is remembered until another process has put another entry in its place."""
        rig = Rig(PeekingStore)
        other = Rig(lambda _: rig.store, origin=rig.origin)
        for _ in range(3):
            rig.ask(-300, 0)
        self.assertEqual((rig.memo.hits, len(rig.memo.kept)), (1, 1))
        key = at_once(rig.store.keys(""))[0]
        at_once(other.entries.change(key, lambda entry: entry and evolve(
            entry, dataset=Dataset(entry.dataset.extents, {}))))
        self.assertEqual(rig.ask(-300, 0).json["data"]["result"], [])

    def test_object(self) -> None:
        """A stored response is remembered until another process has forgotten it."""
        world = World.of(PeekingStore)
        world.given(*(world.answer(Cache_Control="max-age=60", body=body)
                      for body in (b"1", b"2")))
        self.assertEqual([world.ask().octets for _ in range(3)], [b"1"] * 3)
        self.assertEqual((world.memo.hits, len(world.memo.kept)), (1, 1))
        world.store.entries.clear()
        self.assertEqual(world.ask().octets, b"2")


class SharedTests(SynchronousTestCase):
    """One memo for all caches of a process, within one bound."""

    def test_caches_apart(self) -> None:
        """Equal requests to two caches share no remembered response."""
        memo, worlds = HitMemo(), (World.of(), World.of())
        stores = [world.store for world in worlds]
        caches = [memo.of(kept_in(store)) for store in stores]
        for store, cache, octets in zip(stores, caches, (b"1", b"2"), strict=True):
            assert cache is not None
            store.put_object("k", StoredResponse(200, NO_HEADERS, (), 0, Policy(), 0.0, 0.0), 1, 60.0)
            cache.keep("q", "k", 1e12, Response(200, body=Octets(octets)))
        found = [cache.response("q", 0.0) for cache in caches if cache is not None]
        self.assertEqual([octets_of(one.body) for one in found if one], [b"1", b"2"])
        self.assertEqual((memo.hits, memo.misses, len(memo.kept)), (2, 0, 2))

    def test_none(self) -> None:
        """A memo of no octets, and one for a store that has to be waited for, is none."""
        self.assertIsNone(HitMemo(0).of(kept_in(ReferenceStore(Clock()))))
        self.assertIsNone(HitMemo().of(kept_in(SharedStore(Clock()))))

    def test_many_small(self) -> None:
        """Thousands of small hits are remembered at a time."""
        world, targets = World.of(), [b"/%d" % number for number in range(2000)]
        world.given(*[world.answer(Cache_Control="max-age=60") for _ in targets])
        for _ in range(3):
            for target in targets:
                world.ask(target)
        self.assertEqual((len(world.memo.kept), world.memo.hits), (2000, 2000))

    def test_bounded(self) -> None:
        """However large hits, fields and targets are, no more memory is taken than allowed."""
        world, sizes = World.of(memo=HitMemo(2 << 20)), random.Random(5)
        agents = ["a" * sizes.randrange(800) for _ in range(50)]

        def ask() -> None:
            for number in range(700):
                target = b"/%d?" % number + b"x" * sizes.randrange(900)
                body = bytes(sizes.randrange(9000))
                agent = sizes.choice(agents)
                world.given(world.answer(body=body, Cache_Control="max-age=60", ETag='"1"'))
                for _ in range(2):
                    world.ask(target, User_Agent=agent + str(number), Accept="*/*")
                world.origin.requests.clear()
                world.store.entries.clear()  # what is measured is the memo's alone

        tracemalloc.start()
        try:
            ask()
            gc.collect()
            taken = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        self.assertGreater(world.memo.kept.octets, 19 << 16)
        self.assertLess(taken, (2 << 20) + (1 << 18))
