"""Tests of L{trickster.compose.middlewares}, and of where middlewares stand."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import EntryPoint
from typing import Any

from attrs import evolve, frozen
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.compose.backendcase import BackendCase
from trickster.compose.backends.surroundings import Surroundings
from trickster.compose.middlewares import Middlewares
from trickster.config.options.backends import BackendOptions
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.errors import BrokenPlugin, UnknownPlugin
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
from trickster.messages import Headers, Octets, Request, Response
from trickster.plugins import MIDDLEWARES, Plugins
from trickster.routing.router import Router
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.runtime import FakeRuntime


@frozen
class MarkOptions:
    """What the marks say."""

    mark: str = "x"


@implementer(IResponder)
@frozen
class Marking:
    """Adds a mark to requests, and to answers."""

    inner: IResponder
    mark: bytes

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        headers = request.headers.with_added((b"X-Marks", self.mark))
        response = await self.inner.respond(request.with_headers(headers))
        return response.with_headers(response.headers.with_added((b"X-Marks", self.mark)))


@implementer(IMiddlewareType)
@frozen
class MarkType:
    """Marks as a kind of middleware."""

    name: str = "mark"
    options: type = MarkOptions

    def wrap(self, inner: IResponder, options: MarkOptions, runtime: IRuntime) -> IResponder:
        """See L{IMiddlewareType.wrap}; how often it was called is shared."""
        runtime.shared("mark.wraps", list).append(options.mark)
        return Marking(inner, options.mark.encode())


@implementer(IMiddlewareType)
@frozen
class BrokenType:
    """A kind whose middlewares are no responders."""

    name: str = "broken"
    options: type = MarkOptions

    def wrap(self, inner: IResponder, options: MarkOptions, runtime: IRuntime) -> Any:
        """Give nothing."""


@implementer(IResponder)
@frozen
class Giving:
    """Gives what it is told to."""

    given: Any

    async def respond(self, request: Request) -> Any:
        """See L{IResponder.respond}."""
        return self.given


@implementer(IMiddlewareType)
@frozen
class GivingType:
    """Middlewares that give what is shared."""

    name: str = "giving"
    options: type = MarkOptions

    def wrap(self, inner: IResponder, options: MarkOptions, runtime: IRuntime) -> Any:
        """See L{IMiddlewareType.wrap}."""
        return Giving(runtime.shared("given", object))


mark, broken, giving = MarkType(), BrokenType(), GivingType()


def _found(group: str) -> Sequence[EntryPoint]:
    assert group == MIDDLEWARES
    return [EntryPoint(name, f"{__name__}:{name}", group) for name in ("mark", "broken", "giving")]


def marked(runtime: FakeRuntime) -> Middlewares:
    """:return: middlewares C{a}, C{b} and C{c}, which mark so, and C{broken}."""
    configured = {name: MiddlewareOptions(kind="mark", plugin=MarkOptions(name))
                  for name in ("a", "b", "c")}
    configured["broken"] = MiddlewareOptions(kind="broken", plugin=MarkOptions())
    configured["odd"] = MiddlewareOptions(kind="giving", plugin=MarkOptions())
    configured["unknown"] = MiddlewareOptions(kind="unknown", plugin=MarkOptions())
    return Middlewares(configured, Plugins(_found), runtime)


class MiddlewaresTests(SynchronousTestCase):
    """Middlewares are put around a responder by their names."""

    def test_order(self) -> None:
        """The first middleware is outermost: it sees a request first, and its response last."""
        inner = RecordingResponder()
        around = marked(FakeRuntime()).around(inner, ["a", "b", "c"])
        response = at_once(around.respond(Request(b"GET", b"/")))
        self.assertEqual(inner.requests[0].headers.get_all(b"x-marks"), [b"a", b"b", b"c"])
        self.assertEqual(response.headers.get_all(b"x-marks"), [b"c", b"b", b"a"])

    def test_none(self) -> None:
        """Without middlewares, the responder is the very one."""
        inner = RecordingResponder()
        self.assertIs(marked(FakeRuntime()).around(inner, ()), inner)

    def test_broken(self) -> None:
        """A middleware that gives no responder, or is not installed, is an error with its name."""
        for name, error in (("broken", BrokenPlugin), ("unknown", UnknownPlugin)):
            with self.assertRaises(error) as caught:
                marked(FakeRuntime()).around(RecordingResponder(), [name])
            self.assertIn(name, str(caught.exception))

    def test_answers(self) -> None:
        """What is no answer is a failure that names the middleware, whatever stands around it."""
        bodies = [PausedBody() for _ in range(6)]
        text: Any = (("X-A", "b"),)
        headers: Any = ()
        status: Any = "200"
        body: Any = b"ok"
        for given, told in (
                (None, "NoneType, which is no Response"), ("x", "str, which is no Response"),
                (Response(200, body=body), "a body that is bytes, and no Octets or other IBody"),
                (Response(status, body=bodies[0]), "a status that is no status code"),
                (Response(1000, body=bodies[1]), "a status that is no status code"),
                (Response(200, headers, bodies[2]), "headers that are no Headers"),
                (Response(200, Headers(text), bodies[3]), "no octets, or have line ends"),
                (Response(200, Headers(((b"a", b"b\nc: d"),)), bodies[4]), "line ends in them"),
                (Response(299, body=bodies[5], phrase=b"a\r\nb"), "line ends in them")):
            runtime = FakeRuntime(states={"given": given})
            around = marked(runtime).around(RecordingResponder(), ["a", "odd"])
            error = self.assertRaises(
                BrokenPlugin, at_once, around.respond(Request(b"GET", b"/")))
            self.assertIn("middleware 'odd' is broken: it answers with ", str(error))
            self.assertIn(told, str(error))
        self.assertEqual([body.is_closed for body in bodies], [True] * 6)

    def test_status(self) -> None:
        """A status may be any kind of whole number."""
        runtime = FakeRuntime(states={"given": Response(HTTPStatus.OK)})
        around = marked(runtime).around(RecordingResponder(), ["odd"])
        self.assertEqual(at_once(around.respond(Request(b"GET", b"/"))).status, 200)


class PlacesTests(BackendCase):
    """Where the middlewares of a backend and of its paths are put."""

    def setUp(self) -> None:
        """Have an origin that always answers the same, and something to share."""
        super().setUp()
        self.runtime = FakeRuntime()
        fresh = Headers(((b"Cache-Control", b"max-age=60"),))
        self.web.script = [Response(200, fresh, Octets(b"a")) for _ in range(9)]

    def options(self, provider: str, **said: Any) -> BackendOptions:
        """:return: the options of a file that says so, with the middlewares of L{marked}."""
        names = said.pop("middlewares", [])
        own = {path["path"]: path.pop("middlewares", []) for path in said.get("paths", ())}
        made = super().options(provider, **said)
        return evolve(made, middlewares=tuple(names), paths=tuple(
            evolve(each, middlewares=tuple(own[each.path])) for each in made.paths))

    def around(self) -> Surroundings:
        """:return: what knows those middlewares."""
        return evolve(super().around(), middlewares=marked(self.runtime).around)

    def marks(self, responder: IResponder, path: bytes) -> list[bytes]:
        """:return: the marks of the answer, the outermost first."""
        response = self.ask(responder, Request(b"GET", path, authority=b"h"))
        return response.headers.get_all(b"x-marks")[::-1]

    def test_backend_and_path(self) -> None:
        """A backend's middlewares are around those of a path, and both are around the cache."""
        backend = self.backend("reverseproxycache", middlewares=["a"], paths=[
            {"path": "/x", "handler": "proxycache", "middlewares": ["b", "c"]}])
        router = Router.of([backend.route()])
        for path, marks in ((b"/x", [b"a", b"b", b"c"]), (b"/y", [b"a"])):
            for _ in range(2):
                self.assertEqual(self.marks(backend, path), marks)
                self.assertEqual(self.marks(router, b"/x" + path), marks)
        self.assertEqual([request.target for request in self.web.requests], [b"/x", b"/y"])

    def test_once(self) -> None:
        """A middleware is put around each place once, however many paths there are in it."""
        backend = self.backend("reverseproxycache", middlewares=["a"], paths=[
            {"path": path, "handler": "proxycache", "middlewares": ["b"]} for path in ("/x", "/z")])
        Router.of([backend.route()])
        self.assertEqual(sorted(self.runtime.states["mark.wraps"]), ["a", "b", "b"])

    def test_unclear_path(self) -> None:
        """A path's middlewares are around all its spellings; ambiguous ones are not cached."""
        backend = self.backend("reverseproxycache", paths=[
            {"path": "/x", "match_type": "prefix", "handler": "proxycache",
             "middlewares": ["b"]}])
        for path, requests in ((b"/x/a", 1), (b"/x/a", 1), (b"/x/./a", 2), (b"/x/./a", 3)):
            self.assertEqual(self.marks(backend, path), [b"b"])
            self.assertEqual(len(self.web.requests), requests, path)
