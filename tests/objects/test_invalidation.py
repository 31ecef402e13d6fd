"""Tests of L{trickster.objects.invalidation}: stored responses that requests make invalid."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World
from trickster.http.invalidation import Place
from trickster.messages import Headers, Request, Response
from trickster.objects.invalidation import InvalidatingProxy, Invalidation
from trickster.testing.doubles import at_once


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
        """What passes one of them makes invalid what another has, or is about to have."""
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
        """What passes by makes invalid what is cached; reading and failing does not."""
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
