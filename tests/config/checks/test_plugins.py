"""Tests of L{trickster.config.checks.plugins}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import told_by
from trickster.config.checks.plugins import check_plugins, routes_of
from trickster.config.document.problems import Problems
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.config.options.model import Configuration
from trickster.errors import BrokenPlugin
from trickster.routes import Route, Serve
from trickster.stores.redis.options import RedisOptions


class PluginTests(SynchronousTestCase):
    """Plugins check their own options."""

    def test_check(self) -> None:
        """The plugin of each cache and middleware with options is checked by itself."""
        def check(interface: object, name: str, options: object) -> None:
            raise BrokenPlugin(f"no {name}")

        configuration = Configuration(
            caches={"a": CacheOptions(plugin=object()), "b": CacheOptions()},
            middlewares={"c": MiddlewareOptions(plugin=object()), "d": MiddlewareOptions()})
        self.assertEqual(told_by(check_plugins, configuration, check),
                         ("caches.a.provider: no a", "middlewares.c.kind: no c"))

    def test_faults(self) -> None:
        """Options that know what is wrong with them say so at their keys; nothing is made of them."""
        def check(interface: object, name: str, options: object) -> None:
            raise BrokenPlugin(f"{name} was tried")

        wrong = RedisOptions(client_type="cluster", db=1, endpoints=("a:1", "a b"))
        configuration = Configuration(caches={
            "a": CacheOptions(store="redis", plugin=wrong),
            "b": CacheOptions(store="redis", plugin=RedisOptions())})
        told = told_by(check_plugins, configuration, check)
        self.assertEqual(sorted(line.partition(": ")[0] for line in told), [
            "caches.a.redis.db", "caches.a.redis.endpoints[1]", "caches.b.provider"])

    def test_routes(self) -> None:
        """An origin type is asked by its own name, with its options; unread ones have no routes."""
        found = (Route("/", Serve.PROXY),)

        def routes(name: str, options: object) -> tuple[Route, ...]:
            return {("t", "o"): found}[name, str(options)]

        backend = BackendOptions(provider="p", origin_type="t", plugin="o")
        self.assertEqual(routes_of("b", backend, routes, Problems()), found)
        self.assertIsNone(routes_of("b", BackendOptions(), routes, Problems()))
