"""Tests for L{trickster.upstream.h1.states}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from trickster.net.states import StateMachine, WrongTransition
from trickster.upstream.h1.states import Phase, Sending, State


def reached(first: Any) -> set[Any]:
    """:return: the states that can come after one, and itself."""
    found, new = set(), {first}
    while new:
        found |= new
        new = {after for state in new for after in state.following} - found
    return found


class StateTests(SynchronousTestCase):
    """What a connection, a response and the body of a request may do next."""

    def entered(self, first: Any, *states: Any) -> Any:
        machine: StateMachine[Any] = StateMachine(first)
        for state in states:
            machine.enter(state)
        return machine.now

    def test_all_are_reached(self) -> None:
        """Each state can be reached from the first one, and from each state the last one can."""
        for first, last in ((State.CONNECTING, State.CLOSED), (Phase.HEAD, Phase.OVER),
                            (Sending.HELD, Sending.STOPPED)):
            self.assertEqual(reached(first), set(type(first)))
            self.assertTrue(all(last in reached(state) for state in type(first)))
            self.assertEqual(last.following, ())

    def test_one_exchange_at_a_time(self) -> None:
        """A connection that carries an exchange takes no other one."""
        self.entered(State.FRESH, State.BUSY, State.IDLE, State.BUSY)
        self.assertRaises(WrongTransition, self.entered, State.BUSY, State.BUSY)

    def test_no_way_back(self) -> None:
        """
        A connection that is closing or lost enters no state in which it could carry a request.
        """
        for end in (State.LOST, State.FLUSHING, State.CLOSED):
            for state in (State.FRESH, State.BUSY, State.IDLE):
                self.assertRaises(WrongTransition, self.entered, State.BUSY, end, state)

    def test_handshake_first(self) -> None:
        """
        A request is sent only after the TLS handshake has proved the origin (RFC 9110 section
        4.3.4).
        """
        self.assertRaises(WrongTransition, self.entered, State.CONNECTING, State.BUSY)

    def test_leased(self) -> None:
        """A connection counts for its owner from its first exchange until its end is reported."""
        self.assertEqual({state for state in State if state.is_leased},
                         {State.BUSY, State.IDLE, State.LOST})

    def test_out_of_a_tunnel(self) -> None:
        """No response body follows after an upgrade, and no upgrade after a body has begun."""
        self.assertRaises(WrongTransition, self.entered, Phase.TUNNEL, Phase.BODY)
        self.assertRaises(WrongTransition, self.entered, Phase.BODY, Phase.TUNNEL)

    def test_unwanted_body(self) -> None:
        """A body that an origin has not asked for before it answered is not sent."""
        self.assertRaises(WrongTransition, self.entered, Sending.HELD, Sending.UNWANTED,
                          Sending.ON_ITS_WAY)
