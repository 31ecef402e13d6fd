"""Redis Cluster: each command goes to the server that has the slot of its key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.task import deferLater

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.peers import Peers
from trickster.stores.redis.cluster.redirects import Again, Asked, Moved, redirect
from trickster.stores.redis.cluster.slot_map import SlotMap
from trickster.stores.redis.cluster.slots import slot_of
from trickster.stores.redis.cluster.topology import BadTopology, Topology
from trickster.stores.redis.commands import Argument, Ask, Command, Commands, Reply
from trickster.stores.redis.errors import ErrorReply
from trickster.stores.redis.node import Node
from trickster.stores.redis.together import all_of

T = TypeVar("T")


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


@frozen
class Asking:
    """
    A server that does not have a slot yet, and is asked all the same.

    Each command has ASKING right before it, on the same connection.

    :ivar _server: may send commands of others between pipelines, but not within one.
    """

    _server: Commands

    @property
    def tracking(self) -> None:
        """See L{Commands.tracking}: the server does not have the key yet."""
        return

    async def execute(self, *command: Argument) -> Reply:
        """See L{Commands.execute}."""
        [reply] = await self.pipeline(command)
        if isinstance(reply, ErrorReply):
            raise reply
        return reply

    async def pipeline(self, *commands: Command) -> list[Reply]:
        """See L{Commands.pipeline}."""
        both = [each for command in commands for each in ((b"ASKING",), command)]
        return (await self._server.pipeline(*both))[1::2]


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

    @classmethod
    def of(cls, endpoints: Iterable[Address], make: Callable[[Address], Node],
           runtime: IRuntime) -> Cluster:
        """
        :param endpoints: some servers of the cluster.
        :param make: makes one of any address, not started yet; with the same credentials and
            TLS for all of them.
        :param runtime: the clock and the randomness of the process.
        :return: the cluster that they are of, not started yet.
        """
        peers = Peers(make)
        return cls(peers, SlotMap(peers, tuple(endpoints), runtime), runtime)

    def start(self) -> None:
        """Begin to ask who has what."""
        self.slots.start()

    async def stop(self) -> None:
        """Close all connections, for good, after what is under way."""
        self.slots.stop()
        await self._peers.stop()

    async def at(self, key: bytes, ask: Ask[T]) -> T:
        """
        See L{trickster.stores.redis.servers.Servers.at}.

        :param ask: done again, whole, by each server that the one before sends to; errors that
            are about the slot must come out of it.
        :return: what comes of it in the end.
        :raises ErrorReply: a server refuses, for other reasons than where the key is.
        :raises StoreError: no server that has the key gave an answer.
        """
        slot, topology = slot_of(key), self.slots.topology
        if not topology.masters:
            topology = await self.slots.known()
        journey = _Journey(slot, topology.owner(slot))
        while True:
            try:
                return await self._asked(journey, ask)
            except ErrorReply as error:
                await self._follow(journey, error)

    async def each(self, ask: Ask[T]) -> list[T]:
        """
        See L{trickster.stores.redis.servers.Servers.each}.

        Each slot has a master, or this fails.  Where slots are moved meanwhile, C{ask} is done
        twice by each: what was on its way the first time has arrived then.

        :return: what C{ask} gives for each master, at least once.
        :raises StoreError: one of them fails, or a slot has none.
        """
        before = await self._whole()
        is_moving = any(await self._by_all(before.masters, is_moving_slots))
        found = await self._by_all(before.masters, ask)
        after = await self._whole()
        if is_moving or after.changed(before) or any(
                await self._by_all(after.masters, is_moving_slots)):
            found += await self._by_all(after.masters, ask)
        return found

    def grouped(self, keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
        """
        See L{trickster.stores.redis.servers.Servers.grouped}.

        :return: each by itself: those of one slot may be on two servers while it is moved.
        """
        return [[key] for key in keys]

    def node_of(self, key: bytes) -> Node | None:
        """See L{trickster.stores.redis.servers.Servers.node_of}."""
        address = self.slots.topology.owner(slot_of(key))
        return None if address is None else self._peers.node(address)

    async def _whole(self) -> Topology:
        topology = await self.slots.refreshed()
        if -1 in topology.owners:
            raise StoreError(f"no server has slot {topology.owners.index(-1)}")
        return topology

    async def _by_all(self, addresses: Iterable[Address], ask: Ask[T]) -> list[T]:
        try:
            return await all_of([self._peers.at(address).ask(ask) for address in addresses])
        except StoreError:
            self.slots.refresh_soon()
            raise

    async def _asked(self, journey: _Journey, ask: Ask[T]) -> T:
        while journey.address is None:
            self.slots.refresh_soon()
            await self._wait(journey, StoreError(f"no server has slot {journey.slot}"))
        peer = self._peers.at(journey.address)
        try:
            return await peer.ask(partial(_asking, ask) if journey.is_asking else ask)
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
            # It is all of the cluster that is down, whichever server says so.
            error.is_partial = error.code != "CLUSTERDOWN"
            if found.is_lost:
                self._peers.doubt(asked)
                self.slots.refresh_soon()
            await self._wait(journey, error)
            return
        journey.redirects += 1
        if journey.redirects > self._limits.redirects:
            raise StoreError(f"slot {journey.slot} is not found: the servers of the cluster send "
                             "to each other")
        if isinstance(found, Moved):
            self._moved(journey, found)
        journey.address, journey.is_asking = found.address, isinstance(found, Asked)

    def _moved(self, journey: _Journey, found: Moved) -> None:
        if found.slot != journey.slot:
            raise BadTopology(f"{journey.address} tells where slot {found.slot} is, which was not "
                              "asked for")
        self.slots.moved(found.slot, found.address)

    async def _wait(self, journey: _Journey, why: StoreError) -> None:
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
            raise why
        journey.waits += 1
        await deferLater(self._runtime.clock, pause)
        journey.address = self.slots.topology.owner(journey.slot)
        journey.is_asking = False


async def _asking(ask: Ask[T], server: Commands) -> T:
    return await ask(Asking(server))


async def is_moving_slots(server: Commands) -> bool:
    """
    :param server: one of a cluster.
    :return: whether some of its slots are being moved, as it says itself, or may be, as it does
        not say.
    """
    try:
        reply = await server.execute(b"CLUSTER", b"NODES")
    except ErrorReply:
        return True
    lines = reply.splitlines() if isinstance(reply, bytes) else []
    return any(b"myself" in line and b"[" in line for line in lines)
