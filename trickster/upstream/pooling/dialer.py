"""Making connections to an origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.internet.protocol import Factory

from trickster.errors import Overloaded
from trickster.http.origin_url import OriginURL
from trickster.upstream.connecting.cancelling import promptly
from trickster.upstream.connecting.endpoints import Connector
from trickster.upstream.connecting.failures import unreachable
from trickster.upstream.h1.connection import Connection, Owner
from trickster.upstream.options import UpstreamOptions


@define(eq=False)
class Dialer:
    """
    Makes connections, each in a bounded time and for a bounded life.

    :ivar connector: makes an endpoint of the origin; called for each connection.
    :ivar random: numbers between 0 and 1, which keep connections from ending all at once.
    :ivar opened: connections made so far.
    :ivar failed: connections that could not be made so far.
    """

    origin: OriginURL
    options: UpstreamOptions
    connector: Connector
    clock: IReactorTime
    random: Callable[[], float]
    opened: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    _connecting: set[Deferred[Connection]] = field(factory=set, init=False)
    _is_stopped: bool = field(default=False, init=False)

    async def connect(self, owner: Owner, made: Callable[[Connection], object]) -> Connection:
        """
        :param owner: of the connection.
        :param made: told of it as soon as there is something to close; it may not be of use yet.
        :return: a connection that can be used.
        :raises UpstreamUnreachable: none could be made.
        :raises UpstreamTimeout: none could be made in time.
        :raises Overloaded: the dialer was stopped, or has no descriptor.
        """
        establishing = Deferred.fromCoroutine(self._establish(_ConnectionFactory(
            lambda: self._build(owner, made))))
        establishing.addTimeout(self.options.connect_timeout, self.clock)
        self._connecting.add(establishing)
        try:
            connection = await establishing
        except CancelledError as error:
            if self._is_stopped:
                raise Overloaded("the proxy is being stopped") from error
            raise
        except Exception as error:  # endpoints and resolvers raise what they like
            self.failed += 1
            raise unreachable(self.origin, error) from error
        finally:
            self._connecting.discard(establishing)
        self.opened += 1
        return connection

    def stop(self) -> None:
        """Give up what is being connected."""
        self._is_stopped = True
        for establishing in list(self._connecting):
            establishing.cancel()

    async def _establish(self, factory: Factory) -> Connection:
        connecting = self.connector().connect(factory)
        made = cast(Connection, await promptly(connecting, _abort))
        await made.established
        return made

    def _build(self, owner: Owner, made: Callable[[Connection], object]) -> Connection:
        connection = Connection(owner, self.clock, self.options, self.origin.is_secure)
        connection.ends_at = self.clock.seconds() + self._lifetime()
        made(connection)
        return connection

    def _lifetime(self) -> float:
        # A fifth less for some than for others, lest all be made anew at one time.
        most = self.options.max_conn_age
        return float("inf") if most is None else most * (1 - self.random() / 5)


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, build: Callable[[], Connection]) -> None:
        self._build = build

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return self._build()


def _abort(connection: IProtocol) -> None:
    cast(Connection, connection).abort()
