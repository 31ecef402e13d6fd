"""Purges of the object cache (L{trickster.interfaces.IPurgeable})."""

from __future__ import annotations

import itertools

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.objects.objectworld import World
from tests.purging.adding import add
from trickster.interfaces import IPurgeable
from trickster.keys.cache_key import key_of
from trickster.messages import Request
from trickster.objects.options import Collapse
from trickster.purging.purges import TABLE_KEY, Purges
from trickster.purging.table import Kind, Purge, Scope
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PeekingStore, ReferenceStore

STORES = (ReferenceStore, PeekingStore)


def purged(world: World, scope: Scope, is_soft: bool = False) -> None:
    """Purge what a scope names, as the program does."""
    add(world.purges, Purge(scope, is_soft), world.clock)
    world.cache.outdate()


class PurgeTests(SynchronousTestCase):
    """What is purged is asked for again; everything else is not."""

    def worlds(self) -> list[World]:
        """:return: caches over both kinds of stores, each with some responses stored."""
        worlds = [World.of(store) for store in STORES]
        for world in worlds:
            for target in (b"/a", b"/a?q=1", b"/a/b", b"/b"):
                world.given(world.answer(Cache_Control="max-age=60", Surrogate_Key="k " + target.decode()))
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
        """The cache is one that can be told of purges."""
        verifyObject(IPurgeable, World.of().cache)

    def test_scopes(self) -> None:
        """Each scope has asked for again what it names, and nothing else."""
        every = [b"/a", b"/a?q=1", b"/a/b", b"/b"]
        for scope, expected in (
                (Scope(Kind.ALL), every), (Scope(Kind.BACKEND, "web"), every),
                (Scope(Kind.BACKEND, "other"), []), (Scope(Kind.PATH, "web", b"/a"), every[:2]),
                (Scope(Kind.PREFIX, "web", b"/a"), every[:3]), (Scope(Kind.PATH, "web", b"/c"), []),
                (Scope(Kind.TAG, "", b"/a/b"), [b"/a/b"]), (Scope(Kind.TAG, "web", b"k"), every)):
            for world in self.worlds():
                purged(world, scope)
                self.assertEqual(self.missing(world, *every), expected, scope)
                self.assertEqual(self.missing(world, *every), [])

    def test_key(self) -> None:
        """A key names all variants and principals of what was asked."""
        for store in STORES:
            world = World.of(store)
            for language in ("de", "en", "fr"):
                world.given(world.answer(Cache_Control="max-age=60", Vary="Accept-Language"))
                world.ask(b"/x", Accept_Language=language)
            key = key_of(world.cache.options.key, Request(b"GET", b"/x", authority=b"example.org"))
            purged(world, Scope(Kind.KEY, "web", key.encode()))
            world.given(*[world.answer(Cache_Control="max-age=60", Vary="Accept-Language")] * 3)
            before = world.asked
            for language in ("de", "en", "fr"):
                world.ask(b"/x", Accept_Language=language)
            self.assertEqual(world.asked - before, 3)

    def test_soft(self) -> None:
        """What is purged softly is validated before it is used again."""
        for store in STORES:
            world = World.of(store)
            world.given(world.answer(Cache_Control="max-age=60", ETag='"1"'))
            world.ask(b"/x")
            purged(world, Scope(Kind.ALL), is_soft=True)
            world.given(world.answer(304, ETag='"1"', Cache_Control="max-age=60"))
            answers = [world.ask(b"/x") for _ in range(2)]
            self.assertEqual([(each.octets, each.result) for each in answers],
                             [(b"hello", "rhit"), (b"hello", "hit")])

    def test_soft_stale(self) -> None:
        """What is purged softly may take the place of an error, where what is stale may."""
        for store in STORES:
            world = World.of(store)
            world.given(world.answer(Cache_Control="max-age=60, stale-if-error=60"))
            world.ask(b"/x")
            purged(world, Scope(Kind.ALL), is_soft=True)
            world.given(world.answer(503, b"down"))
            self.assertEqual(world.ask(b"/x").octets, b"hello")

    def test_on_its_way(self) -> None:
        """A response on its way during a purge reaches its waiters, no later client, no store."""
        for collapse, store in itertools.product(Collapse, STORES):
            world = World.of(store, collapse=collapse)
            body = PausedBody(5)
            world.given(world.answer(body=body, Cache_Control="max-age=60"),
                        world.answer(body=b"newer", Cache_Control="max-age=60"))
            client = world.ask(b"/x")
            purged(world, Scope(Kind.PATH, "web", b"/x"))
            later = world.ask(b"/x")
            body.feed(b"hello", b"")
            self.assertEqual((client.octets, later.octets), (b"hello", b"newer"))
            self.assertEqual((world.ask(b"/x").octets, world.asked), (b"newer", 2))

    def test_refreshed_in_the_background(self) -> None:
        """What a background refresh brings is kept where there have been purges."""
        said = {"Cache_Control": "max-age=5, stale-while-revalidate=600"}
        for store in STORES:
            world = World.of(store)
            purged(world, Scope(Kind.ALL))
            world.given(world.answer(**said))
            world.ask()
            world.clock.advance(10)
            world.given(world.answer(body=b"new", **said))
            self.assertEqual(world.ask().octets, b"hello")
            self.assertEqual((world.ask().octets, world.asked), (b"new", 2))

    def test_remembered_hits(self) -> None:
        """A hit that is remembered is none any more."""
        for store in STORES:
            world = World.of(store)
            world.given(world.answer(Cache_Control="max-age=60"))
            for _ in range(3):
                world.ask(b"/x")
            purged(world, Scope(Kind.ALL))
            self.assertEqual(self.missing(world, b"/x"), [b"/x"])


class OtherProcessTests(SynchronousTestCase):
    """Purges by another process that shares the store, which tells this one nothing."""

    def setUp(self) -> None:
        """Have a response stored, and another process."""
        self.world = World.of(PeekingStore)
        self.other = Purges(self.world.store, self.world.clock, self.world.clock.seconds)
        self.world.given(*(self.world.answer(Cache_Control="max-age=60", body=body)
                           for body in (b"1", b"2")))

    def test_stored(self) -> None:
        """What is stored here, and remembered as a hit, is not given after the purge."""
        for _ in range(3):
            self.assertEqual(self.world.ask(b"/x").octets, b"1")
        add(self.other, Purge(Scope(Kind.PATH, "web", b"/x")), self.world.clock)
        self.assertEqual([self.world.ask(b"/x").octets for _ in range(2)], [b"2", b"2"])

    def test_on_its_way(self) -> None:
        """What is being fetched here is given to no client that comes after the purge."""
        world, body = self.world, PausedBody(5)
        world.origin.script.insert(0, world.answer(body=body, Cache_Control="max-age=60"))
        client = world.ask(b"/x")
        add(self.other, Purge(Scope(Kind.PATH, "web", b"/x")), self.world.clock)
        later = world.ask(b"/x")
        body.feed(b"hello", b"")
        self.assertEqual((client.octets, later.octets), (b"hello", b"1"))
        self.assertEqual((world.ask(b"/x").octets, world.asked), (b"1", 2))

    def test_table_lost(self) -> None:
        """Where the table of purges is lost, what was stored is not given."""
        self.assertEqual(self.world.ask(b"/x").octets, b"1")
        del self.world.store.entries[TABLE_KEY]
        self.world.clock.advance(0.1)
        self.assertEqual(self.world.ask(b"/x").octets, b"2")
