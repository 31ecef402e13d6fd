"""Tests for L{trickster.routing.router} and L{trickster.routing.paths}."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trickster.errors import Reason, RequestError, RequestTooLarge
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Octets, Request, Response, octets_of
from trickster.observability.refusals import refusal
from trickster.routes import ALL_METHODS, READ_METHODS, Match
from trickster.routing.paths import (
    NO_ROUTE,
    BackendPaths,
    Found,
    RoutedEntry,
    Unclear,
    WrongMethod,
    stripped,
)
from trickster.routing.router import BackendRoute, Router, RouteTable, host_of
from trickster.spans import Place, Span
from trickster.testing.doubles import at_once


@implementer(IResponder)
class Named:
    """Answers with its name and the target it got."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def respond(self, request: Request) -> Response:
        return Response(200, body=Octets(self.name.encode() + b" " + request.target))


@implementer(IResponder)
@frozen
class Caught:
    """Answers what another raises."""

    inner: IResponder

    async def respond(self, request: Request) -> Response:
        try:
            return await self.inner.respond(request)
        except RequestError as error:
            return refusal(error)


def exact(path: str, *methods: str) -> RoutedEntry:
    return RoutedEntry(path, Match.EXACT, methods or READ_METHODS, Named("=" + path))


def prefix(path: str, *methods: str) -> RoutedEntry:
    return RoutedEntry(path, Match.PREFIX, methods or ALL_METHODS, Named("^" + path))


def backend(name: str, entries: Sequence[RoutedEntry], is_within: bool = False,
            **addressed: Any) -> BackendRoute:
    """:return: a backend with these paths, each of which has a place of its own."""
    placed = [evolve(entry, place=Place(name, "", entry.path)) for entry in entries]
    return BackendRoute(name, BackendPaths.of(Place(name), placed, is_within), **addressed)


PROM = backend("prom", [
    exact("/api/v1/query", "GET", "POST"),
    exact("/api/v1/delete", "DELETE"),
    RoutedEntry("/api/v1/admin", Match.PREFIX, ("*",), Named("^/api/v1/admin"), is_local=True),
    prefix("/api/", "GET"),
    prefix("/"),
], hosts=("prom.example", "[::1]"))
FILES = backend("files", [prefix("/")], is_default=True)
BARE = backend("bare", [exact("/only")], hosts=["BARE.example:9090"],
                     path_routing_disabled=True)
TABLE = RouteTable.of([PROM, FILES, BARE])


def find(path: bytes, method: bytes = b"GET", host: bytes = b"elsewhere") -> tuple[str, str, int]:
    routed = TABLE.find(method, host, path)
    assert isinstance(routed, Found), routed
    return routed.entry.place.backend, routed.entry.path, routed.strip


class BackendTests(SynchronousTestCase):
    """Which backend a request is for."""

    def test_first_segment(self) -> None:
        """The first path segment names the backend, and is stripped."""
        self.assertEqual(find(b"/prom/api/v1/query"), ("prom", "/api/v1/query", 5))

    def test_first_segment_alone(self) -> None:
        """The backend's bare name is its root."""
        self.assertEqual(find(b"/prom"), ("prom", "/", 5))

    def test_host(self) -> None:
        """A host names the backend, with any port and in either case; nothing is stripped."""
        self.assertEqual(find(b"/api/v1/query", host=b"PROM.example:8480"),
                         ("prom", "/api/v1/query", 0))

    def test_host_final_dot(self) -> None:
        """A host with a final dot is the same host."""
        self.assertEqual(find(b"/x", host=b"prom.example."), ("prom", "/", 0))

    def test_host_ipv6(self) -> None:
        """An IPv6 address is compared without its brackets."""
        self.assertEqual(find(b"/x", host=b"[::1]:80"), ("prom", "/", 0))

    def test_host_before_segment(self) -> None:
        """A host that matches goes before a first segment that does."""
        self.assertEqual(find(b"/files/x", host=b"prom.example"), ("prom", "/", 0))

    def test_default(self) -> None:
        """The default backend gets all other paths, whole."""
        self.assertEqual(find(b"/promises"), ("files", "/", 0))

    def test_fall_through(self) -> None:
        """Where a host's backend has no such path, the other ways are tried."""
        self.assertEqual(find(b"/prom/x", host=b"bare.example"), ("prom", "/", 5))

    def test_path_routing_disabled(self) -> None:
        """A backend with path routing disabled cannot be addressed by its name."""
        self.assertEqual(find(b"/bare/only"), ("files", "/", 0))

    def test_none(self) -> None:
        """Without a default backend, other paths lead nowhere."""
        self.assertEqual(RouteTable.of([PROM]).find(b"GET", b"x", b"/y"), NO_ROUTE)


