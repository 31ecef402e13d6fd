"""Progressive collapsed forwarding of what is stored."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import broken, progressive
from trickster.errors import UpstreamBroke
from trickster.testing.bodies import PausedBody


class ProgressiveCacheTests(SynchronousTestCase):
    """Those who come while the body is coming follow it."""

    def test_follow(self) -> None:
        """All clients get what is there at once; the origin is asked once; all is stored."""
        for length in (9, None):
            world = progressive()
            early = world.ask(), world.ask()
            body = PausedBody(length)
            world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
            body.feed(b"abc")
            late = world.ask()
            self.assertEqual([c.octets for c in (*early, late)], [b"abc"] * 3)
            self.assertEqual(late.response.body.length, length)
            body.feed(b"def", b"ghi", b"")
            self.assertEqual([c.octets for c in (*early, late)], [b"abcdefghi"] * 3)
            self.assertEqual((world.ask().result, world.asked), ("hit", 1))
            self.assertEqual([c.result for c in (*early, late)],
                             ["kmiss", "proxy-hit", "proxy-hit"])

    def test_slow_reader(self) -> None:
        """A slow reader slows no other, and loses nothing."""
        world = progressive()
        slow, fast = world.ask(reads=False), world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.feed(*[b"x" * 100_000] * 5, b"")
        self.assertEqual(len(fast.octets), 500_000)
        self.assertEqual(world.ask().result, "hit")
        self.successResultOf(Deferred.fromCoroutine(slow.read_all()))
        self.assertEqual(slow.octets, fast.octets)

    def test_too_large(self) -> None:
        """
        A response that is too large streams to all clients, also late ones, and is not stored.
        """
        for length in (36_000, None):
            world = progressive(max_object_size_bytes=10_000)
            first = world.ask()
            body = PausedBody(length)
            world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
            body.feed(b"a" * 9000, b"b" * 9000, b"c" * 9000)
            late = world.ask()
            body.feed(b"d" * 9000, b"")
            self.assertEqual((len(first.octets), first.octets), (36_000, late.octets))
            self.assertEqual((world.asked, world.store.entries), (1, {}))

    def test_reader_vanishes(self) -> None:
        """A reader that leaves harms no other reader; the last one to leave ends the fetch."""
        world = progressive()
        clients = [world.ask() for _ in range(3)]
        body = PausedBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.feed(b"abc")
        clients[0].leave()
        body.feed(b"def")
        self.assertEqual(clients[1].octets, b"abcdef")
        clients[1].leave(), clients[2].leave()
        self.assertTrue(body.is_closed and body.cancels)
        self.assertEqual((world.fetches, world.store.entries), (0, {}))

    def test_origin_dies(self) -> None:
        """
        A fetch that breaks fails each reader and stores nothing; the next request fetches anew.
        """
        world = progressive()
        clients = [world.ask(), world.ask()]
        body = PausedBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.feed(b"abc", broken())
        self.assertEqual([type(c.error) for c in clients], [UpstreamBroke] * 2)
        self.assertEqual(world.store.entries, {})
        world.given(world.answer(Cache_Control="max-age=9"))
        self.assertEqual(world.ask().octets, b"hello")

    def test_range_of_what_is_there(self) -> None:
        """A part that has arrived is given at once."""
        world = progressive()
        world.ask()
        body = PausedBody(9)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.feed(b"abcdef")
        client = world.ask(Range="bytes=2-4")
        self.assertEqual((client.status, client.octets, client.is_done), (206, b"cde", True))
        self.assertEqual(client.header(b"content-range"), b"bytes 2-4/9")
        self.assertEqual(world.asked, 1)

    def test_range_of_what_is_not_there(self) -> None:
        """A range that has not arrived yet is fetched from the origin by a request of its own."""
        world = progressive()
        world.ask()
        body = PausedBody(9)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.feed(b"abcdef")
        world.ask(Range="bytes=4-8")
        self.assertEqual(world.asked, 2)
        self.assertEqual(world.origin.requests[-1].headers.get(b"range"), b"bytes=4-8")

    def test_head_and_conditions(self) -> None:
        """What can be answered from the head is, and all of it is stored nevertheless."""
        world = progressive()
        leader = world.ask(If_None_Match='"b"')
        body = PausedBody(9)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9", ETag='"b"'))
        self.assertEqual(leader.status, 304)
        body.feed(b"abcdefghi", b"")
        self.assertEqual(world.ask().result, "hit")

    def test_other_variant(self) -> None:
        """A body for another variant is not followed."""
        world = progressive()
        world.ask(Accept="a")
        body = PausedBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9", Vary="Accept"))
        body.feed(b"abc")
        other = world.ask(Accept="b")
        self.assertEqual((world.asked, other.response), (2, None))

    def test_without_a_spool(self) -> None:
        """Without a spool, a client that comes after octets were forgotten fetches anew."""
        world = progressive(spool=None, max_object_size_bytes=10)
        world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=9"))
        body.feed(b"x" * 20)
        world.ask()
        self.assertEqual(world.asked, 2)
