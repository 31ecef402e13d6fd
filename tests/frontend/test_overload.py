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
    """How late the turns of the reactor are decides whether requests are refused."""

    def setUp(self) -> None:
        self.lateness = Lateness(TARGET)

    def test_in_time(self) -> None:
        """A request that waits no longer than the target is never refused."""
        for now in range(100):
            self.lateness.ended(5.0, float(now))
        self.assertFalse(self.lateness.refuses(TARGET, 100.0))

    def test_one_pause(self) -> None:
        """A single turn that takes long is no overload."""
        self.assertFalse(self.lateness.refuses(0.4, 1000.4))
        self.lateness.ended(0.4, 1000.4)
        for n in range(100):
            self.lateness.ended(0.01, 1000.5 + n / 10)
        self.assertFalse(self.lateness.refuses(0.3, 1011.0))

    def test_pause_of_a_strict_process(self) -> None:
        """A single pause of half a second is no overload, however low the target is."""
        strict = Lateness(0.01)
        self.assertFalse(strict.refuses(0.5, 1000.0))
        self.assertTrue(strict.refuses(0.51, 1000.0))

    def test_overload(self) -> None:
        """Turns of the reactor that stay long are an overload."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.assertTrue(self.lateness.refuses(0.3, 1001.1))
        self.assertFalse(self.lateness.refuses(0.2, 1001.1))

    def test_far_too_late(self) -> None:
        """A request that waits for far too long is refused, even in a single turn."""
        self.assertTrue(self.lateness.refuses(0.8, 1000.8))

    def test_on_the_edge(self) -> None:
        """A single turn in time, due to the refusals themselves, does not end an overload."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.lateness.ended(0.2, 1001.0)
        self.assertTrue(self.lateness.refuses(0.3, 1001.3))

    def test_over(self) -> None:
        """A second of turns in time ends an overload."""
        self.lateness.ended(0.4, 1000.4)
        self.lateness.ended(0.4, 1000.8)
        self.lateness.ended(0.1, 1001.9)
        self.assertFalse(self.lateness.refuses(0.5, 1002.4))


class PauseTests(TestCase):
    """How long a refusal is put off depends on how long the turns are."""

    def setUp(self) -> None:
        self.pause = Pause()

    def test_calm(self) -> None:
        """A refusal in a process that has time is sent at once."""
        self.assertEqual(self.pause.length(0.0), 0.0)
        self.pause.ended(0.02, 1.0)
        self.assertEqual(self.pause.length(1.0), 0.0)

    def test_busy(self) -> None:
        """The longer turns take, the longer refusals are put off, up to half a second."""
        lengths = []
        for took in (0.025, 0.03, 0.04, 0.05, 0.1, 2.0):
            self.pause.ended(took, 1.0)
            lengths.append(self.pause.length(1.0))
        self.assertEqual(lengths, sorted(lengths))
        self.assertEqual((lengths[0], lengths[-1]), (0.25, 0.5))

    def test_over(self) -> None:
        """Short turns, and time without any, soon end the putting off of refusals."""
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
    """A process that is asked more than it can answer refuses the rest."""

    def setUp(self) -> None:
        self.world = World(Clock(), Overload(Clock(), Lateness(TARGET)))
        self.world.overload = Overload(self.world.clock, Lateness(TARGET))
        self.told: list[int] = []

    def test_three_times_too_much(self) -> None:
        """Answered requests have waited for less than a second, however many requests come."""
        turns = [self.world.turn(3000) for _ in range(20)]
        self.assertLess(max(took for took, _ in turns[2:]), 0.6)
        self.assertGreater(min(answered for _, answered in turns), 200)
        self.assertLess(turns[0][0], 1.1)

    def test_recovery(self) -> None:
        """Once fewer requests come, a process that was overloaded refuses none."""
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
        """Refusals are put off after long turns, and sent in their order by one timer."""
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
        """The number of refusals that are put off is bounded."""
        self.world.overload = Overload(self.world.clock, Lateness(TARGET), most_put_off=2)
        self.world.turn(3000)
        self.assertEqual(self.put_off(3), [True, True, False])

    def test_calm(self) -> None:
        """A process that is not overloaded rarely evaluates its lateness."""
        looks = 0
        for _ in range(6400):
            self.world.overload.refuses()
            looks += len(self.world.clock.getDelayedCalls())
            self.world.clock.advance(0.001)
        self.assertEqual(looks, 100)

    def test_idle_between(self) -> None:
        """Time without requests does not count as a wait."""
        for _ in range(1000):
            self.assertFalse(self.world.overload.refuses())
            self.world.clock.advance(10)

    def test_as_much_as_can_be_done(self) -> None:
        """A fully loaded process whose turns end in time refuses none."""
        for _ in range(100):
            self.assertEqual(self.world.turn(240)[1], 240)
