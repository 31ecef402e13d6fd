"""How an origin is reached: over which address, and whether over TLS."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from trickster.upstream.origin import OriginURL
from trickster.upstream.pool import Connector
from trickster.upstream.tls import TLSOptions, connection_creator


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
        return HostnameEndpoint(reactor, origin.host, origin.port, connect_timeout)
    is_short = ip_address(origin.host).version == 4
    kind = TCP4ClientEndpoint if is_short else TCP6ClientEndpoint
    return kind(reactor, origin.host, origin.port, connect_timeout)
