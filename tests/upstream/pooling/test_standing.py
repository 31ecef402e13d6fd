"""Tests for L{trickster.upstream.pooling.standing}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.pooling.standing import StandingQueue

BEARABLE = 0.3


class StandingQueueTests(SynchronousTestCase):
    """Standing queues, as distinguished from bursts."""

    def queue(self, seconds: float, came: int, waited: float = 1.0) -> StandingQueue:
        """:return: one of which ten went in some time, after a wait, while so many came."""
        queue = StandingQueue()
        for step in range(10):
            now = 10 + seconds * step / 9
            queue.went(now, now - waited, BEARABLE)
            # None is counted before the wait is long: that begins with the first that goes.
            for _ in range(came):
                queue.came()
        return queue

    def test_burst(self) -> None:
        """Long waits after which no more requests come are a burst, and not a standing queue."""
        self.assertFalse(self.queue(5, 0).stands(15, 0.01))

    def test_stands(self) -> None:
        """A queue with long waits for some time, while as many come as go, is standing."""
        self.assertTrue(self.queue(5, 1).stands(15, 0.01))

    def test_not_yet(self) -> None:
        """Long waits for a moment, or of a few slow responses, are no standing queue."""
        self.assertFalse(self.queue(0.5, 1).stands(10.5, 0.01))
        self.assertFalse(self.queue(5, 1).stands(15, 2.0))

    def test_short_waits(self) -> None:
        """A queue in which none waits long does not stand."""
        self.assertFalse(self.queue(5, 1, waited=0.05).stands(15, 0.01))

    def test_one_short_wait(self) -> None:
        """A standing queue ends with one short wait, or when the queue is empty."""
        queue = self.queue(5, 1)
        queue.went(15.0, 14.95, BEARABLE)
        self.assertFalse(queue.stands(15, 0.01))
        queue = self.queue(5, 1)
        queue.emptied()
        self.assertFalse(queue.stands(15, 0.01))
