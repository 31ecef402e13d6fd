"""Tests of what a configuration says of middlewares."""

from __future__ import annotations

from tests.config.doubles import PLUGINS, CheckCase, loaded, problems_of, reading, with_backend
from trickster.config.load import PluginOptions, Sources, load
from trickster.config.render import rendered
from trickster.errors import BrokenPlugin, ConfigurationError
from trickster.interfaces import IMiddlewareType
from trickster.middleware.rewriting import RewritingOptions

MARKED = "middlewares: {marked: {kind: rewriting, rewriting: {response_headers: {X-A: '1'}}}}\n"


class MiddlewareTests(CheckCase):
    """Named entries of one kind each, which other entries name."""

    def test_read(self) -> None:
        """The block named like the kind has its options."""
        configuration = loaded(with_backend("middlewares: [marked]") + MARKED)
        options = configuration.middlewares["marked"]
        self.assertEqual((options.kind, options.plugin),
                         ("rewriting", RewritingOptions(response_headers={"X-A": "1"})))
        self.assertEqual(configuration.backends["one"].middlewares, ("marked",))
        self.assertEqual(configuration.notices, ())

    def test_shown(self) -> None:
        """A rendered configuration is loaded as the same middlewares."""
        configuration = loaded(with_backend("middlewares: [marked]") + MARKED)
        again = loaded(rendered(configuration))
        self.assertEqual(again.middlewares, configuration.middlewares)

    def test_unknown_name(self) -> None:
        """A reference to an unknown middleware is reported at its place, with the nearest name."""
        text = "there is no middleware 'marke'; expected one of marked; did you mean 'marked'?"
        self.assertTold(
            with_backend("middlewares: [marke, marked], paths: {p: {path: /p, "
                         "middlewares: [marke]}, q: {path: /q, middlewares: [marked]}}") + MARKED
            + "listeners: {default: {middlewares: [marke]}}",
            f"backends.one.middlewares[0]: {text}",
            f"backends.one.paths.p.middlewares[0]: {text}",
            f"listeners.default.middlewares[0]: {text}")

    def test_empty_name(self) -> None:
        """An empty name in a list of middlewares refers to no entry."""
        self.assertTold(
            with_backend("middlewares: ['', marked]") + MARKED,
            "backends.one.middlewares[0]: there is no middleware ''; expected one of marked")

    def test_unknown_kind(self) -> None:
        """An entry whose kind is not installed, or not given, is refused."""
        [problem] = problems_of(with_backend("middlewares: [m]") + "middlewares: {m: {kind: x}}")
        self.assertIn("middlewares.m.kind: no kind of middleware 'x'", problem)
        [problem] = problems_of(with_backend("middlewares: [m]") + "middlewares: {m: {}}")
        self.assertIn("middlewares.m.kind: is missing", problem)

    def test_options(self) -> None:
        """Options of a kind are checked as all others are, with their places."""
        [problem] = problems_of(with_backend("middlewares: [m]") + (
            "middlewares:\n  m:\n    kind: rewriting\n    rewriting: {response_header: {}}\n"))
        self.assertIn("t.yaml:5:17: middlewares.m.rewriting.response_header", problem)
        self.assertIn("did you mean 'response_headers'?", problem)
        for said in ("{'a b': '1'}", "{Connection: close}", "{a: \"1\\x01\"}"):
            [problem] = problems_of(with_backend("middlewares: [m]") + (
                f"middlewares: {{m: {{kind: rewriting, rewriting: {{request_headers: {said}}}}}}}"))
            self.assertIn("middlewares.m.rewriting", problem)

    def test_unused(self) -> None:
        """An entry to which no list refers has a notice."""
        [notice] = loaded(with_backend("") + MARKED).notices
        self.assertIn("middlewares.marked", notice)

    def test_broken(self) -> None:
        """A middleware that cannot be put around a responder is refused before the start."""
        def check(interface: object, name: str, options: object) -> None:
            if interface is IMiddlewareType:
                raise BrokenPlugin(f"no {name}")

        plugins = PluginOptions(PLUGINS.options, PLUGINS.routes, check)
        text = with_backend("middlewares: [marked]") + MARKED
        error = self.assertRaises(ConfigurationError, load, Sources("t.yaml"), plugins,
                                  reading(text))
        self.assertIn("middlewares.marked.kind: no marked", str(error))
