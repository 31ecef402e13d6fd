"""Object caches of several processes over one store, with everything around them faked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from tests.objects.objectworld import START, Origin, World, web_route
from trickster.collapsing.hit_memo import HitMemo
from trickster.collapsing.leases.leases import Leases
from trickster.collapsing.leases.records import Records
from trickster.objects.cache import CacheRuntime
from trickster.purging.purges import Purges
from trickster.stores.guard import guarded
from trickster.testing.doubles import PeekingStore

SECONDS = 3.0
PATIENCE = 60.0


class Processes:
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
        self.clock = Clock()
        self.clock.advance(START)
        self.store, self.origin = store(self.clock), Origin()
        self.counted: list[str] = []
        spool = options.pop("spool", None)
        self.worlds = [self._world(number, spool, options) for number in range(count)]

    def _world(self, number: int, spool: Any, options: dict[str, Any]) -> World:
        clock, safe = self.clock, guarded(self.store, "c", self.clock)
        memo = HitMemo()
        leases = Leases(Records(safe, clock, SECONDS), clock, clock.seconds, lambda: number / 16, SECONDS,
                        self.counted.append)
        runtime = CacheRuntime(
            safe, clock, clock.seconds, memo=memo, boundary=lambda: b"BOUNDARY", backend="web",
            purges=Purges(safe, clock, clock.seconds), leases=leases, patience=PATIENCE,
            spool=spool)
        world = World(clock, self.origin, safe, None, memo, runtime)
        world.cache = world.another_cache(web_route(), **options)
        return world

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps as small as those in which processes look at one another."""
        for _ in range(int(seconds / 0.005) + 1):
            self.clock.advance(0.005)

    @property
    def asked(self) -> int:
        """How often the origin was asked."""
        return len(self.origin.requests)

    @property
    def leases(self) -> list[str]:
        """The keys of leases that are in the store."""
        now = self.clock.seconds()
        return [key for key, (_, until) in self.store.entries.items()
                if key.endswith("~lease") and until > now]
