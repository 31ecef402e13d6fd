"""What the store stands on: a server, the master behind Sentinels, or a cluster of servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from attrs import frozen

from trickster.stores.redis.commands import Ask
from trickster.stores.redis.node import Node

T = TypeVar("T")


class Servers(Protocol):
    """Where the entries are, whether on one server or on many."""

    def start(self) -> None:
        """Begin to connect; waits for nothing, and does not fail."""
        ...

    async def stop(self) -> None:
        """Close all connections, after what is under way."""
        ...

    async def at(self, key: bytes, ask: Ask[T]) -> T:
        """
        Have something done by the server that a key is on.

        :param key: all keys of the commands are on the same server as this one.
        :param ask: is given what carries out commands, maybe again by another server where the
            first one says that the key is elsewhere: what it does is to be done whole each time.
        :return: what C{ask} gives.
        :raises StoreError: as C{ask} and L{Commands} raise it.
        """
        ...

    async def each(self, ask: Ask[T]) -> list[T]:
        """
        Have something done by every server that has keys, such as a SCAN from its beginning to
        its end.

        :return: what C{ask} gives for each of them.
        :raises StoreError: one of them fails.
        """
        ...

    def grouped(self, keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
        """:return: the same keys, in groups that one command may name."""
        ...

    def node_of(self, key: bytes) -> Node | None:
        """:return: the server that a key is on, as far as is known without asking."""
        ...


@frozen
class Standalone:
    """One server, which has all keys."""

    node: Node

    def start(self) -> None:
        """See L{Servers.start}."""
        self.node.start()

    async def stop(self) -> None:
        """See L{Servers.stop}."""
        await self.node.stop()

    async def at(self, key: bytes, ask: Ask[T]) -> T:
        """See L{Servers.at}."""
        return await ask(self.node)

    async def each(self, ask: Ask[T]) -> list[T]:
        """See L{Servers.each}."""
        return [await ask(self.node)]

    def grouped(self, keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
        """See L{Servers.grouped}."""
        return [keys] if keys else []

    def node_of(self, key: bytes) -> Node | None:
        """See L{Servers.node_of}."""
        return self.node
