"""Tests of C{trickster.ranges.delta_cache}: what the client gets, and what the origin is asked."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import MS, NOW, Rig, range_request
from trickster.errors import Reason
from trickster.messages import LONGEST_PARAMS, MOST_PARAMS, Engine, Status
from trickster.promql.tokens import MOST_TOKENS
from trickster.ranges.plan import placed_query
from trickster.stores.guard import guarded
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import BrokenStore, DictStore, at_once

# Seconds relative to now, as in the worked examples: the ranges asked for before, the one
# asked for, what of it is missing, and the status.
WORKED = [
    ([], (-2400, -1800), [(-2400, -1800)], Status.KEY_MISS),
    ([(-2400, -1800)], (-2400, -1800), [], Status.HIT),
    ([(-2400, -1800)], (-2100, -1500), [(-1740, -1500)], Status.PARTIAL_HIT),
    ([(-2400, -1800)], (-2700, -2100), [(-2700, -2460)], Status.PARTIAL_HIT),
    ([(-2400, -1800)], (-2700, -1500), [(-2700, -2460), (-1740, -1500)], Status.PARTIAL_HIT),
    ([(-2400, -2100), (-1800, -1500)], (-2400, -1500), [(-2040, -1860)], Status.PARTIAL_HIT),
    ([(-2400, -2100), (-1800, -1500)], (-1020, -600), [(-1020, -600)], Status.RANGE_MISS),
    ([(-2400, -2100)], (-2040, -2040), [(-2040, -2040)], Status.RANGE_MISS),
    ([(-2400, -2100), (-2040, -1800)], (-2400, -1800), [], Status.HIT),
]


class WorkedTests(SynchronousTestCase):
    """Which part of a range is asked for, and what that is called."""

    def _check(self, store: type, phase: bool) -> None:
        for before, (start, end), missing, status_ in WORKED:
            rig = Rig(store, phase=phase)
            for earlier in before:
                rig.ask(*earlier)
            rig.fetches()
            answer = rig.ask(start, end)
            self.assertEqual((sorted(rig.fetches()), answer.status), (missing, status_))
            self.assertEqual(answer.octets, rig.direct(start, end))
            self.assertEqual(answer.outcome.engine, Engine.DELTA)

    def test_references(self) -> None:
        """Only the gaps are fetched where the store keeps objects."""
        self._check(MemoryStore, False)
        self._check(MemoryStore, True)

    def test_octets(self) -> None:
        """Only the gaps are fetched where the store keeps octets."""
        self._check(DictStore, False)
        self._check(DictStore, True)

    def test_guarded(self) -> None:
        """A guard before the store changes nothing of what is asked for."""
        self._check(lambda clock: guarded(MemoryStore(clock), "c", clock), False)  # type: ignore


class OutcomeTests(SynchronousTestCase):
    """What an answer says about itself."""

    def test_miss(self) -> None:
        """A miss names its reason, what was asked for, and that it was stored."""
        outcome = Rig().ask(-300, 0).outcome
        self.assertEqual((outcome.reason, outcome.stored), (Reason.KEY_MISS, True))
        self.assertEqual(outcome.fetched, (((NOW - 300) * 1000 * MS, NOW * 1000 * MS),))
        self.assertEqual(outcome.origin_status, 200)

    def test_hit(self) -> None:
        """A full hit has no reason, and asked for nothing."""
        rig = Rig()
        rig.ask(-300, 0)
        outcome = rig.ask(-300, 0).outcome
        self.assertEqual((outcome.reason, outcome.fetched, outcome.stored), (None, (), False))

    def test_noted(self) -> None:
        """
        The observer of a request is given its key, the requested extent and the stored extents.
        """
        rig, seen = Rig(), []
        for end in (0, 60):
            noted: dict[str, object] = {}
            seen.append(noted)
            request = range_request(NOW - 290, NOW + end - 290)
            at_once(rig.cache.respond(evolve(request, noted=noted.__setitem__)))
        first, second = seen
        start, end = (NOW - 290) * 1000 * MS, (NOW - 230) * 1000 * MS
        self.assertEqual((second["key"], second["asked"]), (first["key"], ((start, end),)))
        grid = (NOW - 300) * 1000 * MS
        self.assertEqual((first.get("held"), second["held"]), (None, ((grid, grid),)))

    def test_noted_for_the_origin(self) -> None:
        """The observer of a request is given the upstream requests made for that request."""
        rig = Rig()
        noted: dict[str, object] = {}
        at_once(rig.cache.respond(evolve(
            range_request(NOW - 300, NOW), noted=noted.__setitem__)))
        (fetch,) = rig.origin.requests
        self.assertEqual(fetch.noted, noted.__setitem__)

    def test_points(self) -> None:
        """Points are counted before anything is cropped: cached and fetched make the whole."""
        rig = Rig()
        rig.origin.series = 1
        first, second = rig.ask(-540, -60).outcome, rig.ask(-600, 0).outcome
        self.assertEqual((first.points_cached, first.points_fetched), (0, 9))
        self.assertEqual((second.points_cached, second.points_fetched), (9, 2))
        self.assertEqual(rig.ask(-600, 0).outcome.points_cached, 11)

    def test_headers_kept(self) -> None:
        """The origin's own fields go with hits too; those of one answer alone do not."""
        rig = Rig()
        rig.origin.always = lambda response: _with_fields(response)
        rig.ask(-300, 0)
        fields = rig.ask(-300, 0).response.headers
        self.assertEqual(fields.get(b"x-origin"), b"fake")
        self.assertEqual([fields.get(name) for name in (b"date", b"via", b"etag")],
                         [None] * 3)
        self.assertEqual(fields.get_all(b"content-type"), [b"application/json"])

    def test_aligned(self) -> None:
        """An answer for another range than the one asked for says which."""
        rig = Rig()
        answer = rig.ask(-295.5, -10)
        self.assertEqual(answer.outcome.aligned,
                         ((NOW - 300) * 1000 * MS, (NOW - 60) * 1000 * MS))
        self.assertEqual(answer.octets, rig.direct(-300, -60))

    def test_end_between(self) -> None:
        """An end between two instants changes nothing, and is not said to."""
        self.assertIsNone(Rig().ask(-300, -10).outcome.aligned)

    def test_phase(self) -> None:
        """In mode C{phase} any answer is what the origin itself says."""
        rig = Rig(phase=True)
        for start, end in [(-295.5, -10), (-295.5, -10), (-235.5, 20), (-300, 0)]:
            answer = rig.ask(start, end)
            self.assertEqual(answer.octets, rig.direct(start, end))
            self.assertIsNone(answer.outcome.aligned)

    def test_phases_apart(self) -> None:
        """Ranges of different phases share nothing, those of one phase do."""
        rig = Rig(phase=True)
        rig.ask(-295, 0)
        rig.fetches()
        rig.ask(-296, 0)
        rig.ask(-295, 5)
        self.assertEqual(rig.fetches(), [(-296, -56), (5, 5)])


