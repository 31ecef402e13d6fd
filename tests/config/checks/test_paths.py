"""Tests of C{trickster.config.checks.paths}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import CheckCase, PrometheusLike, routes, told_by, with_backend
from trickster.config.checks.paths import check_paths, check_routes
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions


class PathCheckTests(SynchronousTestCase):
    """Entries of C{paths}, without a file."""

    def problems(self, *entries: dict[str, Any]) -> list[str]:
        """:return: what is wrong with a backend that has these entries."""
        backend = BackendOptions(
            provider="prometheus", origin_type="prometheus", origin_url="http://a",
            paths=tuple(PathOptions(**entry) for entry in entries))
        known = routes("prometheus", PrometheusLike())
        return [*told_by(check_paths, "b", backend), *told_by(check_routes, "b", backend, known)]

    def test_good(self) -> None:
        """An entry for a path of the origin type is fine."""
        self.assertEqual(self.problems({"path": "/api/v1/query", "handler": "query"}), [])

    def test_path(self) -> None:
        """An entry has a path, which begins with a slash and has no query."""
        for path in ("", "x", "/x?y", "/x y", "/x#y"):
            [told] = self.problems({"path": path})
            self.assertTrue(told.startswith("b.paths[0].path: "), told)

    def test_status(self) -> None:
        """An interim status is refused for a static response (RFC 9110 section 15.2)."""
        [told] = self.problems({"path": "/x", "handler": "localresponse", "response_code": 101})
        self.assertIn("101 is not the status code of an answer", told)

    def test_handler(self) -> None:
        """A handler that the origin type does not have is refused, with a near name."""
        [told] = self.problems({"path": "/x", "handler": "query_rnage"})
        self.assertIn("query_rnage", told)
        self.assertIn("did you mean", told)

    def test_clash(self) -> None:
        """An entry for a method and path that another entry has is refused."""
        [told] = self.problems({"path": "/x", "methods": ("GET", "POST")},
                               {"path": "/x", "methods": ("POST",)})
        self.assertEqual(told, "b.paths[1]: POST /x is said by b.paths[0] already")

    def test_contradiction(self) -> None:
        """An entry that both asks for progressive forwarding and declines it is refused."""
        [told] = self.problems({"path": "/x", "handler": "proxycache",
                                "collapsed_forwarding": "basic",
                                "progressive_collapsed_forwarding": True})
        self.assertIn("contradicts collapsed_forwarding: basic", told)


class FileTests(CheckCase):
    """Entries of paths, in a file."""

    def test_path(self) -> None:
        """An entry has a path, which begins with a slash and has no query."""
        self.assertTold(
            with_backend("paths: [{handler: proxy}, {path: x}, {path: '/a?b'}]"),
            "backends.one.paths[0].path: is missing; expected one such as /api/v1/query",
            "backends.one.paths[1].path: 'x' is not a path; expected one that begins with / "
            "and has no query",
            "backends.one.paths[2].path: '/a?b' is not a path; expected one that begins with / "
            "and has no query")

    def test_handler(self) -> None:
        """Handlers are the general ones and those of the origin type."""
        self.assertTold(
            with_backend("paths: {a: {path: /a, handler: query_range}, "
                         "b: {path: /b, handler: localresponse}, "
                         "c: {path: /c, handler: proxycach}}"),
            "backends.one.paths.c.handler: 'proxycach' is not known here; expected one of "
            "delta, health, localresponse, proxy, proxycache, query, query_range; "
            "did you mean 'proxycache'?")

    def test_methods(self) -> None:
        """Methods are tokens, in capitals."""
        told = "is not a request method; expected one such as GET, in capitals, or *"
        self.assertTold(
            with_backend("paths: [{path: /, methods: ['*', PURGE, get, 'A B']}]"),
            f"backends.one.paths[0].methods[2]: 'get' {told}",
            f"backends.one.paths[0].methods[3]: 'A B' {told}")

    def test_headers(self) -> None:
        """Headers that would split a message in two are refused."""
        self.assertTold(
            with_backend('paths: [{path: /, response_headers: {+X-A: b, -X-B: "", "a b": c, '
                         '"": d}, request_headers: {X: "a\\r\\nY: b"}}]'),
            "backends.one.paths[0].response_headers.a b: 'a b' is not a header name",
            "backends.one.paths[0].response_headers.: '' is not a header name",
            "backends.one.paths[0].request_headers.X: a header value must be one line")

    def test_clash(self) -> None:
        """Two entries with the same path and match type may not share a method."""
        self.assertTold(
            with_backend("paths: [{path: /a}, {path: /a, methods: [POST]}, "
                         "{path: /a, match_type: prefix}, {path: /a, methods: [HEAD]}]"),
            "backends.one.paths[3]: HEAD /a is said by backends.one.paths[0] already")

    def test_progressive(self) -> None:
        """The two keys for progressive forwarding may not contradict each other."""
        self.assertTold(
            with_backend("paths: [{path: /, collapsed_forwarding: basic, "
                         "progressive_collapsed_forwarding: true}]"),
            "backends.one.paths[0].progressive_collapsed_forwarding: contradicts "
            "collapsed_forwarding: basic; keep one of them")

    def test_status_of_local_answers(self) -> None:
        """The status of a localresponse is that of a final response (RFC 9110 section 15)."""
        for code in (0, 200, 204, 599):
            self.assertTold(with_backend(
                f"paths: [{{path: /, handler: localresponse, response_code: {code}}}]"))
        for code in (1, 99, 101, 199):
            self.assertTold(
                with_backend(f"paths: [{{path: /, handler: localresponse, response_code: {code}}}]"),
                f"backends.one.paths[0].response_code: {code} is not the status code of an "
                "answer; expected one from 200 to 599")
