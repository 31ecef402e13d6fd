"""Memory of exchanges is given back when they end, not when the collector comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from tests.cycles import left_in_cycles
from tests.objects.objectworld import Client, World
from tests.ranges.deltarig import Rig
from trickster.errors import UpstreamBroke, UpstreamUnreachable
from trickster.objects.options import Collapse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PausedOrigin


class CycleTests(SynchronousTestCase):
    """Exchanges leave no reference cycles, however they end."""

    def after(self, collapse: Collapse, number: int,
              act: Callable[[World, list[Client]], None]) -> Counter[str]:
        """
        :param number: how many clients ask for the same.
        :param act: what happens then.
        :return: what is left in cycles.
        """
        world = World.of(collapse=collapse)
        targets = iter((b"/1", b"/2"))

        def ask_and_act() -> None:
            target = next(targets)
            act(world, [world.ask(target) for _ in range(number)])
            world.origin.requests.clear()

        return left_in_cycles(ask_and_act)

    def test_objects(self) -> None:
        """Misses, hits and streamed bodies leave no cycles, for one client or several."""
        def act(world: World, clients: list[Client]) -> None:
            body = PausedBody(length=9)
            world.origin.answer(world.answer(body=body, Cache_Control="max-age=60"))
            body.feed(b"abcde", b"fghi", b"")
            assert all(client.octets == b"abcdefghi" for client in clients)
            assert world.ask(world.origin.requests[-1].target).result == "hit"

        for collapse, number in product(Collapse, (1, 3)):
            self.assertEqual(self.after(collapse, number, act), Counter(), (collapse, number))

    def test_left(self) -> None:
        """
        Clients that leave before there is a response leave no cycles, be it all of them or the
        first.
        """
        def leave(world: World, clients: list[Client]) -> None:
            for client in clients:
                client.leave()

        def leave_one(world: World, clients: list[Client]) -> None:
            leave(world, [clients[0]])
            world.origin.answer(world.answer(Cache_Control="max-age=60"))

        for collapse in Collapse:
            self.assertEqual(self.after(collapse, 1, leave), Counter(), collapse)
            self.assertEqual(self.after(collapse, 3, leave), Counter(), collapse)
            self.assertEqual(self.after(collapse, 3, leave_one), Counter(), collapse)

    def test_ended_early(self) -> None:
        """Bodies that clients leave or the origin breaks off, and errors, leave no cycles."""
        def begin(world: World, *pieces: bytes | Exception) -> None:
            body = PausedBody(length=9)
            world.origin.answer(world.answer(body=body, Cache_Control="max-age=60"))
            body.feed(b"abcde", *pieces)

        def leave(world: World, clients: list[Client]) -> None:
            begin(world)
            for client in clients:
                client.leave()

        def break_off(world: World, _: list[Client]) -> None:
            begin(world, UpstreamBroke("gone"))

        def fail(world: World, _: list[Client]) -> None:
            world.origin.answer(UpstreamUnreachable("down"))

        for collapse, number, act in product(Collapse, (1, 3), (leave, break_off, fail)):
            self.assertEqual(self.after(collapse, number, act), Counter(),
                             (collapse, number, act.__name__))

    def test_ranges_ended_early(self) -> None:
        """Clients that leave before there is a range response, and errors, leave no cycles."""
        for number, kind in product((1, 3), ("left", "failed")):

            def act(number: int = number, kind: str = kind) -> None:
                origin = PausedOrigin()
                rig = Rig(origin=origin)
                asking = [rig.start(-300, 0) for _ in range(number)]
                for one in asking:
                    one.addErrback(lambda failure: failure.cleanFailure())
                    if kind == "left":
                        one.cancel()
                if kind == "failed":
                    origin.asked[0].fail(UpstreamUnreachable("down"))

            self.assertEqual(left_in_cycles(act), Counter(), (number, kind))

    def test_ranges(self) -> None:
        """Misses, partial hits and hits of range queries leave no cycles."""
        rig = Rig()

        def act() -> None:
            for start in (-300, -600, -600):
                rig.ask(start, 0)
            rig.origin.requests.clear()

        self.assertEqual(left_in_cycles(act), Counter())
