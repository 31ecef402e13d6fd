"""Tests of C{trickster.collapsing.byte_budget}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import BodyTooLarge, Pieces
from trickster.collapsing.byte_budget import SMALL, ByteBudget
from trickster.errors import Reason, UpstreamBroke
from trickster.messages import Octets
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import at_once


class ReadAllTests(SynchronousTestCase):
    """Reading bodies under a bound on all of them together."""

    def setUp(self) -> None:
        """A budget of ten octets."""
        self.budget = ByteBudget(10)

    def _reason(self, awaitable: Deferred[object]) -> Reason:
        error: BodyTooLarge = self.failureResultOf(awaitable, BodyTooLarge).value
        self.assertEqual(self.budget.held, 0)
        return error.reason

    def _begun(self, body: PausedBody, most: int) -> Deferred[object]:
        return Deferred.fromCoroutine(self.budget.read_all(body, most))

    def test_whole(self) -> None:
        """A body is read whole and in order, and holds nothing of the budget afterwards."""
        self.assertEqual(at_once(self.budget.read_all(Pieces.streamed([b"ab", b"cd"]), 4)),
                         b"abcd")
        self.assertEqual(self.budget.held, 0)

    def test_here_already(self) -> None:
        """A body that is in memory already is given as it is, and costs no more of the budget."""
        octets = b"x" * 50
        self.assertIs(at_once(self.budget.read_all(Octets(octets), 50)), octets)

    def test_here_too_large(self) -> None:
        """A body that is in memory already is refused if it is above the limit."""
        with self.assertRaises(BodyTooLarge) as caught:
            at_once(self.budget.read_all(Octets(b"12345"), 4))
        self.assertEqual(caught.exception.reason, Reason.TOO_LARGE)

    def test_claims_too_much(self) -> None:
        """A body whose declared length is above the limit is refused before it is read."""
        body = PausedBody(length=5)
        self.assertEqual(self._reason(self._begun(body, 4)), Reason.TOO_LARGE)
        self.assertTrue(body.is_closed)

    def test_sends_too_much(self) -> None:
        """A body that is longer than declared is refused as soon as it exceeds the limit."""
        body = PausedBody(length=3)
        collected = self._begun(body, 4)
        body.feed(b"123", b"45")
        self.assertEqual(self._reason(collected), Reason.TOO_LARGE)
        self.assertTrue(body.is_closed)

    def test_together(self) -> None:
        """Octets that others hold count against the limit as long as they are held."""
        first, second, third = PausedBody(), PausedBody(), PausedBody()
        whole = self._begun(first, 10)
        first.feed(b"12345678")
        over = self._begun(second, 10)
        second.feed(b"123")
        error = self.failureResultOf(over, BodyTooLarge).value
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
        """A body that is not wanted any more gives back what it held, and is closed."""
        body = PausedBody()
        collected = self._begun(body, 10)
        body.feed(b"123")
        self.assertEqual(self.budget.held, 3)
        collected.cancel()
        self.failureResultOf(collected, CancelledError)
        self.assertEqual((self.budget.held, body.is_closed), (0, True))


class ReservationTests(SynchronousTestCase):
    """Reservations, which are parts of a budget."""

    def setUp(self) -> None:
        """Two parts of ten octets."""
        self.budget = ByteBudget(10)
        self.first, self.second = self.budget.reservation(), self.budget.reservation()

    def test_room(self) -> None:
        """What one takes is not there for another, and what finds no room is not taken."""
        self.assertTrue(self.first.take(4) and self.second.take(6))
        self.assertFalse(self.first.take(1))
        self.assertEqual(self.budget.held, 10)

    def test_released(self) -> None:
        """All that one has taken is free again, once; the others keep theirs."""
        for octets in (1, 2):
            self.first.take(octets)
        self.second.take(5)
        for _ in range(2):
            self.first.release()
            self.assertEqual(self.budget.held, 5)
        self.assertTrue(self.first.take(5))

    def test_for_a_while(self) -> None:
        """A reservation is released at the end of its block, however the block ends."""
        with self.assertRaises(ValueError), self.first as first:
            first.take(3)
            raise ValueError
        self.assertEqual(self.budget.held, 0)

    def test_kept_until_then(self) -> None:
        """What a body took counts until the reservation is released, not only until its end."""
        with self.first as first:
            self.assertEqual(at_once(first.read_all(Pieces.streamed([b"abc"]), 3)), b"abc")
            self.assertEqual(self.budget.held, 3)
        self.assertEqual(self.budget.held, 0)

    def test_held_by_something_else(self) -> None:
        """What something else holds counts until that is gone, and not until the release."""
        thing = Octets(b"x")
        with self.first as first:
            first.take(4)
            first.release_with(thing)
            first.take(2)
        self.assertEqual(self.budget.held, 4)
        del thing
        self.assertEqual(self.budget.held, 0)

    def test_nothing_to_hold(self) -> None:
        """A reservation that took nothing counts nothing."""
        thing = Octets(b"x")
        self.first.release_with(thing)
        self.assertEqual(self.budget.held, 0)
        del thing
        self.assertEqual(self.budget.held, 0)

class CountTests(SynchronousTestCase):
    """Bodies that are read slowly."""

    def setUp(self) -> None:
        """Room for ten that count."""
        self.budget = ByteBudget(10 * SMALL)

    def test_as_long_as_it_exists(self) -> None:
        """A body counts until nothing holds on to it, closed or not."""
        body = Octets(b"x" * (SMALL + 1))
        self.budget.count(body)
        self.assertEqual(self.budget.held, SMALL + 1)
        del body
        self.assertEqual(self.budget.held, 0)

    def test_once(self) -> None:
        """What several bodies are made of counts once, until the last of them is gone."""
        made_of = object()
        bodies = [Pieces.of([b"x"]) for _ in range(3)]
        for body in bodies:
            self.budget.count(body, made_of, 4 * SMALL)
        other = Pieces.of([b"y"])
        self.budget.count(other, object(), 2 * SMALL)
        self.assertEqual(self.budget.held, 6 * SMALL)
        del body, bodies[1:]
        self.assertEqual(self.budget.held, 6 * SMALL)
        bodies.clear()
        self.assertEqual(self.budget.held, 2 * SMALL)

    def test_no_room(self) -> None:
        """What finds no room beside what is held is refused, and does not count."""
        first, second = Pieces.of([b"x"]), Pieces.of([b"y"])
        self.budget.count(first, object(), 6 * SMALL)
        error = self.assertRaises(BodyTooLarge, self.budget.count, second, object(), 5 * SMALL)
        self.assertEqual((error.reason, self.budget.held), (Reason.IN_FLIGHT_BUDGET, 6 * SMALL))

    def test_alone(self) -> None:
        """
        A body alone always finds room, since it could otherwise never be answered from a cache.
        """
        body = Pieces.of([b"x"])
        self.budget.count(body, object(), 11 * SMALL)
        self.assertEqual(self.budget.held, 11 * SMALL)

    def test_cut(self) -> None:
        """A small part of a large body is given octets of its own, and does not count."""
        body = Octets(b"x" * SMALL)
        self.budget.count(body, object(), 5 * SMALL)
        self.assertEqual(self.budget.held, 0)

    def test_small(self) -> None:
        """Small bodies do not count, since the number of connections bounds them."""
        body = Octets(b"x" * SMALL)
        self.budget.count(body)
        self.assertEqual(self.budget.held, 0)
