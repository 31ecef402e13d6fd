"""What the gauges of caches and memos count is the memory that is taken, neither more nor less."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World
from tests.ranges.deltarig import Rig
from trickster.collapsing.hit_memo import HitMemo
from trickster.middleware.codedmemo import CodedMemo
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import at_once

# How many octets one that is counted takes, before the allocator's own waste: docs/operations.md,
# "Sizing", has 1.05 to 1.35 for it in all.
LEAST, MOST = 0.5, 1.3


class CountedMemoryTests(SynchronousTestCase):
    """A cache is filled, and its count compared with the memory that is taken."""

    def check(self, many: int, make: Callable[[int], object], counted: Callable[[], int],
              empty: Callable[[], object]) -> None:
        """
        Fill something, and compare.

        :param many: to put into it.
        :param make: puts the one of a number.
        :param empty: takes all out again: what else has come to be remembered stays.
        """
        def fill() -> None:
            for number in range(many):
                make(number)

        tracemalloc.start()
        try:
            fill()
            count = counted()
            gc.collect()
            full = tracemalloc.get_traced_memory()[0]
            empty()
            gc.collect()
            octets = full - tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        self.assertGreater(count, 50_000)
        self.assertGreater(octets, LEAST * count)
        self.assertLess(octets, MOST * count)

    def test_octets_in_a_store(self) -> None:
        """The count of stored octets agrees with the memory taken."""
        for size in (10, 1000, 30_000):
            store = MemoryStore(Clock())
            self.check(150, lambda n, size=size, store=store: at_once(
                store.put(f"backend.host:80.opc.{n:064}", bytes(size), 60.0)),
                lambda store=store: store.octets, store.stopService)

    def test_objects_in_a_store(self) -> None:
        """The count of whole responses with their fields agrees with the memory taken."""
        for size in (10, 1000, 30_000):
            world = World.of(MemoryStore, memo=HitMemo(0))

            def ask(n: int, world: World = world, size: int = size) -> None:
                world.given(world.answer(body=bytes(size), Cache_Control="max-age=60",
                                         ETag=f'"{n}"', Content_Type="image/png"))
                world.ask(b"/object/%d" % n)
                world.origin.requests.clear()

            self.check(150, ask, lambda world=world: world.store.octets, world.store.stopService)

    def test_ranges_in_a_store(self) -> None:
        """The count of range queries, of few series or many, agrees with the memory taken."""
        for many, series, seconds in ((60, 1, 600), (20, 1, 12_000), (20, 40, 600)):
            rig = Rig(memo=HitMemo(0))
            rig.origin.series = series

            def ask(n: int, rig: Rig = rig, seconds: int = seconds) -> None:
                rig.ask(-seconds, 0, query=f"query_{n:05}")
                rig.origin.requests.clear()

            self.check(many, ask, lambda rig=rig: rig.store.octets, rig.store.stopService)

    def test_newest_samples(self) -> None:
        """The count of newest samples, of few series or many, agrees with the memory taken."""
        for many, series in ((80, 1), (20, 40)):
            rig = Rig(newest=True, memo=HitMemo(0))
            rig.now.advance(37)
            rig.origin.series = series
            newest = rig.newest

            def ask(n: int, rig: Rig = rig) -> None:
                rig.ask(-60, 30, query=f"query_{n:05}")
                rig.origin.requests.clear()

            self.check(many, ask, lambda newest=newest: newest._memo.octets,
                       newest._memo._entries.clear)

    def test_coded_forms(self) -> None:
        """The count of bodies and their coded forms agrees with the memory taken."""
        for size in (600, 9000):
            memo = CodedMemo()
            self.check(150, lambda n, size=size, memo=memo: memo.keep(
                b"gzip", bytes(size) + b"%d" % n, bytes(size // 4)),
                lambda memo=memo: memo.kept.octets, memo.kept._entries.clear)