class PathTests(SynchronousTestCase):
    """Which entry of a backend a request is for."""

    def test_exact_before_prefix(self) -> None:
        """An exact path goes before any prefix."""
        self.assertEqual(find(b"/prom/api/v1/query")[1], "/api/v1/query")

    def test_longest_prefix(self) -> None:
        """The longest prefix wins."""
        self.assertEqual(find(b"/prom/api/v1/admin/tsdb")[1], "/api/v1/admin")
        self.assertEqual(find(b"/prom/api/x")[1], "/api/")

    def test_method_elsewhere(self) -> None:
        """A path that is there takes its own methods only, even if a shorter one would take more."""
        self.assertEqual(TABLE.find(b"PUT", b"x", b"/prom/api/v1/query"),
                         WrongMethod(("GET", "HEAD", "OPTIONS", "POST"), "prom", 5))
        self.assertEqual(TABLE.find(b"POST", b"x", b"/prom/api/x"),
                         WrongMethod(("GET", "HEAD", "OPTIONS"), "prom", 5))

    def test_methods_of_one_path(self) -> None:
        """Entries of one path take methods together."""
        table = RouteTable.of([backend("a", [
            exact("/x", "GET"), exact("/x", "PUT"), prefix("/x", "POST"), prefix("/")],
            is_default=True)])
        self.assertEqual(table.find(b"POST", b"", b"/x"), WrongMethod(("GET", "HEAD", "OPTIONS", "PUT"), "a"))
        self.assertIsInstance(table.find(b"PUT", b"", b"/x"), Found)
        self.assertEqual(table.find(b"PUT", b"", b"/xy"), WrongMethod(("OPTIONS", "POST"), "a"))

    def test_preflight(self) -> None:
        """A preflight request is for the origin to answer."""
        self.assertEqual(find(b"/prom/api/v1/query", b"OPTIONS")[1], "/")
        self.assertEqual(TABLE.find(b"OPTIONS", b"bare.example", b"/only"),
                         WrongMethod(("GET", "HEAD"), "bare"))

    def test_local(self) -> None:
        """A static response is a 405 for all other methods, preflights too, in any spelling."""
        blocked = RoutedEntry("/x", Match.PREFIX, ("GET",), Named("x"), is_local=True)
        table = RouteTable.of([backend("z", [blocked, prefix("/")], is_default=True)])
        for path in (b"/x", b"//x", b"/a/../x", b"/%78"):
            for method in (b"PUT", b"OPTIONS", b"TRACE", b"FOO"):
                self.assertEqual(table.find(method, b"", path),
                                 WrongMethod(("GET", "HEAD"), "z", is_local=True))

    def test_get_is_head(self) -> None:
        """An entry for GET takes HEAD."""
        self.assertEqual(find(b"/prom/api/x", b"HEAD")[1], "/api/")

    def test_wrong_method(self) -> None:
        """Where no matching entry takes the method, the answer says which would do."""
        self.assertEqual(TABLE.find(b"PUT", b"bare.example", b"/only"),
                         WrongMethod(("GET", "HEAD"), "bare"))

    def test_wrong_method_of_a_named_backend(self) -> None:
        """A wrong method of a named backend is known with the backend, and where its name ends."""
        table = RouteTable.of([backend("web", [exact("/only")])])
        self.assertEqual(table.find(b"PUT", b"x", b"/web/only"),
                         WrongMethod(("GET", "HEAD"), "web", 4))

    def test_trace(self) -> None:
        """TRACE is not among the methods of an asterisk, which Allow spells out."""
        routed = TABLE.find(b"TRACE", b"x", b"/y")
        assert isinstance(routed, WrongMethod)
        self.assertIn("PATCH", routed.allow)
        self.assertNotIn("*", routed.allow)
        table = RouteTable.of([backend("a", [prefix("/", "TRACE")], is_default=True)])
        self.assertIsInstance(table.find(b"TRACE", b"x", b"/y"), Found)

    def test_methods_are_case_sensitive(self) -> None:
        """Methods are case-sensitive: C{get} is not C{GET} (RFC 9110 section 9.1)."""
        self.assertEqual(TABLE.find(b"get", b"bare.example", b"/only"),
                         WrongMethod(("GET", "HEAD"), "bare"))


