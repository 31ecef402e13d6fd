"""Tests of L{trickster.workers.asking}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.workers.doubles import Child, Children
from trickster.errors import (
    BadRequest,
    Overloaded,
    RequestTooLarge,
    UpstreamBroke,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response, octets_of, text_response
from trickster.testing.bodies import ScriptedBody
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.workers.asking import AnyWorker, Crew, EachCache, Merged, Ready, Vetted, no_document
from trickster.workers.assignment import Assignment
from trickster.workers.process import Launcher, Watched, WorkerProcess


class Way(RecordingResponder):
    """
    The way to a listener of a worker.

    :ivar is_aborted: whether its connections were closed.
    """

    is_aborted = False

    def abort(self) -> None:
        """Note it."""
        self.is_aborted = True


@define(eq=False)
class KnownCrew(Crew):
    """
    Workers of which the ways are no sockets.

    :ivar known: ways by path.
    """

    reactor: Any = field(factory=MemoryReactorClock)
    known: dict[str, Way] = field(factory=dict, init=False)

    def _client(self, path: str) -> Any:
        return self.known.setdefault(path, Way())


class CrewCase(SynchronousTestCase):
    """
    Has some workers that serve.

    :ivar files: of the configuration that the next one has.
    """

    count = 2
    files: Mapping[str, bytes] = MappingProxyType({})

    def setUp(self) -> None:
        """Start them."""
        super().setUp()
        self.crew, self.children = KnownCrew(), Children()
        self.processes = [self.worker(number) for number in range(1, self.count + 1)]

    def worker(self, number: int) -> WorkerProcess:
        """:return: one that serves."""
        own = {name: f"{name}-{number}" for name in ("metrics", "mgmt")}
        process = WorkerProcess(
            Assignment(number, 4, own=own, files=dict(self.files)), (), self.crew.reactor,
            Watched(self.crew.changed, lambda gone, how: self.crew.changed(gone), print))
        process.start(Launcher(self.children.spawn, {}))
        self.children.latest.serves()
        return process

    def child(self, number: int) -> Child:
        """:return: the process of a worker."""
        return self.children.all[number - 1]

    def way(self, number: int, listener: str = "mgmt") -> Way:
        """:return: the way to a worker."""
        return self.crew.known[f"{listener}-{number}"]

    def answer(self, *answers: Any, listener: str = "mgmt") -> None:
        """Have the workers answer so, in their order."""
        for number, answer in enumerate(answers, 1):
            self.way(number, listener).answers[:] = [answer]

    def counts(self) -> list[int]:
        """:return: how many requests each worker has had."""
        return [len(self.way(number).requests) for number in range(1, self.count + 1)]


class CrewTests(CrewCase):
    """Which workers there are, and how they are asked."""

    def numbers(self) -> list[int]:
        """:return: of the workers that can be asked, in order."""
        return [worker.assignment.number for worker, _ in self.crew.ways("mgmt")]

    def test_serving(self) -> None:
        """A worker can be asked from the moment at which it serves until it is gone."""
        self.assertEqual((self.numbers(), self.crew.number), ([1, 2], 2))
        self.child(1).dies()
        self.assertEqual((self.numbers(), self.crew.number), ([2], 1))

    def test_ending(self) -> None:
        """One that answers its last requests is asked after those that serve, and not counted."""
        self.processes[0].end(20.0)
        self.assertEqual((self.numbers(), self.crew.number), ([2, 1], 1))

    def test_not_there(self) -> None:
        """A worker that has no such listener cannot be asked there."""
        self.assertEqual(list(self.crew.ways("default")), [])

    def test_gone(self) -> None:
        """Connections to a worker that is gone are closed, all of them; others stay."""
        self.child(1).dies()
        self.assertEqual([self.way(number, name).is_aborted for number in (1, 2)
                          for name in ("metrics", "mgmt")], [True, True, False, False])

    def test_never_served(self) -> None:
        """One that is gone before it has served is none."""
        process = WorkerProcess(Assignment(3, 4), (), self.crew.reactor, Watched(
            self.crew.changed, lambda gone, how: self.crew.changed(gone), print))
        process.start(Launcher(self.children.spawn, {}))
        self.child(3).dies()
        self.assertEqual(self.numbers(), [1, 2])

    def asked(self) -> Deferred[Any]:
        """:return: fires with what the workers have answered, by number."""
        async def asked() -> dict[int, bytes | None]:
            answers = await self.crew.asked("mgmt", Request(b"GET", b"/x"))
            return {worker.assignment.number: octets_of(answer.body)
                    for worker, answer in answers.items()}
        return Deferred.fromCoroutine(asked())

    def test_all(self) -> None:
        """All are asked the same at the same time, and their answers are read whole."""
        self.answer(Response(200, body=ScriptedBody.of(b"a", b"b")), Response(404, body=Octets(b"c")))
        self.assertEqual(self.successResultOf(self.asked()), {1: b"ab", 2: b"c"})
        self.assertEqual([self.way(number).requests[0].target for number in (1, 2)], [b"/x"] * 2)

    def test_late(self) -> None:
        """One that does not answer within five seconds is left out, and no longer asked."""
        late: Deferred[Response] = Deferred()
        self.answer(late, Response(200, body=Octets(b"c")))
        asked = self.asked()
        self.crew.reactor.advance(4.9)
        self.assertNoResult(asked)
        self.crew.reactor.advance(0.1)
        self.assertEqual(self.successResultOf(asked), {2: b"c"})
        self.assertTrue(late.called)
        self.assertEqual(self.crew.reactor.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """One that gives no answer is left out."""
        self.answer(UpstreamBroke("gone"), Response(200, body=Octets(b"c")))
        self.assertEqual(self.successResultOf(self.asked()), {2: b"c"})

    def test_none(self) -> None:
        """Where there is none, there is no answer."""
        for child in self.children.all:
            child.dies()
        self.assertEqual(self.successResultOf(self.asked()), {})

    def test_metrics(self) -> None:
        """Their metrics are what they answer with a 200."""
        self.answer(text_response(200, "a 1\n"), text_response(503, "no"), listener="metrics")
        self.assertEqual(at_once(self.crew.metrics()), {self.processes[0]: b"a 1\n"})
        self.assertEqual(self.way(1, "metrics").requests, [Request(b"GET", b"/metrics")])


class EachCacheTests(CrewCase):
    """Workers change all caches that there are."""

    count = 4

    def setUp(self) -> None:
        """Have two workers of each of two configurations, of which the first one ends."""
        super().setUp()
        for process in self.processes[:2]:
            process.end(20.0)

    def worker(self, number: int) -> WorkerProcess:
        """:return: one of the first configuration, or of the second."""
        self.files = {"t.yaml": b"first" if number < 3 else b"second"}
        return super().worker(number)

    def asked(self, body: Any = None) -> Response:
        """:return: the answer to an order."""
        request = Request(b"POST", b"/purge", body=Octets(b"x") if body is None else body)
        response: Response = at_once(EachCache(self.crew, "mgmt", no_document).respond(request))
        return response

    def status(self, first: Any, second: Any) -> int:
        """:return: of the answer where workers of two configurations answer so."""
        self.answer(first, first, second, second)
        return int(self.asked().status)

    def test_each(self) -> None:
        """One worker of each configuration gets the order, as it is."""
        response = self.asked(ScriptedBody.of(b"or", b"der"))
        self.assertEqual((response.status, self.counts()), (200, [1, 0, 1, 0]))
        for number in (1, 3):
            self.assertEqual(octets_of(self.way(number).requests[0].body), b"order")

    def test_same(self) -> None:
        """Where all have the same caches, one of them does, and its body is not read before."""
        for child in self.children.all[:2]:
            child.dies()
        body = ScriptedBody.of(b"x")
        self.asked(body)
        self.assertEqual(self.counts(), [0, 0, 1, 0])
        self.assertIs(self.way(3).requests[0].body, body)

    def test_not_everywhere(self) -> None:
        """What is not done everywhere is not done."""
        for failing in (text_response(503, "oh"), UpstreamBroke("x"), UpstreamTimeout("x"),
                        UpstreamUnreachable("x")):
            for answers in ((failing, text_response(200, "ok")), (text_response(200, "ok"), failing)):
                self.setUp()
                self.assertEqual(self.status(*answers), 503, answers)
        self.setUp()
        self.assertRaises(BadRequest, self.status, BadRequest("x"), text_response(200, "ok"))

    def test_unknown(self) -> None:
        """What one configuration does not have, such as a backend, is done where it is."""
        unknown, done = text_response(404, "what?"), text_response(200, "ok")
        for answers, expected in (((unknown, done), 200), ((done, unknown), 200),
                                  ((unknown, unknown), 404)):
            self.setUp()
            self.assertEqual(self.status(*answers), expected)

    def test_gone(self) -> None:
        """A worker that is gone before it answers has nothing that is used any more."""
        waiting: Deferred[Response] = Deferred()
        for number in (1, 2):
            self.way(number).answers[:] = [waiting]
        asking = Deferred.fromCoroutine(EachCache(self.crew, "mgmt", no_document).respond(
            Request(b"POST", b"/purge", body=Octets(b"x"))))
        self.assertNoResult(asking)
        for child in self.children.all[:2]:
            child.dies()
        waiting.errback(UpstreamBroke("x"))
        self.assertEqual(self.successResultOf(asking).status, 200)

    def test_none(self) -> None:
        """Where none answers, that is a 503 with a document."""
        for child in self.children.all:
            child.dies()
        response = self.asked()
        self.assertEqual(response.status, 503)
        self.assertEqual(json.loads(octets_of(response.body) or b""), {"error": "no worker answers"})

    def test_too_large(self) -> None:
        """An order that no worker would take is refused."""
        self.assertRaises(RequestTooLarge, self.asked, Octets(bytes(65_537)))


class AnyWorkerTests(CrewCase):
    """One of the workers answers."""

    def status(self, method: bytes = b"GET", body: Any = None) -> int:
        """:return: of the answer to a request."""
        request = Request(method, b"/x", body=Octets(b"") if body is None else body)
        return int(at_once(AnyWorker(self.crew, "mgmt").respond(request)).status)

    def test_first(self) -> None:
        """The first one answers, whatever it says."""
        self.answer(text_response(500, "oh"))
        self.assertEqual((self.status(), self.counts()), (500, [1, 0]))

    def test_another(self) -> None:
        """Where the first one gives no answer, the next one is asked."""
        for error in (UpstreamUnreachable("x"), UpstreamBroke("x"), UpstreamTimeout("x"),
                      Overloaded("x")):
            self.setUp()
            self.answer(error)
            self.assertEqual((self.status(), self.counts()), (200, [1, 1]), error)

    def test_none(self) -> None:
        """Where none answers, that is a 503 that says when to ask again."""
        self.answer(UpstreamBroke("x"), UpstreamUnreachable("x"))
        response = at_once(AnyWorker(self.crew, "mgmt").respond(Request(b"GET", b"/x")))
        self.assertEqual((response.status, self.counts()), (503, [1, 1]))
        self.assertTrue(response.headers.get(b"retry-after"))

    def test_nobody_there(self) -> None:
        """The same where no worker serves, or none has such a listener."""
        for child in self.children.all:
            child.dies()
        body = ScriptedBody.of(b"x")
        self.assertEqual(self.status(b"POST", body), 503)
        self.assertTrue(body.is_closed)

    def test_not_twice(self) -> None:
        """What may have been done is not asked for again: a POST, or a body that was read."""
        for method, body in ((b"POST", Octets(b"x")), (b"PUT", ScriptedBody.of(b"x"))):
            self.setUp()
            self.answer(UpstreamBroke("x"))
            self.assertEqual((self.status(method, body), self.counts()), (503, [1, 0]), method)

    def test_nothing_was_sent(self) -> None:
        """A worker that cannot be reached has done nothing: a POST is for the next one."""
        self.answer(UpstreamUnreachable("x"))
        self.assertEqual((self.status(b"POST", Octets(b"x")), self.counts()), (200, [1, 1]))
        self.assertEqual(octets_of(self.way(2).requests[0].body), b"x")

    def test_fault_of_the_request(self) -> None:
        """The fault of a request is told as such, and no other worker is asked."""
        for error in (BadRequest("x"), RequestTooLarge("x")):
            self.setUp()
            self.answer(error)
            self.assertRaises(type(error), self.status)
            self.assertEqual(self.counts(), [1, 0])

    def test_as_it_is(self) -> None:
        """The request is passed on as it is, with what browsers tell in it."""
        request = Request(b"GET", b"/x?y", Headers(((b"Origin", b"http://evil.test"),)))
        at_once(AnyWorker(self.crew, "mgmt").respond(request))
        self.assertEqual(self.way(1).requests, [request])


class VettedTests(SynchronousTestCase):
    """Requests of which it is known that no page of another site has asked for them."""

    def test_dropped(self) -> None:
        """What browsers tell of the page is dropped, and nothing else."""
        inner = RecordingResponder()
        request = Request(b"POST", b"/x", Headers((
            (b"Origin", b"http://trickster:8484"), (b"X", b"y"), (b"sec-fetch-site", b"none"))))
        at_once(Vetted(inner).respond(request))
        self.assertEqual(inner.requests, [request.with_headers(Headers(((b"X", b"y"),)))])


class MergedTests(CrewCase):
    """All workers answer with a document."""

    def setUp(self) -> None:
        """Merge by noting what is merged."""
        super().setUp()
        self.merged: list[tuple[list[Any], int]] = []

    def merge(self, documents: Any, missing: int) -> Any:
        """:return: the last one."""
        self.merged.append((list(documents), missing))
        return documents[-1]

    def response(self, *answers: Any, **said: Any) -> Response:
        """:return: the answer where the workers give these."""
        self.answer(*answers)
        merged = Merged(self.crew, "mgmt", self.merge)
        response: Response = at_once(merged.respond(Request(b"GET", b"/x?y", **said)))
        return response

    def test_merged(self) -> None:
        """The answer is one document of all, in their order."""
        response = self.response(*(text_response(200, text) for text in ('{"a": 1}', '{"a": 2}')))
        self.assertEqual(self.merged, [([{"a": 1}, {"a": 2}], 0)])
        self.assertEqual((response.status, json.loads(octets_of(response.body) or b"")),
                         (200, {"a": 2}))
        self.assertEqual(response.headers.get(b"cache-control"), b"no-cache")

    def test_missing(self) -> None:
        """How many have not answered is known, as is one that ends and has."""
        self.response(text_response(200, '{"a": 1}'), UpstreamBroke("x"))
        self.assertEqual(self.merged, [([{"a": 1}], 1)])
        self.processes[0].end(20.0)
        self.response(text_response(200, '{"a": 1}'), text_response(200, '{"a": 2}'))
        self.assertEqual(self.merged[1:], [([{"a": 2}, {"a": 1}], 0)])

    def test_no_document(self) -> None:
        """An answer that is no document is as none."""
        self.response(text_response(503, "no\n"), text_response(200, '{"a": 1}'))
        self.response(text_response(200, ""), text_response(200, '{"a": 1}'))
        self.assertEqual(self.merged, [([{"a": 1}], 1)] * 2)

    def test_none(self) -> None:
        """Where none answers, that is a 503."""
        for answers in ((UpstreamBroke("x"), UpstreamBroke("x")),
                        (text_response(200, "x"), UpstreamBroke("x"))):
            self.assertEqual(self.response(*answers).status, 503)
        self.assertEqual(self.merged, [])

    def test_error(self) -> None:
        """What is wrong by all of them has the status that they give it."""
        wrong = text_response(404, '{"error": "no such cache"}')
        self.assertEqual(self.response(wrong, wrong).status, 404)

    def test_asked(self) -> None:
        """They are asked for the same page, without what browsers tell, which was looked at."""
        self.response(text_response(200, "{}"), text_response(200, "{}"),
                      headers=Headers(((b"Origin", b"http://x"), (b"X", b"y"))), authority=b"x")
        self.assertEqual([self.way(number).requests for number in (1, 2)], [
            [Request(b"GET", b"/x?y", Headers(((b"X", b"y"),)), authority=b"x")]] * 2)


class ReadyTests(CrewCase):
    """Whether requests are taken."""

    count = 1

    def test_ready(self) -> None:
        """Requests are taken as long as a worker serves, and the program does not end."""
        is_draining: list[int] = []
        ready = Ready(self.crew, lambda: bool(is_draining))
        told = []
        for change in (lambda: None, self.processes[0].hurry, self.child(1).dies,
                       lambda: self.worker(2), lambda: is_draining.append(1)):
            change()
            response = at_once(ready.respond(Request(b"GET", b"/-/ready")))
            told.append((response.status, octets_of(response.body)))
        self.assertEqual(told, [
            (200, b"ready\n"), (503, b"no worker serves\n"), (503, b"no worker serves\n"),
            (200, b"ready\n"), (503, b"draining\n")])

    def test_provides(self) -> None:
        """All of these provide C{IResponder}."""
        for each in (AnyWorker(self.crew, "mgmt"), Ready(self.crew, lambda: False),
                     Vetted(Way()), Merged(self.crew, "mgmt", max)):
            verifyObject(IResponder, each)
