"""Tests of L{trickster.config.notices}."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded, problems_of, with_backend
from trickster.config.document.problems import Place, Problems
from trickster.config.document.settings import keys_of
from trickster.config.notices import (
    ALLOW_VARIABLE,
    allows_ineffective,
    refuse_exposed,
    refuse_masked,
    unprotected,
)
from trickster.config.options.model import Configuration
from trickster.config.reference import blocks_within

_STAFF = "authenticators: {staff: {provider: basic, users: {joe: x}}}\n"
_REWRITER = "request_rewriters: {r: {instructions: [[header, delete, Cookie]]}}\n"

# A file for every key that protects something and has no effect yet.
GUARDING = {
    "backends.<name>.authenticator_name": with_backend("authenticator_name: staff") + _STAFF,
    "backends.<name>.paths[].authenticator_name": with_backend(
        "paths: [{path: /a, authenticator_name: staff}]") + _STAFF,
    "backends.<name>.require_tls": with_backend("require_tls: true"),
    "backends.<name>.tls.full_chain_cert_path": with_backend(
        "tls: {full_chain_cert_path: /c, private_key_path: /k}"),
    "backends.<name>.tls.private_key_path": with_backend(
        "tls: {full_chain_cert_path: /c, private_key_path: /k}"),
    "listeners.<name>.tls_port": ONE + "listeners: {default: {tls_port: 8443}}",
    "listeners.<name>.tls_address": ONE + "listeners: {default: {tls_address: '::'}}",
    "main.config_include_directory": ONE + "main: {config_include_directory: more}",
    "backends.<name>.sigv4": with_backend("sigv4: {}"),
    "backends.<name>.cors": with_backend("cors: {mode: disable}"),
    "backends.<name>.paths[].cors": with_backend("paths: [{path: /a, cors: {}}]"),
    "backends.<name>.req_rewriter_name": with_backend("req_rewriter_name: r") + _REWRITER,
    "backends.<name>.paths[].req_rewriter_name": with_backend(
        "paths: [{path: /a, req_rewriter_name: r}]") + _REWRITER,
}

# Keys without effect that protect nothing by themselves: an authenticator protects where a
# backend names it, pools and rules are not served at all, the rest is about how things are kept,
# shown or measured.
HARMLESS = {
    "": {"tracing", "rules", "request_rewriters", "authenticators"},
    "mgmt": {"pprof_listener", "reload_handler_path",
             "reload_drain_timeout", "reload_rate_limit", "auto_reload_interval"},
    "backends.<name>": {"max_capture_bytes", "max_fanout_capture_bytes", "latency_min",
                        "latency_max", "replica_group", "tracing_name", "rule_name", "alb"},
}


def _without_effect() -> Iterator[tuple[str, Any]]:
    """:return: path and key, of all that have no effect, but for what is within such a block."""
    skipped: list[str] = []
    for block, options in [("", Configuration), *blocks_within("", Configuration)]:
        for key in keys_of(options):
            path = f"{block}.{key.name}".lstrip(".")
            if any(path.startswith(f"{outer}{mark}") for outer in skipped for mark in ".[<"):
                continue
            if not key.facts.effective:
                skipped.append(path)
                yield path, key


class GuardingTests(SynchronousTestCase):
    """Keys that ought to protect something, and have no effect yet."""

    def test_all_are_sorted(self) -> None:
        """Every key without effect is known to protect something, or to protect nothing."""
        for path, key in _without_effect():
            block, _, name = path.rpartition(".")
            if key.facts.exposes is None:
                self.assertIn(name, HARMLESS.get(block, ()), path)
            else:
                self.assertIn(path, GUARDING)

    def test_refused(self) -> None:
        """Each guarding key without effect is refused at its place, with what is exposed."""
        for path, text in GUARDING.items():
            name = path.rpartition(".")[2]
            line = next(line for line in problems_of(text) if f".{name}: " in line)
            self.assertRegex(line, r"^t\.yaml:\d+:\d+: ")
            self.assertIn("is not yet effective in this release: ", line)
            self.assertIn("-allow-ineffective-security", line)

    def test_allowed(self) -> None:
        """A flag or variable lets guarding keys pass; a notice says what is exposed, and where."""
        for path, text in GUARDING.items():
            name = path.rpartition(".")[2]
            for said in (loaded(text, allowed=True),
                         loaded(text, {"TRK_ALLOW_INEFFECTIVE_SECURITY": "true"})):
                self.assertTrue(any(re.match(rf"NOT PROTECTED: t\.yaml:\d+:\d+: .*{name} ", line)
                                    for line in said.unprotected), path)

    def test_variable(self) -> None:
        """The variable is true or false; false is like a variable that is not set."""
        text = GUARDING["backends.<name>.require_tls"]
        for value in ("true", "1", "t", "T", "yes", " on "):
            allowing = {"TRK_ALLOW_INEFFECTIVE_SECURITY": value}
            self.assertEqual(len(loaded(text, allowing).unprotected), 1, value)
        for value in ("false", "0", "", "f", "no", "off"):
            self.assertEqual(
                len(problems_of(text, {"TRK_ALLOW_INEFFECTIVE_SECURITY": value})), 1)
        (problem, _) = sorted(problems_of(text, {"TRK_ALLOW_INEFFECTIVE_SECURITY": "maybe"}))
        self.assertIn("neither true nor false", problem)

    def test_unprotected_is_empty(self) -> None:
        """A configuration without guarding keys has nothing unprotected."""
        self.assertEqual(loaded(ONE + _STAFF + _REWRITER).unprotected, ())

    def test_nothing_asked(self) -> None:
        """A value that asks for no protection, such as the original's default, has no notice."""
        for keys in ("authenticator_name: none", "authenticator_name: ''", "authenticator_name: null",
                     "req_rewriter_name: ''", "require_tls: false"):
            for text in (keys, f"paths: [{{path: /a, {keys}}}]"):
                if "paths" in text and "require" in text:
                    continue  # paths have no such key
                said = loaded(with_backend(text))
                self.assertEqual((said.unprotected, said.notices), ((), ()), text)

    def test_harmless_cors(self) -> None:
        """CORS fields that stay as the origin has them expose nothing."""
        for keys in ("{mode: preserve}", "{mode: merge}", "{mode: merge, headers: {}}",
                     "{mode: preserve, headers: {Access-Control-Allow-Origin: '*'}}"):
            for text in (f"cors: {keys}", f"paths: [{{path: /a, cors: {keys}}}]"):
                said = loaded(with_backend(text))
                self.assertEqual((said.unprotected, said.notices), ((), ()), text)

    def test_merged_cors(self) -> None:
        """CORS fields that say which pages may read are refused where they are merged."""
        allowing = "cors: {mode: merge, headers: {%s: x}}"
        for name in ("Access-Control-Allow-Origin", "+access-control-allow-headers",
                     "-Access-Control-Expose-Headers"):
            self.assertEqual(len(problems_of(with_backend(allowing % name))), 1)
        configuration = loaded(with_backend(allowing % "Access-Control-Max-Age"))
        self.assertIn("backends.one.cors", configuration.notices[0])

    def test_bounded(self) -> None:
        """The length of the notices on keys without effect is bounded."""
        many = ", ".join(f"{{path: /{n}, cors: {{}}}}" for n in range(300))
        configuration = loaded(with_backend(f"paths: [{many}]"), allowed=True)
        self.assertEqual(len(configuration.unprotected), 101)


