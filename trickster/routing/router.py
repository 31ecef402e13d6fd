"""Which responder a request goes to, and with what target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import chain
from urllib.parse import unquote_to_bytes

from attrs import Factory, define, evolve, field, frozen
from zope.interface import implementer

from trickster.errors import BadRequest, MethodNotAllowed, NotFound, RequestError
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Request, Response
from trickster.routes import Match
from trickster.routing.readings import Readings, readings
from trickster.routing.table import PathTable

_REMEMBERED_PATHS = 1024
_LONGEST_REMEMBERED = 512
# Decoding more takes milliseconds.  Queries may be longer.
_LONGEST_PATH = 16 * 1024
_USUAL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@frozen
class RoutedEntry:
    """
    One path of a backend and what answers it.

    :ivar path: without the backend's prefix.
    :ivar methods: upper case; C{"*"} for all but TRACE.  GET includes HEAD.
    :ivar passing: what answers where a path may be taken for another one: it passes
        requests on, and stores nothing.
    :ivar is_local: whether it keeps requests from the origin: then it answers every path that
        an origin may take for its own.
    """

    path: str
    match: Match
    methods: tuple[str, ...]
    responder: IResponder = field(eq=False)
    passing: IResponder = field(eq=False, kw_only=True, default=Factory(
        lambda self: self.responder, takes_self=True))
    is_local: bool = False


@frozen
class BackendRoutes:
    """
    How requests get to one backend, and what they find there.

    :ivar name: the first path segment that addresses it, unless C{path_routing_disabled}.
    :ivar hosts: names that address it, without ports, in any case.
    :ivar is_default: whether it gets what nothing else matches.
    :ivar is_within: whether all its paths are within one of the origin's, which none may
        lead out of.
    """

    name: str
    entries: Sequence[RoutedEntry]
    hosts: Sequence[str] = ()
    is_default: bool = False
    path_routing_disabled: bool = False
    is_within: bool = False


@frozen
class Found:
    """
    A request has a place to go.

    :ivar strip: how many octets at the start of the target address the backend.
    :ivar is_clear: whether all servers read the path alike; else it is passed on as it is.
    """

    backend: str
    entry: RoutedEntry
    strip: int = 0
    is_clear: bool = True


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
    :ivar is_local: as for L{RoutedEntry}.
    """

    allow: tuple[str, ...]
    backend: str = ""
    strip: int = 0
    is_local: bool = False


@frozen
class Unclear:
    """
    It is unclear where the path leads.

    :ivar detail: what is unclear, for the client.
    """

    detail: str
    status: int = 400


Routed = Found | NoRoute | WrongMethod | Unclear

NO_ROUTE = NoRoute()
_TOO_LONG = Unclear("the path is too long", 414)
_TOO_MANY = Unclear("the path can be read in too many ways")
_OUTSIDE = Unclear("the path leads out of what is served here")


def _takes(entry: RoutedEntry, method: str) -> bool:
    methods = entry.methods
    # TRACE would tell a script what headers its browser sends: only where it is asked for.
    is_any = "*" in methods and method != "TRACE"
    return is_any or method in methods or (method == "HEAD" and "GET" in methods)


def _taking(entries: Iterable[RoutedEntry], method: str) -> RoutedEntry | None:
    return next((entry for entry in entries if _takes(entry, method)), None)


def _allowed(entries: Iterable[RoutedEntry], *more: str) -> tuple[str, ...]:
    methods = {method for entry in entries for method in entry.methods}.union(more)
    if "*" in methods:
        methods = (methods - {"*"}).union(_USUAL_METHODS)
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))


def _path_table(entries: Iterable[RoutedEntry]) -> PathTable[list[RoutedEntry]]:
    """:return: the entries of equal paths, by decoded path."""
    exact: dict[bytes, list[RoutedEntry]] = {}
    prefixes: dict[bytes, list[RoutedEntry]] = {}
    for entry in entries:
        alike = exact if entry.match is Match.EXACT else prefixes
        alike.setdefault(unquote_to_bytes(entry.path), []).append(entry)
    return PathTable.of(exact, prefixes)


@frozen
class _BackendPaths:
    """
    The paths of one backend.

    :ivar name: the backend's.
    """

    name: str
    is_within: bool
    _table: PathTable[list[RoutedEntry]]

    @classmethod
    def of(cls, backend: BackendRoutes) -> _BackendPaths:
        return cls(backend.name, backend.is_within, _path_table(backend.entries))

    def find(self, path: bytes, method: str) -> RoutedEntry | NoRoute | WrongMethod:
        """
        :return: an entry of the best path; others do not matter, even if they take the method.
            Only preflights go to any entry that takes them, since origins decide about
            what scripts may do.
        """
        groups = list(self._table.matching(path))
        if not groups:
            return NO_ROUTE
        best = groups[0]
        found = _taking(best, method)
        if found is not None:
            return found
        is_local = any(entry.is_local for entry in best)
        preflight = None if is_local else _taking(chain.from_iterable(groups), "OPTIONS")
        if preflight is None:
            return WrongMethod(_allowed(best), self.name, is_local=is_local)
        if method == "OPTIONS":
            return preflight
        return WrongMethod(_allowed(best, "OPTIONS"), self.name)

    def find_any(self, read: Readings, method: str) -> Found | NoRoute | WrongMethod | Unclear:
        """
        :param read: what an origin may take the path for.
        :return: where it leads by its first reading; but what is kept from the origin is so
            in every reading.
        """
        if self.is_within and read.climbs:
            return _OUTSIDE
        first, *others = [self.find(path, method) for path in read.paths]
        if isinstance(first, NoRoute):
            return first
        for one in (first, *others):
            if isinstance(one, RoutedEntry) and one.is_local:
                return Found(self.name, one)
            if isinstance(one, WrongMethod) and one.is_local:
                return one
        if isinstance(first, WrongMethod):
            return first
        is_clear = not read.is_odd and all(other is first for other in others)
        return Found(self.name, first, is_clear=is_clear)


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

    _hosts: dict[str, _BackendPaths]
    _names: dict[bytes, _BackendPaths]
    _default: _BackendPaths | None

    @classmethod
    def of(cls, backends: Iterable[BackendRoutes]) -> RouteTable:
        """:return: the table; of several that claim one host, the first has it."""
        table = cls({}, {}, None)
        for backend in backends:
            paths = _BackendPaths.of(backend)
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
        host, verb = host_of(authority), method.decode("latin-1")
        for table, strip in self._candidates(host, path):
            read = readings(path[strip:] or b"/")
            if read is None:
                return _TOO_MANY
            found = table.find_any(read, verb)
            if isinstance(found, Found | WrongMethod) and strip:
                return evolve(found, strip=strip)
            if type(found) is not NoRoute:
                return found
        return NO_ROUTE

    def _candidates(self, host: str, path: bytes) -> Iterable[tuple[_BackendPaths, int]]:
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
        entry = routed.entry
        return (entry.responder if routed.is_clear else entry.passing).respond(request)

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
