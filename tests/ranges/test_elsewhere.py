"""Tests of range queries whose home is another process (L{trickster.collapsing.home})."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, Answer, Rig, range_request
from trickster.errors import NotCached, Reason
from trickster.messages import FastForward, Principal, Request, Response, Status
from trickster.testing.doubles import at_once


@define(eq=False)
class FakeHome:
    """
    A home that is always elsewhere, or never.

    :ivar there: the other process; None where it cannot be reached.
    :ivar asked_for: keys.
    """

    there: Rig | None
    elsewhere: bool = True
    asked_for: list[str] = field(factory=list)

    def is_elsewhere(self, key: str) -> bool:
        """:return: as it is told."""
        return self.elsewhere

    async def asked(self, key: str, request: Request) -> Response | None:
        """Ask the other process itself."""
        self.asked_for.append(key)
        return None if self.there is None else await self.there.cache.at_home(request)


class Processes:
    """
    Two processes over one store, before one origin.

    :ivar here: which is asked.
    :ivar there: the home of every key.
    """

    def __init__(self, **options: Any) -> None:
        self.there = Rig(**options)
        self.here = Rig(store=lambda now: self.there.store, origin=self.there.origin, **options)
        self.way = FakeHome(self.there)
        for rig, home in ((self.here, self.way), (self.there, FakeHome(self.here, False))):
            rig.cache.home = rig.delta.home = home
            source: Any = rig.cache._source
            if source is not rig.delta:
                source.home = home

    def advance(self, seconds: float) -> None:
        """Let time pass in both."""
        for rig in (self.here, self.there):
            rig.now.advance(seconds)


class ElsewhereTests(SynchronousTestCase):
    """What is missing is fetched by the home; what is there is given at once."""

    def setUp(self) -> None:
        """Two processes."""
        self.both = Processes()

    def test_miss_and_hit(self) -> None:
        """A miss is the home's, and then a hit anybody's."""
        missed = self.both.here.ask(-600, 0)
        self.assertEqual((missed.status, len(self.both.way.asked_for)), (Status.KEY_MISS, 1))
        self.assertEqual(missed.octets, self.both.here.direct(-600, 0))
        hit = self.both.here.ask(-600, 0)
        self.assertEqual((hit.status, hit.octets, len(self.both.way.asked_for)),
                         (Status.HIT, missed.octets, 1))

    def test_partial(self) -> None:
        """Only what is missing is fetched."""
        self.both.here.ask(-600, 0)
        self.both.here.fetches()
        answer = self.both.here.ask(-900, 0)
        self.assertEqual((answer.status, self.both.here.fetches()),
                         (Status.PARTIAL_HIT, [(-900, -660)]))

    def test_the_same(self) -> None:
        """Each answer is the one of a single process, and so is all that is told of it."""
        alone = Rig()
        for start, end in ((-600, 0), (-600, 0), (-900, 0), (-905, -33), (-60, 600), (-9000, -60)):
            mine, theirs = self.both.here.ask(start, end), alone.ask(start, end)
            self.assertEqual((mine.code, mine.octets, mine.outcome, mine.response.headers),
                             (theirs.code, theirs.octets, theirs.outcome,
                              theirs.response.headers))

    def test_unreachable(self) -> None:
        """Where the home cannot be reached, what is missing is fetched here, and stored."""
        self.both.way.there = None
        self.assertEqual(self.both.here.ask(-600, 0).status, Status.KEY_MISS)
        self.assertEqual((self.both.here.ask(-600, 0).status, self.both.here.held()),
                         (Status.HIT, [(-600, 0)]))

    def test_only_if_cached(self) -> None:
        """A client that wants nothing of the origin's has what is stored, or none."""
        only = ((b"Cache-Control", b"only-if-cached"),)
        both = Processes(honours=True)
        asked = range_request(NOW - 600, NOW, headers=only)
        self.failureResultOf(both.here.send(asked), NotCached)
        both.here.ask(-600, 0)
        self.assertEqual(at_once(both.here.send(asked)).status, Status.HIT)

    def test_no_loop(self) -> None:
        """A home never asks elsewhere, whatever it thinks of where the key is at home."""
        self.both.there.cache.home = self.both.there.delta.home = FakeHome(self.both.here)
        for start in (-600, -900):
            self.both.here.ask(start, 0)
        self.assertEqual(len(self.both.way.asked_for), 2)

    def test_no_store(self) -> None:
        """What may not be stored is not, wherever it is asked for."""
        both = Processes(honours=True)
        fields = ((b"Cache-Control", b"no-store"),)
        answer = at_once(both.here.send(range_request(NOW - 600, NOW, headers=fields)))
        self.assertEqual((answer.outcome.reason, both.here.held()), (Reason.REQUEST_NO_STORE, []))

    def test_no_cache(self) -> None:
        """Who wants nothing of what is stored has it fetched by the home."""
        fields = ((b"Cache-Control", b"no-cache"),)
        both = Processes(honours=True)
        both.here.ask(-600, 0)
        both.here.fetches()
        answer = at_once(both.here.send(range_request(NOW - 600, NOW, headers=fields)))
        self.assertEqual((answer.outcome.reason, both.here.fetches()),
                         (Reason.REQUEST_NO_CACHE, [(-600, 0)]))

    def test_post(self) -> None:
        """A query in a body is the same one there."""
        answer = at_once(self.both.here.send(range_request(NOW - 600, NOW, method=b"POST")))
        self.assertEqual((answer.status, answer.octets),
                         (Status.KEY_MISS, self.both.here.direct(-600, 0)))
        self.assertEqual(self.both.here.ask(-600, 0).status, Status.HIT)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.sampled_from((None, "a", "b")), max_size=8))
    def test_principals(self, names: list[str | None]) -> None:
        """No principal has what was fetched for another, in whichever process."""
        both, seen = Processes(), set[str | None]()
        for name in names:
            request = evolve(range_request(NOW - 600, NOW),
                             identity=None if name is None else Principal(name))
            answer = at_once(both.here.send(request))
            self.assertEqual(answer.status, Status.HIT if name in seen else Status.KEY_MISS)
            seen.add(name)

    def test_left(self) -> None:
        """The last client that leaves has the home give up, and nothing is left."""
        origin = self.both.there.origin
        origin.is_paused = True
        asking = self.both.here.start(-600, 0)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertTrue(origin.paused[0].is_cancelled)
        self.assertEqual([rig.left_over() for rig in (self.both.here, self.both.there)],
                         [(0, 0, 0)] * 2)


