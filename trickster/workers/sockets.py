"""Listening sockets that outlive what accepts from them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from attrs import Factory, frozen

from trickster.config.options.listeners import ListenerOptions

# From an address and a port to a socket that listens.
Bind = Callable[[str, int], socket.socket]


@frozen
class Address:
    """Where a socket listens, as listeners say it."""

    host: str
    port: int


@frozen(eq=False)
class Sockets:
    """
    Sockets by name of the listener, and where each is to be by the configuration.

    :ivar by_name: to each name an address and a port, and the socket.
    """

    by_name: Mapping[str, tuple[tuple[str, int], socket.socket]] = Factory(dict)

    def following(self, listeners: Mapping[str, ListenerOptions], bind: Bind) -> Sockets:
        """
        :param listeners: by name; one that is where it was keeps its socket.
        :return: the sockets for these; nothing is closed.
        :raises twisted.internet.error.CannotListenError: an address is taken, or not ours;
            what was bound before it is closed again.
        """
        # A listener may have another name by now, or may have changed places with another one.
        known = dict(self.by_name.values())
        made: dict[str, tuple[tuple[str, int], socket.socket]] = {}
        try:
            for name, options in listeners.items():
                place = (options.address, options.port)
                made[name] = (place, known[place] if place in known else bind(*place))
        except BaseException:
            Sockets(made).close(self)
            raise
        return Sockets(made)

    def descriptor(self, name: str) -> int:
        """:return: of a socket."""
        return self.by_name[name][1].fileno()

    def duplicate(self, name: str) -> socket.socket:
        """:return: another descriptor of a socket, whose owner closes it."""
        return self.by_name[name][1].dup()

    def address(self, name: str) -> Any:
        """:return: where a socket listens; None where there is none."""
        if name not in self.by_name:
            return None
        return Address(*self.by_name[name][1].getsockname()[:2])

    def close(self, kept: Sockets | None = None) -> None:
        """
        :param kept: sockets that are not closed.
        """
        used = {each for _, each in ({} if kept is None else kept.by_name).values()}
        for _, each in self.by_name.values():
            if each not in used:
                each.close()
