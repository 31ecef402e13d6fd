"""Tests of L{trickster.config.checkcaching}, through files."""

from __future__ import annotations

from tests.config.doubles import with_backend
from tests.config.test_check import CheckCase

NO_EFFECT = "has no effect here: no answer of this backend is given to more than one client"
NOT_CACHED = "has no effect here: the path is not cached"


class IdentityTests(CheckCase):
    """C{identity_headers} and C{override_headers}."""

    def test_names(self) -> None:
        """They are names of header fields, as those of a path are."""
        self.assertTold(with_backend("identity_headers: [X-Team, 'a b']"),
                        "backends.one.identity_headers[1]: 'a b' is not a header name")
        self.assertTold(with_backend("override_headers: ['']"),
                        "backends.one.override_headers[0]: '' is not a header name")
        self.assertTold(with_backend("paths: [{path: /a, cache_key_headers: ['a:']}]"),
                        "backends.one.paths[0].cache_key_headers[0]: 'a:' is not a header name")

    def test_effective(self) -> None:
        """Any list does where answers are shared, none at all too."""
        for keys in ("identity_headers: []", "override_headers: [X-Team]",
                     "identity_headers: [x-team]"):
            self.assertTold(with_backend(keys))
        for path in ("{path: /a, handler: proxycache}",
                     "{path: /a, collapsed_forwarding: progressive}"):
            self.assertTold("backends: {a: {provider: reverseproxy, origin_url: 'http://a', "
                            f"identity_headers: [], paths: [{path}]}}}}")

    def test_not_effective(self) -> None:
        """Where no answer is shared they are refused."""
        for key in ("identity_headers", "override_headers"):
            for backend in ("provider: reverseproxy, origin_url: 'http://a'",
                            "provider: prometheus, origin_url: 'http://a', proxy_only: true"):
                self.assertTold(f"backends: {{a: {{{backend}, {key}: []}}}}",
                                f"backends.a.{key}: {NO_EFFECT}")


class CookieTests(CheckCase):
    """C{cache_set_cookie}."""

    def test_effective(self) -> None:
        """It is for paths that are cached."""
        self.assertTold(with_backend("paths: [{path: /a, handler: proxycache, "
                                     "cache_set_cookie: true}, {path: /api/v1/query, "
                                     "cache_set_cookie: true}]"))

    def test_not_effective(self) -> None:
        """On others it is refused."""
        for handler in ("proxy", "localresponse"):
            self.assertTold(
                with_backend(f"paths: [{{path: /a, handler: {handler}, cache_set_cookie: true}}]"),
                f"backends.one.paths[0].cache_set_cookie: {NOT_CACHED}")
        self.assertTold("backends: {a: {provider: reverseproxy, origin_url: 'http://a', paths: "
                        "[{path: /a, cache_set_cookie: false}]}}",
                        f"backends.a.paths[0].cache_set_cookie: {NOT_CACHED}")
