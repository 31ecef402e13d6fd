"""Tests for L{trickster.frontend.postponing}."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.postponing import Postponed, Postponements


class PostponementsTests(SynchronousTestCase):
    """Calls that are put off share one timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.waiting = Postponements(self.clock, 100)
        self.told: list[int] = []

    def add(self, number: int, delay: float = 1.0) -> Postponed:
        """:return: a refusal that is told later as this number."""
        postponed = self.waiting.add(delay, partial(self.told.append, number))
        assert postponed is not None
        return postponed

    @property
    def timers(self) -> int:
        """How many calls the clock has to make."""
        return len(self.clock.getDelayedCalls())

    def test_order(self) -> None:
        """Postponed calls are made in the order of their adding, none early, by one timer."""
        for number, delay in enumerate((1.0, 3.0, 2.0)):
            self.add(number, delay)
            self.assertEqual(self.timers, 1)
        told = []
        for _ in range(6):
            self.clock.advance(0.5)
            told.append(list(self.told))
        self.assertEqual(told, [[], [0], [0], [0], [0], [0, 1, 2]])
        self.assertEqual(self.timers, 0)

    def test_again_while_told(self) -> None:
        """A call that is postponed again while it is made sets no second timer."""
        def again(number: int) -> None:
            self.told.append(number)
            self.waiting.add(1.0, partial(again, number + 3))
            self.assertLessEqual(self.timers, 1)

        for number in range(3):
            self.waiting.add(1.0, partial(again, number))
        for _ in range(20):
            self.assertEqual(self.timers, 1)
            self.clock.advance(1.0)
        self.assertEqual(self.told, list(range(60)))

    def test_only_one_again(self) -> None:
        """The only call, postponed again while it is made, sets no second timer."""
        def again() -> None:
            self.waiting.add(1.0, again)
            self.assertEqual(self.timers, 0)

        self.waiting.add(1.0, again)
        for _ in range(20):
            self.clock.advance(1.0)
            self.assertEqual(self.timers, 1)

    def test_bounded(self) -> None:
        """The number of postponed calls is bounded; calls that are made or dropped make room."""
        self.waiting.most = 2
        first, _ = self.add(0), self.add(1)
        self.assertIsNone(self.waiting.add(1.0, list))
        first.drop()
        self.add(2)
        self.assertIsNone(self.waiting.add(1.0, list))
        self.clock.advance(1.0)
        self.assertEqual(self.told, [1, 2])
        self.add(3)

    def test_failing(self) -> None:
        """A postponed call that fails does not keep the others from being made."""
        self.waiting.add(1.0, partial(divmod, 1, 0))
        self.add(1)
        self.assertRaises(ZeroDivisionError, self.clock.advance, 1.0)
        self.assertEqual(self.timers, 1)
        self.clock.advance(0.0)
        self.assertEqual((self.told, self.timers), ([1], 0))

    def test_dropped(self) -> None:
        """A postponed call that is dropped is not made, and leaves no timer for itself alone."""
        first, second = self.add(0), self.add(1, 2.0)
        first.drop()
        self.assertEqual(self.timers, 1)
        second.drop()
        self.assertEqual(self.timers, 0)
        self.clock.advance(2.0)
        self.assertEqual(self.told, [])

    def test_dropped_twice(self) -> None:
        """Dropping a postponed call that is made or dropped already changes nothing."""
        first, second = self.add(0), self.add(1, 2.0)
        self.clock.advance(1.0)
        first.drop()
        self.clock.advance(1.0)
        second.drop()
        second.drop()
        self.assertEqual((self.told, self.timers), ([0, 1], 0))

    def test_dropped_while_told(self) -> None:
        """A postponed call that another one drops is not made, and later calls are in time."""
        self.waiting.add(1.0, lambda: second.drop())
        second = self.add(2)
        self.clock.advance(1.0)
        self.assertEqual((self.told, self.timers), ([], 0))
        self.add(3)
        self.clock.advance(1.0)
        self.assertEqual(self.told, [3])

    @given(st.lists(st.one_of(
        st.tuples(st.just("add"), st.floats(0.1, 3.0), st.integers(0, 2)),
        st.tuples(st.just("drop"), st.integers(0, 50), st.just(0)),
        st.tuples(st.just("advance"), st.floats(0.0, 2.0), st.just(0)))))
    def test_any(self, steps: list[tuple[str, float, int]]) -> None:
        """Under any operations there is one timer while calls are postponed, and else none."""
        self.setUp()
        added: list[Postponed] = []
        gone: set[int] = set()

        def add(delay: float, again: int) -> None:
            number = len(added)

            def tell() -> None:
                self.told.append(number)
                if again:
                    add(delay, again - 1)

            postponed = self.waiting.add(delay, tell)
            assert postponed is not None
            added.append(postponed)

        for kind, value, again in steps:
            if kind == "add":
                add(value, again)
            elif kind == "advance":
                self.clock.advance(value)
            elif int(value) < len(added):
                added[int(value)].drop()
                gone.add(int(value))
            left = set(range(len(added))) - gone - set(self.told)
            self.assertEqual(self.timers, bool(left))
        self.clock.pump([4.0] * 4)
        self.assertEqual(self.told, sorted(self.told))
        self.assertEqual(set(self.told) | gone, set(range(len(added))))
        self.assertEqual(self.timers, 0)
