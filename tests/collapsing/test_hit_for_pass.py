"""Tests of C{trickster.collapsing.hit_for_pass}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.hit_for_pass import PassedKeys
from trickster.errors import Reason


class PassedKeysTests(SynchronousTestCase):
    """Keys that are better not tried for a while."""

    def setUp(self) -> None:
        """Room for two."""
        self.clock = Clock()
        self.passed = PassedKeys(self.clock, ttl=15.0, most=2)

    def test_nothing(self) -> None:
        """No key is passed for no reason."""
        self.assertIsNone(self.passed.reason("a"))

    def test_for_a_while(self) -> None:
        """One that was added is, until its time is over."""
        self.passed.add("a", Reason.TOO_LARGE)
        self.clock.advance(14.9)
        self.assertEqual(self.passed.reason("a"), Reason.TOO_LARGE)
        self.clock.advance(0.1)
        self.assertIsNone(self.passed.reason("a"))

    def test_again(self) -> None:
        """Adding it again begins its time anew, with the new reason."""
        self.passed.add("a", Reason.TOO_LARGE)
        self.clock.advance(10)
        self.passed.add("a", Reason.ORIGIN_WARNINGS)
        self.clock.advance(10)
        self.assertEqual(self.passed.reason("a"), Reason.ORIGIN_WARNINGS)

    def test_bounded(self) -> None:
        """The one that was added longest ago makes room."""
        for key in ("a", "b", "a", "c"):
            self.passed.add(key, Reason.TOO_LARGE)
        self.assertEqual([self.passed.reason(key) is None for key in "abc"],
                         [False, True, False])
