"""Which server of a cluster has which slots, as one of them says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen

from trickster.errors import StoreError
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.slots import SLOTS

# A cluster has about a thousand nodes at most, by its specification.
MOST_NODES = 1000
# Nodes that are named in one answer, again and again with each range of slots.
MOST_NAMINGS = 100_000
_HOST = re.compile(r"[0-9A-Za-z_.:%-]{1,255}\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")


class BadTopology(StoreError):
    """What a server says about its cluster is not of the form that it should be, or cannot be so."""


@frozen
class Topology:
    """
    Which master has which slots.

    :ivar masters: those that have slots, or had some until a moment ago.
    :ivar owners: of each slot, the place of its master in C{masters}; -1 where none is known.
    :ivar replicas: of any of the masters; they know the cluster as well.
    """

    masters: tuple[Address, ...] = ()
    owners: tuple[int, ...] = (-1,) * SLOTS
    replicas: tuple[Address, ...] = ()

    def owner(self, slot: int) -> Address | None:
        """:return: the master of a slot; None where none is known."""
        place = self.owners[slot]
        return self.masters[place] if place >= 0 else None

    def moved(self, slot: int, address: Address) -> Topology:
        """
        :param address: of a master, which may be one that was not known.
        :return: the same, where that one has the slot.
        """
        masters = self.masters if address in self.masters else (*self.masters, address)
        owners = (*self.owners[:slot], masters.index(address), *self.owners[slot + 1:])
        return evolve(self, masters=masters, owners=owners)

    def changed(self, before: Topology) -> frozenset[int]:
        """:return: the slots that have another master than before."""
        names: dict[Address, int] = {}
        # The last one is for -1: no master.
        old, new = ([*(names.setdefault(address, len(names)) for address in masters), -1]
                    for masters in (before.masters, self.masters))
        return frozenset(slot for slot, (was, now) in
                         enumerate(zip(before.owners, self.owners, strict=True))
                         if old[was] != new[now])

    @property
    def addresses(self) -> frozenset[Address]:
        """:return: of all servers that are named."""
        return frozenset(self.masters) | frozenset(self.replicas)


def read_slots(answer: Any, asked: Address) -> Topology:
    """
    Read the answer to C{CLUSTER SLOTS}.

    :param answer: lists, octets and numbers as the server gave them; it may be any server.
    :param asked: where it is: what it means where it names no host.
    :return: what it says.
    :raises BadTopology: the answer is not of that form or cannot be so, or it says that no slot
        is served.
    """
    owners, masters, replicas = [-1] * SLOTS, dict[Address, int](), dict[Address, None]()
    for start, end, nodes in _ranges(answer, asked):
        place = masters.setdefault(nodes[0], len(masters))
        replicas.update(dict.fromkeys(nodes[1:]))
        if len(masters) + len(replicas) > MOST_NODES:
            raise BadTopology(f"{asked} names more than {MOST_NODES} nodes")
        length = end + 1 - start
        if owners[start:end + 1].count(-1) != length:
            raise BadTopology(f"{asked} gives slots twice, from {start} to {end}")
        owners[start:end + 1] = [place] * length
    if not masters:
        raise BadTopology(f"{asked} is in no cluster, or in one that serves no slots")
    return Topology(tuple(masters), tuple(owners),
                    tuple(node for node in replicas if node not in masters))


def read_address(text: str, asked: Address) -> Address:
    """
    Read an address as servers write it in their redirections.

    :param text: C{HOST:PORT}, where an address of IP version 6 has no brackets.
    :param asked: the server that wrote it: what it means where it names no host.
    :raises BadTopology: it is none.
    """
    host, _, port = text.rpartition(":")
    if not _PORT.match(port):
        raise BadTopology(f"{asked} names a server without a port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return _address(host, int(port), asked)


def _ranges(answer: Any, asked: Address) -> Iterator[tuple[int, int, list[Address]]]:
    """:return: first slot, last slot, and the nodes, of which the first is the master."""
    namings = 0
    for row in _list(answer, 0, SLOTS, asked):
        start, end = (_slot(number, asked) for number in _list(row, 3, MOST_NODES, asked)[:2])
        namings += len(row)
        if end < start or namings > MOST_NAMINGS:
            raise _bad(asked)
        yield start, end, [_node(node, asked) for node in row[2:]]


def _node(node: Any, asked: Address) -> Address:
    # What follows, the node's name and more about it, is not the same in all versions.
    host, port = _list(node, 2, 16, asked)[:2]
    if host is None:
        host = b""
    if not isinstance(host, bytes) or type(port) is not int:
        raise _bad(asked)
    return _address(host.decode("ascii", "replace"), port, asked)


def _address(host: str, port: int, asked: Address) -> Address:
    if not 1 <= port <= 65535:
        raise BadTopology(f"{asked} names a server with the port {port}")
    if host in ("", "?"):
        return Address(asked.host, port)
    if not _HOST.match(host):
        raise BadTopology(f"{asked} names a server whose host is none")
    return Address(host, port)


def _slot(number: Any, asked: Address) -> int:
    if type(number) is not int or not 0 <= number < SLOTS:
        raise _bad(asked)
    return number


def _list(value: Any, least: int, most: int, asked: Address) -> Any:
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise _bad(asked)
    return value


def _bad(asked: Address) -> BadTopology:
    return BadTopology(f"{asked} answers CLUSTER SLOTS with something else than ranges of slots")
