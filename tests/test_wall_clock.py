"""Caches on a machine whose wall clock is set while they run."""

from __future__ import annotations

from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import START, World, date
from tests.ranges.deltarig import NOW, Rig
from tests.ranges.fakeprometheus import having
from trickster.messages import Status
from trickster.testing.doubles import DictStore, ReferenceStore

HOUR = 3600.0


@define
class Wall:
    """A clock that can be set."""

    now: float = START

    def seconds(self) -> float:
        """:return: seconds since the epoch."""
        return self.now


class ObjectTests(SynchronousTestCase):
    """Objects, whose ages are elapsed time and whose dates are compared with dates only."""

    def worlds(self) -> list[tuple[World, Wall]]:
        """:return: one with each kind of store."""
        walls = [Wall(), Wall()]
        return [(World.of(store, wall=wall.seconds), wall)
                for store, wall in zip((ReferenceStore, DictStore), walls, strict=True)]

    @settings(max_examples=50, deadline=None)
    @given(st.floats(-1e7, 1e7))
    def test_freshness(self, step: float) -> None:
        """A stored response is fresh for its lifetime, wherever the clock is set to meanwhile."""
        for world, wall in self.worlds():
            world.given(*[world.answer(Cache_Control="max-age=2")] * 2)
            world.ask()
            wall.now += step
            world.clock.advance(1.5)
            self.assertEqual(world.ask().result, "hit")
            self.assertEqual(world.ask().header(b"age"), b"1")
            world.clock.advance(0.6)
            self.assertEqual((world.ask().result, world.asked), ("kmiss", 2))

    def test_expires(self) -> None:
        """A lifetime from Expires is the difference to Date, whatever the local date is."""
        for world, wall in self.worlds():
            dates = {"Date": date(START), "Expires": date(START + 10)}
            world.given(*[world.answer(**dates)] * 2)
            world.ask()
            wall.now -= HOUR
            world.clock.advance(9)
            self.assertEqual(world.ask().result, "hit")
            world.clock.advance(2)
            self.assertEqual((world.ask().result, world.asked), ("kmiss", 2))

    def test_apparent_age(self) -> None:
        """The apparent age of a response is the wall clock's time less its Date."""
        for world, wall in self.worlds():
            wall.now += HOUR  # set right, after a start at a wrong time
            world.given(world.answer(Date=date(wall.now - 7), Cache_Control="max-age=60"))
            world.ask()
            self.assertEqual(world.ask().header(b"age"), b"7")

    def test_date(self) -> None:
        """A response without Date is given the date of the wall clock."""
        for world, wall in self.worlds():
            wall.now += HOUR
            answer = world.answer(Cache_Control="max-age=60", ETag='"1"')
            world.given(type(answer)(200, answer.headers.without(b"date"), answer.body))
            self.assertEqual(world.ask().header(b"date"), date(START + HOUR).encode())
            world.clock.advance(61)
            wall.now += HOUR
            confirmed = world.answer(304, b"", ETag='"1"')
            world.given(type(answer)(304, confirmed.headers.without(b"date")))
            self.assertEqual(world.ask().header(b"date"), date(START + 2 * HOUR).encode())


class RangeTests(SynchronousTestCase):
    """Range queries, of which only "now" depends on the wall clock."""

    def test_volatile(self) -> None:
        """A sample is volatile by its age on the wall clock."""
        wall = Wall(NOW)
        rig = Rig(wall=wall.seconds, tolerance=60.0)
        rig.ask(-600, 0)
        self.assertEqual(rig.held(), [(-600, -60)])
        wall.now += 120
        rig.ask(-600, 0)
        self.assertEqual(rig.held(), [(-600, 0)])

    def test_kept(self) -> None:
        """The time for which an entry is kept does not depend on the wall clock."""
        for step in (-HOUR, HOUR, 24 * HOUR):
            wall = Wall(NOW)
            rig = Rig(wall=wall.seconds, ttl=100.0)
            rig.ask(-600, -60)
            wall.now += step
            rig.now.advance(99)
            self.assertIsNotNone(rig.entry(), step)
            rig.now.advance(2)
            self.assertIsNone(rig.entry(), step)

    def test_passed(self) -> None:
        """The time for which a key is passed does not depend on the wall clock."""
        wall = Wall(NOW)
        rig = Rig(wall=wall.seconds)
        rig.origin.always = having("warnings", ["partial"])
        self.assertEqual(rig.ask(-600, -60).status, Status.PROXY_ONLY)
        rig.origin.always = None
        wall.now -= HOUR
        rig.now.advance(16)
        self.assertEqual(rig.ask(-600, -60).status, Status.KEY_MISS)
