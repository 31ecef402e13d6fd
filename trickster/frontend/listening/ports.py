"""Ports that leave clients in the backlog where there is no room for them."""

from __future__ import annotations

import select
import socket
from errno import EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO, EWOULDBLOCK
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from trickster.frontend.listening.accepting import Acceptance
from trickster.frontend.listening.addresses import interface_of, take_both
from trickster.net.eager_transport import EagerServer
from trickster.net.keepalive import find_the_dead

_NO_MORE = frozenset((EAGAIN, EWOULDBLOCK))
_NOT_THIS_ONE = frozenset((ECONNABORTED, EPERM, EPROTO))
_NO_DESCRIPTORS = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM))
_BACKLOG = 4096
_LEAST_AT_ONCE = 20
# To accept so many takes about 30 ms, in which no other connection has a turn.
_MOST_AT_ONCE = 512
# The same where other processes accept, too.
_MOST_SHARED = 64


def bound(address: str, port: int) -> socket.socket:
    """
    :param address: an IP address; empty for all of them, of IPv6 and IPv4.
    :param port: 0 for any that is free.
    :return: a socket that listens, whose options every accepted connection has from it.
    :raises CannotListenError: the address is taken, or not ours.
    """
    host = interface_of(address)
    try:
        [(family, _, _, _, place), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            _listen(made, host, place)
        except BaseException:
            made.close()
            raise
    except OSError as error:
        raise CannotListenError(host, port, error) from error
    return made


def _listen(made: socket.socket, host: str, place: Any) -> None:
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    find_the_dead(made)
    if host == "::":
        take_both(made)
    made.bind(place)
    made.listen(_BACKLOG)


class HeldPort(tcp.Port):
    """
    Accepts connections as long as an L{Acceptance} lets it.

    Where descriptors run out, the stock port closes connections that it has no descriptors
    for, and logs four lines for each.

    :ivar acceptance: None to accept all.
    """

    acceptance: Acceptance | None = None
    _least_at_once = _LEAST_AT_ONCE
    _most_at_once = _MOST_AT_ONCE
    _log = Logger()

    @classmethod
    def of(cls, listening: socket.socket, factory: Any, reactor: Any) -> HeldPort:
        """
        :param listening: a socket that listens; it is closed here, and a duplicate used.
        :param factory: of the connections' protocols.
        :return: a port that accepts from it once it is started.
        """
        # What IReactorSocket.adoptStreamPort does, for a port of this class.
        try:
            port: HeldPort = cls._fromListeningDescriptor(
                reactor, listening.fileno(), listening.family, factory)
        finally:
            listening.close()
        return port

    def share(self) -> None:
        """
        Leave clients to other processes that accept from the same socket: all begin with one
        client in a turn, and have more only while more wait.
        """
        self.numberAccepts = self._least_at_once = 1
        self._most_at_once = _MOST_SHARED

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
        self.numberAccepts = (min(self._most_at_once, max(self._least_at_once, 2 * most))
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
