"""Tests for L{trickster.frontend.listening.ports}."""

from __future__ import annotations

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.listening.ports import HeldPort


class Backlog(HeldPort):
    """
    A port whose clients are numbers.

    :ivar waiting: how many are in the backlog.
    """

    waiting = 0

    def _accept_one(self) -> bool:
        if not self.waiting:
            return False
        self.waiting -= 1
        return True


class AcceptingTests(SynchronousTestCase):
    """A port accepts in batches that leave other work its turn."""

    def setUp(self) -> None:
        self.port = Backlog(0, Factory(), reactor=MemoryReactorClock())
        self.port.numberAccepts = 100  # as when it begins to listen

    def turns(self, waiting: int) -> int:
        """:return: turns of the reactor until so many are accepted."""
        self.port.waiting, turns = waiting, 0
        while self.port.waiting and turns < 1000:
            self.port.doRead()
            turns += 1
        return turns

    def test_crowd(self) -> None:
        """A crowd of clients is accepted within a few turns of the reactor, not a few in each."""
        self.assertLess(self.turns(4096), 12)

    def test_flood(self) -> None:
        """A port accepts some hundred clients a turn at most, so that other work has its turn."""
        before = self.port.waiting = 100_000
        for _ in range(20):
            self.port.doRead()
            self.assertLessEqual(before - self.port.waiting, 512)
            before = self.port.waiting

    def test_few(self) -> None:
        """A port to which few clients come makes few attempts in vain to accept more."""
        self.turns(4096)
        self.port.waiting = 1
        self.port.doRead()
        self.assertEqual(self.port.numberAccepts, 1)


class SharedTests(AcceptingTests):
    """A port that leaves clients to other processes; what holds for any port holds for it."""

    def setUp(self) -> None:
        super().setUp()
        self.port.share()

    def test_one(self) -> None:
        """The first client is accepted alone, and so is the next one after a pause."""
        for _ in range(2):
            self.port.waiting = 2
            self.port.doRead()
            self.assertEqual(self.port.waiting, 1)
            while self.port.waiting:
                self.port.doRead()
            self.port.doRead()

    def test_more(self) -> None:
        """While more wait, twice as many are accepted in each turn, up to some tens."""
        self.port.waiting, accepted = 10_000, []
        for _ in range(9):
            before = self.port.waiting
            self.port.doRead()
            accepted.append(before - self.port.waiting)
        self.assertEqual(accepted, [1, 2, 4, 8, 16, 32, 64, 64, 64])

    def test_crowd(self) -> None:
        """A crowd is accepted within some tens of turns."""
        self.assertLess(self.turns(4096), 72)

    def test_few(self) -> None:
        """Where few come, there is one attempt in vain at most."""
        self.turns(4096)
        for _ in range(4):
            self.port.waiting = 1
            self.port.doRead()
            self.assertLessEqual(self.port.numberAccepts, 2)
