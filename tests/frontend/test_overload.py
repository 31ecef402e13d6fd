"""Tests for L{trickster.frontend.overload}."""

from __future__ import annotations

from functools import partial
from unittest import TestCase

from attrs import define
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.overload import Lateness, Overload, Pause

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
        for n in range(100):
            self.lateness.ended(0.01, 1000.5 + n / 10)
        self.assertFalse(self.lateness.refuses(0.3, 1011.0))

    def test_pause_of_a_strict_process(self) -> None:
        """However little requests should wait, half a second may pass once."""
        strict = Lateness(0.01)
        self.assertFalse(strict.refuses(0.5, 1000.0))
        self.assertTrue(strict.refuses(0.51, 1000.0))

    def test_overload(self) -> None:
        """Turns that stay long are."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.assertTrue(self.lateness.refuses(0.3, 1001.1))
        self.assertFalse(self.lateness.refuses(0.2, 1001.1))

    def test_far_too_late(self) -> None:
        """Far too late is too late even once."""
        self.assertTrue(self.lateness.refuses(0.8, 1000.8))

    def test_on_the_edge(self) -> None:
        """One turn in time, which refusals have made so, does not end it."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.lateness.ended(0.2, 1001.0)
        self.assertTrue(self.lateness.refuses(0.3, 1001.3))

    def test_over(self) -> None:
        """A second of turns in time does."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.lateness.ended(0.1, 1001.9)
        self.assertFalse(self.lateness.refuses(0.5, 1002.4))


class PauseTests(TestCase):
    def setUp(self) -> None:
        self.pause = Pause()

    def test_calm(self) -> None:
        """Where there is time, refusals are told at once."""
        self.assertEqual(self.pause.length(0.0), 0.0)
        self.pause.ended(0.02, 1.0)
        self.assertEqual(self.pause.length(1.0), 0.0)

    def test_busy(self) -> None:
        """The longer turns take, the longer they are put off, to half a second at most."""
        lengths = []
        for took in (0.025, 0.03, 0.04, 0.05, 0.1, 2.0):
            self.pause.ended(took, 1.0)
            lengths.append(self.pause.length(1.0))
        self.assertEqual(lengths, sorted(lengths))
        self.assertEqual((lengths[0], lengths[-1]), (0.25, 0.5))

    def test_over(self) -> None:
        """Short turns end that soon, and so does time in which there were none."""
        self.pause.ended(0.5, 1.0)
        self.assertEqual(self.pause.length(2.5), 0.0)
        for _ in range(10):
            self.pause.ended(0.001, 1.0)
        self.assertEqual(self.pause.length(1.0), 0.0)


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
        self.told: list[int] = []

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

    def put_off(self, number: int) -> list[bool]:
        """:return: for each of so many refusals, whether it is put off."""
        told = self.told
        return [self.world.overload.put_off(partial(told.append, n)) is not None
                for n in range(number)]

    def test_put_off(self) -> None:
        """Refusals are put off after long turns, and told in their order by one timer."""
        self.assertEqual(self.put_off(2), [False, False])
        self.world.turn(3000)
        self.assertEqual(self.put_off(3), [True, True, True])
        self.assertEqual(len(self.world.clock.getDelayedCalls()), 1)
        self.world.clock.advance(0.4)
        self.assertEqual(self.told, [])
        self.put_off(1)
        self.world.clock.advance(0.1)
        self.assertEqual(self.told, [0, 1, 2])
        self.world.clock.advance(0.4)
        self.assertEqual(self.told, [0, 1, 2, 0])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_put_off_bounded(self) -> None:
        """No more are put off than may be."""
        self.world.overload = Overload(self.world.clock, Lateness(TARGET), most_put_off=2)
        self.world.turn(3000)
        self.assertEqual(self.put_off(3), [True, True, False])

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