class FastForwardTests(SynchronousTestCase):
    """The newest sample, where the home of the range is elsewhere."""

    def setUp(self) -> None:
        """Two processes, half a minute after the last whole one."""
        self.both = Processes(newest=True)
        self.both.advance(37)

    def test_once(self) -> None:
        """It is asked of the origin once, by who asks for the range as well."""
        answer = self.both.here.ask(-600, 30)
        self.assertEqual((answer.outcome.fast_forward, self.both.here.origin.newest),
                         (FastForward.MISS, [(NOW + 30) * 1000]))
        self.assertEqual(self.both.there.held(), [(-600, 0)])

    def test_hit(self) -> None:
        """Beside a hit it is asked for here."""
        self.both.here.ask(-600, 30)
        answer = self.both.here.ask(-600, 30)
        self.assertEqual((answer.status, answer.outcome.fast_forward, answer.times[-1]),
                         (Status.HIT, FastForward.MISS, 30))

    def test_slow_store(self) -> None:
        """It is asked once also where the store takes its time."""
        answers: list[Answer] = []
        waiting: Deferred[None] = Deferred()
        get = self.both.here.entries.get

        async def late(key: str) -> Any:
            await waiting
            return await get(key)

        self.both.here.delta._entries = Late(self.both.here.entries, late)
        self.both.here.start(-600, 30).addCallback(answers.append)
        self.assertEqual(self.both.here.origin.newest, [])
        waiting.callback(None)
        self.assertEqual((len(answers), self.both.here.origin.newest), (1, [(NOW + 30) * 1000]))

    def test_unreachable(self) -> None:
        """Where the home cannot be reached, both are asked for here."""
        self.both.way.there = None
        answer = self.both.here.ask(-600, 30)
        self.assertEqual((answer.outcome.fast_forward, answer.times[-1]), (FastForward.MISS, 30))
        self.assertEqual(self.both.here.origin.newest, [(NOW + 30) * 1000])


class Late:
    """Entries that are found later."""

    def __init__(self, inner: Any, get: Any) -> None:
        self._inner, self.get = inner, get

    def __getattr__(self, name: str) -> Any:
        """As the inner ones."""
        return getattr(self._inner, name)