def _with_fields(response):  # type: ignore[no-untyped-def]
    more = response.headers.with_added(
        (b"Date", b"Tue, 14 Nov 2023 22:14:00 GMT"), (b"Via", b"1.1 x"), (b"ETag", b'"1"'))
    return type(response)(200, more, response.body)


class LongTests(SynchronousTestCase):
    """Requests that take long to read."""

    def test_in_a_thread(self) -> None:
        """A long expression is read in a thread; a short one is not worth it."""
        for query, method, reads in (("up", b"GET", 0), ("up", b"POST", 0),
                                     ("up or " * 4000 + "up", b"GET", 2),
                                     ("up or " * 4000 + "up", b"POST", 2)):
            called: list[Any] = []

            async def offload(function: Any, *args: Any, called: list[Any] = called) -> Any:
                called.append(function)
                return function(*args)

            rig = Rig(offload=offload)
            for status in (Status.KEY_MISS, Status.HIT):
                self.assertIs(rig.ask(-600, 0, query=query, method=method).status, status)
            self.assertEqual(called, [placed_query] * reads)

    def test_many_series(self) -> None:
        """Thousands of series are put together in a thread, to the same answer."""
        called: list[str] = []

        async def offload(function: Any, *args: Any) -> Any:
            called.append(function.__name__)
            return function(*args)

        rig = Rig(offload=offload, tolerance=120.0)
        rig.origin.series = 1200
        for start, end in ((-900, -300), (-600, 0), (-900, 0)):
            self.assertEqual(rig.ask(start, end).octets, rig.direct(start, end))
        self.assertEqual(called.count("_assembled"), 2)  # the first is wholly kept
        called.clear()
        rig.origin.series = 3
        rig.ask(-600, 0, query="few")
        self.assertEqual(called, [])

    def test_passed_on(self) -> None:
        """What is too long to be read is passed on unread, and says why."""
        rig = Rig()
        for more in ({f"a{i}": "1" for i in range(MOST_PARAMS)}, {"a": "1" * LONGEST_PARAMS}):
            for method in (b"GET", b"POST"):
                outcome = rig.ask(-600, 0, method=method, **more).outcome
                self.assertEqual((outcome.status, outcome.reason), (
                    Status.PROXY_ONLY, Reason.UNPARSABLE_PARAMETER))
        outcome = rig.ask(-600, 0, query="up or " * MOST_TOKENS + "up").outcome
        self.assertIs(outcome.reason, Reason.UNPARSABLE_PARAMETER)
        outcome = rig.ask(-600, 0, query="-" * (MOST_TOKENS + 1)).outcome
        self.assertIs(outcome.reason, Reason.UNPARSABLE_QUERY)


