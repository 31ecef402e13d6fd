"""Ports that leave clients in the backlog where there is no room for them."""

from __future__ import annotations

import select
import socket
from errno import EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO, EWOULDBLOCK
from typing import Any

from twisted.internet import tcp
from twisted.logger import Logger

from trickster.frontend.listening.accepting import Acceptance
from trickster.frontend.listening.addresses import take_both
from trickster.net.eager_transport import EagerServer
from trickster.net.keepalive import find_the_dead

_NO_MORE = frozenset((EAGAIN, EWOULDBLOCK))
_NOT_THIS_ONE = frozenset((ECONNABORTED, EPERM, EPROTO))
_NO_DESCRIPTORS = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM))
_LEAST_AT_ONCE = 20
# To accept so many takes about 30 ms, in which no other connection has a turn.
_MOST_AT_ONCE = 512


class HeldPort(tcp.Port):
    """
    Accepts connections as long as an L{Acceptance} lets it.

    Where descriptors run out, the stock port closes connections that it has no descriptors
    for, and logs four lines for each.

    :ivar acceptance: None to accept all.
    """

    acceptance: Acceptance | None = None
    _log = Logger()

    def createInternetSocket(self) -> Any:
        """:return: a socket whose options every accepted connection has from it."""
        made = super().createInternetSocket()
        find_the_dead(made)
        if self.interface == "::":
            take_both(made)
        return made

    def doRead(self) -> None:
        """Clients are in the backlog."""
        try:
            self._accept_some()
        except Exception:  # noqa: BLE001 - as in the base: one connection is not all
            self._log.failure("A connection could not be accepted")

    def is_waited_for(self) -> bool:
        """:return: whether a client is in the backlog."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def _accept_some(self) -> None:
        most: int = self.numberAccepts
        if self.acceptance is not None:
            most = self.acceptance.room(most)
        accepted = 0
        while accepted < most and self._accept_one():
            accepted += 1
        # As in the base: more at once where many come, and no more than came.  But twice as
        # many, since a backlog that grows faster than it is emptied has the kernel drop the
        # clients' packets, which come again only after a second.
        self.numberAccepts = (min(_MOST_AT_ONCE, max(_LEAST_AT_ONCE, 2 * most))
                              if accepted == most else max(1, accepted))

    def _accept_one(self) -> bool:
        """:return: whether there may be another one."""
        try:
            handle, address = self.socket.accept()
        except OSError as error:
            return self._not_accepted(error)
        self._make_connection(handle, address)
        return self.acceptance is None or self.acceptance.accepted(handle.fileno())

    def _not_accepted(self, error: OSError) -> bool:
        if error.errno in _NOT_THIS_ONE:
            return True
        if error.errno in _NO_DESCRIPTORS and self.acceptance is not None:
            self.acceptance.exhausted()
        elif error.errno not in _NO_MORE:
            raise error
        return False

    def _make_connection(self, handle: socket.socket, address: Any) -> None:
        if len(address) == 4:
            # IPv6: with the scope, where there is one.
            numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            address = (socket.getnameinfo(address, numeric)[0], *address[1:])
        factory: Any = self.factory
        protocol = factory.buildProtocol(self._buildAddr(address))
        if protocol is None:
            handle.close()
            return
        number = self.sessionno
        self.sessionno = number + 1
        transport = self.transport(handle, protocol, address, self, number, self.reactor)
        protocol.makeConnection(transport)


class EagerPort(HeldPort):
    """Accepts connections as L{EagerServer}s."""

    transport = EagerServer
