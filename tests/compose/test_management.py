"""Tests of L{trickster.compose.management}: purges, as all processes that share a store see them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from tests.compose.backendcase import BackendCase
from tests.purging.adding import waited_for
from tests.ranges.deltarig import NOW, range_request
from trickster.admin.endpoints import Endpoints
from trickster.bodies import read_all
from trickster.compose.backends.backend import Backend
from trickster.compose.management import management
from trickster.compose.stores import Cache
from trickster.config.options.caches import CacheOptions
from trickster.config.options.model import MgmtOptions
from trickster.interfaces import IOriginType, IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.plugins import ORIGINS
from trickster.purging.purges import Purges
from trickster.stores.guard import guarded
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import BrokenOctetStore, PeekingStore, at_once

STORES = (MemoryStore, PeekingStore)
RANGE = range_request(NOW - 600, NOW)
JSON = Headers(((b"Content-Type", b"application/json"),))


@implementer(IResponder)
@define(eq=False)
class Web:
    """
    A web server that says how long its answers are fresh, and what their tags are.

    :ivar pauses: whether answers wait.
    """

    asked: list[tuple[bytes, bytes]] = field(factory=list)
    pauses: bool = False
    waiting: list[Deferred[None]] = field(factory=list)

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        self.asked.append((request.method, request.target))
        number = len(self.asked)
        if self.pauses:
            gate: Deferred[None] = Deferred()
            self.waiting.append(gate)
            await gate
        return Response(200, Headers((
            (b"Cache-Control", b"max-age=600"), (b"Vary", b"Accept-Language"),
            (b"Surrogate-Key", b"all last" + request.path[-1:]),
            (b"ETag", b'"%d"' % number))), Octets(b"%d" % number))


@define(eq=False)
class Process:
    """What one of the processes has that share a store."""

    cache: Cache
    backends: dict[str, Backend]
    endpoints: Endpoints


class ManagementCase(BackendCase):
    """Sets up processes that share a store, in front of the same origins."""

    def setUp(self) -> None:
        super().setUp()
        self.origin = Web()

    def process(self, store: Any) -> Process:
        """:return: another process."""
        guard = guarded(store, "default", self.clock)
        cache = Cache("default", CacheOptions(), guard, None, None,
                      Purges(guard, self.clock, lambda: 1e9 + self.clock.seconds()))
        backends = {name: self.one(name, provider, cache) for name, provider in (
            ("prom", "prometheus"), ("web", "reverseproxycache"), ("other", "reverseproxycache"))}
        managed = management(MgmtOptions(), {"default": cache}, backends)
        return Process(cache, backends, Endpoints.of(managed.exact, managed.below))

    def one(self, name: str, provider: str, cache: Cache) -> Backend:
        """:return: a backend, put together."""
        backend = Backend(name, self.options(provider),
                          self.plugins.load(ORIGINS, provider, IOriginType), cache.store, {},
                          self.around(), cache.locks, cache.purges, cache.options, cache.counts)
        backend.origin.counted = self.prometheus if provider == "prometheus" else self.origin
        assert backend.paths
        return backend

    def both(self) -> Iterable[list[Process]]:
        """:return: one process with a store of its own, and two that share one."""
        yield [self.process(MemoryStore(self.clock))]
        store = PeekingStore(self.clock)
        yield [self.process(store), self.process(store)]

    def call(self, process: Process, method: bytes, target: str, body: Any = None,
             headers: Headers = JSON) -> Deferred[tuple[int, Any]]:
        """:return: status and body of what the management API answers."""
        octets = b"" if body is None else json.dumps(body).encode()
        request = Request(method, target.encode(), headers, Octets(octets))

        async def called() -> tuple[int, Any]:
            response = await process.endpoints.respond(request)
            text = bytes(await read_all(response.body, 1 << 20))
            is_json = response.headers.get(b"content-type") == b"application/json"
            return response.status, json.loads(text) if is_json else text

        return Deferred.fromCoroutine(called())

    def purge(self, process: Process, **order: Any) -> Any:
        """:return: what is said of a purge that is carried out."""
        status, told = waited_for(
            self.call(process, b"POST", "/trickster/api/v1/purge", order), self.clock)
        self.assertEqual(status, 200, told)
        return told

    def got(self, process: Process, target: str) -> Any:
        """:return: what a GET tells."""
        status, told = at_once(self.call(process, b"GET", target))
        self.assertEqual(status, 200, told)
        return told

    def entries(self, process: Process, query: str = "") -> list[Any]:
        """:return: what is listed."""
        found: list[Any] = self.got(
            process, f"/trickster/api/v1/caches/default/entries{query}")["entries"]
        return found

    def is_asked(self, process: Process, target: bytes, backend: str = "web",
                 language: bytes = b"en") -> bool:
        """:return: whether the origin is asked for a request."""
        before = len(self.origin.asked)
        self.ask(process.backends[backend], Request(
            b"GET", target, Headers(((b"Accept-Language", language),)), authority=b"h"))
        return len(self.origin.asked) > before

    def fetched(self, process: Process, request: Request = RANGE) -> list[tuple[int, int]]:
        """:return: what the database is asked for, in seconds from L{NOW}."""
        self.prometheus.ranges.clear()
        self.ask(process.backends["prom"], request)
        return [(start // 1000 - NOW, end // 1000 - NOW)
                for start, end, _ in self.prometheus.ranges]


class PurgeTests(ManagementCase):
    """What is purged at one process is asked for again by all, at once; nothing else is."""

    TARGETS = (b"/a", b"/a?q=1", b"/a/b", b"/b")

    def check(self, gone: Iterable[bytes], others_too: bool = False, **order: Any) -> None:
        """Check what is asked for again after an order, by the process that was not told of it."""
        for processes in self.both():
            for backend in ("web", "other"):
                for target in self.TARGETS:
                    for language in (b"en", b"de"):
                        self.is_asked(processes[0], target, backend, language)
            told = self.purge(processes[0], **order)
            self.assertEqual([each["name"] for each in told["caches"]], ["default"])
            for backend, is_concerned in (("web", True), ("other", others_too)):
                expected = set(gone) if is_concerned else set()
                for language in (b"en", b"de"):
                    found = {target for target in self.TARGETS
                             if self.is_asked(processes[-1], target, backend, language)}
                    self.assertEqual(found, expected, (order, backend, language))
                    for target in self.TARGETS:
                        self.assertFalse(self.is_asked(processes[-1], target, backend, language))

    def test_url(self) -> None:
        """A URL is purged with all its variants, in any spelling of where it is."""
        for url in ("/a?q=1", "http://h/a?q=1", "/web/a?q=1", "http://trickster:8480/web/a?q=1"):
            self.check([b"/a?q=1"], backend="web", url=url)
        self.check([b"/a"], True, url="/a")

    def test_path(self) -> None:
        """A path is purged with all its queries, however it is percent-encoded."""
        self.check([b"/a", b"/a?q=1"], backend="web", path="/a")
        self.check([b"/a", b"/a?q=1"], backend="web", path="/%61")
        self.check([b"/b"], True, path="/b")

    def test_prefix(self) -> None:
        """So are all paths that begin with a prefix."""
        self.check([b"/a", b"/a?q=1", b"/a/b"], backend="web", prefix="/a")
        self.check([b"/a/b"], True, prefix="/a/")

    def test_tag(self) -> None:
        """So is what the origin has given a tag."""
        self.check([b"/a/b", b"/b"], backend="web", tag="lastb")
        self.check(self.TARGETS, True, tag="all")
        self.check([], True, tag="al")

    def test_backend(self) -> None:
        """So is a backend, and everything."""
        self.check(self.TARGETS, backend="web")
        self.check(self.TARGETS, backend="web", all=True)
        self.check(self.TARGETS, True, all=True)

    def test_soft(self) -> None:
        """What is purged softly is validated, and serves where the origin fails."""
        for processes in self.both():
            self.is_asked(processes[0], b"/a")
            self.purge(processes[0], url="/a", soft=True)
            self.assertTrue(self.is_asked(processes[-1], b"/a"))

    def test_query(self) -> None:
        """A query is purged in every step, by its text, and nothing of another one."""
        finer = range_request(NOW - 600, NOW, 30)
        for processes in self.both():
            for request in (RANGE, finer, range_request(NOW - 600, NOW, query="down")):
                self.fetched(processes[0], request)
            self.assertEqual(self.fetched(processes[-1], finer), [])
            self.purge(processes[0], backend="prom", query="up")
            for request, is_asked in ((RANGE, True), (finer, True), (RANGE, False), (
                    range_request(NOW - 600, NOW, query="down"), False)):
                self.assertEqual(bool(self.fetched(processes[-1], request)), is_asked)

    def test_span(self) -> None:
        """With start and end, only what lies between them is asked for again."""
        for name, text in (("query", "up"), ("matcher", 'up{job="a"}'), ("prefix", "/api"),
                           ("url", RANGE.target.decode())):
            for processes in self.both():
                self.fetched(processes[0])
                self.purge(processes[0], **{name: text}, start=NOW - 300, end=NOW - 200)
                self.assertEqual(self.fetched(processes[-1]), [(-300, -180)], name)
                self.assertEqual(self.fetched(processes[0]), [])

    def test_open_span(self) -> None:
        """A span without an end, or without a start, is open there."""
        for said, fetched in (({"end": NOW - 540}, [(-600, -540)]), ({"start": 5}, [(-600, 0)])):
            for processes in self.both():
                self.fetched(processes[0])
                self.purge(processes[0], query="up", **said)
                [first, *_] = self.fetched(processes[-1])
                self.assertEqual(first[0], fetched[0][0])
                self.assertGreaterEqual(first[1], fetched[0][1] - 120)
                self.assertEqual(first[1] == -540, "end" in said)

    def test_logged(self) -> None:
        """Each purge is a line in the log, without secrets."""
        process = self.process(MemoryStore(self.clock))
        with capturedLogs() as events:
            self.purge(process, backend="web", url="/a?token=s3cret")
        [text] = [formatEvent(event) for event in events]
        self.assertEqual(text, "Purging target /a?token=***** of web")

    def test_matcher(self) -> None:
        """By a matcher, each query goes that may select such series."""
        for processes in self.both():
            queries = ['sum(up{job="a"})', 'up{job="b"}', "down", "up"]
            for query in queries:
                self.fetched(processes[0], range_request(NOW - 600, NOW, query=query))
            self.purge(processes[0], matcher='up{job="a"}')
            self.assertEqual([query for query in queries if self.fetched(
                processes[-1], range_request(NOW - 600, NOW, query=query))],
                ['sum(up{job="a"})', "up"])

    def test_instant_query(self) -> None:
        """What a database has answered whole goes with its query, too, also for a span of time."""
        request = Request(b"GET", b"/api/v1/query?query=up&time=9", authority=b"h")
        for order in ({"query": "up"}, {"matcher": 'up{job="a"}'},
                      {"matcher": "up", "start": 5, "end": 6}):
            for processes in self.both():
                self.ask(processes[0].backends["prom"], request)
                self.purge(processes[0], query="down")
                self.purge(processes[0], matcher="down")
                asked = len(self.prometheus.requests)
                [entry] = self.entries(processes[-1])
                self.ask(processes[-1].backends["prom"], request)
                self.assertEqual((len(self.prometheus.requests), entry["query"]), (asked, "up"))
                self.purge(processes[0], backend="prom", **order)
                self.ask(processes[-1].backends["prom"], request)
                self.assertEqual(len(self.prometheus.requests), asked + 1, order)

    def test_range_url(self) -> None:
        """A URL of a range query purges its entry, whatever the range is."""
        for processes in self.both():
            self.fetched(processes[0])
            later = range_request(NOW - 60, NOW + 7).target.decode()
            self.purge(processes[0], backend="prom", url=later)
            self.assertTrue(self.fetched(processes[-1]))

    def test_under_way(self) -> None:
        """What was being fetched when a purge came is given to nobody later."""
        for processes in self.both():
            self.origin.pauses = True
            request = Request(b"GET", b"/slow", authority=b"h")
            early = Deferred.fromCoroutine(self.read(processes[0], request))
            self.purge(processes[0], backend="web", prefix="/s")
            late = [Deferred.fromCoroutine(self.read(process, request)) for process in processes]
            self.origin.pauses = False
            waiting, self.origin.waiting = self.origin.waiting, []
            self.assertGreaterEqual(len(waiting), 2)
            for gate in waiting:
                gate.callback(None)
            first = self.successResultOf(early)
            for each in late:
                self.assertGreater(int(self.successResultOf(each)), int(first))
            for process in processes:
                self.assertGreater(int(at_once(self.read(process, request))), int(first))

    async def read(self, process: Process, request: Request) -> bytes:
        """:return: the body of an answer."""
        response = await process.backends["web"].respond(request)
        return bytes(await read_all(response.body, 100))

    def test_later_process(self) -> None:
        """A process that starts after the purge knows of it."""
        store = PeekingStore(self.clock)
        first = self.process(store)
        self.is_asked(first, b"/a")
        self.purge(first, backend="web", url="/a")
        self.assertTrue(self.is_asked(self.process(store), b"/a"))

    def test_store_fails(self) -> None:
        """Where a store does not work, it is told that others do not know of the purge."""
        process = self.process(BrokenOctetStore())
        answer = self.call(process, b"POST", "/trickster/api/v1/purge", {"all": True})
        self.clock.pump([1.0] * 10)
        status, told = self.successResultOf(answer)
        self.assertEqual(status, 503)
        self.assertIn("not in others", told["error"])
        answer = self.call(process, b"GET", "/trickster/purge/path/web/a")
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.successResultOf(answer)[0], 503)


class EndpointTests(ManagementCase):
    """What is answered where."""

    def setUp(self) -> None:
        super().setUp()
        self.one_process = self.process(MemoryStore(self.clock))

    def status(self, method: bytes, target: str, body: Any = None, headers: Headers = JSON) -> int:
        """:return: the status of an answer."""
        status: int = at_once(self.call(self.one_process, method, target, body, headers))[0]
        return status

    def test_refused(self) -> None:
        """What cannot be carried out is refused, with what is at fault."""
        path = "/trickster/api/v1/purge"
        for status, body in ((400, {}), (400, {"bucket": "x"}), (404, {"backend": "nix"}),
                             (413, {"url": "/" + "a" * (1 << 17)})):
            self.assertEqual(self.status(b"POST", path, body), status)
        self.assertEqual(self.status(b"GET", path), 405)
        for headers in (Headers(), Headers(((b"Content-Type", b"text/plain"),)), Headers(
                ((b"Content-Type", b"application/x-www-form-urlencoded"),))):
            self.assertEqual(self.status(b"POST", path, {"all": True}, headers), 415)
        foreign = JSON.with_added((b"Origin", b"http://evil.test"))
        self.assertEqual(self.status(b"POST", path, {"all": True}, foreign), 403)

    def test_told(self) -> None:
        """The answer says what was purged, in the words of the order, and by which rules."""
        for order in ({"all": True}, {"backend": "web"}, {"url": "/a?b"}, {"tag": "x"},
                      {"backend": "prom", "query": "up", "start": 5.0, "end": 6.5}):
            told = self.purge(self.one_process, **order)
            self.assertEqual(told["purged"], {**order, "soft": False})
            [cache] = told["caches"]
            self.assertEqual((cache["name"], cache["number"] > 0), ("default", True))
        self.assertEqual(cache["rules"], [{"kind": "query", "backend": "prom", "name": "up"}])

    def test_by_key(self) -> None:
        """An entry is purged by its backend and the key that is listed, by GET and DELETE."""
        process = self.one_process
        for method in (b"GET", b"DELETE"):
            self.is_asked(process, b"/a")
            [entry] = self.entries(process)
            target = f"/trickster/purge/key/web/{quote(entry['key'], safe='')}"
            self.assertEqual(waited_for(self.call(process, method, target), self.clock),
                             (200, f"purged: web | {entry['key']}\n".encode()))
            self.assertEqual(self.entries(process), [])
            self.assertTrue(self.is_asked(process, b"/a"))

    def test_by_key_refused(self) -> None:
        """There have to be two parts, and a backend of that name."""
        for target, status in (("web", 404), ("web/", 404), ("web/a/b", 404), ("", 404),
                               ("nix/a", 400), ("web/a", 200)):
            self.assertEqual(self.status(b"DELETE", f"/trickster/purge/key/{target}"), status)
        for method in (b"POST", b"PUT", b"HEAD"):
            self.assertEqual(self.status(method, "/trickster/purge/key/web/a"), 405)

    def test_by_path(self) -> None:
        """All that is kept for a path is purged, and nothing that is below it."""
        process = self.one_process
        for method in (b"GET", b"DELETE"):
            for target in PurgeTests.TARGETS:
                self.is_asked(process, target)
            self.assertEqual(waited_for(self.call(
                process, method, "/trickster/purge/path/web/a?x=1"), self.clock),
                             (200, b"purged: web | /a\n"))
            self.assertEqual([target for target in PurgeTests.TARGETS
                              if self.is_asked(process, target)], [b"/a", b"/a?q=1"])
        self.fetched(process)
        self.status(b"DELETE", "/trickster/purge/path/prom/api/v1/query_range")
        self.assertTrue(self.fetched(process))

    def test_by_path_refused(self) -> None:
        """There have to be a backend and a path."""
        for target, status in (("web", 404), ("web/", 200), ("nix/a", 400), ("", 404)):
            self.assertEqual(self.status(b"DELETE", f"/trickster/purge/path/{target}"), status)

    def test_caches(self) -> None:
        """Caches are told with what uses them."""
        [cache] = self.got(self.one_process, "/trickster/api/v1/caches")["caches"]
        self.assertEqual((cache["name"], cache["backends"], cache["up"]),
                         ("default", ["other", "prom", "web"], True))
        self.assertEqual(self.status(b"POST", "/trickster/api/v1/caches", {}), 405)
        self.assertEqual(self.status(b"HEAD", "/trickster/api/v1/caches"), 200)


class ListingTests(ManagementCase):
    """What is in a cache is listed, in any kind of store."""

    def test_objects(self) -> None:
        """Each variant is listed, with size, age and the time for which it is still fresh."""
        for processes in self.both():
            self.is_asked(processes[0], b"/a?token=s3cret&x=1")
            self.is_asked(processes[0], b"/a?token=s3cret&x=1", language=b"de")
            self.clock.advance(5)
            entries = self.entries(processes[-1])
            self.assertEqual(len(entries), 2)
            for entry in entries:
                self.assertEqual((entry["backend"], entry["url"], entry["tags"]),
                                 ("web", "/a?token=*****&x=1", ["all", "lasta"]))
                self.assertEqual((entry["age"], entry["ttl"]), (5.0, 595.0))
                self.assertGreater(entry["size"], 0)
                self.assertNotIn("extents", entry)

    def test_ranges(self) -> None:
        """Time series are listed with their query and the extents that are held."""
        for processes in self.both():
            self.fetched(processes[0])
            [entry] = self.entries(processes[-1], "?backend=prom")
            [[start, end]] = entry["extents"]
            self.assertEqual((start, entry["query"], entry["step"]),
                             ((NOW - 600) * 1000, "up", 60_000))
            self.assertLessEqual(end, NOW * 1000)
            self.purge(processes[0], query="up", start=NOW - 300, end=NOW - 200)
            [entry] = self.entries(processes[-1])
            self.assertEqual(entry["extents"][0], [(NOW - 600) * 1000, (NOW - 360) * 1000])

    def test_hits(self) -> None:
        """How often this process has given what is stored is told, however it was found."""
        for processes in self.both():
            for times in range(4):
                self.is_asked(processes[0], b"/a")
                self.fetched(processes[0])
                self.assertEqual({each["hits"] for each in self.entries(processes[0])}, {times})

    def test_ages(self) -> None:
        """Of time series, it is told for how long they are kept, where the store knows that."""
        process = self.process(MemoryStore(self.clock))
        self.fetched(process)
        self.clock.advance(10)
        [entry] = self.entries(process)
        ttl = process.backends["prom"].options.timeseries_ttl
        self.assertEqual((entry["age"], entry["ttl"]), (10.0, ttl - 10))
        shared = self.process(PeekingStore(self.clock))
        self.fetched(shared)
        [entry] = self.entries(shared)
        self.assertEqual((entry["age"], entry["ttl"]), (None, None))

    def test_purged(self) -> None:
        """What is purged is not listed, in any process."""
        for processes in self.both():
            for target in PurgeTests.TARGETS:
                self.is_asked(processes[0], target)
            self.purge(processes[0], prefix="/a")
            self.assertEqual([each["url"] for each in self.entries(processes[-1])], ["/b"])

    def test_filtered(self) -> None:
        """Entries are listed by backend and by the beginning of their path."""
        process = self.process(MemoryStore(self.clock))
        for target in (*PurgeTests.TARGETS, b"/%61/c"):
            for backend in ("web", "other"):
                self.is_asked(process, target, backend)
        for query, count in (("?backend=web", 5), ("?prefix=/a", 8), ("?prefix=/a/&backend=web", 2),
                             ("?prefix=/%2561/", 4), ("?backend=prom", 0), ("?limit=3", 3)):
            self.assertEqual(len(self.entries(process, query)), count, query)

    def test_long(self) -> None:
        """Of long queries and many tags, a part is told, and others have turns meanwhile."""
        process = self.process(MemoryStore(self.clock))
        query = "up" + " + up" * 2000
        self.fetched(process, range_request(NOW - 600, NOW, query=query, method=b"POST"))
        [entry] = self.entries(process)
        self.assertEqual(entry["query"], query[:2048])
        for number in range(120):
            self.is_asked(process, b"/%d" % number)
        told = self.call(process, b"GET", "/trickster/api/v1/caches/default/entries?limit=1000")
        self.assertNoResult(told)
        self.clock.pump([0.0] * 5)
        self.assertEqual(len(self.successResultOf(told)[1]["entries"]), 121)

    def test_pages(self) -> None:
        """All entries are had by asking again for what comes after the last."""
        for processes in self.both():
            for number in range(7):
                self.is_asked(processes[0], b"/%d" % number)
            found, after = list[str](), ""
            for _ in range(4):
                told = self.got(processes[-1], "/trickster/api/v1/caches/default/entries?limit=2"
                                f"&after={quote(after)}")
                self.assertLessEqual(len(told["entries"]), 2)
                found += (each["url"] for each in told["entries"])
                after = told.get("more", "")
            self.assertEqual((sorted(found), after), ([f"/{number}" for number in range(7)], ""))

    def test_refused(self) -> None:
        """What makes no sense is refused, with what is at fault."""
        process = self.process(MemoryStore(self.clock))
        place = "/trickster/api/v1/caches"
        for target, status in (
                ("/nix/entries", 404), ("/default", 404), ("/default/", 404), ("/entries", 404),
                ("/default/entries?limit=0", 400), ("/default/entries?limit=1001", 400),
                ("/default/entries?limit=x", 400), ("/default/entries?prefix=a", 400),
                ("/default/entries?backend=nix", 404), ("/default/entries?size=1", 400),
                ("/default/entries?limit=1&limit=2", 400), ("/default/entries?%", 400),
                ("/default/entries?limit=1000", 200)):
            self.assertEqual(at_once(self.call(process, b"GET", place + target))[0], status, target)