class KeyTests(SynchronousTestCase):
    """Which requests share an entry."""

    def test_forms(self) -> None:
        """GET and POST, and different spellings of the step, share an entry."""
        rig = Rig()
        rig.ask(-300, 0)
        for step, method in ((60, b"POST"), ("1m", b"GET"), ("60.0", b"POST")):
            answer = rig.ask(-300, 0, step, method=method)
            self.assertEqual((answer.status, answer.octets), (Status.HIT, rig.direct(-300, 0)))

    def test_identity(self) -> None:
        """Identity fields of requests separate entries, in which absent and empty differ."""
        rig = Rig()
        for value in (None, b"", b"Basic a", b"Basic b"):
            headers = () if value is None else ((b"Authorization", value),)
            self.assertEqual(rig.ask(-300, 0, headers=headers).status, Status.KEY_MISS)
            self.assertEqual(rig.ask(-300, 0, headers=headers).status, Status.HIT)

    def test_others_apart(self) -> None:
        """Another expression, step or parameter has another entry."""
        rig = Rig()
        rig.ask(-300, 0)
        for more in ({"query": "down"}, {"timeout": "1"}, {"limit": "2"}, {"step": 30}):
            self.assertEqual(rig.ask(-300, 0, **more).status, Status.KEY_MISS)

    def test_sub_second(self) -> None:
        """Steps below a second are as good as others."""
        rig = Rig()
        rig.ask(-2.5, 0, 0.5)
        answer = rig.ask(-2, 0, 0.25)
        self.assertEqual(answer.octets, rig.direct(-2, 0, 0.25))
        answer = rig.ask(-3, -0.5, 0.5)
        self.assertEqual(answer.octets, rig.direct(-3, -0.5, 0.5))
        self.assertEqual(rig.fetches()[-1], (-3, -3))

    def test_empty(self) -> None:
        """An empty result is stored as well, and is a hit the next time."""
        rig = Rig()
        rig.origin.series = 0
        rig.ask(-300, 0)
        answer = rig.ask(-300, 0)
        self.assertEqual((answer.status, answer.json["data"]["result"]), (Status.HIT, []))


