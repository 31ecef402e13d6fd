"""Tests for L{trickster.frontend.overload}."""

from __future__ import annotations

from unittest import TestCase

from attrs import define
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.overload import Lateness, Overload

TARGET = 0.25


class LatenessTests(TestCase):
    def setUp(self) -> None:
        self.lateness = Lateness(TARGET)

    def test_in_time(self) -> None:
        """What is in time is never refused."""
        for now in range(100):
            self.lateness.ended(5.0, float(now))
        self.assertFalse(self.lateness.refuses(TARGET, 100.0))

    def test_one_pause(self) -> None:
        """One turn that takes long is no overload."""
        self.assertFalse(self.lateness.refuses(0.4, 1000.4))
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.01, 1000.5)
        self.assertFalse(self.lateness.refuses(0.3, 1001.0))

    def test_overload(self) -> None:
        """Turns that stay long are."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.assertTrue(self.lateness.refuses(0.3, 1001.1))
        self.assertFalse(self.lateness.refuses(0.2, 1001.1))

    def test_far_too_late(self) -> None:
        """Far too late is too late even once."""
        self.assertTrue(self.lateness.refuses(0.8, 1000.8))

    def test_over(self) -> None:
        """One turn in time ends it."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.lateness.ended(0.1, 1000.9)
        self.assertFalse(self.lateness.refuses(0.5, 1001.4))


@define
class World:
    """
    A process that answers requests, turn by turn, and clients that ask again at once.

    :ivar cost: seconds of work for an answer.
    :ivar refusal: the same for a refusal.
    """

    clock: Clock
    overload: Overload
    cost: float = 0.001
    refusal: float = 0.0001
    now: float = 0.0

    def turn(self, requests: int) -> tuple[float, int]:
        """:return: seconds that the turn took, and how many were answered."""
        began, answered = self.clock.seconds(), 0
        for _ in range(requests):
            is_refused = self.overload.refuses()
            answered += not is_refused
            # What is due is called between turns, and not in the middle of one.
            self.clock.rightNow += self.refusal if is_refused else self.cost
        took = self.clock.seconds() - began
        self.clock.advance(0)
        return took, answered


class OverloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(Clock(), Overload(Clock(), Lateness(TARGET)))
        self.world.overload = Overload(self.world.clock, Lateness(TARGET))

    def test_three_times_too_much(self) -> None:
        """However many ask, what is answered has waited for less than a second."""
        turns = [self.world.turn(3000) for _ in range(20)]
        self.assertLess(max(took for took, _ in turns[2:]), 0.6)
        self.assertGreater(min(answered for _, answered in turns), 200)
        self.assertLess(turns[0][0], 1.1)

    def test_recovery(self) -> None:
        """When fewer ask, the next turn but one refuses none."""
        for _ in range(5):
            self.world.turn(3000)
        refused = self.world.overload.refused_total
        for _ in range(10):
            self.assertEqual(self.world.turn(100)[1], 100)
        self.assertEqual(self.world.overload.refused_total, refused)

    def test_calm(self) -> None:
        """A calm process is looked at seldom."""
        looks = 0
        for _ in range(6400):
            self.world.overload.refuses()
            looks += len(self.world.clock.getDelayedCalls())
            self.world.clock.advance(0.001)
        self.assertEqual(looks, 100)

    def test_idle_between(self) -> None:
        """Time in which nothing was asked is no wait."""
        for _ in range(1000):
            self.assertFalse(self.world.overload.refuses())
            self.world.clock.advance(10)

    def test_as_much_as_can_be_done(self) -> None:
        """At full load, turns that end in time refuse none."""
        for _ in range(100):
            self.assertEqual(self.world.turn(240)[1], 240)
