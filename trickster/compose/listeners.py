"""The configured listeners, over what they serve."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen
from twisted.web.resource import IResource

from trickster.config.options.listeners import ListenerOptions
from trickster.frontend.limits import ConnectionEvents, ListenerLimits, NoEvents
from trickster.frontend.listening.listener import Listener
from trickster.frontend.listening.local import LocalListener
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ResponderResource
from trickster.http.forwarded import Trusted
from trickster.http.h1.head_reader import HeadLimits
from trickster.peers.homes import Homes
from trickster.peers.serving import HomeResponder

# One in so many descriptors is left to others than the listeners of metrics and management; of
# what is left to others than clients, half.
_OWN_RESERVE = 16


@frozen
class ListenerPlace:
    """
    Where a listener listens, and by which clock.

    :ivar reactor: with descriptors and time.
    :ivar wall: seconds since the epoch.
    :ivar socket: gives, at each start, a socket that listens; the listener closes it.
    :ivar is_shared: whether other processes accept from the same socket.
    """

    reactor: Any
    wall: Callable[[], float]
    socket: Callable[[], socket.socket]
    is_shared: bool = False


def listener(options: ListenerOptions, root: IResource, place: ListenerPlace,
             events: ConnectionEvents | None = None) -> Listener:
    """
    :param root: what is served.
    :param place: gives the socket.
    :param events: is told of connections; None for a listener of our own endpoints, which has
        descriptors where clients have taken all of theirs.
    :return: a service; it listens once it is started.
    """
    limits = _limits(options)
    if events is None:
        limits = evolve(limits, reserve=_OWN_RESERVE)
    site = ProxySite(root, place.reactor, limits, events or NoEvents(), place.wall)
    return Listener(place.reactor, site, place.socket, options.drain_timeout,
                    is_shared=place.is_shared)


def local_listener(options: ListenerOptions, root: IResource, reactor: Any,
                   wall: Callable[[], float], path: str) -> LocalListener:
    """
    :param root: what is served.
    :param wall: seconds since the epoch.
    :param path: of the Unix socket.
    :return: a service that listens there once it is started.
    """
    site = ProxySite(root, reactor, _limits(options), NoEvents(), wall)
    return LocalListener(reactor, site, path)


def peers_listener(homes: Homes, reactor: Any, wall: Callable[[], float], path: str
                   ) -> LocalListener:
    """
    :param homes: of the keys that other workers ask for.
    :param wall: seconds since the epoch.
    :param path: of the Unix socket.
    :return: a service that listens there once it is started; what bounds requests bounds them
        where clients are.
    """
    limits = ListenerLimits(body=-1, header_timeout=0.0, idle_timeout=0.0, body_timeout=0.0,
                            write_timeout=0.0)
    site = ProxySite(ResponderResource(HomeResponder(homes)), reactor, limits, NoEvents(), wall)
    return LocalListener(reactor, site, path)


def _limits(options: ListenerOptions) -> ListenerLimits:
    return ListenerLimits(
        head=HeadLimits(options.max_request_line_bytes, options.max_header_bytes),
        connections=options.connections_limit,
        body=options.max_request_body_size_bytes,
        truncate=options.truncate_request_body_too_large,
        header_timeout=options.read_header_timeout, idle_timeout=options.idle_timeout,
        body_timeout=options.body_timeout, body_rate=float(options.min_body_rate),
        write_timeout=options.write_timeout, trusted=Trusted.of(options.trusted_proxies))
