"""Long-lived states: enums with a table of what may follow what, and one place of change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

from attrs import define


class State(Protocol):
    """
    A member of an enum of states.

    :ivar following: what may come next.
    """

    # A plain attribute, since members are slow to hash, and connections ask often.
    following: tuple[Any, ...]

    @property
    def name(self) -> str:
        """:return: what the member is called, for messages about faults of ours."""


S = TypeVar("S", bound=State)


class WrongTransition(RuntimeError):
    """What was to be done cannot follow what is being done: a fault of ours."""


def set_following(table: Iterable[tuple[S, tuple[S, ...]]]) -> None:
    """
    :param table: each state of an enum, and those that may follow it.
    """
    for state, following in table:
        state.following = following


@define(eq=False)
class StateMachine(Generic[S]):
    """
    The one place where a state changes.

    :ivar now: which state it is.
    """

    now: S

    def enter(self, state: S) -> None:
        """
        :param state: the one from now on.
        :raises WrongTransition: it cannot follow the present one.
        """
        if state not in self.now.following:
            raise WrongTransition(f"{self.now.name} is not followed by {state.name}")
        self.now = state
