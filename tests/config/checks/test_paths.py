"""Tests of C{trickster.config.checks.paths}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import PrometheusLike, routes
from trickster.config.checks.paths import check_paths, check_routes
from trickster.config.document.problems import Problems
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
from trickster.errors import ConfigurationError


class PathCheckTests(SynchronousTestCase):
    """Entries of C{paths}, without a file."""

    def problems(self, *entries: dict[str, Any]) -> list[str]:
        """:return: what is wrong with a backend that has these entries."""
        backend = BackendOptions(
            provider="prometheus", origin_type="prometheus", origin_url="http://a",
            paths=tuple(PathOptions(**entry) for entry in entries))
        problems = Problems()
        check_paths("b", backend, problems)
        check_routes("b", backend, routes("prometheus", PrometheusLike()), problems)
        try:
            problems.raise_any()
        except ConfigurationError as error:
            return [line.removeprefix("configuration: ") for line in error.problems]
        return []

    def test_good(self) -> None:
        """An entry for a path of the origin type is fine."""
        self.assertEqual(self.problems({"path": "/api/v1/query", "handler": "query"}), [])

    def test_path(self) -> None:
        """A path is there, begins with a slash and has no query."""
        for path in ("", "x", "/x?y", "/x y", "/x#y"):
            [told] = self.problems({"path": path})
            self.assertTrue(told.startswith("b.paths[0].path: "), told)

    def test_status(self) -> None:
        """An interim status is none of an answer (RFC 9110 section 15.2)."""
        [told] = self.problems({"path": "/x", "handler": "localresponse", "response_code": 101})
        self.assertIn("101 is not the status code of an answer", told)

    def test_handler(self) -> None:
        """A handler that the origin type does not have is told, with the one that is meant."""
        [told] = self.problems({"path": "/x", "handler": "query_rnage"})
        self.assertIn("query_rnage", told)
        self.assertIn("did you mean", told)

    def test_clash(self) -> None:
        """One method of one path is said once."""
        [told] = self.problems({"path": "/x", "methods": ("GET", "POST")},
                               {"path": "/x", "methods": ("POST",)})
        self.assertEqual(told, "b.paths[1]: POST /x is said by b.paths[0] already")

    def test_contradiction(self) -> None:
        """Progressive forwarding is asked for, or not."""
        [told] = self.problems({"path": "/x", "handler": "proxycache",
                                "collapsed_forwarding": "basic",
                                "progressive_collapsed_forwarding": True})
        self.assertIn("contradicts collapsed_forwarding: basic", told)
