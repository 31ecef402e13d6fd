"""Real Redis clusters for the tests, on loopback, whose slots can be moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import hiredis

from tests.end_to_end.redises import Redis
from tests.end_to_end.servers import free_port
from tests.end_to_end.waiting import eventually
from trickster.stores.redis.cluster.slots import SLOTS, slot_of

# Milliseconds: of a machine with other things to do, and of servers that are to be given up.
_LONG, _SHORT = "60000", "4000"


class Refused(Exception):
    """A server answers with an error."""


class RedisNode(Redis):
    """Debian's Redis as a node of a cluster, which keeps nothing on disk but who it is."""

    def __init__(self, directory: Path, options: Iterable[str] = ()) -> None:
        """
        :param options: C{{tls_port}} in them is a port of this node.
        """
        self.bus_port, self.tls_port = free_port(), free_port()
        super().__init__(directory, [
            "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
            "--cluster-port", str(self.bus_port), "--repl-diskless-sync-delay", "0",
            *(each.format(tls_port=self.tls_port) for each in options)])
        self.name = str(self.command("CLUSTER", "MYID").decode())

    def start(self) -> None:
        """Start it, where it was, unless it runs."""
        if not hasattr(self, "process") or self.process.poll() is not None:
            super().start()

    def command(self, *arguments: Any, auth: Sequence[Any] = ()) -> Any:
        """
        See L{Redis.command}.

        :raises Refused: the server answers with an error.
        """
        reply = super().command(*arguments, auth=auth)
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        return reply

    def info(self, name: str) -> str:
        """:return: of C{CLUSTER INFO}."""
        lines = self.command("CLUSTER", "INFO").decode().split()
        return next(line.partition(":")[2] for line in lines if line.startswith(f"{name}:"))


class RedisCluster:
    """
    Nodes that have made a cluster.

    :ivar masters: of the slots, each of as many, in order.
    :ivar replicas: of the masters, in the same order; none, or one for each.
    """

    def __init__(self, directory: Path, masters: int = 3, replicas: bool = False,
                 options: Sequence[str] = ()) -> None:
        # Where none can take the place of another, a server that is slow is not to be given up.
        options = ("--cluster-node-timeout", _SHORT if replicas else _LONG, *options)
        self.masters: list[RedisNode] = []
        self.replicas: list[RedisNode] = []
        try:
            for number in range(masters):
                self.masters.append(RedisNode(directory / f"master{number}", options))
            for number in range(masters * replicas):
                self.replicas.append(RedisNode(directory / f"replica{number}", options))
            self._meet()
        except BaseException:
            self.stop()
            raise

    @property
    def nodes(self) -> list[RedisNode]:
        """:return: all of them."""
        return [*self.masters, *self.replicas]

    @property
    def endpoints(self) -> list[str]:
        """:return: of the masters, as in configuration files."""
        return [node.endpoint for node in self.masters]

    def owner(self, slot: int) -> RedisNode:
        """:return: the master of a slot, as the first node knows that runs."""
        rows = next(node for node in self.nodes if node.process.poll() is None).command(
            "CLUSTER", "SLOTS")
        port = next(row[2][1] for row in rows if row[0] <= slot <= row[1])
        return next(node for node in self.nodes if node.port == port)

    def begin(self, slot: int, to: RedisNode) -> RedisNode:
        """
        Begin to move a slot: its keys are asked for at the new master where the old one has none.

        :return: the old one.
        """
        source = self.owner(slot)
        to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.name)
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.name)
        return source

    def carry(self, slot: int, source: RedisNode, to: RedisNode, most: int = 1000) -> int:
        """
        Carry keys of a slot that is being moved.

        :return: how many there were to be carried.
        """
        keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, most)
        if keys:
            source.command("MIGRATE", "127.0.0.1", to.port, "", 0, _LONG, "KEYS", *keys)
        return len(keys)

    def end(self, slot: int, source: RedisNode, to: RedisNode) -> None:
        """End the move of a slot: from now on the old master sends to the new one."""
        while self.carry(slot, source, to):
            pass
        for node in (to, source, *(one for one in self.masters if one not in (to, source))):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", to.name)

    def move(self, slot: int, to: RedisNode) -> None:
        """Move a slot, with all that is in it."""
        source = self.begin(slot, to)
        self.end(slot, source, to)

    def stop(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.kill()
            node.process.wait()

    def _meet(self) -> None:
        first, count = self.nodes[0], len(self.masters)
        for number, node in enumerate(self.nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if node is not first:
                is_tls = "--tls-cluster" in first.options
                node.command("CLUSTER", "MEET", "127.0.0.1",
                             first.tls_port if is_tls else first.port, first.bus_port)
        for number, node in enumerate(self.masters):
            node.command("CLUSTER", "ADDSLOTSRANGE", SLOTS * number // count,
                         SLOTS * (number + 1) // count - 1)
        self.eventually(lambda: {node.info("cluster_known_nodes") for node in self.nodes} == {
            str(len(self.nodes))})
        for master, replica in zip(self.masters, self.replicas, strict=False):
            replica.command("CLUSTER", "REPLICATE", master.name)
        self.settle()

    def settle(self) -> None:
        """Return once all nodes are well, and say the same of each other."""
        self.eventually(lambda: {node.info("cluster_state") for node in self.nodes} == {"ok"})
        self.eventually(lambda: all(self._is_whole(node) for node in self.nodes))

    @staticmethod
    def eventually(holds: Callable[[], bool]) -> None:
        """Return once something holds; what cannot be asked, since a server is away, does not."""
        eventually(holds, but=(OSError, Refused, StopIteration))

    def _is_whole(self, node: RedisNode) -> bool:
        named = {place[1] for row in node.command("CLUSTER", "SLOTS") for place in row[2:]}
        role = node.command("INFO", "replication")
        return len(named) == len(self.nodes) and (
            b"role:master" in role or b"master_link_status:up" in role)


def key_in(slot: int, prefix: str = "") -> str:
    """:return: a key that is in a slot, of those that begin so."""
    return next(key for number in range(1 << 20)
                if slot_of((key := f"{prefix}{number}").encode()) == slot)
