"""The paths of one backend, and which of them a request is for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from urllib.parse import unquote_to_bytes

from attrs import Factory, define, evolve, field, frozen
from zope.interface import implementer

from trickster.errors import BadRequest, MethodNotAllowed, NotFound, RequestError
from trickster.interfaces import IResponder
from trickster.messages import Request, Response
from trickster.routes import Match
from trickster.routing.readings import Readings, readings
from trickster.routing.table import PathTable
from trickster.spans import NOWHERE, Place

REMEMBERED_PATHS = 1024
# Without the bound, hostile clients could make the memory of what is remembered large.
LONGEST_REMEMBERED = 512
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
    :ivar place: what observers are told of its requests.
    :ivar refusing: what they are told of requests that it has no part in answering.
    """

    path: str
    match: Match
    methods: tuple[str, ...]
    responder: IResponder = field(eq=False, repr=False)
    passing: IResponder = field(eq=False, repr=False, kw_only=True, default=Factory(
        lambda self: self.responder, takes_self=True))
    is_local: bool = False
    place: Place = field(default=NOWHERE, eq=False, kw_only=True)
    refusing: Place = field(init=False, eq=False, default=Factory(
        lambda self: evolve(self.place, in_frontend=True, has_forms=False), takes_self=True))


@frozen
class Found:
    """
    A request has a place to go.

    :ivar strip: how many octets at the start of the target address the backend.
    :ivar is_clear: whether all servers read the path alike; else it is passed on as it is.
    :ivar outer: what stands around all paths of the backend; None for nothing.
    :ivar responder: what answers: that, or what the entry has for such a path.
    """

    entry: RoutedEntry
    strip: int = 0
    is_clear: bool = True
    outer: IResponder | None = field(default=None, eq=False, repr=False)
    responder: IResponder = field(init=False, eq=False, repr=False)

    @responder.default
    def _chosen(self) -> IResponder:
        if self.outer is not None:
            return self.outer
        return self.entry.responder if self.is_clear else self.entry.passing


@frozen
class NoRoute:
    """Nothing matches the path."""


@frozen
class WrongMethod:
    """
    Paths match, but none of them takes the method (RFC 9110 section 15.5.6).

    :ivar allow: the methods that would do, sorted.
    :ivar place: the backend whose paths they are.
    :ivar strip: how many octets at the start of the target address the backend.
    :ivar is_local: as for L{RoutedEntry}.
    """

    allow: tuple[str, ...]
    place: Place = field(default=NOWHERE, eq=False)
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
TOO_LONG = Unclear("the path is too long", 414)
_TOO_MANY = Unclear("the path can be read in too many ways")
_OUTSIDE = Unclear("the path leads out of what is served here")


def is_too_long(path: bytes) -> bool:
    """:return: whether looking a path up would take too long."""
    return len(path) > _LONGEST_PATH


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


