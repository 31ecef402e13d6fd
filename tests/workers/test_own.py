"""Tests of L{trickster.workers.own}."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.plans import ALL, loaded_of
from trickster.admin.metricspage import MetricsPage
from trickster.errors import PluginError
from trickster.interfaces import IResponder
from trickster.messages import Headers, Request, Response, octets_of, text_response
from trickster.observability.exposition import Page
from trickster.plugins import Plugins
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.runtime import FakeRuntime
from trickster.workers.assignment import Assignment
from trickster.workers.own import Endpoint, OwnListeners
from trickster.workers.process import Watched, WorkerProcess

API = b"/trickster/api/v1"
FOREIGN = Headers(((b"Sec-Fetch-Site", b"cross-site"), (b"Origin", b"http://evil.test")))
OURS = Headers(((b"Sec-Fetch-Site", b"same-origin"), (b"Origin", b"http://t:8484")))


@define(eq=False)
class OneWorker:
    """
    Workers of which there is one.

    :ivar worker: answers that it did.
    """

    worker: RecordingResponder = field(
        factory=lambda: RecordingResponder.of(lambda _: text_response(200, '{"entries": []}')))
    number = 1

    def ways(self, listener: str) -> list[tuple[None, IResponder]]:
        """:return: the one."""
        return [(None, self.worker)]

    def ways_by_caches(self, listener: str) -> list[list[tuple[None, IResponder]]]:
        """:return: the same."""
        return [self.ways(listener)]

    async def asked(self, listener: str, request: Request) -> dict[WorkerProcess, Response]:
        """:return: its answer."""
        process = WorkerProcess(Assignment(1, 1), (), None, Watched(print, print, print))
        return {process: await self.worker.respond(request)}


class Pages:
    """Has one page of metrics."""

    async def page(self, accept: str) -> Page:
        """:return: the page."""
        return Page("text/plain", b"all 1\n")


class EndpointCase(SynchronousTestCase):
    """Has the endpoints of the process, and a worker that is asked for what is not known."""

    def setUp(self) -> None:
        """Make them."""
        self.crew, self.draining = OneWorker(), False
        crew: Any = self.crew
        self.endpoint = Endpoint(crew, MetricsPage(Pages()), lambda: self.draining)

    def answer(self, target: bytes, method: bytes = b"GET", headers: Headers | None = None,
               text: str = ALL) -> Response:
        """:return: that of a listener: of management, where the path begins with the name."""
        listener = "mgmt" if target.startswith(b"/trickster") else "metrics"
        responder = self.endpoint.of(listener, loaded_of(text).configuration)
        request = Request(method, target, headers or Headers(), authority=b"t:8484")
        response: Response = at_once(responder.respond(request))
        return response

    @property
    def asked(self) -> list[tuple[bytes, bytes]]:
        """:return: what the worker was asked."""
        return [(request.method, request.target) for request in self.crew.worker.requests]


class MetricsTests(EndpointCase):
    """The listener of metrics."""

    def test_metrics(self) -> None:
        """The page of all metrics is made here, and can only be read."""
        self.assertEqual(octets_of(self.answer(b"/metrics").body), b"all 1\n")
        self.assertEqual(self.answer(b"/metrics", b"POST").status, 405)
        self.assertEqual(self.asked, [])

    def test_ready(self) -> None:
        """Whether requests are taken is known here."""
        self.assertEqual(self.answer(b"/-/ready").status, 200)
        self.draining = True
        self.assertEqual(self.answer(b"/-/ready").status, 503)
        self.assertEqual((self.answer(b"/-/ready", b"PUT").status, self.asked), (405, []))

    def test_rest(self) -> None:
        """All else a worker tells, such as health, also what it does not know."""
        for target in (b"/health", b"/health/one?x=y", b"/", b"/none"):
            self.assertEqual(self.answer(target).status, 200)
        self.assertEqual([target for _, target in self.asked],
                         [b"/health", b"/health/one?x=y", b"/", b"/none"])


class MgmtTests(EndpointCase):
    """The listener of management."""

    guarded = ((b"POST", API + b"/purge"), (b"GET", API + b"/caches"),
               (b"GET", API + b"/caches/default?prefix=x"), (b"GET", API + b"/caches/default/e"),
               (b"DELETE", b"/trickster/purge/key/default/x"),
               (b"DELETE", b"/trickster/purge/path/one/x"))

    def test_foreign(self) -> None:
        """What a page of another site has asked for is refused here: no worker is asked."""
        for method, target in self.guarded:
            self.assertEqual(self.answer(target, method, FOREIGN).status, 403, target)
        self.assertEqual(self.asked, [])

    def test_ours(self) -> None:
        """
        What a page of ours has asked for, or no page, reaches a worker, without what it would take
        for a page of another site.
        """
        for headers in (OURS, Headers()):
            for method, target in self.guarded:
                self.assertEqual(self.answer(target, method, headers).status, 200, target)
        self.assertEqual({request.headers for request in self.crew.worker.requests}, {Headers()})
        self.assertEqual(self.asked, [*self.guarded] * 2)

    def test_moved(self) -> None:
        """Where purges are elsewhere, these paths are guarded."""
        text = ALL + "mgmt: {purge_by_key_path: /trickster/a/, purge_by_path_path: /trickster/b}\n"
        for target in (b"/trickster/a/default/x", b"/trickster/b/one/x"):
            self.assertEqual(self.answer(target, b"DELETE", FOREIGN, text).status, 403)
            self.assertEqual(self.answer(target, b"DELETE", OURS, text).status, 200)

    def test_not_known(self) -> None:
        """
        What is not guarded here reaches a worker as it is, which may know better: that has another
        configuration for a moment.
        """
        self.answer(b"/trickster/old/path", b"DELETE", FOREIGN)
        [request] = self.crew.worker.requests
        self.assertEqual(request.headers, FOREIGN)

    def test_none(self) -> None:
        """Where there are no purges by URL, there is no path for them, and nothing above is one."""
        text = ALL + "mgmt: {purge_by_key_path: '', purge_by_path_path: /}\n"
        self.assertEqual(self.answer(b"/trickster/ping", headers=FOREIGN, text=text).status, 200)

    def test_listings(self) -> None:
        """Caches and their entries, of which all workers are asked, can only be read."""
        for target in (API + b"/caches", API + b"/caches/default"):
            self.assertEqual(self.answer(target, b"POST").status, 405)
        self.assertEqual(self.asked, [])


class OwnListenersTests(SynchronousTestCase):
    """The listeners of the process."""

    def setUp(self) -> None:
        """Have those of a configuration; nothing is started."""
        crew: Any = OneWorker()
        self.reactor = MemoryReactorClock()
        self.own = OwnListeners(
            self.reactor, self.reactor.seconds,
            Endpoint(crew, MetricsPage(Pages()), lambda: False), FakeRuntime(), Plugins(),
            self.unused)
        self.own.open(self.prepared(ALL))

    def unused(self, name: str) -> Any:
        """No socket is needed by what is not started."""
        raise AssertionError(name)

    def prepared(self, text: str) -> Any:
        """:return: what is served by a file with that text."""
        return self.own.prepared(loaded_of(text).configuration)

    def listeners(self) -> dict[str, Any]:
        """:return: the listeners by name."""
        return {str(each.name): each for each in self.own}

    def follow(self, text: str) -> Any:
        """:return: what is prepared by a file, which is followed."""
        prepared = self.prepared(text)
        at_once(self.own.follow(prepared))
        return prepared

    def test_opened(self) -> None:
        """There are those that are open, and none of backends."""
        self.assertEqual(sorted(self.listeners()), ["metrics", "mgmt"])
        self.assertEqual([*self.prepared(ALL.replace("port: 4", "port: 0"))], ["metrics"])

    def test_prepared(self) -> None:
        """What is prepared changes nothing."""
        before = {name: each.site.resource for name, each in self.listeners().items()}
        self.prepared(ALL.replace("port: 3", "port: 0"))
        self.assertEqual({name: each.site.resource for name, each in self.listeners().items()},
                         before)

    def test_kept(self) -> None:
        """A listener that is as it was stays, and serves what is new."""
        before = self.listeners()
        prepared = self.follow(ALL + "mgmt: {ping_handler_path: /p}\n")
        self.assertEqual(self.listeners(), before)
        for name, each in self.listeners().items():
            self.assertIs(each.site.resource, prepared[name].root)

    def test_changed(self) -> None:
        """One with other options is another one; the others stay."""
        before = self.listeners()
        prepared = self.follow(ALL.replace("port: 3", "port: 5"))
        after = self.listeners()
        self.assertIs(after["mgmt"], before["mgmt"])
        self.assertIsNot(after["metrics"], before["metrics"])
        self.assertIs(after["metrics"].site.resource, prepared["metrics"].root)
        self.assertIsNone(before["metrics"].parent)

    def test_closed_and_opened(self) -> None:
        """One that is no longer open is gone, and comes again with another configuration."""
        self.follow(ALL.replace("port: 4", "port: 0"))
        self.assertEqual([*self.listeners()], ["metrics"])
        self.follow(ALL)
        self.assertEqual(sorted(self.listeners()), ["metrics", "mgmt"])

    def test_abort(self) -> None:
        """Where nothing waits any more, all connections of those that there are are closed."""
        aborted: list[str] = []
        self.follow(ALL.replace("port: 3", "port: 5"))
        for name, each in self.listeners().items():
            self.patch(each.site, "abort", lambda name=name: aborted.append(name))
        self.own.abort()
        self.assertEqual(sorted(aborted), ["metrics", "mgmt"])

    def test_middlewares(self) -> None:
        """Middlewares stand around what is served here."""
        text = ALL.replace("port: 3", "port: 3, middlewares: [m]") + (
            "middlewares: {m: {kind: rewriting, rewriting: {response_headers: {X-A: b}}}}\n")
        root = self.prepared(text)["metrics"].root
        response = at_once(root.responder.respond(Request(b"GET", b"/metrics")))
        self.assertEqual(response.headers.get(b"x-a"), b"b")

    def test_broken(self) -> None:
        """A middleware that cannot be used is told before anything is changed."""
        before = self.listeners()
        self.own.plugins = Plugins(lambda group: [])
        text = ALL.replace("port: 3", "port: 3, middlewares: [m]") + (
            "middlewares: {m: {kind: rewriting}}\n")
        self.assertRaises(PluginError, self.prepared, text)
        self.assertEqual(self.listeners(), before)