class StoreTests(SynchronousTestCase):
    """Stores that lose what they should keep."""

    def test_failing(self) -> None:
        """A failing store is a miss whose reason names the store."""
        rig = Rig(lambda clock: guarded(BrokenStore(), "c", clock))
        for _ in range(2):
            answer = rig.ask(-300, 0)
            self.assertEqual((answer.status, answer.octets),
                             (Status.KEY_MISS, rig.direct(-300, 0)))
            self.assertEqual(answer.outcome.reason, Reason.STORE_ERROR)
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_full(self) -> None:
        """
        A response for which the store has no room is a key miss and is not reported as stored.
        """
        rig = Rig(lambda clock: MemoryStore(clock, max_octets=100))
        for _ in range(2):
            answer = rig.ask(-300, 0)
            self.assertEqual((answer.status, answer.outcome.stored), (Status.KEY_MISS, False))

    def test_damaged(self) -> None:
        """Octets that are none of ours are a miss, and replaced."""
        rig = Rig(DictStore)
        rig.ask(-300, 0)
        [(key, (value, deadline))] = rig.store.entries.items()  # type: ignore[attr-defined]
        for octets in (b"x" + value[1:], value[:9], b""):
            rig.store.entries[key] = (octets, deadline)  # type: ignore[attr-defined]
            self.assertEqual(rig.ask(-300, 0).status, Status.KEY_MISS)
            self.assertEqual(rig.ask(-300, 0).status, Status.HIT)

    def test_lost_meanwhile(self) -> None:
        """An entry that goes while the rest is fetched leaves no hole in the answer."""
        for store in (MemoryStore, DictStore):
            rig = Rig(store)
            rig.ask(-600, -300)
            rig.origin.is_paused = True
            answer = rig.start(-600, 0)
            at_once(rig.store.delete(at_once(rig.store.keys(""))))
            rig.origin.release()
            self.assertEqual(self.successResultOf(answer).octets, rig.direct(-600, 0))

    def test_expires(self) -> None:
        """An entry is kept for so long after its last change, and no hit prolongs it."""
        rig = Rig(ttl=100.0)
        rig.ask(-300, -60)
        rig.now.advance(99)
        self.assertEqual(rig.ask(-300, -60).status, Status.HIT)
        rig.now.advance(1)
        self.assertEqual(rig.ask(-300, -60).status, Status.KEY_MISS)

    def test_hit_at_once(self) -> None:
        """A full hit has nothing to wait for, nor anything to write."""
        for lru in (False, True):
            rig = Rig(lru=lru)
            rig.ask(-300, 0)
            entry = rig.entry()
            stepping = rig.cache.respond(range_request(NOW - 300, NOW))
            self.assertRaises(StopIteration, stepping.send, None)
            self.assertIs(rig.entry(), entry)


WINDOWS = st.lists(
    st.tuples(st.sampled_from([0, 0, 7, 60, 61, 300, 4000]),  # seconds that pass before
              st.integers(-130, 8), st.integers(0, 60),  # end and length, in half minutes
              st.sampled_from([0, 0, 13.5])),
    min_size=1, max_size=9)


class AnyWindowsTests(SynchronousTestCase):
    """Windows that slide, jump, shrink and overlap while time passes."""

    @settings(max_examples=120, deadline=None)
    @given(WINDOWS, st.booleans(), st.booleans(), st.booleans(),
           st.sampled_from([2, 30, 1000]), st.sampled_from([0, 90]))
    def test_as_the_origin(self, windows, phase, lru, as_octets,  # type: ignore[no-untyped-def]
                           retention, settle) -> None:
        """
        Every answer is the origin's own for the range, to the octet, after any
        questions before, and with any part of them kept.
        """
        rig = Rig(DictStore if as_octets else MemoryStore, phase=phase, lru=lru,
                  retention=retention, tolerance=float(settle))
        rig.origin.settle_ms = settle * 1000
        for passed, end, length, odd in windows:
            rig.now.advance(passed)
            now = rig.now.seconds() - NOW
            start, last = now + end * 30 - length * 30 + odd, now + end * 30 + odd
            answer = rig.ask(start, last)
            if answer.status is not Status.PROXY_ONLY and not phase:
                start, last = _floored(start), _floored(last)
            self.assertEqual(answer.octets, rig.direct(start, last))
        self.assertEqual(rig.left_over(), (0, 0, 0))

    @settings(max_examples=100, deadline=None)
    @given(WINDOWS, st.booleans(), st.booleans())
    def test_once(self, windows, phase, as_octets) -> None:  # type: ignore[no-untyped-def]
        """No instant that is final is asked for twice."""
        rig = Rig(DictStore if as_octets else MemoryStore, phase=phase, tolerance=90.0,
                  ttl=1e6)
        seen: set[int] = set()
        for passed, end, length, odd in windows:
            rig.now.advance(passed)
            now = rig.now.seconds() - NOW
            rig.origin.instants.clear()
            rig.ask(now + end * 30 - length * 30 + odd, now + end * 30 + odd)
            final = {t for t in rig.origin.instants if t <= (NOW + now - 90) * 1000}
            self.assertEqual(seen & final, set())
            seen |= final


def _floored(seconds: float) -> float:
    return (NOW + seconds) // 60 * 60 - NOW