class ExposedTests(SynchronousTestCase):
    """Keys that protect nothing yet, without a file."""

    def test_refused(self) -> None:
        """A guarding key without effect is a problem, or a notice where that is allowed."""
        problems = Problems(exposed={"a.b": "nothing is encrypted"})
        [line] = unprotected(problems)
        self.assertTrue(line.startswith("NOT PROTECTED: configuration: a.b is not yet effective"))
        self.assertFalse(problems)
        refuse_exposed(problems)
        self.assertTrue(problems)

    def test_allowed(self) -> None:
        """The variable is true or false in any of the usual spellings, and nothing else."""
        for value, expected in (("true", True), (" ON ", True), ("0", False), ("", False)):
            problems = Problems()
            self.assertIs(allows_ineffective({ALLOW_VARIABLE: value}, problems), expected)
            self.assertFalse(problems)
        problems = Problems()
        self.assertFalse(allows_ineffective({ALLOW_VARIABLE: "perhaps"}, problems))
        self.assertTrue(problems)

    def test_masked(self) -> None:
        """A mask is refused as a secret, save in a block that has no effect."""
        problems = Problems(masked=[(Place("t", 1, 1), "a.b")], unused=["a"])
        refuse_masked(problems)
        self.assertFalse(problems)
        problems.unused.clear()
        refuse_masked(problems)
        self.assertTrue(problems)
