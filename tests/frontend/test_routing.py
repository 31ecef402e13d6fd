"""Tests for L{trickster.frontend.routing}."""

from __future__ import annotations

from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trickster.errors import Reason, RequestError, RequestTooLarge
from trickster.frontend.refusals import IRefuser
from trickster.frontend.routing import (
    NO_ROUTE,
    BackendRoutes,
    Found,
    RoutedEntry,
    Router,
    RouteTable,
    Unclear,
    WrongMethod,
    host_of,
    readings,
    stripped,
)
from trickster.interfaces import IResponder
from trickster.messages import Octets, Request, Response, octets_of
from trickster.observability.refusals import refusal
from trickster.routes import ALL_METHODS, READ_METHODS, Match
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
    """Answers what another raises, and says for which target."""

    inner: IResponder

    async def respond(self, request: Request) -> Response:
        try:
            return await self.inner.respond(request)
        except RequestError as error:
            response = refusal(error)
            headers = response.headers.with_added((b"X-Target", request.target))
            return evolve(response, headers=headers)


def exact(path: str, *methods: str) -> RoutedEntry:
    return RoutedEntry(path, Match.EXACT, methods or READ_METHODS, Named("=" + path))


def prefix(path: str, *methods: str) -> RoutedEntry:
    return RoutedEntry(path, Match.PREFIX, methods or ALL_METHODS, Named("^" + path))


PROM = BackendRoutes("prom", [
    exact("/api/v1/query", "GET", "POST"),
    exact("/api/v1/delete", "DELETE"),
    prefix("/api/v1/admin", "*"),
    prefix("/api/", "GET"),
    prefix("/"),
], hosts=("prom.example", "[::1]"))
FILES = BackendRoutes("files", [prefix("/")], is_default=True)
BARE = BackendRoutes("bare", [exact("/only")], hosts=["BARE.example:9090"],
                     path_routing_disabled=True)
TABLE = RouteTable.of([PROM, FILES, BARE])


def find(path: bytes, method: bytes = b"GET", host: bytes = b"elsewhere") -> tuple[str, str, int]:
    routed = TABLE.find(method, host, path)
    assert isinstance(routed, Found), routed
    return routed.backend, routed.entry.path, routed.strip


class BackendTests(SynchronousTestCase):
    """Which backend a request is for."""

    def test_first_segment(self) -> None:
        """The first path segment names the backend, and is stripped."""
        self.assertEqual(find(b"/prom/api/v1/query"), ("prom", "/api/v1/query", 5))

    def test_first_segment_alone(self) -> None:
        """The backend's bare name is its root."""
        self.assertEqual(find(b"/prom"), ("prom", "/", 5))

    def test_host(self) -> None:
        """A host names the backend whatever its port and case; nothing is stripped."""
        self.assertEqual(find(b"/api/v1/query", host=b"PROM.example:8480"),
                         ("prom", "/api/v1/query", 0))

    def test_host_final_dot(self) -> None:
        """A fully qualified name is the same host."""
        self.assertEqual(find(b"/x", host=b"prom.example."), ("prom", "/", 0))

    def test_host_ipv6(self) -> None:
        """An address in brackets is compared without them."""
        self.assertEqual(find(b"/x", host=b"[::1]:80"), ("prom", "/", 0))

    def test_host_before_segment(self) -> None:
        """A host that matches goes before a first segment that does."""
        self.assertEqual(find(b"/files/x", host=b"prom.example"), ("prom", "/", 0))

    def test_default(self) -> None:
        """The default backend gets the rest, whole."""
        self.assertEqual(find(b"/promises"), ("files", "/", 0))

    def test_fall_through(self) -> None:
        """Where a host's backend has no such path, the other ways are tried."""
        self.assertEqual(find(b"/prom/x", host=b"bare.example"), ("prom", "/", 5))

    def test_path_routing_disabled(self) -> None:
        """Such a backend cannot be addressed by its name."""
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
        """An entry that does not take the method gives way to another that does."""
        self.assertEqual(find(b"/prom/api/v1/query", b"PUT")[1], "/")

    def test_get_is_head(self) -> None:
        """An entry for GET takes HEAD."""
        self.assertEqual(find(b"/prom/api/x", b"HEAD")[1], "/api/")

    def test_wrong_method(self) -> None:
        """Where no matching entry takes the method, the answer says which would do."""
        self.assertEqual(TABLE.find(b"PUT", b"bare.example", b"/only"),
                         WrongMethod(("GET", "HEAD"), "bare"))

    def test_wrong_method_of_a_named_backend(self) -> None:
        """It is known whose path it is, and where the backend's name in it ends."""
        table = RouteTable.of([BackendRoutes("web", [exact("/only")])])
        self.assertEqual(table.find(b"PUT", b"x", b"/web/only"),
                         WrongMethod(("GET", "HEAD"), "web", 4))

    def test_trace(self) -> None:
        """TRACE is not among "all methods", and they are spelled out."""
        routed = TABLE.find(b"TRACE", b"x", b"/y")
        assert isinstance(routed, WrongMethod)
        self.assertIn("PATCH", routed.allow)
        self.assertNotIn("*", routed.allow)
        table = RouteTable.of([BackendRoutes("a", [prefix("/", "TRACE")], is_default=True)])
        self.assertIsInstance(table.find(b"TRACE", b"x", b"/y"), Found)

    def test_methods_are_case_sensitive(self) -> None:
        """RFC 9110 section 9.1: C{get} is not C{GET}."""
        self.assertEqual(TABLE.find(b"get", b"bare.example", b"/only"),
                         WrongMethod(("GET", "HEAD"), "bare"))


