"""Tests of what a configuration is told of plugins, and of what goes with them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import (
    PLUGINS,
    origin_options,
    problems_of,
    reading,
    with_backend,
)
from trickster.config.load import PluginOptions, Sources, load
from trickster.errors import BrokenPlugin, ConfigurationError, NotInstalled, UnknownPlugin
from trickster.origins.promrange import PrometheusRange
from trickster.routes import Route, Serve


class PluginTests(SynchronousTestCase):
    """Plugins that are broken, and plugins that are not installed."""

    def problem(self, plugins: PluginOptions, text: str) -> str:
        """:return: the one problem of a file."""
        error = self.assertRaises(
            ConfigurationError, load, Sources("t.yaml"), plugins, reading(text))
        self.assertEqual(len(error.problems), 1, error.problems)
        return error.problems[0]

    def test_broken_is_not_replaced(self) -> None:
        """A plugin that is not installed has a stand-in; a broken one has none."""
        for wrong in (BrokenPlugin("it is broken"), UnknownPlugin("it is there twice")):
            def options(interface: object, name: str, wrong: Exception = wrong) -> type:
                if name in ("influxdb", "badger"):
                    raise wrong
                return origin_options("reverseproxy")

            plugins = PluginOptions(options)
            for text in (with_backend("").replace("prometheus", "influxdb"),
                         with_backend("") + "caches: {c: {provider: badger}}"):
                self.assertIn(f"provider: {wrong}", self.problem(plugins, text))

    def test_not_installed(self) -> None:
        """A plugin of Trickster 2.0 that is not installed has a stand-in, and a notice."""
        def options(interface: object, name: str) -> type:
            if name == "influxdb":
                raise NotInstalled(name)
            return origin_options("reverseproxy")

        text = with_backend("").replace("prometheus", "influxdb")
        configuration = load(
            Sources("t.yaml"), PluginOptions(options), reading(text))
        self.assertEqual(len(configuration.notices), 1)

    def test_broken_routes(self) -> None:
        """The routes of an origin type are checked whether the file has paths or not."""
        def routes(provider: str, options: object) -> tuple[Route, ...]:
            raise BrokenPlugin("no dialect")

        plugins = PluginOptions(PLUGINS.options, routes)
        self.assertIn("t.yaml:1:18: backends.one.provider: no dialect",
                      self.problem(plugins, with_backend("")))

    def test_no_handlers(self) -> None:
        """An origin type that cannot say its handlers is reported once, even if paths use one."""
        def routes(provider: str, options: object) -> tuple[Route, ...]:
            raise BrokenPlugin("origin type 'prometheus' has no routes")

        plugins = PluginOptions(PLUGINS.options, routes)
        self.assertIn("backends.one.provider: origin type", self.problem(
            plugins, with_backend("paths: [{path: /, handler: x}]")))

    def test_broken_store(self) -> None:
        """Store plugins are checked whether the file names some or not."""
        def check(interface: object, name: str, options: object) -> None:
            raise BrokenPlugin(f"no store for {name}")

        plugins = PluginOptions(PLUGINS.options, PLUGINS.routes, check)
        self.assertIn("caches.default.provider: no store for default",
                      self.problem(plugins, with_backend("")))

    def test_no_dialect(self) -> None:
        """A path can be served by range only where the origin type has a dialect."""
        text = with_backend("paths: [{path: /a, handler: delta}]").replace(
            "prometheus", "reverseproxycache")
        (problem,) = problems_of(text)
        self.assertIn("paths[0].handler: reverseproxycache has no range queries", problem)

    def test_several_dialects(self) -> None:
        """Where an origin type has several dialects, C{delta} on a path of none is refused."""
        flux = Route("/flux", Serve.DELTA, handler="flux", dialect=PrometheusRange())
        sql = Route("/sql", Serve.DELTA, handler="sql", dialect=PrometheusRange())
        plugins = PluginOptions(PLUGINS.options, lambda name, options: (flux, sql))
        self.assertIn("expected the handler of one of them: flux, sql", self.problem(
            plugins, with_backend("paths: [{path: /a, handler: delta}]")))
