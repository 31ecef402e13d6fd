"""Connecting to a server: over TCP, TLS or a unix socket, with authentication."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory

from trickster.errors import StoreError
from trickster.plugins import explained
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.commands import Command, Reply
from trickster.stores.redis.errors import ErrorReply, NoAnswer, NotConnected
from trickster.stores.redis.settings import Settings
from trickster.stores.timed_call import TimedCall

# From the host to what makes TLS connections to it.
MakeTLS = Callable[[str], IOpenSSLClientConnectionCreator]
Connector = Callable[[], IStreamClientEndpoint]


class Connection(Protocol):
    """What L{trickster.stores.redis.connections.protocol} has, which is imported late."""

    changed: Callable[[], object]
    pushed: Callable[[list[Reply]], object]
    is_writable: bool
    error: NoAnswer | None
    is_hung: bool
    answered: int
    heard: float
    born: float
    free_since: float
    in_flight: int

    def ask(self, commands: Sequence[Command]) -> list[Deferred[Reply]]:
        """Send commands."""
        ...

    def end(self) -> None:
        """Close it, once what was sent has gone."""
        ...

    def broken(self, why: str) -> None:
        """Give it up at once."""
        ...


Dial = Callable[[], Awaitable[Connection]]


async def replies_to(connection: Connection, commands: Sequence[Command]) -> list[Reply]:
    """
    Send commands over a connection, with no other in between.

    :return: the reply to each; an L{ErrorReply} where the server refuses one.
    :raises NoAnswer: the connection broke.
    """
    try:
        return await gatherResults(connection.ask(commands), consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()


def endpoint_of(reactor: Any, address: Address, timeout: float,
                tls: IOpenSSLClientConnectionCreator | None = None) -> IStreamClientEndpoint:
    """
    :param reactor: connects.
    :param timeout: seconds for each address of a name.
    :param tls: encrypts; None for no TLS.
    :return: what connects to an address.
    """
    if address.path:
        return UNIXClientEndpoint(reactor, address.path, timeout)
    plain: IStreamClientEndpoint
    if not address.is_ip:
        plain = HostnameEndpoint(reactor, address.host, address.port, timeout)
    else:
        kind = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
        plain = kind(reactor, address.host, address.port, timeout)
    return plain if tls is None else wrapClientTLS(tls, plain, reactor)


@frozen
class Dialler:
    """
    Connects to a server, and makes it know us.

    :ivar connector: makes what connects.
    :ivar parser: of replies: C{hiredis} or C{python}; empty for the fastest that is there.
    """

    connector: Connector = field(repr=False)
    clock: IReactorTime = field(repr=False)
    settings: Settings
    parser: str = ""

    async def __call__(self) -> Connection:
        """
        :return: a connection that takes commands.
        :raises NotConnected: there is none in time; says why, without a password.
        """
        settings = self.settings
        try:
            return await TimedCall.of(self._dialled(), self.clock, settings.dial_timeout)
        except (CancelledError, ConnectingCancelledError):
            raise CancelledError from None
        except Exception as error:  # noqa: BLE001 - Twisted's, OpenSSL's and the system's
            raise NotConnected(settings.credentials.hidden(_explained(error))) from None

    async def _dialled(self) -> Connection:
        connection: Any = await self.connector().connect(_Factory(self._made))
        try:
            await self._greeted(connection)
        except BaseException as error:
            connection.broken(f"it was given up: {_explained(error)}")
            raise
        return cast(Connection, connection)

    async def _greeted(self, connection: Connection) -> None:
        settings, commands = self.settings, list[Command]()
        who = settings.credentials
        if who.username:
            commands.append(("AUTH", who.username, who.password))
        elif who.password:
            commands.append(("AUTH", who.password))
        if settings.db:
            commands.append(("SELECT", settings.db))
        # Also asked first by those who have nothing to say: a server that loads, or wants a
        # password, says so.
        commands.append(("ROLE",) if settings.is_master else ("PING",))
        for command, reply in zip(commands, await replies_to(connection, commands), strict=True):
            _check(command, reply)

    def _made(self) -> Any:
        # Not before there is something to connect: it imports the global reactor.
        protocol = import_module("trickster.stores.redis.connections.protocol")
        settings = self.settings
        return protocol.KINDS[self.parser](
            self.clock, settings.read_timeout, settings.write_timeout)


class _Factory(Factory):
    """Makes the protocol of one connection."""

    noisy = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def buildProtocol(self, _: Any) -> Any:
        return self._make()


def _check(command: Command, reply: Reply) -> None:
    name = command[0]
    if isinstance(reply, ErrorReply):
        # Who may not ask for a ping is known all the same, and the server works.
        if not (name == "PING" and reply.code == "NOPERM"):
            raise reply
    elif name == "ROLE" and not (isinstance(reply, list) and reply and reply[0] == b"master"):
        raise NotConnected("it is no master")


def _explained(error: BaseException) -> str:
    # Errors of ours are sentences; of others, the kind is needed too.
    return str(error) if isinstance(error, StoreError) else explained(error)
