"""Tests of L{trickster.contracts}: what plugins must not give."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.contracts import checked_routes, checked_store
from trickster.errors import BrokenPlugin, ConfigurationError, PluginError
from trickster.interfaces import ICacheStore, INewestDialect, IQueryDialect
from trickster.messages import Headers
from trickster.origins.prometheus import PrometheusOptions, prometheus
from trickster.origins.promrange import PrometheusRange
from trickster.origins.web import WebOptions, reverse_proxy, reverse_proxy_cache
from trickster.routes import Match, Probe, Route, Serve, StaticResponse
from trickster.stores.limits import StoreLimits
from trickster.stores.memory import MemoryOptions, MemoryStore, memory
from trickster.testing.runtime import FakeRuntime

PROXY = Route("/", Serve.PROXY, Match.PREFIX, ("*",), "proxy")
DELTA = Route("/render", Serve.DELTA, handler="render")
DIALECT: Any = PrometheusRange()


@define
class Origin:
    """Gives what it is told to."""

    given: Any = field(factory=lambda: [PROXY])
    probed: Any = None
    name: str = "graphite"

    def routes(self, options: object) -> Any:
        """:return: as told; or raises that."""
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def probe(self, options: object) -> Any:
        """:return: as told."""
        return self.probed


@implementer(IQueryDialect)
class HalfDialect:
    """Says that it is a dialect."""


@implementer(INewestDialect)
class HalfNewest(PrometheusRange):
    """Says that it can ask for the newest sample."""

    encode_newest: Any = None


class RoutesTests(SynchronousTestCase):
    """The contract for the routes of an origin type."""

    def assertBroken(self, origin: Origin, *words: str) -> None:
        """It is told with the name of the plugin and what is broken, in one line."""
        text = str(self.assertRaises(BrokenPlugin, checked_routes, origin, None))
        self.assertNotIn("\n", text)
        for word in ("origin type 'graphite' is broken: ", *words):
            self.assertIn(word, text)

    def test_good(self) -> None:
        """The routes of the built-in origin types are valid, and so are routes with every field."""
        self.assertTrue(checked_routes(prometheus, PrometheusOptions(labels={"region": "eu"})))
        for web in (reverse_proxy, reverse_proxy_cache):
            self.assertTrue(checked_routes(web, WebOptions()))
        spoken = evolve(DELTA, dialect=DIALECT)
        static = Route("/a", Serve.STATIC, static=StaticResponse(403))
        origin = Origin([spoken, static, PROXY], Probe())
        self.assertEqual(checked_routes(origin, None), (spoken, static, PROXY))
        self.assertEqual(checked_routes(Origin(iter([PROXY])), None), (PROXY,))

    def test_no_dialect(self) -> None:
        """A route served by range without a dialect is refused."""
        self.assertBroken(Origin([PROXY, DELTA]), "route '/render'", "no dialect")

    def test_half_a_dialect(self) -> None:
        """A dialect that lacks a member of its interface is refused."""
        for broken, word in ((HalfDialect(), "encode_request"), (object(), "IQueryDialect"),
                             (HalfNewest(), "encode_newest")):
            self.assertBroken(Origin([PROXY, evolve(DELTA, dialect=broken)]),
                              "the dialect of route '/render' is no I", word)

    def test_failing(self) -> None:
        """An origin type that raises any error is reported with that error."""
        self.assertBroken(Origin(KeyError("x")), "routes() fails with KeyError: 'x'")
        self.assertBroken(Origin(None), "routes() fails with TypeError")

    def test_nonsense(self) -> None:
        """A route with a field of the wrong type is refused."""
        some: Any = Route
        for route, word in (
                ("/a", "str is among its routes"),
                (some("a", Serve.PROXY), "the path 'a'"),
                (some("/a?b", Serve.PROXY), "the path '/a?b'"),
                (some(b"/a", Serve.PROXY), "the path b'/a'"),
                (some("/a", "proxy"), "no Serve"),
                (some("/a", Serve.PROXY, "exact"), "no Match"),
                (some("/a", Serve.PROXY, methods="GET"), "methods"),
                (some("/a", Serve.PROXY, methods=()), "methods"),
                (some("/a", Serve.PROXY, methods=("get",)), "methods"),
                (some("/a", Serve.PROXY, handler=None), "handler"),
                (some("/a", Serve.PROXY, key_headers=("x",)), "key_headers"),
                (some("/a", Serve.PROXY, key_headers=(b"X",)), "key_headers"),
                (some("/a", Serve.PROXY, ignored_params="_"), "ignored_params"),
                (some("/a", Serve.PROXY, ignored_params=frozenset((b"_",))), "ignored_params"),
                (some("/a", Serve.OBJECT, ttl="30s"), "ttl"),
                (some("/a", Serve.OBJECT, ttl=-1), "ttl"),
                (some("/a", Serve.OBJECT, transform=b""), "transform"),
                (some("/a", Serve.OBJECT, unkept=1), "unkept"),
                (some("/a", Serve.OBJECT, normalise="x"), "normalise")):
            self.assertBroken(Origin([route]), word)

    def test_local(self) -> None:
        """A route answered locally needs a response that can be given."""
        some: Any = StaticResponse
        self.assertBroken(Origin([Route("/a", Serve.STATIC)]), "no StaticResponse")
        for answer in (some(99), some("200"), some(200, "text"), some(200, b"", {"a": "b"})):
            self.assertBroken(Origin([Route("/a", Serve.STATIC, static=answer)]), "answers with")

    def test_twice(self) -> None:
        """A path given twice for one method is refused."""
        self.assertBroken(Origin([PROXY, Route("/", Serve.OBJECT, Match.PREFIX, ("*",))]),
                          "route '/' is given twice")
        checked_routes(reverse_proxy_cache, WebOptions())  # here the methods differ

    def test_names(self) -> None:
        """A handler with two ways, or with the name of a general one, is refused."""
        self.assertBroken(Origin([Route("/a", Serve.OBJECT, handler="a"),
                                  Route("/b", Serve.PROXY, handler="a")]), "'a'", "OBJECT")
        self.assertBroken(Origin([Route("/a", Serve.OBJECT, handler="proxy")]), "'proxy'")

    def test_probe(self) -> None:
        """A health probe has to be a possible request with a possible response."""
        some: Any = Probe
        for probe in ("/", some("/"), some(b"x"), some(b"/", "GET"), some(b"/", b"get"),
                      some(b"/", expected=200), some(b"/", headers={})):
            self.assertBroken(Origin(probed=probe), "its probe ")
        checked_routes(Origin(probed=Probe(b"/x", b"HEAD", (204,), Headers())), None)

    def test_many(self) -> None:
        """A report of many faults is cut to a readable line."""
        routes: Any = [*range(1000)]
        text = str(self.assertRaises(BrokenPlugin, checked_routes, Origin(routes), None))
        self.assertLess(len(text), 1000)


@define
class Store:
    """A store type that gives what it is told to."""

    given: Any
    name: str = "shelf"

    def store(self, name: str, options: Any, limits: Any, runtime: Any) -> Any:
        """:return: as told; or raises that."""
        if isinstance(self.given, BaseException):
            raise self.given
        return self.given


@implementer(ICacheStore)
class Unready:
    """What cannot be looked at yet."""

    @property
    def get(self) -> Any:
        """Fail as only a stranger's code can."""
        raise RuntimeError("not connected\nyet")


