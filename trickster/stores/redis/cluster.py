"""Redis Cluster: each command goes to the server that has the slot of its key."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.commands import Argument, Command, Commands, Reply
from trickster.stores.redis.errors import ErrorReply
from trickster.stores.redis.peers import Peers
from trickster.stores.redis.redirects import Again, Ask, Moved, redirect
from trickster.stores.redis.slot_map import SlotMap
from trickster.stores.redis.slots import slot_of
from trickster.stores.redis.topology import BadTopology


@frozen(kw_only=True)
class ClusterLimits:
    """
    How far a command is followed.

    :ivar redirects: by servers, of one command.
    :ivar patience: seconds for which a slot that is not served is waited for.
    :ivar shortest: seconds of the first wait; each further one is twice as long.
    :ivar longest: seconds of a wait, at most.
    """

    redirects: int = 5
    patience: float = 1.0
    shortest: float = 0.01
    longest: float = 0.2


@define(eq=False)
class _Journey:
    """
    Where a command goes.

    :ivar slot: of its key.
    :ivar address: of the server that is asked next; None where no server has the slot.
    :ivar is_asking: whether that server is asked for this once.
    :ivar redirects: so far.
    :ivar waits: so far.
    :ivar until: up to when there may be waits, in the clock's seconds; None before the first.
    """

    slot: int
    address: Address | None
    is_asking: bool = False
    redirects: int = 0
    waits: int = 0
    until: float | None = None


@define(eq=False)
class Cluster:
    """
    All servers of a cluster, as if they were one.

    :ivar slots: who has what.
    """

    _peers: Peers
    slots: SlotMap
    _runtime: IRuntime
    _limits: ClusterLimits = field(factory=ClusterLimits)

    def start(self) -> None:
        """Begin to ask who has what."""
        self.slots.start()

    def stop(self) -> Deferred[Any]:
        """
        Close all connections, for good.

        :return: fires when they are closed.
        """
        self.slots.stop()
        return self._peers.stop()

    async def execute(self, key: bytes, *command: Argument) -> Reply:
        """
        Have a command carried out by the server that has its key.

        :param key: of the command; where it has several, they are in one slot.
        :return: the server's answer.
        :raises ErrorReply: the server answered with an error, other than where to go.
        :raises StoreError: no server that has the key gave an answer.
        """
        slot, topology = slot_of(key), self.slots.topology
        if not topology.masters:
            topology = await self.slots.known()
        journey = _Journey(slot, topology.owner(slot))
        while True:
            try:
                return await self._asked(journey, command)
            except ErrorReply as error:
                await self._follow(journey, error)

    async def _asked(self, journey: _Journey, command: Command) -> Reply:
        while journey.address is None:
            self.slots.refresh_soon()
            await self._wait(journey, f"no server has slot {journey.slot}")
        peer = self._peers.at(journey.address)
        try:
            return await peer.ask(partial(_asking if journey.is_asking else _executing, command))
        except ErrorReply:
            raise
        except StoreError:
            self.slots.refresh_soon()
            raise

    async def _follow(self, journey: _Journey, error: ErrorReply) -> None:
        """
        Go where a server's error leads.

        :raises ErrorReply: it leads nowhere: it is about the command.
        :raises StoreError: it cannot be followed, or not any further.
        """
        asked = journey.address
        assert asked is not None
        found = redirect(error.text, asked)
        if found is None:
            raise error
        if isinstance(found, Again):
            if found.is_lost:
                self._peers.at(asked).is_doubted = True
                self.slots.refresh_soon()
            await self._wait(journey, error.text)
            return
        journey.redirects += 1
        if journey.redirects > self._limits.redirects:
            raise StoreError(f"slot {journey.slot} is not found: the servers of the cluster send "
                             "to each other")
        if isinstance(found, Moved):
            self._moved(journey, found)
        journey.address, journey.is_asking = found.address, isinstance(found, Ask)

    def _moved(self, journey: _Journey, found: Moved) -> None:
        if found.slot != journey.slot:
            raise BadTopology(f"{journey.address} tells where slot {found.slot} is, which was not "
                              "asked for")
        self.slots.moved(found.slot, found.address)

    async def _wait(self, journey: _Journey, why: str) -> None:
        """
        Wait a little, each time longer; then the slot is looked up again.

        :raises StoreError: C{why}, where it has taken too long already.
        """
        limits, now = self._limits, self._runtime.clock.seconds()
        if journey.until is None:
            journey.until = now + limits.patience
        pause = min(limits.longest, limits.shortest * 2 ** journey.waits)
        pause *= 0.5 + self._runtime.random() / 2
        if now + pause > journey.until:
            raise StoreError(why)
        journey.waits += 1
        await deferLater(self._runtime.clock, pause)
        journey.address = self.slots.topology.owner(journey.slot)
        journey.is_asking = False


async def _executing(command: Command, server: Commands) -> Reply:
    return await server.execute(*command)


async def _asking(command: Command, server: Commands) -> Reply:
    """:return: the reply to a command about a slot that the server is only being given."""
    _, reply = await server.pipeline((b"ASKING",), command)
    if isinstance(reply, ErrorReply):
        raise reply
    return reply
