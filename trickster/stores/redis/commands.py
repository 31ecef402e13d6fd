"""What is sent to a server, and what it replies (the Redis protocol, RESP2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, Union

from trickster.stores.redis.errors import ErrorReply

T = TypeVar("T")

Argument = bytes | str | int | float
Command = Sequence[Argument]
Reply = Union[bytes, int, None, ErrorReply, "list[Reply]"]
Pushed = Callable[[list[Reply]], object]

# Arguments from this many octets on are sent as they are, and not copied into one with others.
_LARGE = 4096


class Tracks(Protocol):
    """What is known of the values of one server, while it tells which of them change."""

    @property
    def is_live(self) -> bool:
        """:return: whether the server tells which values change."""
        ...

    async def read(self, key: bytes, ask: Callable[[], Awaitable[tuple[bytes | None, float]]]
                   ) -> bytes | None:
        """
        Read a value, and keep how it begins.

        :param ask: gives the value, and the seconds that it has left.
        :return: the value.
        """
        ...

    async def write(self, key: bytes, ask: Callable[[], Awaitable[bool]]) -> bool:
        """
        Write a value: what was known of the one before is forgotten.

        :param ask: gives whether it is written.
        :return: the same.
        """
        ...

    def forget(self, keys: Sequence[bytes]) -> None:
        """Values are deleted: what was known of them is forgotten."""
        ...


class Commands(Protocol):
    """Where commands are carried out: by one server."""

    @property
    def tracking(self) -> Tracks | None:
        """:return: what is known of the server's values; None where it tells of no changes."""
        ...

    async def execute(self, *command: Argument) -> Reply:
        """
        Have one command carried out.

        :param command: its name and its arguments; texts are sent as UTF-8.
        :return: octets as they come, a number, None, or a list of these.
        :raises ErrorReply: the server refuses.
        :raises NotConnected: there is no connection; the command was not sent.
        :raises NoAnswer: whether it was carried out is not known.
        """
        ...

    async def pipeline(self, *commands: Command) -> list[Reply]:
        """
        Have commands carried out one after the other, sent at once over one connection, on which
        none of others comes in between: a cluster's ASKING is about the command after it.

        :return: the reply to each; an L{ErrorReply} where the server refuses one.
        :raises NotConnected: as L{execute}.
        :raises NoAnswer: as L{execute}.
        """
        ...


Ask = Callable[[Commands], Awaitable[T]]


def encoded(command: Command) -> list[bytes]:
    """:return: a command as it is sent, in pieces; large arguments are not copied."""
    pieces: list[bytes] = []
    small = [b"*%d\r\n" % len(command)]
    for argument in command:
        octets = _octets(argument)
        small.append(b"$%d\r\n" % len(octets))
        if len(octets) < _LARGE:
            small.append(octets)
        else:
            pieces += (b"".join(small), octets)
            small = []
        small.append(b"\r\n")
    pieces.append(b"".join(small))
    return pieces


def _octets(argument: Argument) -> bytes:
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, str):
        return argument.encode()
    return repr(argument).encode()
