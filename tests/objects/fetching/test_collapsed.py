"""Tests of L{trickster.objects.fetching.collapsed}: lookups that wait for one fetch."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World, broken
from trickster.errors import (
    UpstreamBroke,
    UpstreamUnreachable,
)
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import SlowStore


class CollapsedTests(SynchronousTestCase):
    """Basic collapsed forwarding."""

    def test_one_exchange(self) -> None:
        """Many simultaneous requests for one object make one fetch."""
        world = World.of()
        clients = [world.ask() for _ in range(50)]
        self.assertEqual(world.asked, 1)
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual({c.octets for c in clients}, {b"hello"})
        self.assertEqual([c.result for c in clients], ["kmiss"] + ["proxy-hit"] * 49)

    def test_waiters_wait_for_the_whole(self) -> None:
        """Only the first client follows the body; waiters get the response when it is complete."""
        world = World.of()
        first, second = world.ask(), world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(b"abc")
        self.assertEqual((first.octets, second.octets), (b"abc", b""))
        body.feed(b"")
        self.assertEqual(second.octets, b"abc")

    def test_uncacheable_releases(self) -> None:
        """An uncacheable response sends all waiters to the origin at once."""
        world = World.of()
        clients = [world.ask() for _ in range(5)]
        world.origin.answer(world.answer(Cache_Control="no-store"))
        self.assertEqual(len(world.origin.waiting), 4)
        for n in range(4):
            world.origin.answer(world.answer(Cache_Control="private", body=b"%d" % n))
        self.assertEqual({c.octets for c in clients}, {b"hello", b"0", b"1", b"2", b"3"})

    def test_hit_for_pass(self) -> None:
        """After an uncacheable response its key is hit-for-pass for a while."""
        world = World.of()
        world.given(world.answer(Cache_Control="no-store"))
        world.ask()
        world.ask(), world.ask()
        self.assertEqual(len(world.origin.waiting), 2)
        world.clock.advance(11)
        world.ask(), world.ask()
        self.assertEqual(len(world.origin.waiting), 3)

    def test_too_large_releases(self) -> None:
        """When a body outgrows the cache, its waiters fetch for themselves."""
        world = World.of(max_object_size_bytes=4)
        first, second = world.ask(), world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(b"abcdef")
        self.assertEqual(len(world.origin.waiting), 1)
        body.feed(b"")
        self.assertEqual((first.octets, second.response), (b"abcdef", None))

    def test_not_kept_is_not_collected(self) -> None:
        """A response that is not stored is read at its client's pace."""
        for size, control, is_collected in ((3, "no-store", False), (3, "max-age=60", True),
                                            (99, "max-age=60", False)):
            world = World.of(max_object_size_bytes=50)
            world.ask()
            collecting = world.origin.requests[0].collecting
            assert collecting is not None
            self.assertTrue(collecting.is_on)
            body = PausedBody()
            world.origin.answer(world.answer(body=body, Cache_Control=control))
            body.feed(bytes(size))
            self.assertEqual(collecting.is_on, is_collected, (size, control))

    def test_too_large_is_remembered(self) -> None:
        """After a response that was too large its key is hit-for-pass for a while."""
        world = World.of(max_object_size_bytes=4)
        world.given(world.answer(Cache_Control="max-age=60"))
        world.ask()
        world.ask(), world.ask()
        self.assertEqual(len(world.origin.waiting), 2)

    def test_reader_leaves_before_the_end_itself(self) -> None:
        """
        A response is stored when its only reader leaves after its whole declared length arrived.
        """
        world = World.of()
        client = world.ask(reads=False)
        body = PausedBody(5)
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(b"hello")
        client.leave()
        body.feed(b"")
        self.assertEqual(world.ask().result, "hit")

    def test_nobody_reads_what_outgrows_the_cache(self) -> None:
        """A body that is read on for the store alone is closed when it becomes too large."""
        world = World.of(max_object_size_bytes=9)
        client = world.ask(If_None_Match='"a"')
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", ETag='"a"', body=body))
        self.assertEqual(client.status, 304)
        body.feed(b"x" * 10)
        self.assertTrue(body.is_closed)
        self.assertEqual(world.fetches, 0)

    def test_leader_leaves_while_the_store_is_slow(self) -> None:
        """A response that its client no longer gets is closed."""
        world = World.of(lambda clock: SlowStore(clock, is_slow=False))
        world.given(world.answer(Cache_Control="max-age=5", ETag='"a"'))
        world.ask()
        world.clock.advance(6)
        body = PausedBody()
        world.given(world.answer(Cache_Control="no-store", body=body))
        world.store.is_slow = True
        client = world.ask()
        world.store.go_on()  # it is looked for, and what must not be kept is about to be deleted
        self.assertEqual((client.response, len(world.store.steps)), (None, 1))
        client.leave()
        self.assertTrue(body.is_closed)

    def test_waiter_leaves(self) -> None:
        """A waiter that goes away harms no other."""
        world = World.of()
        first, second, third = world.ask(), world.ask(), world.ask()
        second.leave()
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual((first.octets, third.octets), (b"hello", b"hello"))

    def test_leader_leaves(self) -> None:
        """When the first client leaves, the fetch goes on for the waiters."""
        world = World.of()
        first, second = world.ask(), world.ask()
        first.leave()
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual(second.octets, b"hello")

    def test_leader_leaves_the_body(self) -> None:
        """
        When the first client leaves during the body, the fetch goes on at full pace for the
        waiters.
        """
        world = World.of()
        first, second = world.ask(reads=False), world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(b"abc")
        first.leave()
        body.feed(b"def", b"")
        self.assertEqual(second.octets, b"abcdef")

    def test_all_leave(self) -> None:
        """The last client to leave cancels the fetch."""
        world = World.of()
        clients = [world.ask(), world.ask()]
        exchange = world.origin.waiting[0]
        clients[0].leave()
        self.assertFalse(exchange.was_cancelled)
        clients[1].leave()
        self.assertTrue(exchange.was_cancelled)
        self.assertEqual(world.fetches, 0)

    def test_all_leave_the_body(self) -> None:
        """The last client to leave cancels the transfer of the body, and nothing is stored."""
        world = World.of()
        client = world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(b"abc")
        client.leave()
        self.assertTrue(body.is_closed and body.cancels)
        self.assertEqual((world.store.entries, world.fetches), ({}, 0))

    def test_origin_fails(self) -> None:
        """A failed fetch fails all its waiters, and the next request fetches again."""
        world = World.of()
        clients = [world.ask(), world.ask()]
        world.origin.answer(UpstreamUnreachable("no"))
        self.assertEqual([type(c.error) for c in clients], [UpstreamUnreachable] * 2)
        world.given(world.answer(Cache_Control="max-age=60"))
        self.assertEqual(world.ask().status, 200)

    def test_origin_dies_in_the_body(self) -> None:
        """
        A body that breaks off fails all waiters and is not stored, and the next request fetches
        again.
        """
        world = World.of()
        clients = [world.ask(), world.ask()]
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(b"abc", broken())
        self.assertEqual([type(c.error) for c in clients], [UpstreamBroke] * 2)
        self.assertEqual(world.store.entries, {})

    def test_slow_reader_is_not_overrun(self) -> None:
        """The origin is read no further ahead of a single reader than configured."""
        world = World.of(max_object_size_bytes=10**7)
        client = world.ask(reads=False)
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
        body.feed(*[b"x" * 100_000] * 20)
        self.assertLess(body.reads, 6)
        client.asking.addErrback(lambda _: None)

    def test_vary(self) -> None:
        """A waiter whose request selects another variant is not given the fetched response."""
        world = World.of()
        first, second = world.ask(Accept="a"), world.ask(Accept="b")
        world.origin.answer(world.answer(Cache_Control="max-age=60", Vary="Accept", body=b"A"))
        self.assertIsNone(second.response)
        world.origin.answer(world.answer(Cache_Control="max-age=60", Vary="Accept", body=b"B"))
        self.assertEqual((first.octets, second.octets), (b"A", b"B"))
