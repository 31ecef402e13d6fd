"""Tests of L{trickster.collapsing.collapsed_home}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.collapsing.fakespool import FakeSpool
from tests.objects.objectworld import START, Client, Origin, World
from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.collapsed_home import CollapsedHome
from trickster.collapsing.progressive_proxy import SharedAnswers
from trickster.errors import Reason, UpstreamBroke, UpstreamTimeout
from trickster.interfaces import IResponder
from trickster.keys.identity import Identity, Overrides
from trickster.messages import Engine, Outcome, Principal, Request, Response, Status
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import ReferenceStore

MISS = Outcome(Engine.OBJECT, Status.KEY_MISS, Reason.KEY_MISS, stored=True, ttl=59.0,
               origin_status=200)
AWAY = Response(299)


class FakeHome:
    """A home whose answers the test tells; 299 stands for none."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def is_elsewhere(self, key: str) -> bool:
        """:return: as the key says."""
        return key == "elsewhere"

    async def asked(self, key: str, request: Request) -> Response | None:
        """Wait for what the test says."""
        response = await self.origin.respond(request)
        return None if response.status == 299 else response


@implementer(IResponder)
class Asking:
    """Asks a home, and answers itself where that is away."""

    def __init__(self, home: CollapsedHome) -> None:
        self.home = home

    async def respond(self, request: Request) -> Response:
        """Ask."""
        response = await self.home.asked("elsewhere", request)
        return Response(299) if response is None else response


