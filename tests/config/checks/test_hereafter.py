"""Tests of L{trickster.config.checks.hereafter}, through files."""

from __future__ import annotations

from tests.config.doubles import CheckCase, with_backend

CORS = "cors: {mode: merge, headers: {'a b': c}}"


class HereafterTests(CheckCase):
    """Header names in blocks that have no effect yet."""

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
