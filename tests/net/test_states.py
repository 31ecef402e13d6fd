"""Tests for L{trickster.net.states}."""

from __future__ import annotations

from enum import Enum

from twisted.trial.unittest import SynchronousTestCase

from trickster.net.states import StateMachine, WrongTransition, set_following


class Light(Enum):
    """A traffic light without amber, which may fail."""

    RED = 1
    GREEN = 2
    OUT = 3

    following: tuple[Light, ...]


set_following(((Light.RED, (Light.GREEN, Light.OUT)), (Light.GREEN, (Light.RED, Light.OUT)),
               (Light.OUT, ())))


class StateMachineTests(SynchronousTestCase):
    """A state machine makes only the transitions of its table."""

    def test_follows(self) -> None:
        """A state is entered from one that it may follow."""
        light = StateMachine(Light.RED)
        light.enter(Light.GREEN)
        light.enter(Light.OUT)
        self.assertIs(light.now, Light.OUT)

    def test_does_not_follow(self) -> None:
        """A transition that the table lacks is refused by both states' names; nothing changes."""
        light = StateMachine(Light.OUT)
        error = self.assertRaises(WrongTransition, light.enter, Light.RED)
        self.assertEqual(str(error), "OUT is not followed by RED")
        self.assertIs(light.now, Light.OUT)

    def test_itself(self) -> None:
        """A state follows itself only where the table says so."""
        self.assertRaises(WrongTransition, StateMachine(Light.RED).enter, Light.RED)
