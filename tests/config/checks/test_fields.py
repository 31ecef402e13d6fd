"""Tests of L{trickster.config.checks.fields}, through files."""

from __future__ import annotations

from typing import Any

from tests.config.doubles import CheckCase, loaded, problems_of, with_backend
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

CORS = "cors: {mode: merge, headers: {'a b': c}}"


class NameTests(CheckCase):
    """Header names, by RFC 9110 section 5.1."""

    def test_names(self) -> None:
        """Lists of names of header fields, of a backend and of a path."""
        self.assertTold(with_backend("identity_headers: [X-Team, 'a b']"),
                        "backends.one.identity_headers[1]: 'a b' is not a header name")
        self.assertTold(with_backend("override_headers: ['']"),
                        "backends.one.override_headers[0]: '' is not a header name")
        self.assertTold(with_backend("paths: [{path: /a, cache_key_headers: ['a:']}]"),
                        "backends.one.paths[0].cache_key_headers[0]: 'a:' is not a header name")

    def test_beginnings(self) -> None:
        """An asterisk stands for all that begin so in C{override_headers} alone."""
        self.assertTold(with_backend("override_headers: [X-Team-*, '*']"))
        told = ("'X-Team-*' would stand for one header of that very name; expected the "
                "whole name of each")
        self.assertTold(with_backend("identity_headers: [X-Team-*]"),
                        f"backends.one.identity_headers[0]: {told}")
        self.assertTold(with_backend("paths: [{path: /a, cache_key_headers: [X-Team-*]}]"),
                        f"backends.one.paths[0].cache_key_headers[0]: {told}")

    def test_without_effect_yet(self) -> None:
        """Those of blocks that have no effect yet are checked too."""
        told = "'a b' is not a header name"
        for text, path in (
                (with_backend(CORS), "backends.one.cors.headers.a b"),
                (with_backend(f"paths: [{{path: /a, {CORS}}}]"),
                 "backends.one.paths[0].cors.headers.a b"),
                (with_backend("") + "tracing: {t: {headers: {'a b': c}}}",
                 "tracing.t.headers.a b"),
                (with_backend("") + "rules: {r: {input_source: header, input_key: 'a b', "
                 "next_route: one}}", "rules.r.input_key"),
                (with_backend("") + "request_rewriters: {r: {instructions: "
                 "[[header, set, 'a b', c]]}}", "request_rewriters.r.instructions[0]")):
            self.assertTold(text, f"{path}: {told}")


class ProbeTests(CheckCase):
    """The request and the answer of a health check."""

    def check_probe(self, probe: str, told: str) -> None:
        """Assert what is told of a key of C{healthcheck}."""
        self.assertTold(with_backend(f"healthcheck: {{{probe}}}"),
                        *([f"backends.one.healthcheck.{told}"] if told else []))

    def test_verb(self) -> None:
        """The verb is a method of RFC 9110 section 9.1, in capitals or not."""
        self.check_probe("verb: options", "")
        for odd in ("G T", "GET\\r\\nX: y", "é", "{}"):
            (problem,) = problems_of(with_backend(f'healthcheck: {{verb: "{odd}"}}'))
            self.assertIn("is not a request method; expected one such as GET", problem)

    def test_headers(self) -> None:
        """Names are tokens without a sign, values of one line and without controls."""
        name = "is not a header name"
        for odd in ("a b", "a:", "é", "-A", "+A"):
            for key in ("headers", "expected_headers"):
                self.check_probe(f"{key}: {{'{odd}': c}}", f"{key}.{odd}: '{odd}' {name}")
        for key in ("headers", "expected_headers"):
            self.check_probe(f'{key}: {{A: "b\\r\\nC: d"}}',
                             f"{key}.A: a header value must be one line")
            self.check_probe(f'{key}: {{A: "b\\x07"}}',
                             f"{key}.A: a header value cannot have control characters")
            self.check_probe(f'{key}: {{A: "b\\tc €", "B": ""}}', "")

    def test_made_by_us(self) -> None:
        """Fields of the connection are not sent, but may be expected."""
        self.check_probe("headers: {Host: a}", "headers.Host: Host concerns one connection only, "
                         "and is made by Trickster itself; expected another header")
        self.check_probe("expected_headers: {Connection: close}", "")

    def test_query(self) -> None:
        """A query is one: what is not visible ASCII is percent-encoded."""
        self.check_probe("query: 'a=b&c=%20?'", "")
        for odd in ("a b", "a#b", "é"):
            self.check_probe(f"query: '{odd}'", f"query: '{odd}' is not a query; expected visible "
                             "ASCII without #, all else percent-encoded")

    def test_timeout(self) -> None:
        """A time that no answer keeps is made longer, and that is told."""
        self.check_probe("timeout: 5m", "")
        for timeout in ("0", "0s", "50ms"):
            (notice,) = loaded(with_backend(f"healthcheck: {{timeout: {timeout}}}")).notices
            self.assertIn("backends.one.healthcheck.timeout is taken for 100ms", notice)


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
