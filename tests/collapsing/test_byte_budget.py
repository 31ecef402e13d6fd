"""Tests of C{trickster.collapsing.byte_budget}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import Pieces
from trickster.collapsing.byte_budget import InFlight, OverBudget
from trickster.errors import Reason, UpstreamBroke
from trickster.messages import Octets
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import at_once


class CollectedTests(SynchronousTestCase):
    """Reading bodies under a bound on all of them together."""

    def setUp(self) -> None:
        """A budget of ten octets."""
        self.budget = InFlight(10)

    def _reason(self, awaitable: Deferred[object]) -> Reason:
        error: OverBudget = self.failureResultOf(awaitable, OverBudget).value
        self.assertEqual(self.budget.held, 0)
        return error.reason

    def _begun(self, body: PausedBody, most: int) -> Deferred[object]:
        return Deferred.fromCoroutine(self.budget.collected(body, most))

    def test_whole(self) -> None:
        """All octets, in order, and none held afterwards."""
        self.assertEqual(at_once(self.budget.collected(Pieces.streamed([b"ab", b"cd"]), 4)),
                         b"abcd")
        self.assertEqual(self.budget.held, 0)

    def test_here_already(self) -> None:
        """What is here whole is given as it is, and costs nothing more."""
        octets = b"x" * 50
        self.assertIs(at_once(self.budget.collected(Octets(octets), 50)), octets)

    def test_here_too_large(self) -> None:
        """Unless it is too much."""
        with self.assertRaises(OverBudget) as caught:
            at_once(self.budget.collected(Octets(b"12345"), 4))
        self.assertEqual(caught.exception.reason, Reason.TOO_LARGE)

    def test_claims_too_much(self) -> None:
        """A length that is too much is refused before a word is read."""
        body = PausedBody(length=5)
        self.assertEqual(self._reason(self._begun(body, 4)), Reason.TOO_LARGE)
        self.assertTrue(body.is_closed)

    def test_sends_too_much(self) -> None:
        """A length that is a lie is found out."""
        body = PausedBody(length=3)
        collected = self._begun(body, 4)
        body.feed(b"123", b"45")
        self.assertEqual(self._reason(collected), Reason.TOO_LARGE)
        self.assertTrue(body.is_closed)

    def test_together(self) -> None:
        """What others hold counts, as long as they hold it."""
        first, second, third = PausedBody(), PausedBody(), PausedBody()
        whole = self._begun(first, 10)
        first.feed(b"12345678")
        over = self._begun(second, 10)
        second.feed(b"123")
        error = self.failureResultOf(over, OverBudget).value
        self.assertEqual((error.reason, self.budget.held), (Reason.IN_FLIGHT_BUDGET, 8))
        first.feed(b"90", b"")
        self.assertEqual(self.successResultOf(whole), b"1234567890")
        again = self._begun(third, 10)
        third.feed(b"1234567890", b"")
        self.assertEqual(self.successResultOf(again), b"1234567890")

    def test_breaks(self) -> None:
        """A body that breaks gives back what it held, and is closed."""
        body = PausedBody()
        collected = self._begun(body, 10)
        body.feed(b"123", UpstreamBroke("gone"))
        self.failureResultOf(collected, UpstreamBroke)
        self.assertEqual((self.budget.held, body.is_closed), (0, True))

    def test_cancelled(self) -> None:
        """So does one that is not wanted any more."""
        body = PausedBody()
        collected = self._begun(body, 10)
        body.feed(b"123")
        self.assertEqual(self.budget.held, 3)
        collected.cancel()
        self.failureResultOf(collected, CancelledError)
        self.assertEqual((self.budget.held, body.is_closed), (0, True))
