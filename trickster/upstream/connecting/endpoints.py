"""How an origin is reached: over which address, and whether over TLS."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.http.origin_url import OriginURL
from trickster.net.tls import TLSOptions, connection_creator
from trickster.upstream.connecting.resolving import SharedResolver

Connector = Callable[[], IStreamClientEndpoint]


@implementer(IStreamClientEndpoint)
@frozen
class NamedEndpoint:
    """
    Connects to a name.  Where its lookup fails, the error says whether there is no such name,
    or that could not be found out.

    :ivar endpoint: looks the name up and connects.
    :ivar reactor: whose resolver is asked for the name.
    """

    endpoint: IStreamClientEndpoint
    reactor: Any
    host: str

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        :param protocolFactory: makes the protocol of the connection.
        :return: fires with that protocol once there is a connection; fails with a
            C{DNSLookupError} that says why there is no address, else as the inner endpoint does.
        """
        connecting: Deferred[IProtocol] = self.endpoint.connect(protocolFactory)
        return connecting.addErrback(self._explained)

    def _explained(self, failure: Failure) -> Failure:
        failure.trap(DNSLookupError)
        resolver = self.reactor.nameResolver
        why = resolver.why_not_found(self.host) if isinstance(resolver, SharedResolver) else None
        return failure if why is None else Failure(DNSLookupError(why))


def connector(reactor: Any, origin: OriginURL, connect_timeout: float,
              tls: TLSOptions | None = None) -> Connector:
    """
    :param reactor: provides C{IReactorTCP}, C{IReactorTime} and, where the origin has a
        name, C{IReactorPluggableNameResolver}.
    :param connect_timeout: seconds for each address that is tried.
    :return: makes endpoints of an origin; nothing is connected by that.
    :raises ConfigurationError: a file for TLS cannot be used.
    """
    if not origin.is_secure:
        return lambda: plain_endpoint(reactor, origin, connect_timeout)
    creator = connection_creator(origin, tls or TLSOptions())
    return lambda: wrapClientTLS(creator, plain_endpoint(reactor, origin, connect_timeout),
                                 reactor)


def plain_endpoint(reactor: Any, origin: OriginURL, connect_timeout: float) -> IStreamClientEndpoint:
    """
    :return: an endpoint without TLS; an address goes without the lookup of names.
    """
    if not origin.is_address:
        named = HostnameEndpoint(reactor, origin.host, origin.port, connect_timeout)
        return NamedEndpoint(named, reactor, origin.host)
    is_short = ip_address(origin.host).version == 4
    kind = TCP4ClientEndpoint if is_short else TCP6ClientEndpoint
    return kind(reactor, origin.host, origin.port, connect_timeout)
