"""Tests of C{trickster.collapsing.hit_for_pass}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.hit_for_pass import HitForPass
from trickster.errors import Reason


class HitForPassTests(SynchronousTestCase):
    """Keys whose requests are passed for a while."""

    def setUp(self) -> None:
        """Room for two."""
        self.clock = Clock()
        self.hit_for_pass = HitForPass(self.clock, ttl=15.0, most=2)

    def test_nothing(self) -> None:
        """A key that was not marked is not passed."""
        self.assertIsNone(self.hit_for_pass.reason("a"))

    def test_for_a_while(self) -> None:
        """A key that was marked hit-for-pass is passed until its time is over."""
        self.hit_for_pass.mark("a", Reason.TOO_LARGE)
        self.clock.advance(14.9)
        self.assertEqual(self.hit_for_pass.reason("a"), Reason.TOO_LARGE)
        self.clock.advance(0.1)
        self.assertIsNone(self.hit_for_pass.reason("a"))

    def test_again(self) -> None:
        """Marking a key again begins its time anew, with the new reason."""
        self.hit_for_pass.mark("a", Reason.TOO_LARGE)
        self.clock.advance(10)
        self.hit_for_pass.mark("a", Reason.ORIGIN_WARNINGS)
        self.clock.advance(10)
        self.assertEqual(self.hit_for_pass.reason("a"), Reason.ORIGIN_WARNINGS)

    def test_cleared(self) -> None:
        """A key whose answer could be shared after all is passed no longer, nor is one twice."""
        self.hit_for_pass.mark("a", Reason.PRIVATE)
        for _ in range(2):
            self.hit_for_pass.clear("a")
            self.assertIsNone(self.hit_for_pass.reason("a"))

    def test_bounded(self) -> None:
        """The mark that was set or asked for longest ago makes room."""
        for asked, gone in (("", "a"), ("a", "b")):
            hit_for_pass = HitForPass(self.clock, 15.0, most=2)
            for key in ("b", "a", "b"):
                hit_for_pass.mark(key, Reason.TOO_LARGE)
            for key in asked:
                hit_for_pass.reason(key)
            hit_for_pass.mark("c", Reason.TOO_LARGE)
            self.assertEqual([key for key in "abc" if hit_for_pass.reason(key) is None], [gone])

    def test_expired_make_room(self) -> None:
        """Expired marks are removed for new ones before any that are still valid."""
        for key, later in (("a", 10.0), ("b", 10.0), ("c", 0.0)):
            self.hit_for_pass.reason("a")
            self.hit_for_pass.mark(key, Reason.TOO_LARGE)
            self.clock.advance(later)
        self.assertEqual([key for key in "abc" if self.hit_for_pass.reason(key)], ["b", "c"])
