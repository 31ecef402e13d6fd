"""One server, at one address."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import Factory, define, field
from twisted.logger import Logger

from trickster.interfaces import IRuntime
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.commands import Argument, Command, Reply
from trickster.stores.redis.connections.dialing import (
    Dial,
    Dialler,
    MakeTLS,
    endpoint_of,
    replies_to,
)
from trickster.stores.redis.connections.pool import Pool
from trickster.stores.redis.errors import ErrorReply, NoAnswer, NotConnected
from trickster.stores.redis.settings import Settings
from trickster.stores.redis.tracking import Tracking


@define(eq=False)
class Node:
    """
    Has commands carried out by one server (L{trickster.stores.redis.commands.Commands}).

    Connections are made, and made again, in the background.  While the server is known not to be
    there, a command fails at once.  Commands do not wait for each other.

    :ivar address: of the server.
    :ivar tracking: what is known of the server's values; None where nothing is.
    :ivar _went: called with why the server cannot be used any more, and with None once it can be
        used again; by default that is logged.
    """

    address: Address
    _settings: Settings
    _runtime: IRuntime
    _dial: Dial
    _went: Callable[[NotConnected | None], object] | None = None
    tracking: Tracking | None = None
    _log: Logger = field(factory=Logger, repr=False)
    _pool: Pool = field(init=False, repr=False, default=Factory(
        lambda self: Pool(self._dial, self._settings, self._runtime.clock, self._runtime.random,
                          self._went or self._told), takes_self=True))

    @classmethod
    def at(cls, address: Address, settings: Settings, runtime: IRuntime,
           make_tls: MakeTLS | None = None, **more: Any) -> Node:
        """
        :param settings: how connections are made and kept.
        :param runtime: whose clock is the reactor.
        :param make_tls: makes what encrypts connections; None for none.
        :param more: as the other attributes.
        :return: the server at an address, not started yet.
        """
        tls = None if make_tls is None else make_tls(address.host)
        # Not before there is a reactor: what checks a configuration has none.
        connector = partial(endpoint_of, runtime.clock, address, settings.dial_timeout, tls)
        dial = Dialler(connector, runtime.clock, settings)
        tracking = None
        if settings.tracked is not None:
            tracking = Tracking(address, settings.tracked,
                                Dialler(connector, runtime.clock, settings.listening), runtime)
        return cls(address, settings, runtime, dial, tracking=tracking, **more)

    @property
    def error(self) -> NotConnected | None:
        """:return: why there is no connection; None while there is one, or may be one."""
        return self._pool.error

    def start(self) -> None:
        """Begin to connect; waits for nothing."""
        self._pool.start()
        if self.tracking is not None:
            self.tracking.start()

    async def stop(self) -> None:
        """Take no more commands, and close the connections after those that are under way."""
        if self.tracking is not None:
            self.tracking.stop()
        await self._pool.stop()

    async def execute(self, *command: Argument) -> Reply:
        """See L{trickster.stores.redis.commands.Commands.execute}."""
        [reply] = await self.pipeline(command)
        if isinstance(reply, ErrorReply):
            raise reply
        return reply

    async def pipeline(self, *commands: Command) -> list[Reply]:
        """See L{trickster.stores.redis.commands.Commands.pipeline}."""
        # All who were under way, or waited, may have the same error: each gets one of its own,
        # which says which server it is of.
        try:
            return await replies_to(await self._pool.take(), commands)
        except (NoAnswer, NotConnected) as error:
            raise type(error)(f"{self.address}: {error}") from None

    def _told(self, error: NotConnected | None) -> None:
        if error is None:
            self._log.info("Redis at {address} can be used again", address=self.address)
        else:
            self._log.error("Redis at {address} cannot be used, and is tried again and again: "
                            "{why}", address=self.address, why=str(error))