class ReadingTests(SynchronousTestCase):
    """A path that servers read in different ways."""

    def unclear(self, path: bytes) -> None:
        self.assertIsInstance(TABLE.find(b"GET", b"x", path), Unclear, path)

    def test_dot_segments(self) -> None:
        """Dot segments are refused, however they are spelled."""
        for path in (b"/prom/../x", b"/prom/%2e%2e/x", b"/prom/.%2E/x", b"/prom/..", b"/./x",
                     b"/x/..%2fy", b"/x/..%5cy", b"/x/..\\y", b"/prom/%2e"):
            self.unclear(path)

    def test_dots_in_names(self) -> None:
        """Other dots are nothing special."""
        self.assertEqual(find(b"/prom/...")[1], "/")
        self.assertEqual(find(b"/favicon.ico")[0], "files")

    def test_nul(self) -> None:
        """An encoded NUL, at which some servers stop reading, is refused."""
        self.unclear(b"/prom/x%00y")

    def test_encoded_slash_hides_a_path(self) -> None:
        """An encoded slash must not lead around an entry."""
        self.unclear(b"/prom/api%2Fv1%2fadmin/tsdb")
        self.unclear(b"/prom%2Fapi/v1/admin")

    def test_double_slash_hides_a_path(self) -> None:
        """Nor a repeated one."""
        self.unclear(b"/prom//api/v1/admin/tsdb")
        self.unclear(b"//prom/x")

    def test_harmless_slashes(self) -> None:
        """Where all readings lead to one entry, the path passes."""
        self.assertEqual(find(b"/prom/wiki//x%2Fy"), ("prom", "/", 5))

    def test_escapes_are_equal(self) -> None:
        """An escape that need not be one leads to the same entry (RFC 3986 section 6.2.2.2)."""
        self.assertEqual(find(b"/pr%6fm/api/v1/%71uery"), ("prom", "/api/v1/query", 7))

    def test_double_escape(self) -> None:
        """Decoding is done once."""
        self.assertEqual(find(b"/prom/%252e%252e/x"), ("prom", "/", 5))

    def test_broken_escape(self) -> None:
        """A broken escape is what it is: the origin decides."""
        self.assertEqual(find(b"/prom/%zz%2"), ("prom", "/", 5))

    def test_too_long(self) -> None:
        """A path that takes long to decode is not decoded."""
        self.assertEqual(TABLE.find(b"GET", b"x", b"/" + b"%" * 20000),
                         Unclear("the path is too long", 414))

    def test_readings(self) -> None:
        """Slashes kept, all decoded, repeated ones merged."""
        self.assertEqual(readings(b"/a%2fb//%63"), [b"/a%2Fb//c", b"/a/b//c", b"/a/b/c"])

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from(
        ["prom", "api", "v1", "admin", "/", "/", "%2F", "%2f", "..", ".", "%2e", "%61dmin", "x"]
    ), max_size=8))
    def test_never_around_a_rule(self, pieces: list[str]) -> None:
        """Whatever finds a route finds the one that its fully decoded path has."""
        path = ("/" + "".join(pieces)).encode()
        routed = TABLE.find(b"GET", b"x", path)
        if isinstance(routed, Found):
            plain = path.replace(b"%2F", b"/").replace(b"%2f", b"/").replace(b"%61", b"a")
            plain = plain.replace(b"%2e", b".")
            naive = [p for p in plain.split(b"/") if p]
            self.assertNotIn(b"..", naive)
            inner = b"/" + b"/".join(naive[1:])
            is_admin = naive[:1] == [b"prom"] and inner.startswith(b"/api/v1/admin")
            self.assertEqual(routed.entry.path == "/api/v1/admin", is_admin)


