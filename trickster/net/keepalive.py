"""TCP keep-alive: how the end of a peer that can no longer say so is found out."""

from __future__ import annotations

import socket
from typing import Any

# Seconds without an octet until the first probe, between two of them, and probes that a peer
# may leave unanswered: a dead one is found after two minutes.
_OPTIONS = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


def find_the_dead(handle: Any) -> None:
    """
    Have the kernel close a connection whose peer answers no more, however quiet it may be.

    :param handle: the socket of a connection, or of a port, whose connections will have it
        from there; anything else, such as a test's, is left alone.
    """
    if not isinstance(handle, socket.socket):
        return
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        option = getattr(socket, name, None)  # not every system has all of them
        if option is not None:
            handle.setsockopt(socket.IPPROTO_TCP, option, value)