class ReadingTests(SynchronousTestCase):
    """A path that servers read in different ways."""

    def passed(self, path: bytes, entry: str = "/", strip: int = 5) -> None:
        """It is passed on as it is, uncached."""
        routed = TABLE.find(b"GET", b"x", path)
        assert isinstance(routed, Found), (path, routed)
        self.assertEqual((routed.entry.path, routed.strip, routed.is_clear), (entry, strip, False),
                         path)

    def test_dot_segments(self) -> None:
        """Dot segments are for the origin to resolve, however they are spelled."""
        for path in (b"/prom/../x", b"/prom/%2e%2e/x", b"/prom/.%2E/x", b"/prom/..", b"/prom/./x",
                     b"/prom/x/..%2fy", b"/prom/x/..%5cy", b"/prom/x/..\\y", b"/prom/%2e"):
            self.passed(path)
        self.passed(b"/./x", strip=0)

    def test_dots_in_names(self) -> None:
        """Dots in names are no dot segments."""
        for path in (b"/prom/...", b"/prom/.well-known/x", b"/prom/..x"):
            routed = TABLE.find(b"GET", b"x", path)
            assert isinstance(routed, Found)
            self.assertTrue(routed.is_clear)
        self.assertEqual(find(b"/favicon.ico")[0], "files")

    def test_nul(self) -> None:
        """An encoded NUL, at which some servers stop reading, makes no key."""
        self.passed(b"/prom/x%00y")

    def test_double_slash(self) -> None:
        """A path that is cached under one spelling is passed through under another."""
        self.passed(b"/prom//api/v1/query")
        self.passed(b"/prom/api//v1/query", "/api/")
        self.passed(b"/prom/api%2fv1/query")
        self.passed(b"/prom/api/v1/%2571uery", "/api/")

    def test_first_segment(self) -> None:
        """A path whose first segment is empty, or no plain name, is for the default backend."""
        for path in (b"//prom/x", b"/prom%2Fapi/v1/admin", b"/x/../prom/api/v1/admin"):
            routed = TABLE.find(b"GET", b"x", path)
            assert isinstance(routed, Found)
            self.assertEqual((routed.entry.place.backend, routed.strip), ("files", 0))

    def test_never_to_what_is_blocked(self) -> None:
        """A path that is kept from the origin is so in every spelling that one may take for it."""
        for path in (
                b"/api%2Fv1%2fadmin/tsdb", b"//api/v1/admin/tsdb", b"/api/v1/./admin",
                b"/api/v1/%61dmin", b"/x/../api/v1/admin/tsdb/delete_series", b"/%2e%2e/api/v1/admin",
                b"/../api/v1/admin", b"/api/v1/%2e/admin", b"/api\\v1\\admin", b"/api%5Cv1/admin",
                b"/api;a=b/v1;/admin", b"/api/v1/x/%2e%2e%2fadmin", b"/api/v1/%2561dmin",
                b"/api//x/../v1/admin", b"/x//../../api/v1//admin", b"/api/v1/admin%00",
                b"/api/v1/admin%2f..%2Fadmin", b"/api%3bx/v1/admin", b"/.//api/v1/admin"):
            for method in (b"GET", b"POST", b"DELETE", b"PURGE"):
                routed = TABLE.find(method, b"x", b"/prom" + path)
                assert isinstance(routed, Found), path
                self.assertEqual(routed.entry.path, "/api/v1/admin", path)
                self.assertEqual(TABLE.find(method, b"prom.example", path), Found(
                    routed.entry), path)

    def test_never_out_of_a_prefix(self) -> None:
        """Where an origin has a prefix, no path leads out of it."""
        table = RouteTable.of([backend("a", [prefix("/")], is_within=True, is_default=True)])
        for path in (b"/../x", b"/%2e%2e/x", b"/x/../../y", b"/a/../x", b"/x/..%2f..%2fy",
                     b"/x/%252e%252e/%252e%252e", b"/..\\x", b"/..;/x"):
            self.assertIsInstance(table.find(b"GET", b"x", path), Unclear, path)
        for path in (b"/x/../y", b"/x//y", b"/x/./y"):
            self.assertIsInstance(table.find(b"GET", b"x", path), Found, path)

    def test_harmless_slashes(self) -> None:
        """A path whose readings all lead to one entry is unambiguous."""
        self.assertEqual(find(b"/prom/wiki//x%2Fy"), ("prom", "/", 5))

    def test_escapes_are_equal(self) -> None:
        """An escape that need not be one leads to the same entry (RFC 3986 section 6.2.2.2)."""
        self.assertEqual(find(b"/pr%6fm/api/v1/%71uery"), ("prom", "/api/v1/query", 7))

    def test_broken_escape(self) -> None:
        """A broken escape is left as it is for the origin to judge."""
        self.assertEqual(find(b"/prom/%zz%2"), ("prom", "/", 5))

    def test_too_long(self) -> None:
        """A path that takes long to decode is not decoded."""
        self.assertEqual(TABLE.find(b"GET", b"x", b"/" + b"%" * 20000),
                         Unclear("the path is too long", 414))

    def test_too_many_readings(self) -> None:
        """A path that no client can mean is not decoded."""
        for path in (b"/%" + b"25" * 60 + b"2e", b"/" + b"/.;a\\%2f" * 1700,
                     b"/" + b";%2500//..\\%255c%2e%252e" * 20):
            self.assertIsInstance(TABLE.find(b"GET", b"x", path), Unclear)
        self.assertEqual(find(b"/prom/%25252525252525"), ("prom", "/", 5))
        self.assertEqual(find(b"/prom/" + b"%C3%B6" * 2000), ("prom", "/", 5))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from(
        ["api", "v1", "admin", "/", "/", "%2F", "%252f", "..", ".", "%2e", "%61dmin", "x", "\\", ";",
         "%5C", "%00"]
    ), max_size=9))
    def test_never_around_a_rule(self, pieces: list[str]) -> None:
        """A path that reaches the origin leads to no other entry by any server's reading."""
        path = ("/" + "".join(pieces)).encode()
        routed = TABLE.find(b"GET", b"prom.example", path)
        if isinstance(routed, Found) and not routed.entry.is_local:
            for server in SERVERS:
                self.assertFalse(server(path).startswith(b"/api/v1/admin"), server)


