"""Tests of L{trickster.config.checks.hereafter}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import CheckCase, told_by, with_backend
from trickster.config.checks.hereafter import check_hereafter
from trickster.config.options.hereafter import RewriterOptions, RuleOptions
from trickster.config.options.model import Configuration

CORS = "cors: {mode: merge, headers: {'a b': c}}"


class HereafterTests(CheckCase):
    """Header names in blocks that have no effect yet."""

    def test_without_effect_yet(self) -> None:
        """Header names in blocks that have no effect yet are checked too."""
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


class OptionsTests(SynchronousTestCase):
    """Options that were not read from a file."""

    def test_what_is_a_header(self) -> None:
        """A rule's key, or an instruction's third word, is checked only where it names a header."""
        for source, count in (("header", 1), ("param", 0)):
            configuration = Configuration(
                rules={"r": RuleOptions(input_source=source, input_key="a b")},
                request_rewriters={"w": RewriterOptions(
                    instructions=((source, "set", "a b"), (source, "set")))})
            self.assertEqual(told_by(check_hereafter, configuration), (
                "request_rewriters.w.instructions[0]: 'a b' is not a header name",
                "rules.r.input_key: 'a b' is not a header name")[:2 * count])
