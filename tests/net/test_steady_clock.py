"""Tests of L{trickster.net.steady_clock}."""

from __future__ import annotations

from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.base import DelayedCall, ReactorBase
from twisted.trial.unittest import SynchronousTestCase

from trickster.net.steady_clock import SteadyClock, elapsed, keep_steady

STEPS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e9, 1e9)), max_size=20)


@define
class Machine:
    """
    Both clocks of a machine.

    :ivar wall: seconds since the epoch, as an operator has set them.
    :ivar up: seconds since it started.
    """

    wall: float = 1_700_000_000.0
    up: float = 500.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.up += seconds

    def clock(self) -> SteadyClock:
        """:return: a steady clock, made now."""
        return SteadyClock(lambda: self.wall, lambda: self.up)


class Reactor(ReactorBase):
    """A reactor without any descriptors, and with a clock of its own."""

    def __init__(self, machine: Machine) -> None:
        self.seconds = lambda: machine.wall
        super().__init__()

    def installWaker(self) -> None:
        """None is needed."""

    def removeAll(self) -> list[object]:
        """:return: nothing: there are no descriptors."""
        return []


class SteadyClockTests(SynchronousTestCase):
    """Seconds since the epoch that never jump."""

    @settings(max_examples=200, deadline=None)
    @given(STEPS)
    def test_any_steps(self, steps: list[tuple[float, float]]) -> None:
        """However the wall clock is set, the steady clock goes on by the elapsed time."""
        machine = Machine()
        clock, begun, before = machine.clock(), machine.wall, machine.wall
        total = 0.0
        for seconds, set_by in steps:
            machine.pass_by(seconds)
            machine.wall += set_by
            total += seconds
            self.assertGreaterEqual(clock.seconds(), before)
            self.assertAlmostEqual(clock.seconds(), begun + total, places=3)
            before = clock.seconds()

    def test_elapsed(self) -> None:
        """The elapsed time of this machine never goes back."""
        seconds = elapsed()
        times = [seconds() for _ in range(1000)]
        self.assertEqual(times, sorted(times))


class KeepSteadyTests(SynchronousTestCase):
    """A reactor whose wall clock is set."""

    def setUp(self) -> None:
        self.machine = Machine()
        self.reactor = Reactor(self.machine)
        self.called: list[str] = []

    def steady(self) -> None:
        """Make it go by a steady clock."""
        keep_steady(self.reactor, lambda: self.machine.wall, lambda: self.machine.up)

    def later(self, seconds: float, name: str) -> DelayedCall:
        """:return: a call that notes a name."""
        call = self.reactor.callLater(seconds, self.called.append, name)
        assert isinstance(call, DelayedCall)
        return call

    def passed(self, seconds: float) -> list[str]:
        """:return: what has been called once so much time has passed."""
        self.machine.pass_by(seconds)
        self.reactor.runUntilCurrent()
        return self.called

    def test_set_back(self) -> None:
        """A wall clock that is set back delays no call."""
        self.steady()
        self.later(2, "a")
        self.machine.wall -= 3600
        self.later(2, "b")
        self.assertEqual(self.passed(1.9), [])
        self.assertEqual(self.passed(0.2), ["a", "b"])

    def test_set_forward(self) -> None:
        """A wall clock that is set forward makes no call early."""
        self.steady()
        self.later(2, "a")
        self.machine.wall += 86400
        self.later(3, "b")
        self.machine.pass_by(1.9)
        self.assertAlmostEqual(self.reactor.timeout() or 0.0, 0.1, places=3)
        self.assertEqual(self.passed(0), [])
        self.assertEqual(self.passed(0.2), ["a"])

    def test_pending_calls(self) -> None:
        """Calls scheduled before the clock was made steady come in time, and can be put off."""
        first, second = self.later(2, "a"), self.later(2, "b")
        self.machine.pass_by(1)
        self.steady()
        second.reset(3)
        self.assertEqual(self.passed(1.1), ["a"])
        self.assertFalse(first.active())
        self.assertEqual(self.passed(2), ["a", "b"])

    def test_twice(self) -> None:
        """Keeping a reactor's clock steady twice does not set the clock."""
        self.steady()
        before = self.reactor.seconds()
        self.machine.wall -= 3600
        self.steady()
        self.assertEqual(self.reactor.seconds(), before)
