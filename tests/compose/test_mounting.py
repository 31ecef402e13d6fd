"""Tests of resources of C{twisted.web} that a configuration mounts, as a kind of middleware."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File
from zope.interface import implementer

from trickster.bodies import read_all
from trickster.compose.middlewares import Middlewares
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.frontend.resources import ResourceResponder
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
from trickster.messages import Headers, Request, Response
from trickster.plugins import MIDDLEWARES, Plugins
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.runtime import FakeRuntime


@frozen
class PagesOptions:
    """Where the files are."""

    directory: str = "."


@implementer(IMiddlewareType)
@frozen
class Pages:
    """Static files, as a kind of middleware."""

    name: str = "pages"
    options: type = PagesOptions

    def wrap(self, inner: IResponder, options: PagesOptions, runtime: IRuntime) -> IResponder:
        """See L{IMiddlewareType.wrap}; what is inside gets no request."""
        root = Resource()
        root.putChild(b"files", File(options.directory))
        return ResourceResponder(Site(root))


pages = Pages()


def _found(group: str) -> Sequence[EntryPoint]:
    assert group == MIDDLEWARES
    return [EntryPoint("pages", f"{__name__}:pages", group)]


class MountingTests(SynchronousTestCase):
    """A tree of resources, which a middleware of a plugin mounts."""

    def setUp(self) -> None:
        """Mount a directory with two files."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        Path(directory.name, "small.txt").write_bytes(b"small")
        Path(directory.name, "large.bin").write_bytes(b"x" * 3_000_000)
        options = MiddlewareOptions(kind="pages", plugin=PagesOptions(directory.name))
        self.inner = RecordingResponder()
        self.mounted = Middlewares({"a": options}, Plugins(_found), FakeRuntime()).around(
            self.inner, ["a"])

    def answer(self, target: bytes, *fields: tuple[bytes, bytes], method: bytes = b"GET"
               ) -> tuple[Response, bytes]:
        """:return: the response to a request, and its body."""
        response = at_once(self.mounted.respond(Request(method, target, Headers(fields))))
        return response, bytes(at_once(read_all(response.body, 1 << 23)))

    def test_files(self) -> None:
        """Files of a mounted directory are answered whole, small and large ones."""
        for name, size in ((b"small.txt", 5), (b"large.bin", 3_000_000)):
            response, body = self.answer(b"/files/" + name)
            self.assertEqual((response.status, response.body.length, len(body)),
                             (200, size, size))

    def test_semantics(self) -> None:
        """What resources know of HTTP is kept: ranges, validators, and what is not there."""
        response, body = self.answer(b"/files/small.txt", (b"Range", b"bytes=1-2"))
        self.assertEqual((response.status, body), (206, b"ma"))
        modified = response.headers.get(b"last-modified") or b""
        self.assertEqual(
            self.answer(b"/files/small.txt", (b"If-Modified-Since", modified))[0].status, 304)
        self.assertEqual(self.answer(b"/files/none")[0].status, 404)
        self.assertEqual(self.answer(b"/files/../../etc/passwd")[0].status, 404)

    def test_inner(self) -> None:
        """What such a middleware stands around gets no request."""
        self.answer(b"/files/small.txt")
        self.assertEqual(self.inner.requests, [])
