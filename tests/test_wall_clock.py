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
    """Ages are elapsed time; only dates are compared with dates."""

    def worlds(self) -> list[tuple[World, Wall]]:
        """:return: one with each kind of store."""
        walls = [Wall(), Wall()]
        return [(World.of(store, wall=wall.seconds), wall)
                for store, wall in zip((ReferenceStore, DictStore), walls, strict=True)]

    @settings(max_examples=50, deadline=None)
    @given(st.floats(-1e7, 1e7))
    def test_freshness(self, step: float) -> None:
        """An object is fresh for as long as it says, wherever the clock is set to meanwhile."""
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
        """Expires is Date and so much more, at any date here."""
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
        """The age of what arrives is what the wall clock says of its Date."""
        for world, wall in self.worlds():
            wall.now += HOUR  # set right, after a start at a wrong time
            world.given(world.answer(Date=date(wall.now - 7), Cache_Control="max-age=60"))
            world.ask()
            self.assertEqual(world.ask().header(b"age"), b"7")

    def test_date(self) -> None:
        """What comes without a Date is given the wall clock's."""
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
    """What "now" is in a query is a date."""

    def test_volatile(self) -> None:
        """How new a sample is, is compared with the wall clock."""
        wall = Wall(NOW)
        rig = Rig(wall=wall.seconds, tolerance=60.0)
        rig.ask(-600, 0)
        self.assertEqual(rig.held(), [(-600, -60)])
        wall.now += 120
        rig.ask(-600, 0)
        self.assertEqual(rig.held(), [(-600, 0)])

    def test_kept(self) -> None:
        """How long an entry is kept is not."""
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
        """How long a key is passed by does not depend on what the wall clock does."""
        wall = Wall(NOW)
        rig = Rig(wall=wall.seconds)
        rig.origin.always = having("warnings", ["partial"])
        self.assertEqual(rig.ask(-600, -60).status, Status.PROXY_ONLY)
        rig.origin.always = None
        wall.now -= HOUR
        rig.now.advance(16)
        self.assertEqual(rig.ask(-600, -60).status, Status.KEY_MISS)
