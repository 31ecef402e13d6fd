"""What is held for answers counts from the first octet fetched to the last one sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import Client, World
from tests.ranges.deltarig import FORM, NOW, Rig, range_request
from tests.ranges.fakeprometheus import in_pieces
from trickster.bodies import Pieces, read_all
from trickster.collapsing.byte_budget import SMALL, ByteBudget
from trickster.collapsing.hit_memo import HitMemo
from trickster.errors import Overloaded, Reason, RequestTooLarge
from trickster.messages import Headers, Octets, Request, Response, Status
from trickster.objects.options import Collapse
from trickster.stores.memory import MemoryStore
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import at_once

LARGE = 200_000  # seconds of one minute's step: some 250 KiB of the fake's samples


class RequestBodyTests(SynchronousTestCase):
    """Request bodies that are read whole, and count against the byte budget."""

    def _asked(self, budget: ByteBudget, body: Any, most: int = 1 << 20) -> Deferred[Octets]:
        return Deferred.fromCoroutine(budget.request_body(body, most))

    def test_counts(self) -> None:
        """A request body counts while it arrives, and as long as it is used."""
        budget, body = ByteBudget(1 << 20), PausedBody()
        asked = self._asked(budget, body)
        body.feed(b"x" * 1000)
        self.assertEqual(budget.held, 1000)
        body.feed(b"x" * SMALL, b"")
        found = self.successResultOf(asked)
        self.assertEqual((budget.held, found.length), (SMALL + 1000, SMALL + 1000))
        del found, asked
        self.assertEqual(budget.held, 0)

    def test_too_large(self) -> None:
        """A request body above the limit is refused as too large."""
        self.failureResultOf(self._asked(ByteBudget(99), Octets(b"12345"), 4), RequestTooLarge)

    def test_no_room(self) -> None:
        """
        A request body for which the budget has no room is refused with 503 (RFC 9110 section
        15.6.4).
        """
        self.failureResultOf(self._asked(ByteBudget(3), Pieces.streamed([b"1234"])), Overloaded)

    def test_caches(self) -> None:
        """The object cache and the delta cache count the request bodies that they read."""
        post = evolve(range_request(NOW - 600, NOW, method=b"POST"),
                      body=Pieces.streamed([b"x" * 900]))
        rig = Rig(limit=500)
        self.failureResultOf(rig.send(post), Overloaded)
        world = World.of(in_flight=ByteBudget(500), key_form_fields=("a",))
        asked = world.cache.respond(Request(b"POST", b"/a", Headers(FORM),
                                            Pieces.streamed([b"a=" + b"x" * 900])))
        self.failureResultOf(Deferred.fromCoroutine(asked), Overloaded)


class ChangedTests(SynchronousTestCase):
    """Response bodies that are read whole and transformed."""

    def _changed(self, budget: ByteBudget, *pieces: bytes) -> Deferred[Octets]:
        async def doubled(octets: bytes) -> bytes:
            return 2 * octets

        return Deferred.fromCoroutine(budget.changed(Pieces.streamed(pieces), 5, doubled))

    def test_made(self) -> None:
        """A transformed body is passed on, and no octet of the original stays counted."""
        budget = ByteBudget(100)
        found = self.successResultOf(self._changed(budget, b"ab", b"c"))
        self.assertEqual((found.octets, budget.held), (b"abcabc", 0))

    def test_too_large(self) -> None:
        """A response body above the limit is a fault of the origin."""
        error = self.failureResultOf(self._changed(ByteBudget(100), b"abc", b"def")).value
        self.assertEqual((error.status, error.reason), (502, Reason.TOO_LARGE))

    def test_no_room(self) -> None:
        """A response body for which the budget has no room is no fault of the origin."""
        budget = ByteBudget(4)
        error = self.failureResultOf(self._changed(budget, b"abc", b"de")).value
        self.assertEqual((error.status, error.reason, error.retry_after),
                         (503, Reason.IN_FLIGHT_BUDGET, 1.0))
        self.assertEqual(budget.held, 0)


class RangeTests(SynchronousTestCase):
    """Responses of the delta cache that count against the byte budget."""

    def response(self, rig: Rig, end: float = 0, query: str = "up") -> Response:
        """:return: an answer that is not read yet."""
        return at_once(rig.cache.respond(range_request(NOW - LARGE, NOW + end, 60, query)))

    def test_until_stored(self) -> None:
        """A fetched response counts against the budget while it is decoded."""
        waiting: Deferred[None] = Deferred()

        async def offload(function: Callable[..., Any], *args: Any) -> Any:
            await waiting
            return function(*args)

        rig = Rig(offload=offload)
        rig.origin.always = in_pieces(10_000)
        asked = rig.start(-LARGE, 0)
        self.assertGreater(rig.in_flight.held, SMALL)
        waiting.callback(None)
        size = len(self.successResultOf(asked).octets)
        self.assertGreater(size, SMALL)
        del asked
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_until_sent(self) -> None:
        """
        A range response counts until it is read, also after the store has forgotten its entry.
        """
        rig = Rig()
        rig.ask(-LARGE, 0)
        for response in (self.response(rig), self.response(rig, query="other")):
            entry = rig.in_flight.held
            self.assertGreater(entry, SMALL)
            at_once(rig.store.delete(at_once(rig.store.keys(""))))
            self.assertEqual(rig.in_flight.held, entry)
            at_once(read_all(response.body, 1 << 30))
            del response
        self.assertEqual(rig.in_flight.held, 0)

    def test_of_one_entry(self) -> None:
        """Readers of one entry count its octets once."""
        rig = Rig()
        rig.ask(-LARGE, 0)
        first = self.response(rig)
        held = rig.in_flight.held
        second, third = self.response(rig), self.response(rig, -60)
        self.assertEqual(rig.in_flight.held, held)
        del first, second, third
        self.assertEqual(rig.in_flight.held, 0)

    def test_no_room(self) -> None:
        """When slow readers hold the whole budget, the next range request passes through."""
        rig = Rig(limit=1_000_000)
        rig.ask(-LARGE, 0)
        rig.ask(-LARGE, 0, query="other")
        slow = Pieces.of([b"x"])
        rig.in_flight.count(slow, self, 900_000)
        rig.fetches()
        for query in ("up", "other", "up"):
            answer = rig.ask(-LARGE, 0, query=query)
            self.assertEqual((answer.status, answer.outcome.reason, answer.octets),
                             (Status.PROXY_ONLY, Reason.IN_FLIGHT_BUDGET,
                              rig.direct(-LARGE, 0, query=query)))
            self.assertEqual(len(rig.fetches()), 1)
        del slow
        self.assertEqual(rig.ask(-LARGE, 0).status, Status.HIT)

    def test_small(self) -> None:
        """Small hits are served from the cache however much of the budget is held."""
        rig = Rig(limit=1000)
        rig.ask(-600, 0)
        self.assertTrue(rig.in_flight.reservation().take(1000))
        self.assertEqual(rig.ask(-600, 0).status, Status.HIT)


class ObjectTests(SynchronousTestCase):
    """Responses of the object cache that count against the byte budget."""

    def world(self, limit: int = 1 << 30, **options: Any) -> World:
        """:return: an object cache for large ones."""
        self.in_flight = ByteBudget(limit)
        return World.of(in_flight=self.in_flight, max_object_size_bytes=1 << 30, **options)

    def test_followed(self) -> None:
        """The octets of a followed body count until its last reader has read them."""
        for collapse in Collapse:
            world = self.world(collapse=collapse)
            slow, body = world.ask(reads=False), PausedBody()
            quick = world.ask()
            world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
            body.feed(b"x" * 1000, b"y" * SMALL, b"")
            self.assertEqual((len(quick.octets), len(world.store.entries)), (SMALL + 1000, 1))
            quick.response = None
            self.assertEqual(self.in_flight.held, SMALL + 1000)
            slow.leave()
            self.assertEqual(self.in_flight.held, 0)

    def test_until_sent(self) -> None:
        """
        A stored object counts while it is read, whole or in part, even when it is no longer stored.
        """
        world = self.world()
        self._stored(world)
        for headers in ({}, {"Range": "bytes=5-9"}, {"Range": "bytes=5-9,20-29"}):
            client = world.ask(reads=False, **headers)
            self.assertEqual((client.result, self.in_flight.held), ("hit", 2 * SMALL))
            client.response = None
            self.assertEqual(self.in_flight.held, 0)
        client = world.ask(reads=False)
        world.store.entries.clear()
        self.assertEqual(self.in_flight.held, 2 * SMALL)

    def test_no_room(self) -> None:
        """When slow readers hold the whole budget, the next object request passes through."""
        world = self.world(3 * SMALL)
        self._stored(world)
        slow = Pieces.of([b"x"])
        self.in_flight.count(slow, self, 2 * SMALL)
        client = world.ask()
        world.origin.answer(world.answer(body=Octets(b"passed")))
        self.assertEqual((client.octets, client.outcome.reason),
                         (b"passed", Reason.IN_FLIGHT_BUDGET))
        del slow
        self.assertEqual(world.ask().result, "hit")

    def _stored(self, world: World) -> None:
        client = world.ask()
        world.origin.answer(world.answer(
            body=Octets(b"x" * 2 * SMALL), Cache_Control="max-age=60"))
        self.assertEqual(len(client.octets), 2 * SMALL)
        client.response = None
        self.assertEqual(self.in_flight.held, 0)


class BoundTests(SynchronousTestCase):
    """The bound on all octets that are held, for any requests, read or not."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5), st.booleans()),
                    max_size=40))
    def test_within_limits(self, asked: list[tuple[str, int, bool]]) -> None:
        """The octets held never exceed the limits of store, memo and byte budget together."""
        in_flight, memo, stores = ByteBudget(8 * SMALL), HitMemo(SMALL), []

        def store(clock: Clock) -> MemoryStore:
            stores.append(MemoryStore(clock, 6 * SMALL))
            return stores[0]

        world = World.of(store, memo=memo, in_flight=in_flight, max_object_size_bytes=5 * SMALL)
        slow: list[Client] = []
        for name, size, is_read in asked:
            slow.append(world.ask(b"/" + name.encode(), reads=is_read))
            self._leave(slow, 6)
            if world.origin.waiting:
                body = Pieces.of([b"x" * 1000] * (size * SMALL // 1000))
                world.origin.answer(world.answer(body=body, Cache_Control="max-age=60"))
            self.assertLessEqual(in_flight.held, in_flight.limit)
            self.assertLessEqual(memo.kept.octets, memo.limit)
            self.assertLessEqual(stores[0].octets, stores[0].max_octets)
        self._leave(slow, 0)
        self.assertEqual(in_flight.held, 0)

    def _leave(self, clients: list[Client], stay: int) -> None:
        while len(clients) > stay:
            client = clients.pop(0)
            client.leave()
            client.response = None