class PieceTests(SynchronousTestCase):
    """The small functions."""

    def test_host_of(self) -> None:
        """Neither port nor case nor brackets are part of a host."""
        self.assertEqual([host_of(a) for a in (b"A:1", b"[FE::1]:2", b"", b"b.")],
                         ["a", "fe::1", "", "b"])

    def test_stripped(self) -> None:
        """What is left is in origin form again."""
        self.assertEqual(stripped(b"/prom/x?y", 5), b"/x?y")
        self.assertEqual(stripped(b"/prom?y=/z", 5), b"/?y=/z")
        self.assertEqual(stripped(b"/prom", 5), b"/")


class RouterTests(SynchronousTestCase):
    """L{Router} answers through the responder that it finds."""

    def answer(self, target: bytes, method: bytes = b"GET", host: bytes = b"") -> Response:
        request = Request(method, target, authority=host)
        return at_once(self.router().respond(request))  # type: ignore[no-any-return]

    def router(self) -> Router:
        """:return: one whose refusals name the backend and the path that they are told."""
        self.around: list[tuple[str, str]] = []

        def around(responder: IResponder, backend: str, path: str) -> IResponder:
            self.around.append((backend, path))
            return Caught(responder)

        return Router.of([PROM, BARE], around)

    def test_interface(self) -> None:
        """It is a responder itself."""
        verifyObject(IResponder, self.router())
        verifyObject(IRefuser, self.router())

    def test_target_rewritten(self) -> None:
        """The responder sees the target without the backend's prefix."""
        body = octets_of(self.answer(b"/prom/api/v1/query?query=up").body)
        self.assertEqual(body, b"=/api/v1/query /api/v1/query?query=up")

    def test_query_is_no_path(self) -> None:
        """What the query holds does not matter."""
        body = octets_of(self.answer(b"/prom?a=/../%2e%2e/").body)
        self.assertEqual(body, b"^/ /?a=/../%2e%2e/")

    def test_no_route(self) -> None:
        """404, with the reason."""
        response = self.answer(b"/other")
        self.assertEqual((response.status, response.outcome.reason), (404, Reason.NO_ROUTE))
        self.assertEqual(self.around, [("", "")])

    def test_wrong_method(self) -> None:
        """405, with C{Allow}."""
        response = self.answer(b"/only", b"PUT", b"bare.example")
        self.assertEqual(response.status, 405)
        self.assertEqual(response.headers.get(b"allow"), b"GET, HEAD")
        self.assertEqual(response.outcome.reason, Reason.METHOD_NOT_ALLOWED)
        self.assertEqual(self.around, [("bare", "")])

    def test_refused(self) -> None:
        """A request may be refused as one of its route, whose own responder is not asked."""
        for target, host, around in ((b"/prom/api/x?y", b"", ("prom", "/api/")),
                                     (b"/only", b"bare.example", ("bare", "/only")),
                                     (b"/other", b"", ("", ""))):
            request = Request(b"GET", target, authority=host)
            response = at_once(self.router().refused(request, RequestTooLarge("too large")))
            self.assertEqual(response.status, 413)
            self.assertEqual(self.around, [around])
            path = target.removeprefix(b"/prom")
            self.assertEqual(response.headers.get(b"x-target"), path)

    def test_unclear(self) -> None:
        """400: nothing unclear reaches an origin."""
        response = self.answer(b"/prom/../x")
        self.assertEqual(response.status, 400)
        self.assertEqual(response.outcome.reason, Reason.MALFORMED_REQUEST)

    def test_long_paths(self) -> None:
        """A path too long to be remembered is routed all the same."""
        body = octets_of(self.answer(b"/prom/" + b"x" * 2000).body)
        self.assertEqual(body, b"^/ /" + b"x" * 2000)
