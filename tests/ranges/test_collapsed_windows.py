"""One exchange for all who want the same, also where a store takes its time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World
from trickster.objects.options import Collapse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import SlowStore


class SlowStoreTests(SynchronousTestCase):
    """A store that reads at once, but gives the result only when the test says so."""

    def world(self, collapse: Collapse = Collapse.PROGRESSIVE) -> tuple[World, SlowStore]:
        """:return: one with such a store."""
        store = SlowStore()
        world = World.of(lambda clock: store, collapse=collapse)
        world.given(*[world.answer(Cache_Control="max-age=60")] * 9)
        return world, store

    def test_looked_before_it_was_stored(self) -> None:
        """A lookup that began before samples were stored, and ends after that, looks again."""
        for collapse in Collapse:
            world, store = self.world(collapse)
            first = world.ask()
            store.go_on(0)  # the first one's look
            second = world.ask()
            store.go_on(0)
            while len(store.steps) > 1:
                store.go_on(1)  # all that it takes to store
            self.assertEqual((first.octets, second.response), (b"hello", None))
            store.go_on_always()
            self.assertEqual((second.octets, second.result, world.asked), (b"hello", "hit", 1))

    def test_comes_while_it_is_stored(self) -> None:
        """A client that comes while samples are being stored gets the fetched samples."""
        world, store = self.world()
        first = world.ask()
        while first.response is None:
            store.go_on()
        second = world.ask()
        store.go_on(len(store.steps) - 1)
        self.assertEqual((second.octets, world.asked), (b"hello", 1))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.integers(-1, 5), max_size=40), st.sampled_from(Collapse))
    def test_any_order(self, steps: list[int], collapse: Collapse) -> None:
        """One fetch is made whenever clients come, and in whatever order the store answers."""
        world, store = self.world(collapse)
        clients = [world.ask()]
        for step in steps:
            if step < 0:
                clients.append(world.ask())
            elif store.steps:
                store.go_on(step % len(store.steps))
        store.go_on_always()
        self.assertEqual({client.octets for client in clients}, {b"hello"})
        self.assertEqual(world.asked, 1)
        self.assertEqual(world.ask().result, "hit")


class AbandonedTests(SynchronousTestCase):
    """A fetch that all clients have left."""

    def test_takes_its_time_to_end(self) -> None:
        """A fetch that all clients have left is joined by none, however long its end takes."""
        world = World.of(collapse=Collapse.PROGRESSIVE)
        body = PausedBody(length=9)
        first = world.ask(reads=False)
        world.origin.answer(world.answer(body=body, Cache_Control="max-age=60"))
        body.feed(b"abc")
        fill = next(iter(world.cache._storage.table._shared.values()))
        first.leave()
        self.assertFalse(fill.is_open)
        second = world.ask()
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual((second.octets, world.ask().result), (b"hello", "hit"))