class StoreTests(SynchronousTestCase):
    """The contract for stores."""

    def test_good(self) -> None:
        """A valid store is given as it was made."""
        runtime = FakeRuntime(Clock())
        made = checked_store(memory, "a", MemoryOptions(), StoreLimits(), runtime)
        self.assertIsInstance(made, MemoryStore)

    def test_misconfigured(self) -> None:
        """A store that cannot be made of what it is told is not broken: the text says what is wrong."""
        wrong = Store(ConfigurationError(("/a: no such file", "/b: neither")))
        error = self.assertRaises(PluginError, checked_store, wrong, "a", None, None, Clock())
        self.assertEqual(str(error), "/a: no such file; /b: neither")

    def test_bad(self) -> None:
        """A store that cannot be made, or is none, is reported with its name and the cache's."""
        for given, word in ((None, "of cache 'a' is no ICacheStore"), (object(), "delete"),
                            (Unready(), "RuntimeError: not connected yet"),
                            (OSError("x"), "fails with OSError: x"),
                            (SystemExit(3), "fails with SystemExit: 3")):
            error = self.assertRaises(
                BrokenPlugin, checked_store, Store(given), "a", None, None, Clock())
            self.assertIn("store 'shelf' is broken: store()", str(error))
            self.assertIn(word, str(error))
