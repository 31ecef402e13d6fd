"""Tests of L{trickster.compose.generation} and L{trickster.compose.runtime}."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any
from weakref import ref

from attrs import frozen
from prometheus_client import generate_latest
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.commandline import plugin_options
from trickster.compose.generation import Generation, Generations
from trickster.compose.runtime import Runtime
from trickster.config.load import Sources, load
from trickster.config.options.model import Configuration
from trickster.errors import BrokenPlugin
from trickster.frontend.site import ProxySite
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime, IStoreType
from trickster.messages import Request, Response, octets_of, text_response
from trickster.plugins import MIDDLEWARES, STORES, Plugins, installed
from trickster.testing.doubles import DictStore, at_once


@frozen
class GateOptions:
    """What is answered, once the gate is open."""

    says: str = ""
    breaks: bool = False


@implementer(IResponder)
@frozen
class Gated:
    """Answers by itself: at once, or for C{/wait} when the test says so."""

    says: str
    waiting: list[Deferred[None]]

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        if request.path.endswith(b"/wait"):
            gate: Deferred[None] = Deferred()
            self.waiting.append(gate)
            await gate
        return text_response(200, self.says)


@implementer(IMiddlewareType)
@frozen
class GateType:
    """Gates as a kind of middleware."""

    name: str = "gate"
    options: type = GateOptions

    def wrap(self, inner: IResponder, options: GateOptions, runtime: IRuntime) -> IResponder:
        """See L{IMiddlewareType.wrap}; what waits is shared with the test."""
        if options.breaks:
            raise ValueError("broken on purpose")
        return Gated(options.says, runtime.shared("gate.waiting", list))


gate = GateType()


@implementer(IService)
class ShutStore(Service, DictStore):  # type: ignore[misc]
    """A store that cannot be opened."""

    def __init__(self) -> None:
        DictStore.__init__(self)

    __hash__ = object.__hash__

    def startService(self) -> None:
        """Fail."""
        super().startService()
        raise OSError("no space left on device")


@implementer(IStoreType)
@frozen
class ShutType:
    """Such stores as a kind of store."""

    name: str = "shut"
    options: type = GateOptions

    def store(self, name: str, options: GateOptions, limits: object, runtime: IRuntime) -> Any:
        """See L{IStoreType.store}."""
        return ShutStore()


shut = ShutType()


def _found(group: str) -> Sequence[EntryPoint]:
    if group == MIDDLEWARES:
        return [EntryPoint("gate", f"{__name__}:gate", group)]
    if group == STORES:
        return [*installed(group), EntryPoint("shut", f"{__name__}:shut", group)]
    return installed(group)


PLUGINS = Plugins(_found)


def conf(says: str, backends: Sequence[str] = ("web",), size: int = 1000,
         breaks: bool = False, store: str = "memory") -> Configuration:
    """:return: a configuration whose backends all say so."""
    text = "\n".join([
        f"middlewares: {{g: {{kind: gate, gate: {{says: {says}}}}}}}",
        f"caches: {{default: {{provider: {store}, index: {{max_size_objects: {size}}}}}}}", "backends:",
        *(f"  {name}: {{provider: reverseproxycache, origin_url: 'http://127.0.0.1:9', "
          "middlewares: [g]}" for name in backends)])
    made = load(Sources("t.yaml"), plugin_options(PLUGINS), lambda _: text.encode(),
                lambda _: ())
    if breaks:
        # As what only turns out when it is put together.
        for middleware in made.middlewares.values():
            object.__setattr__(middleware, "plugin", GateOptions(breaks=True))
    return made


class GenerationTests(SynchronousTestCase):
    """Configurations follow each other in one process."""

    def setUp(self) -> None:
        """Put a configuration into effect."""
        self.reactor = MemoryReactorClock()
        self.runtime = Runtime(conf("first"), self.reactor, PLUGINS, self.reactor.seconds)
        self.waiting: list[Deferred[None]] = self.runtime.for_plugins.shared("gate.waiting", list)
        self.first = Generation(conf("first"), self.runtime)
        self.site = ProxySite(self.first.root("default"), self.reactor)
        self.generations = Generations(self.first, self.runtime, {"default": self.site})
        for service in (self.runtime.stores, self.generations):
            service.startService()

    def tearDown(self) -> None:
        """Stop everything."""
        self.first = None  # type: ignore[assignment]
        self.generations.stopService()
        self.runtime.stores.stopService()

    def asked(self, target: bytes) -> Deferred[Response]:
        """:return: the answer to come to a request."""
        root: Any = self.site.resource

        async def answered() -> Response:
            response: Response = await root.leaf(target).responder.respond(
                Request(b"GET", target, authority=b"h"))
            return response

        return Deferred.fromCoroutine(answered())

    def said(self, target: bytes = b"/web/x") -> bytes | None:
        """:return: what is answered at once."""
        return octets_of(at_once(self.asked(target)).body)

    def test_management(self) -> None:
        """Caches are purged and looked into on the mgmt listener, and on no other."""
        for path in (b"/trickster/api/v1/caches", b"/trickster/purge/path/web/a",
                     b"/trickster/purge/key/web/a"):
            statuses = []
            for listener in ("mgmt", "metrics"):
                root: Any = self.first.root(listener)
                answer = at_once(root.responder.respond(Request(b"GET", path)))
                statuses.append(answer.status)
            self.assertEqual(statuses, [200, 404], path)
            front: Any = self.first.root("default")
            self.assertIs(front.leaf(path), front.rest)

    def exposed(self) -> str:
        """:return: all metrics."""
        return generate_latest(self.runtime.registry).decode()

    def counted(self) -> list[str]:
        """:return: the metrics of the program, those that are 0 included."""
        return [line for line in self.exposed().splitlines() if line.startswith("trickster_")]

    def follow(self, configuration: Configuration, patience: float = 30.0) -> Deferred[None]:
        """Put another configuration into effect, and forget the first."""
        self.first = None  # type: ignore[assignment]
        return self.generations.follow(configuration, patience)

    def test_swapped_under_requests(self) -> None:
        """
        Requests are answered by the configuration under which they began, those from now on
        by the next; the one before is over when its last request is.
        """
        early = self.asked(b"/web/wait")
        over = self.follow(conf("second"))
        late = self.asked(b"/web/wait")
        self.assertEqual(self.said(), b"second")
        self.reactor.advance(1)
        self.assertNoResult(over)
        self.waiting[0].callback(None)
        self.assertEqual(octets_of(self.successResultOf(early).body), b"first")
        self.reactor.advance(0)
        self.successResultOf(over)
        self.assertNoResult(late)
        self.waiting[1].callback(None)
        self.assertEqual(octets_of(self.successResultOf(late).body), b"second")

    def test_collected_meanwhile(self) -> None:
        """The end of a generation's last request is noticed though cycles were collected."""
        early = self.asked(b"/web/wait")
        over = self.follow(conf("second"))
        gc.collect()
        self.waiting[0].callback(None)
        self.successResultOf(early)
        self.reactor.advance(0)
        self.successResultOf(over)

    def test_nothing_leaks(self) -> None:
        """After many configurations, no objects of any but the last are left."""
        backends = [ref(self.first.backends["web"])]
        calls = len(self.reactor.getDelayedCalls())
        for number in range(20):
            over = self.follow(conf(f"n{number}", size=number + 1))
            backends.append(ref(self.generations.current.backends["web"]))
            self.assertEqual(self.said(), b"n%d" % number)
            self.reactor.advance(0)
            self.successResultOf(over)
        gc.collect()
        self.assertEqual([each() for each in backends if each() is not None],
                         [self.generations.current.backends["web"]])
        self.assertEqual(len(self.reactor.getDelayedCalls()), calls)
        self.assertEqual(len(list(self.generations)), 1)
        self.assertLessEqual(len(list(self.runtime.stores)), 1)

    def test_exposed_once(self) -> None:
        """Metrics are those of the present backends; counters go on."""
        self.follow(conf("both", ("web", "more")))
        self.reactor.advance(0)
        for backend, target in (("web", b"/web/x"), ("more", b"/more/x")):
            self.assertEqual(self.said(target), b"both")
            self.assertEqual(self.exposed().count(
                f'trickster_in_flight_bytes{{backend_name="{backend}"}}'), 1)
        self.follow(conf("one", ("more",)))
        self.reactor.advance(0)
        exposed = self.exposed()
        self.assertNotIn('trickster_in_flight_bytes{backend_name="web"}', exposed)
        self.assertIn('trickster_in_flight_bytes{backend_name="more"}', exposed)
        self.assertEqual(exposed.count("trickster_cache_up{"), 1)

    def test_counters_go_on(self) -> None:
        """Counters of requests go on across configurations."""
        self.said()
        self.follow(conf("second"))
        self.said()
        self.assertIn('backend_name="web",cache_status="proxy-only",http_status="200",'
                      'method="GET",path="/",provider="reverseproxycache"} 2.0', self.exposed())

    def test_stores(self) -> None:
        """A cache that is configured as before is the same store; another one is a new one."""
        before = self.first.caches["default"].store
        self.follow(conf("second"))
        self.assertIs(self.generations.current.caches["default"].store, before)
        self.follow(conf("third", size=5))
        self.assertIsNot(self.generations.current.caches["default"].store, before)

    def test_broken(self) -> None:
        """A configuration that cannot be put together changes nothing."""
        exposed = self.counted()
        with self.assertRaises(BrokenPlugin):
            self.generations.follow(conf("bad", ("web", "more"), size=7, breaks=True), 30.0)
        self.assertIs(self.generations.current, self.first)
        self.assertEqual(len(list(self.generations)), 1)
        self.assertEqual(self.counted(), exposed)
        self.assertEqual(self.said(), b"first")

    def test_cannot_start(self) -> None:
        """A configuration that cannot be started changes nothing, and leaves nothing behind."""
        for _ in range(2):
            exposed, calls = self.counted(), self.reactor.getDelayedCalls()
            with self.assertRaises(BrokenPlugin):
                self.generations.follow(conf("shut", ("web", "more"), store="shut"), 30.0)
            self.assertIs(self.generations.current, self.first)
            self.assertEqual(list(self.generations), [self.first])
            self.assertEqual(len(list(self.runtime.stores)), 1)
            self.assertEqual(self.counted(), exposed)
            self.assertEqual(self.reactor.getDelayedCalls(), calls)
            self.assertEqual(self.said(), b"first")
        over = self.follow(conf("second"))
        self.reactor.advance(0)
        self.successResultOf(over)
        self.assertEqual(self.said(), b"second")

    def test_patience(self) -> None:
        """A former configuration is given up when its requests do not end in time."""
        early = self.asked(b"/web/wait")
        over = self.follow(conf("second"), patience=5.0)
        self.reactor.advance(4.9)
        self.assertNoResult(over)
        self.reactor.advance(0.2)
        self.successResultOf(over)
        self.waiting[0].callback(None)
        self.assertEqual(octets_of(self.successResultOf(early).body), b"first")

    def test_never_started(self) -> None:
        """A configuration that is built and not started opens no port and exposes no metrics."""
        exposed, calls = self.counted(), len(self.reactor.getDelayedCalls())
        Generation(conf("other", ("web", "more"), size=9), self.runtime)
        self.assertEqual(self.counted(), exposed)
        self.assertEqual(len(self.reactor.getDelayedCalls()), calls)
        self.assertEqual(self.reactor.tcpServers + self.reactor.tcpClients, [])
