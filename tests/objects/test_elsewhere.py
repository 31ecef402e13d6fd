"""Tests of stored answers whose home is another process (L{trickster.collapsing.home})."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import Client, World, fields, web_route
from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.collapsed_home import CollapsedHome
from trickster.collapsing.progressive_proxy import SharedAnswers
from trickster.errors import NotCached, Reason, UpstreamBroke, UpstreamTimeout
from trickster.keys.identity import NO_IDENTITY, Overrides
from trickster.messages import Headers, Octets, Principal, Request, Response
from trickster.objects.cache import CacheRuntime, ObjectCache
from trickster.objects.options import ObjectOptions
from trickster.purging.purges import Purges
from trickster.routes import Route, Serve
from trickster.stores.memory import MemoryStore
from trickster.testing.bodies import PausedBody

FRESH = {"Cache_Control": "max-age=60"}


@define(eq=False)
class FakeHome:
    """
    A home that is always elsewhere, or never.

    :ivar there: the other process; None where it cannot be reached.
    :ivar asked_for: keys.
    """

    there: Any
    elsewhere: bool = True
    asked_for: list[str] = field(factory=list)

    def is_elsewhere(self, key: str) -> bool:
        """:return: as it is told."""
        return self.elsewhere

    async def asked(self, key: str, request: Request) -> Response | None:
        """Ask the other process itself."""
        self.asked_for.append(key)
        return None if self.there is None else await self.there.at_home(request)


class Processes:
    """
    Two processes over one store, before one origin.

    :ivar there: the home of every key.
    :ivar here: another one.
    """

    def __init__(self, route: Route | None = None, **options: Any) -> None:
        self.there = there = World.of(MemoryStore, route, **options)
        clock, store = there.clock, there.store
        runtime = CacheRuntime(store, clock, backend="web", boundary=lambda: b"BOUNDARY",
                               purges=Purges(store, clock, clock.seconds))
        cache = ObjectCache(there.origin, ObjectOptions("web", route or web_route(), **options),
                            runtime)
        self.here = World(clock, there.origin, store, cache, runtime=runtime)
        self.way = FakeHome(there.cache)
        self.shared = SharedAnswers(clock, Buffering(1 << 20), NO_IDENTITY,
                                    Overrides(frozenset((b"x-original-url",))),
                                    lambda: self.here.purges.mark)
        cache.home = CollapsedHome(self.way, self.shared)
        there.cache.home = FakeHome(cache, False)
        runtime.invalidation.add(cache.invalidate)
        runtime.invalidation.add(self._outdate)
        for one, other in ((self.here, self.there), (self.there, self.here)):
            assert one.runtime is not None and other.runtime is not None
            one.runtime.invalidation.elsewhere = other.runtime.invalidation.forget_here

    async def _outdate(self, target: bytes, authority: bytes) -> None:
        self.shared.outdate()

    def ask(self, request: Request) -> Client:
        """:return: a client of C{here} that has asked."""
        client = Client()
        client.asking = Deferred.fromCoroutine(client.ask(self.here.cache, request))
        return client


class ElsewhereTests(SynchronousTestCase):
    """What is missing is fetched by the home; what is there is given at once."""

    def setUp(self) -> None:
        """Two processes."""
        self.both = Processes(honour_request_directives=True)
        self.here, self.there, self.way = self.both.here, self.both.there, self.both.way

    def test_miss_and_hit(self) -> None:
        """A miss is the home's, and then a hit of every process."""
        self.here.given(self.here.answer(**FRESH))
        missed = self.here.ask()
        self.assertEqual((missed.octets, missed.outcome.reason, len(self.way.asked_for)),
                         (b"hello", Reason.KEY_MISS, 1))
        self.assertEqual([self.here.ask().result, self.there.ask().result], ["hit", "hit"])
        self.assertEqual((self.here.asked, len(self.way.asked_for)), (1, 1))

    def test_together(self) -> None:
        """Fifty clients of each process cause one request of the origin, and one order."""
        clients = [world.ask() for _ in range(50) for world in (self.here, self.there)]
        self.here.origin.answer(self.here.answer(**FRESH))
        self.assertEqual((self.here.asked, len(self.way.asked_for)), (1, 1))
        self.assertEqual({client.octets for client in clients}, {b"hello"})
        self.assertEqual(sorted(client.result for client in clients),
                         ["kmiss", *["proxy-hit"] * 99])

    def test_unreachable(self) -> None:
        """Where the home cannot be reached, clients are answered here, together, and it is stored."""
        self.way.there = None
        clients = [self.here.ask() for _ in range(3)]
        self.here.origin.answer(self.here.answer(**FRESH))
        self.assertEqual([client.result for client in clients], ["kmiss", "proxy-hit", "proxy-hit"])
        self.assertEqual([self.here.ask().result, self.there.ask().result], ["hit", "hit"])

    def test_broken(self) -> None:
        """A body that breaks does so for the client, and is stored by no process."""
        client, body = self.here.ask(), PausedBody(10)
        self.here.origin.answer(self.here.answer(body=body, **FRESH))
        body.feed(b"some", UpstreamBroke("gone"))
        self.assertEqual(type(client.error), UpstreamBroke)
        self.here.given(self.here.answer(**FRESH))
        self.assertEqual((self.here.ask().octets, self.here.asked), (b"hello", 2))

    def test_errors(self) -> None:
        """An error of the home is one here; what is stale is given where it may be."""
        self.here.given(self.here.answer(Cache_Control="max-age=1, stale-if-error=60"),
                        UpstreamTimeout("late"), UpstreamTimeout("late"))
        self.here.ask()
        self.here.clock.advance(5)
        stale = self.here.ask()
        self.assertEqual((stale.outcome.reason, stale.outcome.cause, self.here.asked),
                         (Reason.STALE, Reason.ORIGIN_TIMEOUT, 2))
        self.assertEqual(type(self.here.ask(b"/y").error), UpstreamTimeout)

    def test_no_loop(self) -> None:
        """A home never asks elsewhere, whatever it thinks of where a key is at home."""
        way = self.there.cache.home = FakeHome(self.here.cache)
        for target in (b"/x", b"/y"):
            self.here.given(self.here.answer(**FRESH))
            self.assertEqual(self.here.ask(target).result, "kmiss")
        self.assertEqual((way.asked_for, len(self.way.asked_for)), ([], 2))

    def test_stale_while_revalidate(self) -> None:
        """What is stale and to be refreshed is given, and refreshed, by the home."""
        said = {"Cache_Control": "max-age=1, stale-while-revalidate=60"}
        self.here.given(self.here.answer(**said))
        self.here.ask()
        self.here.clock.advance(5)
        clients = [self.here.ask() for _ in range(3)] + [self.there.ask()]
        self.assertEqual({(c.octets, c.outcome.reason) for c in clients},
                         {(b"hello", Reason.STALE)})
        self.assertEqual((len(self.here.origin.waiting), self.there.fetches, self.here.fetches),
                         (1, 1, 0))
        self.here.origin.answer(self.here.answer(body=b"new", **said))
        self.assertEqual((self.here.ask().octets, self.here.asked), (b"new", 2))

    def test_stale_while_revalidate_alone(self) -> None:
        """Where the home cannot be reached, it is refreshed here."""
        self.here.given(self.here.answer(Cache_Control="max-age=1, stale-while-revalidate=60"))
        self.here.ask()
        self.here.clock.advance(5)
        self.way.there = None
        self.assertEqual((self.here.ask().octets, len(self.here.origin.waiting)), (b"hello", 1))

    def test_stale_for_others(self) -> None:
        """Clients for which nothing is fetched elsewhere get what is stale as well."""
        for method, said in ((b"HEAD", {}), (b"GET", {"Cache_Control": "only-if-cached"}),
                             (b"GET", {"Cache_Control": "no-store"})):
            self.setUp()
            self.here.given(self.here.answer(Cache_Control="max-age=1, stale-while-revalidate=60"))
            self.here.ask()
            self.here.clock.advance(5)
            client = self.here.ask(method=method, **said)
            self.assertEqual((client.result, client.outcome.reason), ("hit", Reason.STALE))

    def test_only_if_cached(self) -> None:
        """A client that wants nothing of the origin's has nobody asked."""
        self.assertEqual(type(self.here.ask(Cache_Control="only-if-cached").error), NotCached)
        self.assertEqual((self.way.asked_for, self.here.asked), ([], 0))

    def test_no_store(self) -> None:
        """What may not be stored is asked for here, without a trace."""
        self.here.given(self.here.answer(**FRESH))
        self.assertEqual(self.here.ask(Cache_Control="no-store").octets, b"hello")
        self.assertEqual(self.way.asked_for, [])
        self.assertIsNone(self.here.ask().response)

    def test_no_cache(self) -> None:
        """Who wants nothing of what is stored has it fetched by the home, for all."""
        self.here.given(self.here.answer(**FRESH), self.here.answer(body=b"new", **FRESH))
        self.here.ask()
        self.assertEqual(self.here.ask(Cache_Control="no-cache").octets, b"new")
        self.assertEqual((self.here.ask().octets, self.there.ask().octets, len(self.way.asked_for)),
                         (b"new", b"new", 2))

    def test_head(self) -> None:
        """A HEAD has the fields of the answer to a GET, and no body."""
        self.here.given(self.here.answer(X_A="1"))
        answer = self.here.ask(method=b"HEAD")
        self.assertEqual((answer.status, answer.header(b"x-a")), (200, b"1"))
        self.here.given(self.here.answer(**FRESH))
        self.here.ask()
        head = self.here.ask(method=b"HEAD")
        self.assertEqual((head.result, head.octets, head.header(b"content-length")),
                         ("hit", b"", b"5"))

    def test_range(self) -> None:
        """A part is fetched, and answered, by the home."""
        self.here.given(self.here.answer(body=b"0123456789", ETag='"a"', **FRESH))
        part = self.here.ask(Range="bytes=2-4")
        self.assertEqual((part.status, part.octets, part.header(b"content-range")),
                         (206, b"234", b"bytes 2-4/10"))
        self.assertEqual((self.here.ask(Range="bytes=0-1").octets, self.here.asked), (b"01", 1))

    def test_conditional(self) -> None:
        """A condition that holds is answered without a body, be it stored or not."""
        self.here.given(self.here.answer(ETag='"a"', **FRESH))
        answers = [self.here.ask(If_None_Match='"a"') for _ in range(2)]
        self.assertEqual([(c.status, c.octets) for c in answers], [(304, b"")] * 2)
        self.assertEqual(self.here.asked, 1)

    def test_revalidated(self) -> None:
        """What is stale is validated by the home."""
        self.here.given(self.here.answer(ETag='"a"', **FRESH), Response(304, fields(**FRESH)))
        self.here.ask()
        self.here.clock.advance(100)
        self.assertEqual((self.here.ask().result, self.here.ask().result), ("rhit", "hit"))
        self.assertEqual(self.here.origin.requests[1].headers.get(b"if-none-match"), b'"a"')

    def test_unsafe(self) -> None:
        """
        What a client changes in one process is stale in all of them: what is stored, what is on its
        way, and what is followed.
        """
        for changing, asking in ((self.here, self.there), (self.there, self.here)):
            target = b"/%d" % id(changing)
            self.here.given(self.here.answer(body=b"1", **FRESH))
            self.assertEqual(asking.ask(target).octets, b"1")
            self.here.given(self.here.answer(200))
            changing.ask(target, method=b"PUT")
            followed = [asking.ask(target), changing.ask(target)]
            (index,) = range(len(self.here.origin.waiting))
            self.here.given(self.here.answer(200))
            changing.ask(target, method=b"PUT")
            after = [asking.ask(target), changing.ask(target)]
            self.assertEqual(len(self.here.origin.waiting), 2)
            self.here.origin.answer(self.here.answer(body=b"2", **FRESH), index)
            self.here.origin.answer(self.here.answer(body=b"3", **FRESH))
            self.assertEqual([c.octets for c in (*followed, *after)], [b"2", b"2", b"3", b"3"])
            self.assertEqual([asking.ask(target).octets, changing.ask(target).octets],
                             [b"3", b"3"])

    def test_private(self) -> None:
        """What is for one client is asked for by each, in whichever process."""
        for _ in range(4):
            self.here.ask(), self.there.ask()
        for number in range(8):
            self.here.origin.answer(self.here.answer(body=b"%d" % number, Cache_Control="private"))
        self.assertEqual(self.here.asked, 8)

    def test_leave(self) -> None:
        """The last client that leaves has the home give up."""
        clients = [self.here.ask(), self.here.ask()]
        (exchange,) = self.here.origin.waiting
        clients[0].leave()
        self.assertFalse(exchange.was_cancelled)
        clients[1].leave()
        self.assertTrue(exchange.was_cancelled)
        self.assertEqual((self.here.fetches, self.there.fetches), (0, 0))


