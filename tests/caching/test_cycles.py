"""Memory of exchanges is given back when they end, not when the collector comes."""

from __future__ import annotations

from collections import Counter
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from tests.caching.deltarig import Rig
from tests.caching.objectworld import SlowBody, World
from tests.cycles import left_in_cycles
from trickster.caching.objectoptions import Collapse
from trickster.errors import UpstreamBroke, UpstreamUnreachable
from trickster.testing.doubles import PausedOrigin


class CycleTests(SynchronousTestCase):
    """However an exchange ends."""

    def test_objects(self) -> None:
        """After misses, hits, and bodies that came in pieces, for one and for several."""
        for collapse in Collapse:
            world = World.of(collapse=collapse)
            targets = iter((b"/1", b"/2"))

            def act(world: World = world, targets: object = targets) -> None:
                target, body = next(targets), SlowBody(length=9)  # type: ignore[call-overload]
                clients = [world.ask(target) for _ in range(3)]
                world.origin.answer(world.answer(body=body, Cache_Control="max-age=60"))
                body.send(b"abcde", b"fghi", b"")
                assert all(client.octets == b"abcdefghi" for client in clients)
                world.ask(target)
                world.origin.requests.clear()

            self.assertEqual(left_in_cycles(act), Counter(), collapse)

    def test_left(self) -> None:
        """After clients that leave before there is an answer, all of them or the first."""
        for collapse, number, leaving in product(Collapse, (1, 3), (1, 3)):
            world = World.of(collapse=collapse)
            targets = iter((b"/1", b"/2"))

            def act(world: World = world, targets: object = targets, number: int = number,
                    leaving: int = leaving) -> None:
                target = next(targets)  # type: ignore[call-overload]
                clients = [world.ask(target) for _ in range(number)]
                for client in clients[:leaving]:
                    client.leave()
                if number > leaving:
                    world.origin.answer(world.answer(Cache_Control="max-age=60"))
                world.origin.requests.clear()

            self.assertEqual(left_in_cycles(act), Counter(), (collapse, number, leaving))

    def test_ended_early(self) -> None:
        """After bodies that clients leave, or the origin breaks off, and errors of the origin."""
        for collapse, number, kind in product(Collapse, (1, 3), ("left", "broken", "failed")):
            world = World.of(collapse=collapse)
            targets = iter((b"/1", b"/2"))

            def act(world: World = world, targets: object = targets, number: int = number,
                    kind: str = kind) -> None:
                target = next(targets)  # type: ignore[call-overload]
                clients = [world.ask(target) for _ in range(number)]
                body = SlowBody(length=9)
                world.origin.answer(UpstreamUnreachable("down") if kind == "failed" else
                                    world.answer(body=body, Cache_Control="max-age=60"))
                body.send(b"abcde", *([UpstreamBroke("gone")] if kind == "broken" else []))
                if kind == "left":
                    for client in clients:
                        client.leave()
                world.origin.requests.clear()

            self.assertEqual(left_in_cycles(act), Counter(), (collapse, number, kind))

    def test_ranges_ended_early(self) -> None:
        """After clients that leave before there is a range, and errors of the origin."""
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
        """After misses, partial hits and hits of ranges."""
        rig = Rig()

        def act() -> None:
            for start in (-300, -600, -600):
                rig.ask(start, 0)
            rig.origin.requests.clear()

        self.assertEqual(left_in_cycles(act), Counter())
