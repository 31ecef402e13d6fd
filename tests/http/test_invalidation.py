"""What requests that change things make invalid."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import fields
from trickster.http.invalidation import NOWHERE_ELSE, Place, invalidated
from trickster.messages import Request, Response


def targets(method: bytes = b"POST", status: int = 200, place: Place = NOWHERE_ELSE,
            **headers: str) -> list[bytes]:
    """:return: what is invalid after a request for C{/d/x?q} at C{a.example}."""
    request = Request(method, b"/d/x?q", authority=b"a.example")
    return list(invalidated(request, Response(status, fields(**headers)), place))


class RequestTests(SynchronousTestCase):
    """The target of an unsafe request is invalidated."""

    def test_methods(self) -> None:
        """All methods but safe ones invalidate, also unknown ones (RFC 9111 section 4.4)."""
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"FOO", b"get"):
            self.assertEqual(targets(method), [b"/d/x?q"])
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND"):
            self.assertEqual(targets(method), [])

    def test_statuses(self) -> None:
        """An unsafe request invalidates only where its answer is no error."""
        self.assertEqual([s for s in (200, 204, 302, 399, 400, 404, 500) if targets(status=s)],
                         [200, 204, 302, 399])


class NamedTests(SynchronousTestCase):
    """Targets that Location and Content-Location name are invalidated as well."""

    place = Place(b"10.0.0.1:8080", b"/app")

    def test_as_clients_see_it(self) -> None:
        """A named target is absolute or relative, in any case, with any spelling of its port."""
        for value in ("/y", "http://a.example/y", "HTTP://A.EXAMPLE:80/y", "../y", "//a.example/y",
                      "https://a.example/y", "https://a.example:443/y"):
            self.assertEqual(targets(Location=value), [b"/d/x?q", b"/y"], value)
        self.assertEqual(targets(Content_Location="y?a=1#f"), [b"/d/x?q", b"/d/y?a=1"])
        self.assertEqual(targets(Location="http://a.example"), [b"/d/x?q", b"/"])

    def test_as_the_origin_sees_it(self) -> None:
        """A target by the origin's own host is invalidated below the backend's path."""
        for value in ("http://10.0.0.1:8080/app/y", "//10.0.0.1:8080/app/y"):
            self.assertEqual(targets(Location=value, place=self.place), [b"/d/x?q", b"/y"])
        self.assertEqual(targets(Location="/app/y?b", place=self.place),
                         [b"/d/x?q", b"/app/y?b", b"/y?b"])
        self.assertEqual(targets(Location="http://10.0.0.1:8080/app?b", place=self.place),
                         [b"/d/x?q", b"/?b"])

    def test_elsewhere(self) -> None:
        """Targets of other origins, or of no part of what is cached here, are not invalidated."""
        for value in ("http://b.example/y", "http://a.example:81/y", "ftp://a.example/y",
                      "http://10.0.0.1/app/y", "http://10.0.0.1:8080/apply",
                      "http://10.0.0.1:8080/y", "http://[/y", "/\xe9", "mailto:a@a.example"):
            self.assertEqual(targets(Location=value, place=self.place), [b"/d/x?q"], value)

    def test_once(self) -> None:
        """Each target is named once."""
        self.assertEqual(targets(Location="/d/x?q", Content_Location="/d/x?q"), [b"/d/x?q"])