class BodyTests(SynchronousTestCase):
    """Requests whose bodies are part of what is asked."""

    ROUTE = Route("/", Serve.OBJECT, methods=("GET", "POST"), ttl=60.0, form=True)

    def test_forms(self) -> None:
        """A query in a body is the same one there, and its answer stored under it."""
        both = Processes(self.ROUTE)
        told = []
        for body in (b"q=1", b"q=2", b"q=1"):
            both.here.given(lambda request: both.here.answer(body=request.body.octets))
            client = both.here.ask(b"/", b"POST", body=body,
                                   Content_Type="application/x-www-form-urlencoded")
            told.append((client.octets, client.result))
        self.assertEqual(told, [(b"q=1", "kmiss"), (b"q=2", "kmiss"), (b"q=1", "hit")])

    def test_arriving(self) -> None:
        """A body that is still on its way is read whole before the home is asked."""
        both = Processes(self.ROUTE)
        body = PausedBody()
        both.here.given(lambda request: both.here.answer(body=request.body.octets))
        client = both.ask(Request(
            b"POST", b"/", fields(Content_Type="application/x-www-form-urlencoded"), body))
        body.feed(b"q=", b"1")
        self.assertEqual(both.way.asked_for, [])
        body.feed(b"")
        self.assertEqual((client.octets, len(both.way.asked_for)), (b"q=1", 1))