class CollapsedHomeTests(SynchronousTestCase):
    """Several clients of a process, and a home that is asked for them."""

    def setUp(self) -> None:
        """A home that waits."""
        clock, self.version, self.budget = Clock(), 0, ByteBudget(10_000)
        clock.advance(START)
        self.origin = Origin()
        self.shared = SharedAnswers(
            clock, Buffering(10_000, 1000, 1000, FakeSpool, in_flight=self.budget),
            Identity(frozenset((b"x-tenant",))), Overrides(frozenset((b"x-original-url",))),
            lambda: self.version)
        self.counted: list[str] = []
        self.home = CollapsedHome(FakeHome(self.origin), self.shared, self.counted.append)
        self.world = World(clock, self.origin, ReferenceStore(clock), Asking(self.home))

    def answer(self, outcome: Outcome = MISS, body: Any = b"hello", **headers: str) -> None:
        """Have the home answer."""
        self.origin.answer(self.world.answer(body=body, **headers).with_outcome(outcome))

    def crowd(self, count: int, **headers: str) -> list[Client]:
        """:return: clients that have asked the same."""
        return [self.world.ask(**headers) for _ in range(count)]

    def test_elsewhere(self) -> None:
        """Homes are where the inner one says."""
        self.assertEqual(list(map(self.home.is_elsewhere, ("elsewhere", "here"))), [True, False])

    def test_once(self) -> None:
        """Fifty clients cause one order, and all have the answer."""
        clients = self.crowd(50)
        self.answer()
        self.assertEqual((self.world.asked, {c.octets for c in clients}), (1, {b"hello"}))

    def test_outcomes(self) -> None:
        """
        The first has the outcome of the home; for the others it is the same, but collapsed: they
        have fetched nothing.
        """
        spans = ((1, 2),)
        made = evolve(MISS, engine=Engine.DELTA, fetched=spans, points_cached=3, points_fetched=4,
                      aligned=(1, 2))
        clients = self.crowd(2)
        self.answer(made)
        self.assertEqual(clients[0].outcome, made)
        self.assertEqual(clients[1].outcome, evolve(
            made, status=Status.PROXY_HIT, reason=Reason.COLLAPSED, fetched=(), points_cached=7,
            points_fetched=0))

    def test_partial(self) -> None:
        """What the origin failed to answer is missing for all."""
        made = evolve(MISS, engine=Engine.DELTA, reason=Reason.PARTIAL_FAILURE, failed=((1, 2),))
        clients = self.crowd(2)
        self.answer(made)
        self.assertEqual(clients[1].outcome,
                         evolve(made, status=Status.PROXY_HIT))

    def test_hits(self) -> None:
        """What the home had stored, fresh or stale, is as stored for all."""
        for made in (Outcome(Engine.OBJECT, Status.HIT, ttl=1.0, age=1.0),
                     Outcome(Engine.OBJECT, Status.NEGATIVE_HIT),
                     Outcome(Engine.OBJECT, Status.HIT, Reason.STALE, "stale-if-error",
                             cause=Reason.ORIGIN_TIMEOUT)):
            clients = self.crowd(3)
            self.answer(made)
            self.assertEqual([c.outcome for c in clients], [made] * 3)

    def test_counted(self) -> None:
        """A hit is counted for each who follows one of the home, which has counted the first."""
        stale = Outcome(Engine.OBJECT, Status.HIT, Reason.STALE, "stale-if-error",
                        cause=Reason.ORIGIN_TIMEOUT)
        for made, hits in ((Outcome(Engine.OBJECT, Status.HIT, ttl=1.0, age=1.0), 2),
                           (Outcome(Engine.OBJECT, Status.NEGATIVE_HIT), 2), (MISS, 0), (stale, 0)):
            self.counted.clear()
            self.crowd(3)
            self.answer(made)
            self.assertEqual(self.counted, ["elsewhere"] * hits)

    def test_age(self) -> None:
        """
        Who follows an answer that the origin has made for another has an Age, of the object cache
        alone (RFC 9111 section 5.1).
        """
        for outcome, age in ((MISS, b"3"), (evolve(MISS, engine=Engine.PROXY), None)):
            body = PausedBody()
            first = self.world.ask()
            self.answer(outcome, body=body)
            self.world.clock.advance(3)
            late = self.world.ask()
            self.assertEqual((first.header(b"age"), late.header(b"age")), (None, age))
            body.feed(b"")
        clients = self.crowd(2)
        self.answer(Age="7")
        self.assertEqual([c.header(b"age") for c in clients], [b"7", b"7"])

    def test_wishes(self) -> None:
        """
        Clients with other wishes about freshness (RFC 9111 section 5.2.1) have answers of their
        own: what is good enough for one may not be for another.
        """
        wishes = ("max-age=0", "max-stale", "stale-if-error=60", "min-fresh=5", "")
        clients = [self.world.ask(Cache_Control=wish) for wish in wishes]
        self.assertEqual((self.world.asked, {c.response for c in clients}), (5, {None}))

    def test_unshared(self) -> None:
        """Requests that want no shared answer are asked each for itself, and so are bodies."""
        for headers in ({"Cache_Control": "no-cache"}, {"Cache_Control": "no-store"},
                        {"Pragma": "no-cache"}, {"X_Original_URL": "/a"}):
            before = self.world.asked
            self.crowd(2, **headers)
            self.assertEqual(self.world.asked - before, 2, headers)
        self.world.ask(method=b"POST", body=b"a"), self.world.ask(method=b"POST", body=b"a")
        self.assertEqual(self.world.asked, 10)

    def test_principals(self) -> None:
        """Different principals never share, whatever their fields are."""
        for name in ("alice", "bob", "alice"):
            client, request = Client(), Request(b"GET", b"/x", identity=Principal(name))
            client.asking = Deferred.fromCoroutine(client.ask(self.world.cache, request))
        self.assertEqual(self.world.asked, 2)

    def test_private(self) -> None:
        """An answer for one client alone is given to it; all others have their own."""
        clients = self.crowd(3)
        self.answer(body=b"1", Cache_Control="private")
        self.assertEqual((clients[0].octets, self.world.asked), (b"1", 3))
        self.answer(body=b"2", Cache_Control="private")
        self.answer(body=b"3", Cache_Control="private")
        self.assertEqual([c.octets for c in clients], [b"1", b"2", b"3"])

    def test_errors(self) -> None:
        """An error is for all who wait."""
        clients = self.crowd(3)
        self.origin.answer(UpstreamTimeout("late"))
        self.assertEqual({type(c.error) for c in clients}, {UpstreamTimeout})

    def test_away(self) -> None:
        """Where the home is away, all hear so at once."""
        clients = self.crowd(3)
        self.origin.answer(AWAY)
        self.assertEqual([c.status for c in clients], [299] * 3)
        self.world.ask()
        self.assertEqual(self.world.asked, 2)

    def test_away_alone(self) -> None:
        """So does one that shares nothing."""
        client = self.world.ask(Cache_Control="no-cache")
        self.origin.answer(AWAY)
        self.assertEqual(client.status, 299)

    def test_breaks(self) -> None:
        """Where the home breaks off in the body, so do the answers of all."""
        clients, body = self.crowd(2), PausedBody(10)
        self.answer(body=body)
        body.feed(b"some", UpstreamBroke("gone"))
        self.assertEqual([(c.octets, type(c.error)) for c in clients],
                         [(b"some", UpstreamBroke)] * 2)
        self.assertEqual(self.budget.held, 0)

    def test_leave(self) -> None:
        """The last client that leaves has the home give up, and no other does."""
        clients = self.crowd(3)
        exchange = self.origin.waiting[0]
        for client in clients[:2]:
            client.leave()
        self.assertFalse(exchange.was_cancelled)
        clients[2].leave()
        self.assertTrue(exchange.was_cancelled)

    def test_leave_body(self) -> None:
        """So does the last that leaves a body."""
        clients, body = [self.world.ask(reads=False) for _ in range(2)], PausedBody()
        self.answer(body=body)
        clients[0].leave()
        self.assertFalse(body.is_closed)
        clients[1].leave()
        self.assertTrue(body.is_closed)

    def test_outdated(self) -> None:
        """What was asked for before a change, or a purge, is not followed after it."""
        self.world.ask()
        self.shared.outdate()
        self.world.ask()
        self.assertEqual(self.world.asked, 2)
        self.version += 1
        self.world.ask()
        self.assertEqual(self.world.asked, 3)

    def test_large(self) -> None:
        """What finds no room streams through, as fast as its slowest reader takes it."""
        client, body = self.world.ask(reads=False), PausedBody()
        self.answer(body=body)
        for _ in range(50):
            body.feed(b"x" * 1000)
        self.assertLess(body.reads, 20)
        self.assertLessEqual(self.budget.held, 10_000)
        self.assertEqual(client.response and client.response.body.length, None)

    def test_stop(self) -> None:
        """A stop cancels what is on its way."""
        client = self.world.ask()
        exchange = self.origin.waiting[0]
        self.shared.stop()
        self.assertTrue(exchange.was_cancelled)
        self.assertIsNotNone(client.error)
