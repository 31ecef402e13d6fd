"""Which responder a request goes to, and with what target."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache, partial
from urllib.parse import unquote_to_bytes

from attrs import Factory, define, evolve, field, frozen
from zope.interface import implementer

from trickster.errors import BadRequest, MethodNotAllowed, NotFound, RequestError
from trickster.frontend.refusals import IRefuser
from trickster.interfaces import IResponder
from trickster.messages import Request, Response
from trickster.routes import Match

_REMEMBERED_PATHS = 1024
_LONGEST_REMEMBERED = 512
# Decoding more takes milliseconds.  Queries may be longer.
_LONGEST_PATH = 16 * 1024
_USUAL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SLASHES = re.compile(rb"//+")
_SEPARATORS = re.compile(rb"[/\\]")
_ENCODED_SLASH = re.compile(rb"%2[fF]")


@frozen
class RoutedEntry:
    """
    One path of a backend and what answers it.

    :ivar path: without the backend's prefix.
    :ivar methods: upper case; C{"*"} for all but TRACE.  GET includes HEAD.
    """

    path: str
    match: Match
    methods: tuple[str, ...]
    responder: IResponder = field(eq=False)


@frozen
class BackendRoutes:
    """
    How requests get to one backend, and what they find there.

    :ivar name: the first path segment that addresses it, unless C{path_routing_disabled}.
    :ivar hosts: names that address it, without ports, in any case.
    :ivar is_default: whether it gets what nothing else matches.
    """

    name: str
    entries: Sequence[RoutedEntry]
    hosts: Sequence[str] = ()
    is_default: bool = False
    path_routing_disabled: bool = False


@frozen
class Found:
    """
    A request has a place to go.

    :ivar strip: how many octets at the start of the target address the backend.
    """

    backend: str
    entry: RoutedEntry
    strip: int = 0


@frozen
class NoRoute:
    """Nothing matches the path."""


@frozen
class WrongMethod:
    """
    Paths match, but none of them takes the method (RFC 9110 section 15.5.6).

    :ivar allow: the methods that would do, sorted.
    :ivar backend: whose paths they are.
    :ivar strip: how many octets at the start of the target address the backend.
    """

    allow: tuple[str, ...]
    backend: str = ""
    strip: int = 0


@frozen
class Unclear:
    """
    Receivers may read the path in different ways that lead to different places.

    :ivar detail: what is unclear, for the client.
    """

    detail: str
    status: int = 400


Routed = Found | NoRoute | WrongMethod | Unclear

NO_ROUTE = NoRoute()
_DOT_SEGMENTS = Unclear("dot segments in the path")
_NUL = Unclear("an encoded NUL in the path")
_TOO_LONG = Unclear("the path is too long", 414)
_DIFFERENT_PLACES = Unclear("encoded or repeated slashes make the path ambiguous")


def _takes(entry: RoutedEntry, method: str) -> bool:
    methods = entry.methods
    # TRACE would tell a script what headers its browser sends: only where it is asked for.
    is_any = "*" in methods and method != "TRACE"
    return is_any or method in methods or (method == "HEAD" and "GET" in methods)


def _allowed(entries: Iterable[RoutedEntry]) -> tuple[str, ...]:
    methods = {method for entry in entries for method in entry.methods}
    if "*" in methods:
        methods = (methods - {"*"}).union(_USUAL_METHODS)
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))


@define
class _PathTable:
    """The entries of one backend, by decoded path."""

    _exact: dict[bytes, list[RoutedEntry]] = Factory(dict)
    _prefixes: list[tuple[bytes, RoutedEntry]] = Factory(list)

    @classmethod
    def of(cls, entries: Iterable[RoutedEntry]) -> _PathTable:
        table = cls()
        for entry in entries:
            path = unquote_to_bytes(entry.path)
            if entry.match is Match.EXACT:
                table._exact.setdefault(path, []).append(entry)
            else:
                table._prefixes.append((path, entry))
        # The sort is stable: of equal prefixes, the one named first stays first.
        table._prefixes.sort(key=lambda pair: -len(pair[0]))
        return table

    def matching(self, path: bytes) -> list[RoutedEntry]:
        """:return: the best first: exact ones, then from the longest prefix down."""
        longer = [entry for prefix, entry in self._prefixes if path.startswith(prefix)]
        return [*self._exact.get(path, ()), *longer]

    def find(self, path: bytes, method: str) -> RoutedEntry | NoRoute | WrongMethod:
        matching = self.matching(path)
        if not matching:
            return NO_ROUTE
        for entry in matching:
            if _takes(entry, method):
                return entry
        return WrongMethod(_allowed(matching))


def host_of(authority: bytes) -> str:
    """
    :param authority: host and perhaps a port.
    :return: the host alone, in lower case, without brackets and without a final dot.
    """
    text = authority.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


def _trouble(decoded: bytes) -> Unclear | None:
    if b"\0" in decoded:
        return _NUL
    if b"." in decoded and not {b".", b".."}.isdisjoint(_SEPARATORS.split(decoded)):
        return _DOT_SEGMENTS
    return None


def readings(path: bytes) -> list[bytes]:
    """
    :param path: as on the wire.
    :return: the paths that different servers may take it for: escaped slashes kept, all
        decoded, repeated slashes merged.  The first is the one to go by.
    """
    if b"%" not in path and b"//" not in path:
        return [path]
    whole = unquote_to_bytes(path)
    pieces = _ENCODED_SLASH.split(path)
    kept = whole if len(pieces) == 1 else b"%2F".join(map(unquote_to_bytes, pieces))
    return [kept, whole, _SLASHES.sub(b"/", whole)]


@define
class RouteTable:
    """
    All backends behind a listener.

    A backend is addressed by host, else by the first path segment, else it is the default
    one; the first of these in which some path matches decides.
    """

    _hosts: dict[str, tuple[str, _PathTable]]
    _names: dict[bytes, tuple[str, _PathTable]]
    _default: tuple[str, _PathTable] | None

    @classmethod
    def of(cls, backends: Iterable[BackendRoutes]) -> RouteTable:
        """:return: the table; of several that claim one host, the first has it."""
        table = cls({}, {}, None)
        for backend in backends:
            paths = (backend.name, _PathTable.of(backend.entries))
            for host in backend.hosts:
                table._hosts.setdefault(host_of(host.encode()), paths)
            if not backend.path_routing_disabled:
                table._names[backend.name.encode()] = paths
            if backend.is_default:
                table._default = paths
        return table

    def find(self, method: bytes, authority: bytes, path: bytes) -> Routed:
        """
        :param authority: as asked for, with or without a port.
        :param path: as on the wire, without the query.
        :return: where the request goes.
        """
        if len(path) > _LONGEST_PATH:
            return _TOO_LONG
        found = readings(path)
        trouble = _trouble(found[-1])
        if trouble is not None:
            return trouble
        host, verb = host_of(authority), method.decode("latin-1")
        routed, *others = [self._find(host, verb, reading) for reading in found]
        if any(other != routed for other in others):
            return _DIFFERENT_PLACES
        if type(routed) is Found and routed.strip:
            return Found(routed.backend, routed.entry, _first_segment_end(path))
        if type(routed) is WrongMethod and routed.strip:
            return evolve(routed, strip=_first_segment_end(path))
        return routed

    def _find(self, host: str, method: str, path: bytes) -> Routed:
        for (name, table), inner, strip in self._candidates(host, path):
            result = table.find(inner, method)
            if type(result) is RoutedEntry:
                return Found(name, result, strip)
            if type(result) is WrongMethod:
                return WrongMethod(result.allow, name, strip)
        return NO_ROUTE

    def _candidates(self, host: str, path: bytes) -> \
            Iterable[tuple[tuple[str, _PathTable], bytes, int]]:
        by_host = self._hosts.get(host)
        if by_host is not None:
            yield by_host, path, 0
        end = _first_segment_end(path)
        by_name = self._names.get(path[1:end])
        if by_name is not None:
            # Not the length: readings of one path must compare equal.
            yield by_name, path[end:] or b"/", 1
        if self._default is not None:
            yield self._default, path, 0


def _first_segment_end(path: bytes) -> int:
    end = path.find(b"/", 1)
    return len(path) if end < 0 else end


def stripped(target: bytes, strip: int) -> bytes:
    """
    :param target: path and query.
    :param strip: how many octets go from its start.
    :return: what is left, in origin form.
    """
    rest = target[strip:]
    return rest if rest[:1] == b"/" else b"/" + rest


@implementer(IResponder)
@frozen
class _Failing:
    """Answers nothing, and says why."""

    error: RequestError

    async def respond(self, request: Request) -> Response:
        request.body.close()
        raise self.error


def _refusal(routed: Routed) -> RequestError:
    if type(routed) is WrongMethod:
        return MethodNotAllowed(routed.allow)
    if type(routed) is Unclear:
        return BadRequest(routed.detail, status=routed.status)
    return NotFound("not found")


Finder = Callable[[bytes, bytes, bytes], Routed]


Around = Callable[[IResponder, str, str], IResponder]


@implementer(IResponder, IRefuser)
@define
class Router:
    """
    Sends each request to the responder of its route, with the backend's prefix removed.

    Where there is none, a refusal (404, 405 or 400) is raised by a responder that is observed
    as those of the routes are.

    :ivar _around: put around the responder of a refusal, whose backend and path it is told;
        empty where there are none.
    """

    _find: Finder
    _remembered: Finder
    _around: Around

    @classmethod
    def of(cls, backends: Iterable[BackendRoutes], around: Around) -> Router:
        """
        :param around: put around the responders of refusals; what these raise, it answers.
        :return: a router over these backends.
        """
        find = partial(RouteTable.find, RouteTable.of(backends))
        return cls(find, lru_cache(_REMEMBERED_PATHS)(find), around)

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        Pass a request on.

        :return: an awaitable of the answer.
        """
        routed = self._routed(request)
        if type(routed) is not Found:
            return self._refused(request, routed, _refusal(routed))
        if routed.strip:
            request = _with_target(request, stripped(request.target, routed.strip))
        return routed.entry.responder.respond(request)

    def refused(self, request: Request, error: RequestError) -> Awaitable[Response]:
        """See L{IRefuser.refused}."""
        return self._refused(request, self._routed(request), error)

    def _routed(self, request: Request) -> Routed:
        path = request.target.partition(b"?")[0]
        authority = request.authority
        # Without the bound, hostile clients could make the lookups' memory large.
        is_short = len(path) + len(authority) <= _LONGEST_REMEMBERED
        return (self._remembered if is_short else self._find)(request.method, authority, path)

    def _refused(self, request: Request, routed: Routed,
                 error: RequestError) -> Awaitable[Response]:
        path = routed.entry.path if type(routed) is Found else ""
        backend, strip = "", 0
        if type(routed) is Found or type(routed) is WrongMethod:
            backend, strip = routed.backend, routed.strip
        if strip:
            request = _with_target(request, stripped(request.target, strip))
        return self._around(_Failing(error), backend, path).respond(request)


def _with_target(request: Request, target: bytes) -> Request:
    # attrs.evolve does the same at four times the cost.
    return Request(request.method, target, request.headers, request.body, request.authority,
                   request.peer, request.version, request.interim)
