"""What a worker process has from its supervisor."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from attrs import frozen

from trickster.peers.homes import Neighbours


@frozen
class Inherited:
    """
    What takes the place of what a process by itself would open.

    :ivar sockets: descriptors of listening sockets, by name of the listener.
    :ivar own: paths of the Unix sockets on which the endpoints of the process are, by name of the
        listener.
    :ivar peers: path of the Unix socket on which other workers are answered.
    :ivar neighbours: the other workers.
    :ivar serves: called once everything is started.
    """

    sockets: Mapping[str, int]
    own: Mapping[str, str]
    peers: str
    neighbours: Neighbours
    serves: Callable[[], None]

    def socket(self, listener: str) -> socket.socket:
        """:return: that of a listener; the caller closes it."""
        return socket.socket(fileno=self.sockets[listener])
