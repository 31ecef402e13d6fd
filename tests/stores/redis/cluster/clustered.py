"""A cluster of servers that are none, for tests of what is done about a real one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.slots import slot_of
from trickster.stores.redis.errors import ErrorReply, NotConnected

A, B, C, D = (Address("10.0.0.1", port) for port in (7001, 7002, 7003, 7004))


def key_in(slot: int) -> bytes:
    """:return: a key that is in a slot."""
    return next(key for number in range(1 << 20)
                if slot_of(key := b"%d" % number) == slot)


@define(eq=False)
class FakeServer:
    """
    One server.

    :ivar owners: which server has which range of slots, as this one knows: first and last slot,
        and the master, then its replicas.
    :ivar values: that it has.
    :ivar migrating: slots that it is giving away, and to whom.
    :ivar importing: slots that it is being given.
    :ivar failure: what it fails with, where it is not to be reached.
    :ivar errors: texts with which it answers the next commands about keys.
    :ivar slots_answer: what it says of the cluster in the place of the truth.
    :ivar held: commands that have come, and are answered when the test says so; None where they
        are answered at once.
    :ivar commands: all that have come.
    """

    address: Address
    owners: list[tuple[int, int, list[Address]]] = field(factory=list)
    values: dict[bytes, bytes] = field(factory=dict)
    migrating: dict[int, Address] = field(factory=dict)
    importing: set[int] = field(factory=set)
    failure: Exception | None = None
    errors: list[str] = field(factory=list)
    slots_answer: Any = None
    held: list[Deferred[Any]] | None = None
    commands: list[tuple[Any, ...]] = field(factory=list)

    async def answer(self, command: tuple[Any, ...], asking: bool) -> Any:
        """:return: what the server answers."""
        self.commands.append((b"ASKING", *command) if asking else command)
        if self.held is not None:
            paused: Deferred[Any] = Deferred()
            self.held.append(paused)
            await paused
        if self.failure is not None:
            raise self.failure
        if command == (b"CLUSTER", b"NODES"):
            return self._nodes()
        if command == (b"CLUSTER", b"SLOTS"):
            return self.slots_answer if self.slots_answer is not None else self._slots()
        if self.errors:
            raise ErrorReply(self.errors.pop(0))
        return self._of_a_key(command, asking)

    def let_go(self) -> None:
        """Answer what has been held, and from now on at once."""
        held, self.held = self.held or [], None
        for one in held:
            if not one.called:
                one.callback(None)

    def _slots(self) -> list[Any]:
        return [[start, end, *([node.host.encode(), node.port, b"f" * 40, []] for node in nodes)]
                for start, end, nodes in self.owners]

    def _nodes(self) -> bytes:
        moving = "[0->-f]" if self.migrating or self.importing else ""
        return (f"f other 10.0.0.9:1 master - 0 0 1 connected [7->-f]\n"
                f"f {self.address} myself,master - 0 0 1 connected 0-9 {moving}\n").encode()

    def _of_a_key(self, command: tuple[Any, ...], asking: bool) -> Any:
        name, key, *rest = command
        slot = slot_of(key)
        owner = next((nodes[0] for start, end, nodes in self.owners if start <= slot <= end), None)
        if owner is None:
            raise ErrorReply("CLUSTERDOWN Hash slot not served")
        if owner != self.address and not (asking and slot in self.importing):
            raise ErrorReply(f"MOVED {slot} {owner.host}:{owner.port}")
        if owner == self.address and slot in self.migrating and key not in self.values:
            there = self.migrating[slot]
            raise ErrorReply(f"ASK {slot} {there.host}:{there.port}")
        if name == b"SET":
            self.values[key] = rest[0]
            return b"OK"
        return self.values.get(key) if name == b"GET" else self.values.pop(key, None)


@define(eq=False)
class FakeNode:
    """
    The connection to a server.

    :ivar is_open: whether it was started, and not stopped.
    """

    server: FakeServer
    is_open: bool = False

    def start(self) -> None:
        """See L{trickster.stores.redis.node.Node.start}."""
        self.is_open = True

    async def stop(self) -> None:
        """See L{trickster.stores.redis.node.Node.stop}."""
        self.is_open = False

    async def execute(self, *command: Any) -> Any:
        """See L{trickster.stores.redis.commands.Commands.execute}."""
        return await self._reply(command, asking=False)

    async def pipeline(self, *commands: Any) -> list[Any]:
        """See L{trickster.stores.redis.commands.Commands.pipeline}."""
        replies: list[Any] = []
        for before, command in pairwise([(), *commands]):
            if command == (b"ASKING",):
                replies.append(b"OK")
                continue
            try:
                replies.append(await self._reply(command, asking=before == (b"ASKING",)))
            except ErrorReply as error:
                replies.append(error)
        return replies

    async def _reply(self, command: tuple[Any, ...], asking: bool) -> Any:
        if not self.is_open:
            raise NotConnected("closed")
        return await self.server.answer(command, asking)


@define(eq=False)
class FakeServers:
    """
    Servers at any address.

    :ivar servers: that were asked for, or made by the test.
    :ivar nodes: connections, in the order in which they were made.
    """

    servers: dict[Address, FakeServer] = field(factory=dict)
    nodes: list[FakeNode] = field(factory=list)

    def __getitem__(self, address: Address) -> FakeServer:
        """:return: the server there; one that is not to be reached where there was none."""
        if address not in self.servers:
            self.servers[address] = FakeServer(address, failure=NotConnected("refused"))
        return self.servers[address]

    def make(self, address: Address) -> Any:
        """:return: a connection to the server there, not started yet."""
        self.nodes.append(FakeNode(self[address]))
        return self.nodes[-1]

    def own(self, *owners: tuple[int, int, list[Address]]) -> None:
        """Have all servers that are named be there, and say that the slots are theirs."""
        for address in {node for _, _, nodes in owners for node in nodes}:
            self.servers.setdefault(address, FakeServer(address))
        for server in self.servers.values():
            server.owners = list(owners)

    def open_to(self) -> list[Address]:
        """:return: of servers to which there is a connection, one for each."""
        return sorted(node.server.address for node in self.nodes if node.is_open)

    def asked(self, what: Callable[[tuple[Any, ...]], bool]) -> list[Address]:
        """:return: of servers, one for each command of a kind that has come."""
        return [address for address, server in sorted(self.servers.items())
                for command in server.commands if what(command)]


def is_slots(command: tuple[Any, ...]) -> bool:
    """:return: whether a command asks for the map."""
    return command[0] == b"CLUSTER"
