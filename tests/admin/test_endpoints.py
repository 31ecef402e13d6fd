"""Tests of C{trickster.admin.endpoints} and of the small answers behind it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.admin.configuration import ConfigurationText
from trickster.admin.endpoints import Endpoints, ReadOnly
from trickster.admin.ping import Ping
from trickster.interfaces import IResponder
from trickster.messages import Request, Response, octets_of, text_response
from trickster.testing.doubles import RecordingResponder, at_once


def _got(responder: IResponder, target: bytes, method: bytes = b"GET") -> Response:
    return at_once(responder.respond(Request(method, target)))  # type: ignore[no-any-return]


class EndpointsTests(SynchronousTestCase):
    """The responder of a path is found."""

    def setUp(self) -> None:
        """Make endpoints that tell where they are."""
        def named(name: str) -> RecordingResponder:
            return RecordingResponder.of(text_response(200, name))
        self.endpoints = Endpoints.of({"/a": named("/a"), "/a/b": named("/a/b")},
                                      {"/a": named("below /a"), "/a/b/c": named("below /a/b/c")})

    def found(self, target: bytes) -> bytes | None:
        """:return: what answers, or None where it is a 404."""
        response = _got(self.endpoints, target)
        return None if response.status == 404 else octets_of(response.body)

    def test_exact(self) -> None:
        """An endpoint of the whole path comes first, with any query."""
        self.assertEqual([self.found(t) for t in (b"/a", b"/a?x=/y", b"/a/b")],
                         [b"/a", b"/a", b"/a/b"])

    def test_below(self) -> None:
        """Without an endpoint of the whole path, the longest one above it answers."""
        self.assertEqual([self.found(t) for t in (b"/a/", b"/a/x/y", b"/a/b/c/d", b"/a/b/c")],
                         [b"below /a", b"below /a", b"below /a/b/c", b"below /a"])

    def test_nothing(self) -> None:
        """A path without an endpoint is a 404 that is not to be stored."""
        self.assertEqual([self.found(t) for t in (b"/", b"", b"*", b"/ab", b"/x/a")], [None] * 5)
        self.assertEqual(_got(self.endpoints, b"/x").headers.get(b"cache-control"), b"no-cache")

    def test_provides(self) -> None:
        """All endpoints provide C{IResponder}."""
        for responder in (self.endpoints, ReadOnly(Ping()), Ping(), ConfigurationText(str)):
            verifyObject(IResponder, responder)


class ReadOnlyTests(SynchronousTestCase):
    """Endpoints that can only be read."""

    def test_reading(self) -> None:
        """GET and HEAD of a read-only endpoint are let through."""
        for method in (b"GET", b"HEAD"):
            self.assertEqual(_got(ReadOnly(Ping()), b"/", method).status, 200)

    def test_others(self) -> None:
        """All other methods, known or not, are a 405 with C{Allow}."""
        for method in (b"POST", b"DELETE", b"OPTIONS", b"get", b"BREW"):
            response = _got(ReadOnly(Ping()), b"/", method)
            self.assertEqual((response.status, response.headers.get(b"allow")),
                             (405, b"GET, HEAD"))


class SmallAnswersTests(SynchronousTestCase):
    """Ping and configuration."""

    def test_ping(self) -> None:
        """Ping answers pong, which no cache should keep."""
        response = _got(Ping(), b"/trickster/ping")
        self.assertEqual((response.status, octets_of(response.body)), (200, b"pong"))
        self.assertEqual(response.headers.get(b"cache-control"), b"no-cache")
        self.assertEqual(response.headers.get(b"content-type"), b"text/plain; charset=utf-8")

    def test_configuration(self) -> None:
        """The configuration is read anew each time."""
        texts = iter(["a: 1\n", "a: 2\n"])
        responder = ConfigurationText(lambda: next(texts))
        self.assertEqual([octets_of(_got(responder, b"/").body) for _ in range(2)],
                         [b"a: 1\n", b"a: 2\n"])
