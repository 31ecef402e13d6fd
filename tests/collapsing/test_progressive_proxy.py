"""Tests of L{trickster.collapsing.progressive_proxy}."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.collapsing.fakespool import FakeSpool
from tests.objects.objectworld import START, Origin, World
from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.progressive_proxy import ProgressiveProxy, SharedAnswers
from trickster.errors import Reason, UpstreamUnreachable
from trickster.interfaces import IResponder
from trickster.keys.identity import Identity, Overrides
from trickster.messages import Request, Response, Status
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import ReferenceStore


def proxying(keep: int = 1000) -> World:
    """:return: a world with a progressive proxy, which stores nothing."""
    clock = Clock()
    clock.advance(START)
    origin = Origin()
    proxy = ProgressiveProxy(origin, SharedAnswers(
        clock, Buffering(keep, 1000, 1000, FakeSpool), Identity(frozenset((b"x-tenant",))),
        Overrides(frozenset((b"x-original-url",)))))
    return World(clock, origin, ReferenceStore(clock), proxy)


class ProgressiveProxyTests(SynchronousTestCase):
    """Equal requests at the same time, without a store."""

    def test_interface(self) -> None:
        """A progressive proxy provides IResponder."""
        verifyObject(IResponder, proxying().cache)

    def test_follow(self) -> None:
        """The origin is asked once while the body comes, and again after that."""
        world = proxying()
        clients = [world.ask(), world.ask()]
        body = PausedBody()
        world.origin.answer(world.answer(body=body, X_A="1"))
        body.feed(b"abc")
        clients.append(world.ask())
        body.feed(b"def", b"")
        self.assertEqual([c.octets for c in clients], [b"abcdef"] * 3)
        self.assertEqual({c.header(b"x-a") for c in clients}, {b"1"})
        self.assertEqual([c.outcome.status for c in clients],
                         [Status.PROXY_ONLY, Status.PROXY_HIT, Status.PROXY_HIT])
        self.assertEqual(clients[1].outcome.reason, Reason.COLLAPSED)
        world.ask()
        self.assertEqual(world.asked, 2)

    def test_home(self) -> None:
        """
        The home of what is asked for is the same after a purge, which not all processes hear of at
        the same time; an answer that is on its way since before it is not followed.
        """
        world = proxying()
        asked_for: list[str] = []

        class Here:
            """Notes what its home is asked about."""

            def is_elsewhere(self, key: str) -> bool:
                """:return: no."""
                asked_for.append(key)
                return False

            async def asked(self, key: str, request: Request) -> Response | None:
                """:return: never asked."""
                raise AssertionError(key)

        versions = [1]
        proxy: Any = world.cache
        proxy.home = Here()
        proxy._shared.version = lambda: versions[0]
        world.ask()
        versions[0] = 2
        world.ask()
        self.assertEqual((len(set(asked_for)), world.asked), (1, 2))

    def test_unequal(self) -> None:
        """Requests that may get different answers do not share."""
        for one in ({"Authorization": "x"}, {"Cookie": "x"}, {"Range": "bytes=0-1"},
                    {"Accept": "x"}, {"X_Tenant": "x"}, {"If_None_Match": '"x"'}):
            world = proxying()
            world.ask()
            world.ask(**one)
            self.assertEqual(world.asked, 2, one)

    def test_never_shared(self) -> None:
        """Requests of other methods, with a body, or that want no shared answer share none."""
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
        """An error response is not shared between requests with different fields."""
        for status in (400, 403, 413, 414, 429, 431, 500, 503):
            world = proxying()
            first, second = world.ask(), world.ask()
            world.origin.answer(world.answer(status))
            self.assertEqual((first.status, second.response), (status, None))

    def test_first_leaves(self) -> None:
        """A response for one client alone is given to no other, even if that client has left."""
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
        body = PausedBody()
        world.origin.answer(world.answer(body=body))
        for _ in range(9):
            body.feed(b"x" * 9000)
        late = world.ask()
        body.feed(b"")
        self.assertEqual((len(fast.octets), late.octets, slow.octets), (81_000, fast.octets, b""))

    def test_all_leave(self) -> None:
        """The last client to leave cancels the request."""
        world = proxying()
        clients = [world.ask(), world.ask()]
        exchange = world.origin.waiting[0]
        for client in clients:
            client.leave()
        self.assertTrue(exchange.was_cancelled)
        self.assertEqual(len(world.cache._shared._table), 0)

    def test_failure(self) -> None:
        """A failure is for all clients."""
        world = proxying()
        clients = [world.ask(), world.ask()]
        world.origin.answer(UpstreamUnreachable("no"))
        self.assertEqual([type(c.error) for c in clients], [UpstreamUnreachable] * 2)

    def test_stop(self) -> None:
        """A stop cancels all requests."""
        world = proxying()
        client = world.ask()
        exchange = world.origin.waiting[0]
        world.cache.stop()
        self.assertTrue(exchange.was_cancelled)
        self.assertIsNotNone(client.error)
