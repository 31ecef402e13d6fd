"""Tests for L{trickster.upstream.pooling.states}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.net.states import StateMachine, WrongTransition
from trickster.upstream.pooling.states import State


class StateTests(SynchronousTestCase):
    """The states of a pool, which end in closing."""

    def test_no_way_back(self) -> None:
        """A pool that drains, or has closed its connections, takes no request any more."""
        for end in (State.DRAINING, State.ABORTED):
            pool = StateMachine(State.OPEN)
            pool.enter(end)
            self.assertRaises(WrongTransition, pool.enter, State.OPEN)

    def test_aborted(self) -> None:
        """A draining pool may be aborted, also repeatedly, and does not drain again after that."""
        pool = StateMachine(State.DRAINING)
        pool.enter(State.ABORTED)
        pool.enter(State.ABORTED)
        self.assertRaises(WrongTransition, pool.enter, State.DRAINING)
