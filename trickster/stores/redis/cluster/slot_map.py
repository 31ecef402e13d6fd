"""The map of a cluster's slots, kept as it is."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.net.callbacks import ignore
from trickster.net.waiters import Waiters
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.peers import Peers
from trickster.stores.redis.cluster.topology import Topology, read_slots
from trickster.stores.redis.commands import Commands, Reply
from trickster.stores.timed_call import TimedCall

Moves = Callable[[frozenset[int]], None]


@frozen(kw_only=True)
class MapTimes:
    """
    How often servers are asked for the map.

    :ivar every: seconds, about, while all is well.
    :ivar pause: seconds between two times, at least; about, while a master is away.
    :ivar patience: seconds for which one server is waited for while there are others.
    :ivar last_patience: seconds for which the last one is.
    """

    every: float = 60.0
    pause: float = 1.0
    patience: float = 1.5
    last_patience: float = 5.0


@define(eq=False)
class SlotMap:
    """
    Knows which server has which slot, and asks again when there is reason to.

    The servers are asked once at a time.  What comes to light while they are is a reason to ask
    once more, since the answer may have been given before.

    :ivar _seeds: the servers of the configuration, asked where no other is of use.
    :ivar on_moved: told slots that have another master from now on.
    :ivar topology: as it was known last.
    """

    _peers: Peers
    _seeds: tuple[Address, ...]
    _runtime: IRuntime
    _times: MapTimes = field(factory=MapTimes)
    on_moved: Moves = ignore
    log: Logger = field(factory=Logger)
    topology: Topology = field(factory=Topology, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _asking: Deferred[Any] | None = field(default=None, init=False)
    _is_running: bool = field(default=False, init=False)
    _is_wanted: bool = field(default=False, init=False)
    _began: float = field(default=-inf, init=False)
    _failed: str = field(default="", init=False)
    _now: Waiters[Topology] = field(factory=Waiters, init=False)
    _next: Waiters[Topology] = field(factory=Waiters, init=False)

    def start(self) -> None:
        """Ask for the map, now and from time to time."""
        self._is_running = True
        self._ask()

    def stop(self) -> None:
        """Ask no more; those who wait are told so."""
        self._is_running = False
        self._cancel_timer()
        if self._asking is not None:
            self._asking.cancel()
        self._next.tell_all(_not_running())

    async def known(self) -> Topology:
        """
        :return: the map as it was known last, or, where none is known yet, as soon as one is.
        :raises StoreError: no server has told it.
        """
        if self.topology.masters:
            return self.topology
        if self._failed:
            # It is tried again in the background: no command waits for that.
            raise StoreError(self._failed)
        if self._asking is not None:
            return await self._now.wait(ignore)
        return await self.refreshed()

    def refreshed(self) -> Deferred[Topology]:
        """
        Ask for the map; at once, or after the answer that is under way.

        :return: fires with what a server says that is asked from now on; fails with a
            L{StoreError} where none says anything.
        """
        waiter = self._next.wait(ignore)
        if not self._is_running:
            self._next.tell_all(_not_running())
        elif self._asking is None:
            self._ask()
        return waiter

    def refresh_soon(self) -> None:
        """Ask for the map as soon as the pause after the last time allows."""
        if self._asking is not None:
            self._is_wanted = True
        elif self._is_running:
            self._ask_at(self._earliest())

    def moved(self, slot: int, address: Address) -> None:
        """
        Learn that a slot has another master, and ask for the map soon: slots seldom move alone.

        :param address: of the master.
        """
        if self.topology.owner(slot) != address:
            self.topology = self.topology.moved(slot, address)
            self.on_moved(frozenset((slot,)))
        self.refresh_soon()

    def _learn(self, topology: Topology) -> None:
        moved = topology.changed(self.topology)
        self.topology = topology
        if moved:
            self.on_moved(moved)

    def _ask(self) -> None:
        self._cancel_timer()
        self._is_wanted, self._began = False, self._seconds()
        self._now, self._next = self._next, Waiters()
        self._asking = Deferred.fromCoroutine(self._first_answer())
        self._asking.addBoth(self._answered)

    async def _first_answer(self) -> Topology:
        """:return: what the first server says that says anything that can be so."""
        failed, sources = "no server is known", self._sources()
        for address in sources:
            times = self._times
            patience = times.last_patience if address is sources[-1] else times.patience
            try:
                answer = self._peers.at(address).ask(_slots)
                return read_slots(await TimedCall.of(
                    answer, self._runtime.clock, patience), address)
            except StoreError as error:
                self._peers.doubt(address)
                failed = f"{address}: {error}"
        raise StoreError(f"no server tells the slots of the cluster; the last of them, {failed}")

    def _sources(self) -> list[Address]:
        """:return: whom to ask: those first that were of use, and, of them, masters."""
        masters, replicas = (
            sorted(addresses, key=lambda _: self._runtime.random())
            for addresses in (self.topology.masters, self.topology.replicas))
        known = sorted([*masters, *replicas], key=self._peers.is_doubted)
        return [*known, *(seed for seed in self._seeds if seed not in known)]

    def _answered(self, result: Any) -> None:
        self._asking = None
        if isinstance(result, Failure):
            result = self._explained(result)
        else:
            self._failed = ""
            self._learn(result)
            self._peers.keep(result.addresses)
        waiting, self._now = self._now, Waiters()
        if self._is_running:
            self._ask_again()
        waiting.tell_all(result)

    def _explained(self, failure: Failure) -> Failure:
        if not self._is_running:
            return _not_running()
        if failure.check(StoreError) is None:
            self.log.failure("The map of the cluster cannot be had", failure)
        self._failed = failure.getErrorMessage()
        return Failure(StoreError(self._failed))

    def _ask_again(self) -> None:
        if self._next:
            self._ask()
        elif self._is_wanted or self._failed or self._is_master_away():
            self._ask_at(self._earliest())
        else:
            self._ask_at(self._began + self._about(self._times.every))

    def _is_master_away(self) -> bool:
        """:return: whether a master is of no use: another one may take its place at any time."""
        return any(map(self._peers.is_doubted, self.topology.masters))

    def _earliest(self) -> float:
        return self._began + self._about(self._times.pause)

    def _about(self, seconds: float) -> float:
        # Several processes learn at the same time that a master is away.
        return seconds * (0.75 + self._runtime.random() / 2)

    def _ask_at(self, when: float) -> None:
        delay = max(0.0, when - self._seconds())
        if self._timer is None:
            self._timer = self._runtime.clock.callLater(delay, self._ask_now)
        elif self._timer.getTime() > self._seconds() + delay:
            self._timer.reset(delay)

    def _ask_now(self) -> None:
        self._timer = None
        self._ask()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _seconds(self) -> float:
        return float(self._runtime.clock.seconds())


async def _slots(server: Commands) -> Reply:
    return await server.execute(b"CLUSTER", b"SLOTS")


def _not_running() -> Failure:
    return Failure(StoreError("the store is not running"))
