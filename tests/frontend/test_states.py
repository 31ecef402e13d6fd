"""Tests for L{trickster.frontend.states}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.states import ConnectionState, State
from trickster.net.states import WrongTransition

_ENDS = (State.LINGERING, State.FLUSHING, State.CLOSED)


def entered(*states: State) -> ConnectionState:
    """:return: a connection that has done these one after the other."""
    connection = ConnectionState()
    for state in states:
        connection.enter(state)
    return connection


class ConnectionStateTests(SynchronousTestCase):
    """What a connection may do after what it is doing."""

    def test_first(self) -> None:
        """A connection begins by awaiting a request head."""
        self.assertIs(ConnectionState().now, State.HEAD)

    def test_requests(self) -> None:
        """Requests with and without a body, read at once or late, follow each other."""
        connection = entered(State.ANSWERING, State.IDLE, State.BODY, State.ANSWERING, State.IDLE,
                             State.HEAD, State.ANSWERING, State.TUNNEL, State.FLUSHING)
        self.assertIs(connection.now, State.FLUSHING)

    def test_early_tunnel(self) -> None:
        """What follows an unfinished request body is no other protocol's."""
        self.assertRaises(WrongTransition, entered, State.BODY, State.TUNNEL)

    def test_unread_body(self) -> None:
        """A connection is not kept whose last request was not read to its end."""
        self.assertRaises(WrongTransition, entered, State.BODY, State.IDLE)

    def test_out_of_a_tunnel(self) -> None:
        """No request follows after a tunnel."""
        for state in (State.IDLE, State.HEAD, State.BODY, State.ANSWERING):
            self.assertRaises(WrongTransition, entered, State.ANSWERING, State.TUNNEL, state)

    def test_any_end(self) -> None:
        """Every connection may end at any time, in any way."""
        for before in ((), (State.ANSWERING, State.IDLE), (State.BODY,), (State.ANSWERING,),
                       (State.ANSWERING, State.TUNNEL)):
            for end in _ENDS:
                self.assertTrue(entered(*before, end).now.is_over)

    def test_ends_in_order(self) -> None:
        """An end is not taken back: it may only become a quicker one."""
        entered(State.LINGERING, State.FLUSHING, State.CLOSED, State.CLOSED)
        self.assertRaises(WrongTransition, entered, State.FLUSHING, State.LINGERING)
        self.assertRaises(WrongTransition, entered, State.CLOSED, State.FLUSHING)

    @given(st.lists(st.sampled_from(list(State)), max_size=12))
    def test_never_back(self, states: list[State]) -> None:
        """What is over stays so, and is never busy; a refused transition changes nothing."""
        connection, was_over = ConnectionState(), False
        for state in states:
            before = connection.now
            try:
                connection.enter(state)
            except WrongTransition:
                self.assertIs(connection.now, before)
            self.assertFalse(was_over and not connection.now.is_over)
            self.assertFalse(connection.now.is_over and connection.now.is_busy)
            was_over = connection.now.is_over
