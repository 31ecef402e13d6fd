"""Tests of L{trickster.config.checks.fields}."""

from __future__ import annotations

from typing import Any

from tests.config.doubles import CheckCase, with_backend
from trickster.config.checks.fields import (
    check_changes,
    check_expected,
    check_fields,
    check_method,
    check_methods,
    check_name,
    check_names,
    check_patterns,
)
from trickster.config.document.problems import Problems


class NameTests(CheckCase):
    """Header names, by RFC 9110 section 5.1."""

    def test_names(self) -> None:
        """Lists of names of header fields are checked, of a backend and of a path."""
        self.assertTold(with_backend("identity_headers: [X-Team, 'a b']"),
                        "backends.one.identity_headers[1]: 'a b' is not a header name")
        self.assertTold(with_backend("override_headers: ['']"),
                        "backends.one.override_headers[0]: '' is not a header name")
        self.assertTold(with_backend("paths: [{path: /a, cache_key_headers: ['a:']}]"),
                        "backends.one.paths[0].cache_key_headers[0]: 'a:' is not a header name")

    def test_beginnings(self) -> None:
        """A trailing asterisk stands for any rest of a name in C{override_headers} alone."""
        self.assertTold(with_backend("override_headers: [X-Team-*, '*']"))
        told = ("'X-Team-*' would stand for one header of that very name; expected the "
                "whole name of each")
        self.assertTold(with_backend("identity_headers: [X-Team-*]"),
                        f"backends.one.identity_headers[0]: {told}")
        self.assertTold(with_backend("paths: [{path: /a, cache_key_headers: [X-Team-*]}]"),
                        f"backends.one.paths[0].cache_key_headers[0]: {told}")


class FieldTests(CheckCase):
    """Methods, names and values, without a file."""

    def is_bad(self, check: Any, value: Any) -> bool:
        """:return: whether a check finds a problem."""
        problems = Problems()
        check("x", value, problems)
        return bool(problems)

    def test_methods(self) -> None:
        """A method of a list is in capitals or an asterisk; one alone is in any case."""
        self.assertFalse(self.is_bad(check_methods, ("GET", "*", "M-SEARCH")))
        for method in ("get", "", "G T"):
            self.assertTrue(self.is_bad(check_methods, (method,)), method)
        self.assertFalse(self.is_bad(check_method, "get") or self.is_bad(check_method, None))
        self.assertTrue(self.is_bad(check_method, "g t"))

    def test_names(self) -> None:
        """A name is a token (RFC 9110 section 5.1); an asterisk stands for more in patterns."""
        self.assertFalse(self.is_bad(check_name, "X-A"))
        self.assertTrue(self.is_bad(check_name, "X A"))
        self.assertTrue(self.is_bad(check_names, ("X-*",)))
        self.assertFalse(self.is_bad(check_patterns, ("X-*", "Y")))

    def test_values(self) -> None:
        """A value is one line without controls, save tabs (RFC 9110 section 5.5)."""
        for check in (check_fields, check_expected, check_changes):
            self.assertFalse(self.is_bad(check, {"A": "b\tc", "B": "\xe4"}))
            for value in ("a\nb", "a\rb", "a\0b", "a\x01b"):
                self.assertTrue(self.is_bad(check, {"A": value}), repr(value))

    def test_made_by_proxy(self) -> None:
        """Fields about one connection are not for the configuration; comparing is harmless."""
        for check, expected in ((check_fields, True), (check_changes, True),
                                (check_expected, False)):
            self.assertIs(self.is_bad(check, {"Transfer-Encoding": "chunked"}), expected)

    def test_signs(self) -> None:
        """A change may add and remove; what is sent or compared cannot."""
        self.assertFalse(self.is_bad(check_changes, {"+A": "b", "-C": ""}))
        self.assertTrue(self.is_bad(check_expected, {"+A": "b"}))