def go(path: bytes) -> bytes:
    """How Go's C{ServeMux} reads a path: decoded, then cleaned."""
    return posixpath.normpath(b"/" + unquote_to_bytes(path).lstrip(b"/"))


def nginx(path: bytes) -> bytes:
    """nginx decodes, merges slashes, and resolves dot segments."""
    return posixpath.normpath(re.sub(b"/+", b"/", unquote_to_bytes(path)))


def victoria(path: bytes) -> bytes:
    """VictoriaMetrics decodes, and merges slashes."""
    return unquote_to_bytes(path).replace(b"//", b"/")


def windows(path: bytes) -> bytes:
    """Some take backslashes for slashes."""
    return nginx(unquote_to_bytes(path).replace(b"\\", b"/"))


def java(path: bytes) -> bytes:
    """Servlets leave out parameters, then decode."""
    return nginx(re.sub(rb";[^/]*", b"", path))


def twice(path: bytes) -> bytes:
    """Two servers in a row decode twice."""
    return nginx(unquote_to_bytes(path))


SERVERS = (go, nginx, victoria, windows, java, twice)


class PieceTests(SynchronousTestCase):
    """Functions on hosts and targets."""

    def test_host_of(self) -> None:
        """Port, case and brackets are no part of a host."""
        self.assertEqual([host_of(a) for a in (b"A:1", b"[FE::1]:2", b"", b"b.")],
                         ["a", "fe::1", "", "b"])

    def test_stripped(self) -> None:
        """A target whose backend's name is removed is in origin form."""
        self.assertEqual(stripped(b"/prom/x?y", 5), b"/x?y")
        self.assertEqual(stripped(b"/prom?y=/z", 5), b"/?y=/z")
        self.assertEqual(stripped(b"/prom", 5), b"/")


