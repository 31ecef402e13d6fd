"""Connections to the servers of a cluster, one each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList

from trickster.errors import StoreError
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.topology import MOST_NODES
from trickster.stores.redis.commands import Ask
from trickster.stores.redis.errors import ErrorReply
from trickster.stores.redis.node import Node

T = TypeVar("T")


@define(eq=False)
class Peer:
    """
    A server of the cluster.

    :ivar is_doubted: whether it could not be reached when it was last asked, or knew of no whole
        cluster.
    :ivar is_retired: whether the cluster does not name it any more: it is closed once it is idle.
    :ivar pending: commands under way.
    """

    address: Address
    node: Node
    _idle: Callable[[Peer], None]
    is_doubted: bool = field(default=False, init=False)
    is_retired: bool = field(default=False, init=False)
    pending: int = field(default=0, init=False)

    async def ask(self, asked: Ask[T]) -> T:
        """
        :param asked: given the server; what has a reply of the server in the end.
        :return: what comes of it.
        :raises ErrorReply: the server refuses.
        :raises StoreError: it cannot be reached, or does not answer.
        """
        self.pending += 1
        try:
            found = await asked(self.node)
        except StoreError as error:
            self.is_doubted = not isinstance(error, ErrorReply)
            error.is_partial = True
            raise
        finally:
            self.pending -= 1
            if self.is_retired and not self.pending:
                self._idle(self)
        self.is_doubted = False
        return found


@define(eq=False)
class Peers:
    """
    The servers that are or were named, each with its connections.

    :ivar _make: makes one, not started yet.
    :ivar most: servers at a time: a server may name any number of others.
    """

    _make: Callable[[Address], Node]
    most: int = MOST_NODES + 100
    _peers: dict[Address, Peer] = field(factory=dict, init=False)
    _closing: set[Deferred[None]] = field(factory=set, init=False)
    _is_stopped: bool = field(default=False, init=False)

    def at(self, address: Address) -> Peer:
        """
        :param address: of one that may not be connected yet.
        :return: the server.
        :raises StoreError: there are too many, or the store is stopped.
        """
        peer = self._peers.get(address)
        return self._new(address) if peer is None else peer

    def node(self, address: Address) -> Node | None:
        """:return: a server to which there are connections already; None for others."""
        peer = self._peers.get(address)
        return None if peer is None else peer.node

    def is_doubted(self, address: Address) -> bool:
        """:return: whether a server was of no use when it was last asked."""
        peer = self._peers.get(address)
        return peer is not None and peer.is_doubted

    def doubt(self, address: Address) -> None:
        """Note that a server is of no use now, as it says itself."""
        peer = self._peers.get(address)
        if peer is not None:
            peer.is_doubted = True

    def keep(self, addresses: Iterable[Address]) -> None:
        """
        Close the connections to all other servers, as soon as they are idle.

        :param addresses: that the cluster names now.
        """
        named = frozenset(addresses)
        for peer in list(self._peers.values()):
            peer.is_retired = peer.address not in named
            if peer.is_retired and not peer.pending:
                self._drop(peer)

    async def stop(self) -> None:
        """Close all connections, for good, after what is under way."""
        self._is_stopped = True
        stopping = list(map(_stopped, self._peers.values()))
        self._peers.clear()
        await DeferredList([*stopping, *self._closing])

    def _new(self, address: Address) -> Peer:
        if self._is_stopped:
            raise StoreError("the store is not running")
        if len(self._peers) >= self.most:
            raise StoreError(f"the cluster names more than {self.most} servers")
        peer = self._peers[address] = Peer(address, self._make(address), self._drop)
        peer.node.start()
        return peer

    def _drop(self, peer: Peer) -> None:
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]
            closing = _stopped(peer)
            self._closing.add(closing)
            closing.addBoth(lambda _: self._closing.discard(closing))


def _stopped(peer: Peer) -> Deferred[None]:
    return Deferred.fromCoroutine(peer.node.stop())
