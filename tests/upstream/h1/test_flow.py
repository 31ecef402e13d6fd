"""Tests for L{trickster.upstream.h1.flow}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.h1.flow import Flow


class FlowTests(SynchronousTestCase):
    """Which bodies are lasting, since they take long at the pace of their origin or reader."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.flow = Flow(self.clock)

    def lasts(self, seconds: float) -> bool:
        """:return: whether it lasts after so long."""
        self.clock.advance(seconds)
        return self.flow.lasts(self.clock.seconds())

    def test_nothing(self) -> None:
        """A connection without a body on its way is never lasting."""
        self.assertFalse(self.lasts(1e6))

    def test_long_body(self) -> None:
        """A body that takes more than five seconds is lasting."""
        self.flow.begin()
        self.assertFalse(self.lasts(5))
        self.assertTrue(self.lasts(0.1))

    def test_held_body(self) -> None:
        """
        A body whose reader keeps it waiting for a second is lasting, unless the reader has gone on.
        """
        self.flow.begin()
        self.flow.hold()
        self.assertFalse(self.lasts(0.9))
        self.assertTrue(self.lasts(0.1))
        self.flow.go_on()
        self.assertFalse(self.lasts(1))

    def test_end(self) -> None:
        """A body that has ended is not lasting."""
        self.flow.begin()
        self.flow.hold()
        self.flow.end()
        self.assertFalse(self.lasts(100))

    def test_next(self) -> None:
        """The time of each body is counted from its own beginning."""
        self.flow.begin()
        self.clock.advance(4)
        self.flow.begin()
        self.assertFalse(self.lasts(4))
