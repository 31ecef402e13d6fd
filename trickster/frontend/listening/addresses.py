"""Which sockets a listener on all addresses needs: one for IPv6 and IPv4, where there is IPv6."""

from __future__ import annotations

import socket

# How all addresses are written.
EVERYWHERE = ("", "*")
_ALL_OF_IPV6 = "::"
_ALL_OF_IPV4 = "0.0.0.0"


def interface_of(address: str) -> str:
    """
    :param address: as in the configuration.
    :return: the IP address to bind; for all addresses, that of all of IPv6, on which IPv4
        arrives too, unless the machine has no IPv6.
    """
    if address not in EVERYWHERE:
        return address
    return _ALL_OF_IPV6 if has_ipv6() else _ALL_OF_IPV4


def has_ipv6() -> bool:
    """:return: whether a socket can listen on IPv6 and take IPv4 there too."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as trial:
            take_both(trial)
            trial.bind((_ALL_OF_IPV6, 0))
    except OSError:
        return False
    return True


def take_both(listening: socket.socket) -> None:
    """
    Have a socket on all of IPv6 take IPv4 too, whichever the system's own default is.

    :raises OSError: it cannot.
    """
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
