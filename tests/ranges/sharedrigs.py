"""Delta caches of several processes over one store, before one fake Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from tests.ranges.deltarig import NOW, Rig
from tests.ranges.fakeprometheus import FakePrometheus
from trickster.collapsing.leases.leases import Leases
from trickster.collapsing.leases.records import Records
from trickster.stores.guard import guarded
from trickster.testing.doubles import PeekingStore

SECONDS = 3.0


class Rigs:
    """
    Several processes that share a store and an origin.

    :ivar counted: what their leases have told, in all.
    """

    def __init__(self, count: int = 2, store: Callable[[Clock], Any] = PeekingStore,
                 **options: Any) -> None:
        """
        :param count: of processes.
        :param options: of their paths.
        """
        self.now = Clock()
        self.now.advance(NOW)
        self.store, self.origin = store(self.now), FakePrometheus(self.now)
        self.counted: list[str] = []
        self.rigs = [self._rig(number, options) for number in range(count)]

    def _rig(self, number: int, options: dict[str, Any]) -> Rig:
        now, safe = self.now, guarded(self.store, "c", self.now)
        leases = Leases(Records(safe, now, SECONDS), now, now.seconds, lambda: number / 16, SECONDS,
                        self.counted.append)
        return Rig(lambda _: safe, origin=self.origin, now=now, leases=leases, **options)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps as small as those in which processes look at one another."""
        for _ in range(int(seconds / 0.005) + 1):
            self.now.advance(0.005)

    def fetches(self) -> list[tuple[float, float]]:
        """:return: the ranges that the origin was asked for since last time."""
        return self.rigs[0].fetches()

    @property
    def most_asked(self) -> int:
        """How often the instant was asked for that was asked for most often."""
        return max(self.origin.instants.values(), default=0)
