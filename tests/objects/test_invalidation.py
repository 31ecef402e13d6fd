"""Tests of L{trickster.objects.invalidation}: stored responses that requests make invalid."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World
from trickster.bodies import read_all
from trickster.http.invalidation import Place
from trickster.messages import Headers, Principal, Request, Response, Status
from trickster.objects.invalidation import InvalidatingProxy, Invalidation
from trickster.testing.doubles import DictStore, ReferenceStore, at_once


class InvalidationTests(SynchronousTestCase):
    """The caches of a backend are told together."""

    def test_all_caches(self) -> None:
        """Each cache forgets the target, and what the response names, at the origin's place."""
        forgotten: list[tuple[str, bytes, bytes]] = []

        def cache(name: str) -> None:
            async def forget(target: bytes, authority: bytes) -> None:
                forgotten.append((name, target, authority))

            invalidation.add(forget)

        invalidation = Invalidation(Place(b"origin:80", b"/p"))
        self.assertFalse(invalidation)
        cache("a"), cache("b")
        self.assertTrue(invalidation)
        put, moved = Request(b"PUT", b"/x", authority=b"h"), Headers(((b"Location", b"/p/y"),))
        for response in (Response(500), Response(201, moved)):
            at_once(invalidation.after(put, response))
        self.assertEqual(sorted(forgotten), sorted(
            (name, target, b"h") for name in "ab" for target in (b"/x", b"/y", b"/p/y")))
        forgotten.clear()
        at_once(invalidation.after(Request(b"GET", b"/x"), Response(200)))
        self.assertEqual(forgotten, [])


class BesideTests(SynchronousTestCase):
    """Several caches of one backend."""

    def test_forgets(self) -> None:
        """
        An unsafe request through one cache invalidates what another has stored or is fetching.
        """
        world = World.of(key_params=("a",))
        other = world.another_cache()
        target = b"/x?a=1&b=2"
        for method, status, asked in ((b"GET", 200, 0), (b"PUT", 500, 0), (b"PUT", 204, 1)):
            world.given(world.answer(Cache_Control="max-age=60"))
            world.ask(target)
            world.origin.script[:] = [world.answer(status)]
            at_once(other.respond(Request(method, target, authority=b"example.org")))
            before = world.asked
            world.given(world.answer(Cache_Control="max-age=60"))
            world.ask(target)
            self.assertEqual(world.asked - before, asked, method)
            world.origin.script.clear()
        late = world.ask(b"/y?a=1")
        world.origin.script[:] = [world.answer(204)]
        at_once(other.respond(Request(b"PUT", b"/y?a=1", authority=b"example.org")))
        world.origin.script.clear()
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual(late.result, "kmiss")
        world.ask(b"/y?a=1")
        self.assertEqual(len(world.origin.waiting), 1)


class InvalidatingProxyTests(SynchronousTestCase):
    """Routes beside the cache."""

    def test_forgets(self) -> None:
        """
        An unsafe proxied request invalidates stored responses; a safe or failing one does not.
        """
        world = World.of()
        proxy = InvalidatingProxy(world.origin, world.runtime.invalidation)
        for method, status, asked in ((b"GET", 200, 0), (b"PUT", 500, 0), (b"PUT", 204, 1)):
            world.given(world.answer(Cache_Control="max-age=60"))
            world.ask()
            world.origin.script[:] = [world.answer(status)]
            response = at_once(proxy.respond(Request(method, b"/x", authority=b"example.org")))
            self.assertEqual(response.status, status)
            before = world.asked
            world.given(world.answer(Cache_Control="max-age=60"))
            world.ask()
            self.assertEqual(world.asked - before, asked, method)
            world.origin.script.clear()


class PrincipalTests(SynchronousTestCase):
    """What one principal makes invalid is so for all (RFC 9111 section 4.4)."""

    def test_all_principals(self) -> None:
        """A request that changes a resource has the caches forget it for every principal."""
        for store in (ReferenceStore, DictStore):
            for changing in (Principal("ann"), Principal("bob"), None):
                world = World.of(store)
                world.origin.script.extend(
                    [world.answer(Cache_Control="max-age=60") for _ in range(9)])
                readers = (Principal("ann"), Principal("bob", (("team", "x"),)), None)

                def ask(method: bytes, who: Principal | None, target: bytes = b"/x",
                        world: World = world) -> Status:
                    request = Request(method, target, authority=b"example.org", identity=who)
                    response = at_once(world.cache.respond(request))
                    at_once(read_all(response.body, 100))
                    return response.outcome.status

                for expected in (Status.KEY_MISS, Status.HIT):
                    self.assertEqual([ask(b"GET", who) for who in readers], [expected] * 3)
                ask(b"GET", readers[0], b"/x?other")
                ask(b"PUT", changing)
                self.assertEqual([ask(b"GET", who) for who in readers], [Status.KEY_MISS] * 3)
                self.assertEqual(ask(b"GET", readers[0], b"/x?other"), Status.HIT)
