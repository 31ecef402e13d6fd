"""A connection to an origin as two streams of octets."""

from __future__ import annotations

from socket import socket
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.tcp import Client

from trickster.net.keepalive import find_the_dead
from trickster.upstream.h1.flow import Flow
from trickster.upstream.h1.outlet import Outlet
from trickster.upstream.h1.patience import Patience

# Octets that are read at a time, unless there are many.
PORTION = 64 * 1024
_WIDE_PORTION = 256 * 1024


@define(eq=False)
class Inflow:
    """
    What comes from an origin: read no faster than its reader takes it, and in large portions
    where there is much of it, which would be a waste for small answers.

    :ivar _portions: where the size of portions can be set; else None.
    """

    _transport: Any
    _portions: Client | None
    _flow: Flow
    _patience: Patience
    _is_paused: bool = field(default=False, init=False)

    def pause(self) -> None:
        """The reader of the body is slow; the origin cannot be blamed."""
        self._flow.hold()
        self._patience.await_client()
        self._is_paused = True
        self._transport.pauseProducing()

    def resume(self) -> None:
        """The reader of the body wants more."""
        self._flow.go_on()
        self._patience.await_origin()
        self._read_on()

    def widen(self) -> None:
        """A whole portion has come, after which there may be much more."""
        if self._portions is not None:
            self._portions.bufferSize = _WIDE_PORTION

    def reset(self) -> None:
        """A response is whole, and another one may come."""
        if self._is_paused:
            self._read_on()
        if self._portions is not None and self._portions.bufferSize != PORTION:
            self._portions.bufferSize = PORTION

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resumeProducing()


@define(eq=False)
class Outflow:
    """
    What goes to an origin.

    :ivar _socket: where octets may be sent past the transport; else None.
    """

    _transport: Any
    _socket: socket | None
    _patience: Patience

    def send(self, octets: bytes) -> None:
        """
        Send the beginning of a request, or all of it.

        The kernel nearly always takes it at once: trying that first saves a turn of the reactor
        and two of its system calls.  Once anything has gone through the transport, something may
        still be waiting there, and nothing must overtake it.

        :param octets: the head, with the body where that is small; what the kernel does not take
            now is sent later, and is not waited for.
        """
        if self._socket is not None:
            octets = octets[_send_now(self._socket, octets):]
        if octets:
            self._socket = None
            self._transport.write(octets)

    def open(self) -> Outlet:
        """:return: what more can be sent through, bit by bit."""
        self._socket = None
        outlet = Outlet(self._transport, self._patience)
        outlet.open()
        return outlet

    def lost(self) -> None:
        """The connection is gone."""
        self._socket = None


@define(eq=False)
class OriginLink:
    """
    One connection to an origin, without what is said over it.

    :ivar flow: of the body that is on its way.
    """

    _transport: Any
    _plain: Client | None
    patience: Patience
    flow: Flow
    inflow: Inflow
    outflow: Outflow

    @classmethod
    def over(cls, transport: Any, patience: Patience, flow: Flow) -> OriginLink:
        """
        :param transport: a connected one.
        :param patience: of the connection: told who is to go on.
        :param flow: of the connection: told when the reader of a body is slow.
        :return: the two streams; where the transport is not that of a bare TCP connection, they
            go without what only such a one can do.
        """
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        # Not under TLS, where it is the transport below that is of this kind.
        plain = transport if isinstance(transport, Client) else None
        return cls(transport, plain, patience, flow, Inflow(transport, plain, flow, patience),
                   Outflow(transport, None if plain is None else plain.getHandle(), patience))

    def watch_peer(self) -> None:
        """
        Have the kernel find out when the origin has vanished, since what lasts may have
        nothing to send for long.
        """
        if ITCPTransport.providedBy(self._transport):
            self._transport.setTcpKeepAlive(True)
        if self._plain is not None:
            find_the_dead(self._plain.getHandle())

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        self._transport.loseConnection()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abortConnection()

    def lost(self) -> None:
        """The connection is gone: leave nothing behind."""
        self.outflow.lost()
        if self._plain is not None:
            # Twisted's connector and its transport know each other for ever.
            self._plain.connector.transport = None


def _send_now(handle: socket, octets: bytes) -> int:
    try:
        return handle.send(octets)
    except OSError:  # full, or broken: the transport finds out which
        return 0