@implementer(IResponder)
@frozen(eq=False)
class ByClarity:
    """
    Stands for both responders of a path where something has to be around them as one.

    :ivar clear: answers where all servers read the path alike.
    :ivar passing: answers where they do not.
    :ivar is_clear: tells which it is of a request.
    """

    clear: IResponder
    passing: IResponder
    is_clear: Callable[[Request], bool]

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: as the one of the two that the request is for.
        """
        return (self.clear if self.is_clear(request) else self.passing).respond(request)


@frozen(eq=False)
class PathLookup:
    """
    Which path of a backend a request is for.

    :ivar place: the backend as a whole, without any path.
    :ivar is_within: whether all its paths are within one of the origin's, which none may
        lead out of.
    """

    place: Place
    is_within: bool
    _table: PathTable[list[RoutedEntry]] = field(repr=False)

    def find(self, path: bytes, method: str) -> Routed:
        """
        :param path: as the backend knows it, and as on the wire, without the query.
        :return: where the request goes.
        """
        if is_too_long(path):
            return TOO_LONG
        read = readings(path)
        if read is None:
            return _TOO_MANY
        if self.is_within and read.climbs:
            return _OUTSIDE
        return _found_in_all([self._find_once(one, method) for one in read.paths], read)

    def _find_once(self, path: bytes, method: str) -> RoutedEntry | NoRoute | WrongMethod:
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
            return WrongMethod(_allowed(best), self.place, is_local=is_local)
        if method == "OPTIONS":
            return preflight
        return WrongMethod(_allowed(best, "OPTIONS"), self.place)


def _found_in_all(found: Sequence[RoutedEntry | NoRoute | WrongMethod], read: Readings
                  ) -> Routed:
    """
    :param found: where each reading of a path leads.
    :return: where the first one does; but what is kept from the origin is so in every reading.
    """
    first, *others = found
    if isinstance(first, NoRoute):
        return first
    for one in found:
        if isinstance(one, RoutedEntry) and one.is_local:
            return Found(one)
        if isinstance(one, WrongMethod) and one.is_local:
            return one
    if isinstance(first, WrongMethod):
        return first
    return Found(first, is_clear=not read.is_odd and all(other is first for other in others))


@implementer(IResponder)
@define(eq=False)
class BackendPaths:
    """Sends requests to the responders of the paths of one backend."""

    _lookup: PathLookup
    _remembered: Callable[[bytes, str], Routed] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._remembered = lru_cache(REMEMBERED_PATHS)(self._lookup.find)

    @classmethod
    def of(cls, place: Place, entries: Sequence[RoutedEntry], is_within: bool = False
           ) -> BackendPaths:
        """
        :param place: the backend as a whole, without any path.
        :param is_within: as for L{PathLookup}.
        :return: a responder for these paths; of equal ones the first wins.
        """
        return cls(PathLookup(place, is_within, _path_table(entries)))

    @property
    def place(self) -> Place:
        """:return: the backend as a whole, for requests that none of its paths takes."""
        return self._lookup.place

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        Pass a request on to the responder of its path.

        :return: an awaitable of the answer; where no path takes it, as of L{dispatched}.
        """
        path, method = request.path, request.method.decode("latin-1")
        find = self._remembered if len(path) <= LONGEST_REMEMBERED else self.find
        return dispatched(request, find(path, method))

    def find(self, path: bytes, method: str) -> Routed:
        """
        See L{PathLookup.find}.

        :return: where the request goes; looked up anew, and not remembered.
        """
        return self._lookup.find(path, method)


def stripped(target: bytes, strip: int) -> bytes:
    """
    :param target: path and query.
    :param strip: how many octets go from its start.
    :return: what is left, in origin form.
    """
    rest = target[strip:]
    return rest if rest[:1] == b"/" else b"/" + rest


def dispatched(request: Request, routed: Routed) -> Awaitable[Response]:
    """
    Have a request answered where it was found to go, as the backend there knows it.

    :param request: its span learns where that is.
    :return: an awaitable of the answer; where there is no such place, it raises a
        L{RequestError} (404, 405, or 400 and 414 for paths that are not clear).
    """
    if type(routed) is not Found:
        return refused(request, routed, _refusal(routed))
    if routed.strip:
        request = request.with_target(stripped(request.target, routed.strip))
    entry, span = routed.entry, request.span
    if span is not None:
        span.place = entry.place
        span.target = request.target
    return routed.responder.respond(request)


async def refused(request: Request, routed: Routed, error: RequestError) -> Response:
    """
    Answer nothing where a request would have gone, and say why.

    :param request: its body is closed, and its span learns where it would have gone.
    :raises RequestError: C{error}, in any case.
    """
    request.body.close()
    span = request.span
    if span is not None and isinstance(routed, Found | WrongMethod):
        span.place = routed.entry.refusing if isinstance(routed, Found) else routed.place
        strip = routed.strip
        span.target = stripped(request.target, strip) if strip else request.target
    raise error


def _refusal(routed: Routed) -> RequestError:
    if isinstance(routed, WrongMethod):
        return MethodNotAllowed(routed.allow)
    if isinstance(routed, Unclear):
        return BadRequest(routed.detail, status=routed.status)
    return NotFound("not found")
