"""The configured listeners, over what they serve."""

from __future__ import annotations

from attrs import evolve
from twisted.web.resource import IResource

from trickster.compose.runtime import Runtime
from trickster.config.options.listeners import ListenerOptions
from trickster.frontend.limits import ConnectionEvents, ListenerLimits, NoEvents
from trickster.frontend.listening.listener import Listener
from trickster.frontend.site import ProxySite
from trickster.http.forwarded import Trusted
from trickster.http.h1.head_reader import HeadLimits

# One in so many descriptors is left to others than the listeners of metrics and management; of
# what is left to others than clients, half.
_OWN_RESERVE = 16


def listener(options: ListenerOptions, root: IResource, runtime: Runtime,
             events: ConnectionEvents | None = None) -> Listener:
    """
    :param root: what is served.
    :param runtime: gives the socket.
    :param events: is told of connections; None for a listener of our own endpoints, which has
        descriptors where clients have taken all of theirs.
    :return: a service; it listens once it is started.
    """
    limits = _limits(options)
    if events is None:
        limits = evolve(limits, reserve=_OWN_RESERVE)
    site = ProxySite(root, runtime.reactor, limits, events or NoEvents(), runtime.wall)
    return Listener(runtime.reactor, site, runtime.listening(options), options.drain_timeout)


def _limits(options: ListenerOptions) -> ListenerLimits:
    return ListenerLimits(
        head=HeadLimits(options.max_request_line_bytes, options.max_header_bytes),
        connections=options.connections_limit,
        body=options.max_request_body_size_bytes,
        truncate=options.truncate_request_body_too_large,
        header_timeout=options.read_header_timeout, idle_timeout=options.idle_timeout,
        body_timeout=options.body_timeout, body_rate=float(options.min_body_rate),
        write_timeout=options.write_timeout, trusted=Trusted.of(options.trusted_proxies))
