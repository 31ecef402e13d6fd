"""Tests of L{trickster.ranges.leased_newest}: processes fetch each newest sample once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.fakeprometheus import status
from tests.ranges.sharedrigs import SECONDS, Rigs
from trickster.messages import FastForward
from trickster.testing.doubles import SharedStore


class LeasedNewestTests(SynchronousTestCase):
    """Newest samples beside ranges, asked for through several processes."""

    def setUp(self) -> None:
        """Three processes, half a minute after a whole step."""
        self.have(Rigs(3, newest=True))

    def have(self, rigs: Rigs) -> None:
        """Have others."""
        self.rigs, self.origin = rigs, rigs.origin
        rigs.now.advance(30)

    def asked(self) -> list[tuple[FastForward | None, float]]:
        """:return: what each process says of the newest sample, and when it is."""
        asking = [rig.start(-600, 30) for rig in self.rigs.rigs]
        self.rigs.pass_time(0.3)
        answers = [self.successResultOf(each) for each in asking]
        return [(answer.outcome.fast_forward, answer.times[-1]) for answer in answers]

    def test_once(self) -> None:
        """It is fetched once, while it is fetched and for a moment after that."""
        self.assertEqual(self.asked(), [(FastForward.MISS, 30.0)] * 3)
        self.assertEqual(len(self.origin.newest), 1)

    def test_any_store(self) -> None:
        """So it is over a store that does not tell at once."""
        self.have(Rigs(2, SharedStore, newest=True))
        self.assertEqual(self.asked(), [(FastForward.MISS, 30.0)] * 2)
        self.assertEqual(len(self.origin.newest), 1)

    def test_remembered(self) -> None:
        """Each process remembers what another one has fetched, no longer than its own."""
        self.asked()
        self.assertEqual(self.asked(), [(FastForward.HIT, 30.0)] * 3)
        self.assertEqual(len(self.origin.newest), 1)
        self.rigs.pass_time(16)
        self.asked()
        self.assertEqual(len(self.origin.newest), 2)

    def test_failing(self) -> None:
        """Where one process gets none, each of the others tries."""
        self.origin.newest_fault = status(500)
        self.assertEqual([each for each, _ in self.asked()], [FastForward.ERROR] * 3)
        self.assertEqual(len(self.origin.newest), 3)

    def test_large(self) -> None:
        """What is too large to be given, each process fetches."""
        self.origin.series = 1500
        self.assertEqual([each for each, _ in self.asked()], [FastForward.MISS] * 3)
        self.assertEqual(len(self.origin.newest), 3)

    def test_another_step(self) -> None:
        """What was fetched for an earlier step is of no use for a later one."""
        self.rigs.rigs[0].ask(-600, 30)
        self.rigs.now.advance(60 - SECONDS)
        rig = self.rigs.rigs[1]
        asking = rig.start(-540, 90)
        self.rigs.pass_time(0.3)
        self.assertEqual(self.successResultOf(asking).times[-1], 87.0)
