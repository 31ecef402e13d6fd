"""Progressive collapsed forwarding, with and without a cache."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.collapsing.fakespool import FakeSpool
from tests.objects.objectworld import START, ObjectStore, Origin, SlowBody, World, broken
from trickster.collapsing.broadcast import Buffering
from trickster.errors import Reason, UpstreamBroke, UpstreamUnreachable
from trickster.interfaces import IResponder
from trickster.keys.identity import Identity, Overrides
from trickster.messages import Status
from trickster.objects.options import Collapse
from trickster.objects.progressive_proxy import ProgressiveProxy


def progressive(**options: Any) -> World:
    """:return: a world with a progressive cache."""
    return World.of(collapse=Collapse.PROGRESSIVE, **{"spool": FakeSpool, **options})


def proxying(keep: int = 1000) -> World:
    """:return: a world with a progressive proxy, which stores nothing."""
    clock = Clock()
    clock.advance(START)
    origin = Origin()
    proxy = ProgressiveProxy(origin, clock, Buffering(keep, 1000, 1000, FakeSpool),
                             Identity(frozenset((b"x-tenant",))),
                             Overrides(frozenset((b"x-original-url",))))
    return World(clock, origin, ObjectStore(clock), proxy)


class ProgressiveCacheTests(SynchronousTestCase):
    """Those who come while the body is coming follow it."""

    def test_follow(self) -> None:
        """All clients get what is there at once; the origin is asked once; all is stored."""
        for length in (9, None):
            world = progressive()
            early = world.ask(), world.ask()
            body = SlowBody(length)
            world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
            body.send(b"abc")
            late = world.ask()
            self.assertEqual([c.octets for c in (*early, late)], [b"abc"] * 3)
            self.assertEqual(late.response.body.length, length)
            body.send(b"def", b"ghi", b"")
            self.assertEqual([c.octets for c in (*early, late)], [b"abcdefghi"] * 3)
            self.assertEqual((world.ask().result, world.asked), ("hit", 1))
            self.assertEqual([c.result for c in (*early, late)],
                             ["kmiss", "proxy-hit", "proxy-hit"])

    def test_slow_reader(self) -> None:
        """A slow reader slows no other, and loses nothing."""
        world = progressive()
        slow, fast = world.ask(reads=False), world.ask()
        body = SlowBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.send(*[b"x" * 100_000] * 5, b"")
        self.assertEqual(len(fast.octets), 500_000)
        self.assertEqual(world.ask().result, "hit")
        self.successResultOf(Deferred.fromCoroutine(slow.read_all()))
        self.assertEqual(slow.octets, fast.octets)

    def test_too_large(self) -> None:
        """What is too large goes to all, also those who come late, and is not stored."""
        for length in (36_000, None):
            world = progressive(max_object_size_bytes=10_000)
            first = world.ask()
            body = SlowBody(length)
            world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
            body.send(b"a" * 9000, b"b" * 9000, b"c" * 9000)
            late = world.ask()
            body.send(b"d" * 9000, b"")
            self.assertEqual((len(first.octets), first.octets), (36_000, late.octets))
            self.assertEqual((world.asked, world.store.entries), (1, {}))

    def test_reader_vanishes(self) -> None:
        """One that leaves harms no other; the last to leave ends it."""
        world = progressive()
        clients = [world.ask() for _ in range(3)]
        body = SlowBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.send(b"abc")
        clients[0].leave()
        body.send(b"def")
        self.assertEqual(clients[1].octets, b"abcdef")
        clients[1].leave(), clients[2].leave()
        self.assertTrue(body.was_closed and body.was_cancelled)
        self.assertEqual((world.fetches, world.store.entries), (0, {}))

    def test_origin_dies(self) -> None:
        """Each reader is told; nothing is stored; the next asks anew."""
        world = progressive()
        clients = [world.ask(), world.ask()]
        body = SlowBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.send(b"abc", broken())
        self.assertEqual([type(c.error) for c in clients], [UpstreamBroke] * 2)
        self.assertEqual(world.store.entries, {})
        world.given(world.answer(Cache_Control="max-age=9"))
        self.assertEqual(world.ask().octets, b"hello")

    def test_range_of_what_is_there(self) -> None:
        """A part that has arrived is given at once."""
        world = progressive()
        world.ask()
        body = SlowBody(9)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.send(b"abcdef")
        client = world.ask(Range="bytes=2-4")
        self.assertEqual((client.status, client.octets, client.is_done), (206, b"cde", True))
        self.assertEqual(client.header(b"content-range"), b"bytes 2-4/9")
        self.assertEqual(world.asked, 1)

    def test_range_of_what_is_not_there(self) -> None:
        """One that has not is asked for."""
        world = progressive()
        world.ask()
        body = SlowBody(9)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.send(b"abcdef")
        world.ask(Range="bytes=4-8")
        self.assertEqual(world.asked, 2)
        self.assertEqual(world.origin.requests[-1].headers.get(b"range"), b"bytes=4-8")

    def test_head_and_conditions(self) -> None:
        """What can be answered from the head is, and all of it is stored nevertheless."""
        world = progressive()
        leader = world.ask(If_None_Match='"b"')
        body = SlowBody(9)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9", ETag='"b"'))
        self.assertEqual(leader.status, 304)
        body.send(b"abcdefghi", b"")
        self.assertEqual(world.ask().result, "hit")

    def test_other_variant(self) -> None:
        """A body for another variant is not followed."""
        world = progressive()
        world.ask(Accept="a")
        body = SlowBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9", Vary="Accept"))
        body.send(b"abc")
        other = world.ask(Accept="b")
        self.assertEqual((world.asked, other.response), (2, None))

    def test_without_a_spool(self) -> None:
        """Then a client cannot join what has been forgotten, and asks for it anew."""
        world = progressive(spool=None, max_object_size_bytes=10)
        world.ask()
        body = SlowBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.send(b"x" * 20)
        world.ask()
        self.assertEqual(world.asked, 2)


class ProgressiveProxyTests(SynchronousTestCase):
    """Equal requests at the same time; nothing is stored."""

    def test_interface(self) -> None:
        """It is a responder."""
        verifyObject(IResponder, proxying().cache)

    def test_follow(self) -> None:
        """The origin is asked once while the body comes, and again after that."""
        world = proxying()
        clients = [world.ask(), world.ask()]
        body = SlowBody()
        world.origin.answer(world.answer(body=body, X_A="1"))
        body.send(b"abc")
        clients.append(world.ask())
        body.send(b"def", b"")
        self.assertEqual([c.octets for c in clients], [b"abcdef"] * 3)
        self.assertEqual({c.header(b"x-a") for c in clients}, {b"1"})
        self.assertEqual([c.outcome.status for c in clients],
                         [Status.PROXY_ONLY, Status.PROXY_HIT, Status.PROXY_HIT])
        self.assertEqual(clients[1].outcome.reason, Reason.COLLAPSED)
        world.ask()
        self.assertEqual(world.asked, 2)

    def test_unequal(self) -> None:
        """Requests that may get different answers do not share."""
        for one in ({"Authorization": "x"}, {"Cookie": "x"}, {"Range": "bytes=0-1"},
                    {"Accept": "x"}, {"X_Tenant": "x"}, {"If_None_Match": '"x"'}):
            world = proxying()
            world.ask()
            world.ask(**one)
            self.assertEqual(world.asked, 2, one)

    def test_never_shared(self) -> None:
        """Nor do those of other methods, with a body, or that want no shared answer."""
        for method, headers in ((b"POST", {}), (b"HEAD", {}), (b"GET", {"Upgrade": "websocket"}),
                                (b"GET", {"Content_Length": "1"}),
                                (b"GET", {"X_Original_URL": "/a"}),
                                (b"GET", {"X_Forwarded_For": "<script>"}),
                                (b"GET", {"Cache_Control": "no-cache"})):
            world = proxying()
            world.ask(method=method, **headers), world.ask(method=method, **headers)
            self.assertEqual(world.asked, 2, (method, headers))

    def test_not_for_others(self) -> None:
        """An answer for one client alone releases the others at once."""
        for headers in ({"Cache_Control": "private"}, {"Cache_Control": "no-store"},
                        {"Set_Cookie": "a=b"}, {"Set_Cookie2": "a=b"}, {"Vary": "*"},
                        {"Cache_Control": "no-cache"}, {"CDN_Cache_Control": "private"},
                        {"Content_Type": "text/event-stream"}):
            world = proxying()
            first, second = world.ask(), world.ask()
            world.origin.answer(world.answer(**headers))
            self.assertEqual((first.octets, len(world.origin.waiting)), (b"hello", 1), headers)
            world.origin.answer(world.answer(body=b"2"))
            self.assertEqual(second.octets, b"2")
            world.ask(), world.ask()
            self.assertEqual(world.asked, 4)

    def test_error(self) -> None:
        """An error may be the fault of one request's own fields."""
        for status in (400, 403, 413, 414, 429, 431, 500, 503):
            world = proxying()
            first, second = world.ask(), world.ask()
            world.origin.answer(world.answer(status))
            self.assertEqual((first.status, second.response), (status, None))

    def test_first_leaves(self) -> None:
        """An answer for one alone is given to no other, though that one has left."""
        world = proxying()
        first, second = world.ask(), world.ask()
        first.leave()
        world.origin.answer(world.answer(Set_Cookie="a=b"))
        self.assertEqual((second.response, len(world.origin.waiting)), (None, 1))

    def test_vary(self) -> None:
        """An answer that varies is for those whose fields are equal."""
        world = proxying()
        world.ask(Foo="1")
        other, same = world.ask(Foo="2"), world.ask(Foo="1")
        world.origin.answer(world.answer(Vary="Foo"))
        self.assertEqual((same.octets, other.response, world.asked), (b"hello", None, 2))

    def test_large(self) -> None:
        """Large bodies go through the spool."""
        world = proxying(keep=100)
        slow, fast = world.ask(reads=False), world.ask()
        body = SlowBody()
        world.origin.answer(world.answer(body=body))
        for _ in range(9):
            body.send(b"x" * 9000)
        late = world.ask()
        body.send(b"")
        self.assertEqual((len(fast.octets), late.octets, slow.octets), (81_000, fast.octets, b""))

    def test_all_leave(self) -> None:
        """The last to leave cancels."""
        world = proxying()
        clients = [world.ask(), world.ask()]
        exchange = world.origin.waiting[0]
        for client in clients:
            client.leave()
        self.assertTrue(exchange.was_cancelled)
        self.assertEqual(len(world.cache._table), 0)

    def test_failure(self) -> None:
        """A failure is for all clients."""
        world = proxying()
        clients = [world.ask(), world.ask()]
        world.origin.answer(UpstreamUnreachable("no"))
        self.assertEqual([type(c.error) for c in clients], [UpstreamUnreachable] * 2)

    def test_stop(self) -> None:
        """At the end everything is given up."""
        world = proxying()
        client = world.ask()
        exchange = world.origin.waiting[0]
        world.cache.stop()
        self.assertTrue(exchange.was_cancelled)
        self.assertIsNotNone(client.error)
