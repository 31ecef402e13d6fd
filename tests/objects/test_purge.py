"""Purges of the object cache (L{trickster.interfaces.IPurgeable})."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.objects.objectworld import World
from trickster.interfaces import IPurgeable
from trickster.objects.options import Collapse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import DictStore, ReferenceStore, at_once


class PurgeTests(SynchronousTestCase):
    """What is purged is asked for again; everything else is not."""

    def worlds(self) -> list[World]:
        """:return: caches over both kinds of stores, each with some responses stored."""
        worlds = [World.of(store) for store in (ReferenceStore, DictStore)]
        for world in worlds:
            for target in (b"/a", b"/a?q=1", b"/a/b", b"/b"):
                world.given(world.answer(Cache_Control="max-age=60"))
                world.ask(target)
        return worlds

    def missing(self, world: World, *targets: bytes) -> list[bytes]:
        """:return: those of the targets that the origin is asked for."""
        found = []
        for target in targets:
            world.given(world.answer(Cache_Control="max-age=60"))
            before = world.asked
            world.ask(target)
            if world.asked > before:
                found.append(target)
            else:
                world.origin.script.clear()
        return found

    def test_interface(self) -> None:
        """The cache is one that can be purged."""
        verifyObject(IPurgeable, World.of().cache)

    def test_path(self) -> None:
        """A path is purged with all its queries, and without what is below it."""
        for world in self.worlds():
            self.assertEqual(at_once(world.cache.purge(b"/a")), 2)
            self.assertEqual(self.missing(world, b"/a", b"/a?q=1", b"/a/b", b"/b"),
                             [b"/a", b"/a?q=1"])

    def test_all(self) -> None:
        """All paths of a backend are purged at once."""
        for world in self.worlds():
            self.assertEqual(at_once(world.cache.purge(None)), 4)
            self.assertEqual(self.missing(world, b"/a", b"/b"), [b"/a", b"/b"])

    def test_nothing(self) -> None:
        """Where there is nothing, nothing is removed."""
        for world in self.worlds():
            self.assertEqual(at_once(world.cache.purge(b"/c")), 0)
            self.assertEqual(self.missing(world, b"/a", b"/a?q=1", b"/a/b", b"/b"), [])

    def test_variants(self) -> None:
        """All variants of a path go."""
        for store in (ReferenceStore, DictStore):
            world = World.of(store)
            for language in ("de", "en", "fr"):
                world.given(world.answer(Cache_Control="max-age=60", Vary="Accept-Language"))
                world.ask(b"/x", Accept_Language=language)
            at_once(world.cache.purge(b"/x"))
            self.assertEqual(world.store.entries, {})

    def test_on_its_way(self) -> None:
        """A response on its way during a purge reaches its waiters and is not stored."""
        for collapse in Collapse:
            world = World.of(collapse=collapse)
            body = PausedBody(5)
            world.given(world.answer(body=body, Cache_Control="max-age=60"))
            client = world.ask(b"/x")
            at_once(world.cache.purge(b"/x"))
            body.feed(b"hello", b"")
            self.assertEqual(client.octets, b"hello")
            self.assertEqual(self.missing(world, b"/x"), [b"/x"])

    def test_remembered_hits(self) -> None:
        """A hit that is remembered is none any more."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60"))
        for _ in range(3):
            world.ask(b"/x")
        at_once(world.cache.purge(b"/x"))
        self.assertEqual(self.missing(world, b"/x"), [b"/x"])