NAMES = st.sampled_from((None, "alice", "bob", "alice\ud800"))


class PrincipalTests(SynchronousTestCase):
    """Whom requests come from."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(NAMES, st.booleans(), st.booleans()), max_size=12))
    def test_never_cross(self, asked: list[tuple[str | None, bool, bool]]) -> None:
        """Whichever processes are asked, at the same time or not, each gets what is its own."""
        both, clients = Processes(), list[tuple[str | None, Client]]()
        for name, is_here, is_answered in asked:
            request = Request(b"GET", b"/x", Headers(), Octets(), b"example.org")
            request = evolve(request, identity=None if name is None else Principal(name))
            client, world = Client(), both.here if is_here else both.there
            client.asking = Deferred.fromCoroutine(client.ask(world.cache, request))
            clients.append((name, client))
            if is_answered:
                self.answer_all(both)
        self.answer_all(both)
        self.assertEqual([client.octets for _, client in clients],
                         [repr(name).encode() for name, _ in clients])

    def answer_all(self, both: Processes) -> None:
        """Have the origin answer each request with whom it comes from."""
        while both.here.origin.waiting:
            identity = both.here.origin.waiting[0].request.identity
            name = None if identity is None else identity.name
            both.here.origin.answer(both.here.answer(
                body=repr(name).encode(), Cache_Control="max-age=60"))


class SameTests(SynchronousTestCase):
    """One process, and two."""

    SAID = ("max-age=60", "no-store", "private", "max-age=0", "no-cache",
            "max-age=1, stale-if-error=60", "public, s-maxage=5")
    ASKED = ("", "no-cache", "max-age=0", "max-stale", "no-store", "min-fresh=30",
             "only-if-cached")
    OPTIONS: ClassVar[dict[str, Any]] = {"honour_request_directives": True,
                                         "negative": {404: 5.0}}

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(SAID), st.lists(st.tuples(
        st.sampled_from(ASKED), st.sampled_from((b"GET", b"HEAD", b"PUT")),
        st.sampled_from((0, 3, 70)), st.sampled_from((200, 404, 503, 304))), max_size=6))
    def test_one_after_another(self, said: str, asked: list[tuple[str, bytes, int, int]]) -> None:
        """Of requests that come one after the other, two processes make the same as one."""
        alone, both = World.of(MemoryStore, **self.OPTIONS), Processes(**self.OPTIONS).here
        for wish, method, seconds, status in asked:
            found = []
            for world in (alone, both):
                world.clock.advance(seconds)
                world.origin.script.clear()
                world.given(world.answer(status, Cache_Control=said, ETag='"a"'),
                            world.answer(body=b"again", Cache_Control=said, ETag='"b"'))
                client = world.ask(method=method, **({"Cache_Control": wish} if wish else {}))
                found.append((type(client.error), client.octets, client.response, world.asked))
            self.assertEqual(*found)
