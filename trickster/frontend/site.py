"""Everything that the connections of one listener share."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.web.http import Request, datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Site
from zope.interface import implementer

from trickster.frontend.connection import ClientConnection
from trickster.frontend.limits import ConnectionEvents, ListenerLimits, NoEvents
from trickster.frontend.overload import Overload
from trickster.frontend.refusals import PreparedRefusals
from trickster.frontend.resources import ResourceResponder
from trickster.frontend.tree import ListenerRoot, ResponderResource
from trickster.http.h1.requests import RequestHead
from trickster.interfaces import IResponder
from trickster.messages import Headers, Response
from trickster.messages import Request as RequestValue

_ALLOWED = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


@implementer(IResponder)
@define
class _Asterisk:
    """Answers C{OPTIONS *}, which asks about the server as a whole (RFC 9110 section 9.3.7)."""

    async def respond(self, request: RequestValue) -> Response:
        return Response(204, Headers(((b"Allow", _ALLOWED),)))


class ProxySite(Site):
    """
    Makes the connections of a listener, and knows those that there are.

    :ivar limits: what clients may do.
    :ivar events: is told of connections.
    :ivar title: what logs call it, if anything in particular.
    :ivar ended: called when a connection is gone.
    :ivar overload: tells when the process has too much to do; None to answer all the same.
    """

    noisy = False
    title = ""
    ended: Callable[[], None] | None = None
    overload: Overload | None = None

    def __init__(self, resource: IResource, reactor: IReactorTime,
                 limits: ListenerLimits | None = None,
                 events: ConnectionEvents | None = None,
                 wall: Callable[[], float] | None = None) -> None:
        """
        :param resource: the root; most often a L{ListenerRoot} or a L{ResponderResource}.
        :param events: is told of connections.
        :param wall: seconds since the epoch, for dates; the reactor's where None.
        """
        super().__init__(resource, reactor=reactor, parsePOSTFormSubmission=False)
        self.limits = limits or ListenerLimits()
        self.events = events or NoEvents()
        self._connections: set[ClientConnection] = set()
        self._wall = wall or reactor.seconds
        self._asterisk = _Asterisk()
        self._second = -1
        self._date = b""
        self._all_gone: list[Deferred[None]] = []
        self._is_draining = False
        self._patience = 0.0
        self.refusals = PreparedRefusals()

    @property
    def connections(self) -> int:
        """:return: how many there are now, also of those that are closing."""
        return len(self._connections)

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:  # type: ignore[override]
        """:return: a connection; whether there is room for one is for the port to see to."""
        return ClientConnection(self)

    def acceptableProtocols(self) -> list[bytes]:
        """:return: what may be spoken over TLS."""
        return [b"http/1.1"]

    def logPrefix(self) -> str:
        """:return: what logs call it."""
        return self.title or super().logPrefix()

    def startFactory(self) -> None:
        """Unlike its base, it writes no log, and needs no timer for one."""

    def stopFactory(self) -> None:
        """Nothing was opened."""

    def log(self, request: Request) -> None:
        """
        Log nothing: the responders' own access log has all that there is to say.

        :param request: one that a resource has answered.
        """

    def responder(self, head: RequestHead) -> IResponder:
        """:return: what answers a request; a responder in the tree does so directly."""
        target = head.target
        if target == b"*":
            return self._asterisk
        resource = root = self.resource
        if isinstance(root, ListenerRoot):
            resource = root.leaf(target.partition(b"?")[0])
        if type(resource) is not ResponderResource:
            return ResourceResponder(self)
        return resource.responder

    def serve(self, resource: IResource) -> None:
        """
        Serve something else; requests under way are not disturbed.

        :param resource: as for the constructor.
        """
        self.resource = resource
        self.refusals = PreparedRefusals()

    def date(self) -> bytes:
        """:return: the present, as an HTTP date; made once a second."""
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._date = datetimeToString(second)
        return self._date

    def connection_made(self, connection: ClientConnection) -> None:
        """
        A connection is there.

        :param connection: known until it is lost; while the listener drains, it is told to
            close as soon as it may.
        """
        self._connections.add(connection)
        self.events.opened()
        if self._is_draining:
            connection.drain(self._patience)

    def connection_lost(self, connection: ClientConnection) -> None:
        """
        A connection is gone; with the last one, what L{drain} has given fires.

        :param connection: harmless where it was not known.
        """
        if connection in self._connections:
            self._connections.remove(connection)
            self.events.ended()
            if self.ended is not None:
                self.ended()
        if not self._connections:
            waiting, self._all_gone = self._all_gone, []
            for gone in waiting:
                gone.callback(None)

    def close_idle(self, most: int) -> int:
        """
        Close idle connections, of which L{trickster.frontend.listening.accepting} needs the
        descriptors.

        :param most: how many to close; those that would be closed first anyway.
        :return: how many are being closed.
        """
        idle = [(until, connection) for connection in self._connections
                if (until := connection.idle_until) is not None]
        idle.sort(key=itemgetter(0))
        for _, connection in idle[:most]:
            connection.close_idle()
        return len(idle[:most])

    def drain(self, patience: float = 0.0) -> Deferred[None]:
        """
        Let running requests end, and close all connections.

        :param patience: seconds for which those without a request are kept: one may be on its way,
            and is answered, as the last of its connection.
        :return: fires when there are none left.
        """
        self._is_draining, self._patience = True, patience
        for connection in list(self._connections):
            connection.drain(patience)
        gone: Deferred[None] = Deferred()
        if self._connections:
            self._all_gone.append(gone)
        else:
            gone.callback(None)
        return gone

    def resume(self) -> None:
        """Connections may stay again."""
        self._is_draining = False

    def abort(self) -> None:
        """Close all connections, also those with a request under way."""
        for connection in list(self._connections):
            connection.abort()