class RouterTests(SynchronousTestCase):
    """L{Router} answers through the responder that it finds."""

    def setUp(self) -> None:
        """Make the router, and the span of a request."""
        self.router, self.span = Router.of([PROM, BARE]), Span()

    def answer(self, target: bytes, method: bytes = b"GET", host: bytes = b"") -> Response:
        request = Request(method, target, authority=host, span=self.span)
        return at_once(Caught(self.router).respond(request))  # type: ignore[no-any-return]

    def placed(self) -> tuple[str, str]:
        """:return: the backend and the path that observers are told."""
        return self.span.place.backend, self.span.place.path

    def test_interface(self) -> None:
        """A router provides C{IResponder}, and so do the paths of a backend."""
        verifyObject(IResponder, self.router)
        verifyObject(IRefuser, self.router)
        verifyObject(IResponder, PROM.paths)

    def test_target_rewritten(self) -> None:
        """The responder sees the target without the backend's prefix."""
        body = octets_of(self.answer(b"/prom/api/v1/query?query=up").body)
        self.assertEqual(body, b"=/api/v1/query /api/v1/query?query=up")
        self.assertEqual(self.placed(), ("prom", "/api/v1/query"))
        self.assertEqual(self.span.target, b"/api/v1/query?query=up")

    def test_query_is_no_path(self) -> None:
        """What the query holds does not matter."""
        body = octets_of(self.answer(b"/prom?a=/../%2e%2e/").body)
        self.assertEqual(body, b"^/ /?a=/../%2e%2e/")

    def test_no_route(self) -> None:
        """A path without a route is a 404, with the reason."""
        response = self.answer(b"/other")
        self.assertEqual((response.status, response.outcome.reason), (404, Reason.NO_ROUTE))
        self.assertEqual(self.placed(), ("", ""))

    def test_wrong_method(self) -> None:
        """A method that no entry takes is a 405, with C{Allow}."""
        response = self.answer(b"/only", b"PUT", b"bare.example")
        self.assertEqual(response.status, 405)
        self.assertEqual(response.headers.get(b"allow"), b"GET, HEAD")
        self.assertEqual(response.outcome.reason, Reason.METHOD_NOT_ALLOWED)
        self.assertEqual(self.placed(), ("bare", ""))

    def test_refused(self) -> None:
        """A request may be refused as one of its route, whose own responder is not asked."""
        for target, host, around in ((b"/prom/api/x?y", b"", ("prom", "/api/")),
                                     (b"/only", b"bare.example", ("bare", "/only")),
                                     (b"/other", b"", ("", ""))):
            self.span = Span()
            request = Request(b"GET", target, authority=host, span=self.span)
            refused = ensureDeferred(self.router.refused(request, RequestTooLarge("too large")))
            self.failureResultOf(refused, RequestTooLarge)
            self.assertEqual(self.placed(), around)
            self.assertEqual(self.span.target or target, target.removeprefix(b"/prom"))

    def test_unclear(self) -> None:
        """A path that can mean nothing sensible is a 400."""
        response = self.answer(b"/prom/" + b"%" + b"25" * 60 + b"2e")
        self.assertEqual(response.status, 400)
        self.assertEqual(response.outcome.reason, Reason.MALFORMED_REQUEST)

    def test_passing(self) -> None:
        """An ambiguous path goes unchanged to the responder that stores nothing."""
        entry = RoutedEntry("/", Match.PREFIX, ALL_METHODS, Named("caching"),
                            passing=Named("passing"))
        router = Router.of([backend("a", [entry, exact("/x")], is_default=True)])
        for target, body in ((b"/y?a=//", b"caching /y?a=//"), (b"//x?a", b"passing //x?a"),
                             (b"/a/b/../x", b"passing /b/../x")):
            response = at_once(router.respond(Request(b"GET", target)))
            self.assertEqual(octets_of(response.body), body)

    def test_long_paths(self) -> None:
        """A path too long to be remembered is routed all the same."""
        body = octets_of(self.answer(b"/prom/" + b"x" * 2000).body)
        self.assertEqual(body, b"^/ /" + b"x" * 2000)
