"""When an origin counts as healthy: thresholds over what probes find."""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen


class State(Enum):
    """What is thought of an origin; the numbers are Trickster's."""

    INITIALIZING = -2
    FAILING = -1
    UNCHECKED = 0
    PASSING = 1


@frozen
class Thresholds:
    """
    How many probes in a row change a mind.

    :ivar failure: failures until an origin is failing.
    :ivar recovery: successes until one that was failing is passing again.
    """

    failure: int = 3
    recovery: int = 3


@frozen
class Verdict:
    """
    What one probe found.

    :ivar fault: what was wrong, in words; empty where nothing was.
    :ivar seconds: that it took.
    """

    fault: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """:return: whether the origin has answered, and in the way that is expected of it."""
        return not self.fault


@frozen
class Health:
    """
    What is thought of an origin, and since when.

    :ivar since: seconds since the epoch.
    :ivar detail: what was wrong with the last probe; empty where nothing was.
    :ivar run: probes in a row that speak for a change.
    """

    state: State = State.UNCHECKED
    since: float = 0.0
    detail: str = ""
    run: int = 0

    def after(self, verdict: Verdict, now: float, thresholds: Thresholds) -> Health:
        """
        Take in what a probe found.

        The first good probe of an origin that was not known yet makes it passing: there is
        nothing that it would have to recover from.

        :param now: seconds since the epoch.
        :return: what is thought of the origin from then on; C{since} is C{now} where the state is
            another one.
        """
        if verdict.is_good:
            settled, needed = State.PASSING, thresholds.recovery
            if self.state is State.INITIALIZING:
                needed = 1
        else:
            settled, needed = State.FAILING, thresholds.failure
        same = evolve(self, detail=verdict.fault)
        if self.state is settled:
            return evolve(same, run=0)
        run = self.run + 1
        if run >= needed:
            return Health(settled, now, verdict.fault)
        return evolve(same, run=run)
