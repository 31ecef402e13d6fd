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


class Commands(Protocol):
    """Where commands are carried out: by one server."""

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
        Have commands carried out one after the other, sent at once over one connection.  Those
        of others may come in between.

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
