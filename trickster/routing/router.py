"""Which backend a request goes to, and with what target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from urllib.parse import unquote_to_bytes

from attrs import define, evolve, field, frozen
from zope.interface import implementer

from trickster.errors import RequestError
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Request, Response
from trickster.routing.paths import (
    LONGEST_REMEMBERED,
    NO_ROUTE,
    REMEMBERED_PATHS,
    TOO_LONG,
    BackendPaths,
    Found,
    Routed,
    Unclear,
    WrongMethod,
    dispatched,
    is_too_long,
    refused,
)


@frozen
class BackendRoute:
    """
    How requests get to one backend.

    :ivar name: the first path segment that addresses it, unless C{path_routing_disabled}.
    :ivar hosts: names that address it, without ports, in any case.
    :ivar is_default: whether it gets what nothing else matches.
    :ivar outer: what stands around all its paths, and gets the requests for any; None for
        nothing.
    """

    name: str
    paths: BackendPaths
    hosts: Sequence[str] = ()
    is_default: bool = False
    path_routing_disabled: bool = False
    outer: IResponder | None = field(default=None, eq=False)


def host_of(authority: bytes) -> str:
    """
    :param authority: host and perhaps a port.
    :return: the host alone, in lower case, without brackets and without a final dot.
    """
    text = authority.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


@define
class RouteTable:
    """
    All backends behind a listener.

    A backend is addressed by host, else by the first path segment, else it is the default
    one; the first of these in which some path matches decides.
    """

    _hosts: dict[str, BackendRoute]
    _names: dict[bytes, BackendRoute]
    _default: BackendRoute | None

    @classmethod
    def of(cls, backends: Iterable[BackendRoute]) -> RouteTable:
        """:return: the table; of several that claim one host, the first has it."""
        table = cls({}, {}, None)
        for backend in backends:
            for host in backend.hosts:
                table._hosts.setdefault(host_of(host.encode()), backend)
            if not backend.path_routing_disabled:
                table._names[backend.name.encode()] = backend
            if backend.is_default:
                table._default = backend
        return table

    def find(self, method: bytes, authority: bytes, path: bytes) -> Routed:
        """
        :param authority: as asked for, with or without a port.
        :param path: as on the wire, without the query.
        :return: where the request goes.
        """
        if is_too_long(path):
            return TOO_LONG
        host, verb = host_of(authority), method.decode("latin-1")
        for backend, strip in self._candidates(host, path):
            found = backend.paths.find(path[strip:] or b"/", verb)
            if isinstance(found, Found):
                return evolve(found, strip=strip, outer=backend.outer)
            if isinstance(found, WrongMethod):
                return evolve(found, strip=strip)
            if isinstance(found, Unclear):
                return found
        return NO_ROUTE

    def _candidates(self, host: str, path: bytes) -> Iterator[tuple[BackendRoute, int]]:
        by_host = self._hosts.get(host)
        if by_host is not None:
            yield by_host, 0
        end = _first_segment_end(path)
        by_name = self._names.get(unquote_to_bytes(path[1:end]))
        if by_name is not None:
            yield by_name, end
        if self._default is not None:
            yield self._default, 0


def _first_segment_end(path: bytes) -> int:
    end = path.find(b"/", 1)
    return len(path) if end < 0 else end


Finder = Callable[[bytes, bytes, bytes], Routed]


@implementer(IResponder, IRefuser)
@define(eq=False)
class Router:
    """
    Sends each request to the path of the backend that it is for, with what addresses the
    backend removed.

    Where there is none, a refusal (404, 405 or 400) is raised.
    """

    _find: Finder
    _remembered: Finder

    @classmethod
    def of(cls, backends: Iterable[BackendRoute]) -> Router:
        """:return: a router over these backends."""
        find = partial(RouteTable.find, RouteTable.of(backends))
        return cls(find, lru_cache(REMEMBERED_PATHS)(find))

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        Pass a request on.

        :return: an awaitable of the answer.
        """
        routed = self._routed(request)
        if type(routed) is not Found or routed.strip:
            return dispatched(request, routed)
        # The same without a call, for most requests.
        span = request.span
        if span is not None:
            span.place, span.target = routed.entry.place, request.target
        return routed.responder.respond(request)

    def refused(self, request: Request, error: RequestError) -> Awaitable[Response]:
        """
        See L{IRefuser.refused}.

        :return: an awaitable that raises C{error}, once the request's span has learnt which
            place it was for.
        """
        return refused(request, self._routed(request), error)

    def _routed(self, request: Request) -> Routed:
        path = request.target.partition(b"?")[0]
        authority = request.authority
        is_short = len(path) + len(authority) <= LONGEST_REMEMBERED
        return (self._remembered if is_short else self._find)(request.method, authority, path)
