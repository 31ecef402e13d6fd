"""Tests of L{trickster.net.side_by_side}."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from trickster.net.side_by_side import side_by_side
from trickster.testing.doubles import at_once


class SideBySideTests(SynchronousTestCase):
    """Work that is done several pieces at a time."""

    def begin(self, count: int, most: int) -> Deferred[bool]:
        """:return: fires when all is done that the test ends, item by item, in C{under_way}."""
        under_way: dict[int, Deferred[bool]] = {}
        self.under_way = under_way

        async def work(item: int) -> bool:
            under_way[item] = Deferred()
            try:
                return await under_way[item]
            finally:
                del under_way[item]

        return Deferred.fromCoroutine(side_by_side(work, range(count), most))

    @given(st.integers(0, 20), st.integers(1, 6), st.data())
    def test_so_many(self, count: int, most: int, data: st.DataObject) -> None:
        """As many as may be are under way until none is left, whichever of them ends first."""
        done = self.begin(count, most)
        for left in range(count, 0, -1):
            self.assertEqual(len(self.under_way), min(most, left))
            self.under_way[data.draw(st.sampled_from(sorted(self.under_way)))].callback(True)
        self.assertTrue(self.successResultOf(done))

    def test_of_no_use(self) -> None:
        """After one that was of no use none is begun, and those under way are waited for."""
        done = self.begin(9, 3)
        self.under_way[1].callback(False)
        self.under_way[0].callback(True)
        self.assertEqual(sorted(self.under_way), [2])
        self.assertNoResult(done)
        self.under_way[2].callback(True)
        self.assertFalse(self.successResultOf(done))

    def test_fails(self) -> None:
        """After one that fails none is begun, and its error is raised when none is under way."""
        done = self.begin(9, 2)
        self.under_way[0].errback(ValueError("no"))
        self.assertNoResult(done)
        self.under_way[1].callback(True)
        self.failureResultOf(done, ValueError)
        self.assertEqual(self.under_way, {})

    def test_at_once(self) -> None:
        """Work that waits for nothing is done in the order of the items, up to the first of no use."""
        begun: list[int] = []

        async def work(item: int) -> Any:
            begun.append(item)
            return item < 3

        self.assertFalse(at_once(side_by_side(work, range(9), 4)))
        self.assertEqual(begun, [0, 1, 2, 3])
        self.assertTrue(at_once(side_by_side(work, range(3), 4)))

    def test_cancelled(self) -> None:
        """Who does not wait any more has what is under way cancelled, and nothing begun."""
        done = self.begin(9, 3)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.under_way, {})
