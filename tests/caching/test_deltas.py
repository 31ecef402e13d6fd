"""Tests of C{trickster.caching.deltas}: what the client gets, and what the origin is asked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.caching.deltarig import MS, NOW, Rig, range_request
from tests.caching.fakeprometheus import having, saying, status, truncated
from trickster.caching.guard import guarded
from trickster.errors import BadRequest, Reason, RequestTooLarge
from trickster.messages import Engine, Headers, Octets, Request, Status
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import BrokenStore, DictStore, PausedBody, at_once

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
            rig.asked()
            answer = rig.ask(start, end)
            self.assertEqual((sorted(rig.asked()), answer.status), (missing, status_))
            self.assertEqual(answer.octets, rig.direct(start, end))
            self.assertEqual(answer.outcome.engine, Engine.DELTA)

    def test_references(self) -> None:
        """Only the gaps are asked for, where the store keeps objects."""
        self._check(MemoryStore, False)
        self._check(MemoryStore, True)

    def test_octets(self) -> None:
        """Only the gaps are asked for, where it keeps octets."""
        self._check(DictStore, False)
        self._check(DictStore, True)

    def test_guarded(self) -> None:
        """Nor does the guard change anything."""
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
        self.assertEqual([fields.get(name) for name in (b"date", b"set-cookie", b"etag")],
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
        rig.asked()
        rig.ask(-296, 0)
        rig.ask(-295, 5)
        self.assertEqual(rig.asked(), [(-296, -56), (5, 5)])


def _with_fields(response):  # type: ignore[no-untyped-def]
    more = response.headers.with_added(
        (b"Date", b"Tue, 14 Nov 2023 22:14:00 GMT"), (b"Set-Cookie", b"a=b"), (b"ETag", b'"1"'))
    return type(response)(200, more, response.body)


class KeyTests(SynchronousTestCase):
    """Which questions share an entry."""

    def test_forms(self) -> None:
        """GET and POST, and other spellings of the step, are one question."""
        rig = Rig()
        rig.ask(-300, 0)
        for step, method in ((60, b"POST"), ("1m", b"GET"), ("60.0", b"POST")):
            answer = rig.ask(-300, 0, step, method=method)
            self.assertEqual((answer.status, answer.octets), (Status.HIT, rig.direct(-300, 0)))

    def test_identity(self) -> None:
        """Header fields that tell who asks separate entries; none is not the empty one."""
        rig = Rig()
        for value in (None, b"", b"Basic a", b"Basic b"):
            headers = () if value is None else ((b"Authorization", value),)
            self.assertEqual(rig.ask(-300, 0, headers=headers).status, Status.KEY_MISS)
            self.assertEqual(rig.ask(-300, 0, headers=headers).status, Status.HIT)

    def test_others_apart(self) -> None:
        """Another expression, step or parameter is another question."""
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
        self.assertEqual(rig.asked()[-1], (-3, -3))

    def test_empty(self) -> None:
        """That there is nothing is remembered as well."""
        rig = Rig()
        rig.origin.series = 0
        rig.ask(-300, 0)
        answer = rig.ask(-300, 0)
        self.assertEqual((answer.status, answer.json["data"]["result"]), (Status.HIT, []))


class PastTests(SynchronousTestCase):
    """What is not the cache's business goes to the origin as it came."""

    def _goes_past(self, rig: Rig, request: Request, reason: Reason) -> None:
        rig.origin.always = status(400, b'{"status":"error","error":"says the origin"}')
        rig.origin.requests.clear()
        answer = at_once(rig.send(request))
        self.assertEqual((answer.code, answer.octets),
                         (400, b'{"status":"error","error":"says the origin"}'))
        self.assertEqual((answer.status, answer.outcome.reason), (Status.PROXY_ONLY, reason))
        [asked] = rig.origin.requests
        self.assertEqual((asked.target, asked.body), (request.target, request.body))

    def test_inverted(self) -> None:
        """The origin's 400 for an inverted range, whether there is an entry or not."""
        rig = Rig()
        self._goes_past(rig, range_request(NOW, NOW - 300), Reason.INVERTED_RANGE)
        rig.origin.always = None
        rig.ask(-300, 0)
        self._goes_past(rig, range_request(NOW, NOW - 300), Reason.INVERTED_RANGE)

    def test_step(self) -> None:
        """No step, and a step of nothing, are never a false hit."""
        for step, reason in ((0, Reason.UNPARSABLE_PARAMETER), ("", Reason.MISSING_PARAMETER)):
            self._goes_past(Rig(), range_request(NOW - 300, NOW, step), reason)

    def test_range_dependent(self) -> None:
        """Expressions whose values depend on the range asked for."""
        self._goes_past(Rig(), range_request(NOW - 300, NOW, query="up @ end()"),
                     Reason.RANGE_DEPENDENT)

    def test_post(self) -> None:
        """A form goes on with its octets, also when they came by and by."""
        request = range_request(NOW, NOW - 300, method=b"POST")
        self._goes_past(Rig(), request, Reason.INVERTED_RANGE)

    def test_body_by_and_by(self) -> None:
        """A body that is still under way is waited for."""
        rig, body = Rig(), PausedBody()
        request = range_request(NOW - 300, NOW, method=b"POST")
        whole = request.body
        assert isinstance(whole, Octets)
        answer = rig.send(Request(b"POST", request.target, request.headers, body))
        self.assertNoResult(answer)
        body.feed(whole.octets[:9], whole.octets[9:], b"")
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-300, 0))

    def test_body_too_large(self) -> None:
        """A body without end is refused."""
        body = PausedBody(length=11 << 20)
        answer = Rig().send(Request(b"POST", b"/api/v1/query_range", Headers(), body))
        self.failureResultOf(answer, RequestTooLarge)
        self.assertTrue(body.is_closed)

    def test_too_old(self) -> None:
        """A range wholly before what is kept is not for the cache."""
        rig = Rig(retention=10)
        answer = rig.ask(-1260, -660)
        self.assertEqual((answer.status, answer.outcome.reason),
                         (Status.PROXY_ONLY, Reason.TOO_OLD))
        self.assertEqual(answer.octets, rig.direct(-1260, -660))
        self.assertEqual(rig.ask(-1260, -600).status, Status.KEY_MISS)

    def test_max_query_range(self) -> None:
        """A range longer than allowed is refused, and the origin not asked."""
        rig = Rig(max_query_range=600.0)
        error = self.failureResultOf(rig.start(-601, 0), BadRequest).value
        self.assertEqual((error.status, error.reason), (400, Reason.RANGE_REFUSED))
        self.assertEqual(rig.asked(), [])
        self.assertEqual(rig.ask(-600, 0).code, 200)


class NoCacheTests(SynchronousTestCase):
    """Requests that want nothing from the cache."""

    def test_purge(self) -> None:
        """The entry is removed, the origin's own answer passed on and not stored."""
        for headers in (((b"Cache-Control", b"max-age=0, No-Cache"),), ((b"Pragma", b"no-cache"),),
                        ((b"cache-control", b"no-store"),), ((b"cache-control", b"private"),)):
            rig = Rig()
            rig.ask(-300, 0)
            answer = rig.ask(-290, 0, headers=headers)
            self.assertEqual((answer.status, answer.outcome.reason, answer.outcome.engine),
                             (Status.PURGE, Reason.REQUEST_NO_CACHE, Engine.DELTA))
            self.assertEqual(answer.octets, rig.direct(-290, 0))
            self.assertEqual(rig.held(), [])

    def test_other_directives(self) -> None:
        """Other words in the same fields do not count."""
        rig = Rig()
        rig.ask(-300, 0)
        for value in (b"max-age=0", b"no-cached", b"x=no-cache"):
            self.assertEqual(rig.ask(-300, 0, headers=((b"Cache-Control", value),)).status,
                             Status.HIT)

    def test_conditional(self) -> None:
        """What the client has is its own affair: the origin is asked without conditions."""
        rig = Rig()
        answer = rig.ask(-300, 0, headers=(
            (b"If-None-Match", b'"1"'), (b"Range", b"bytes=0-1"), (b"Accept-Encoding", b"gzip")))
        [asked] = rig.origin.requests
        self.assertEqual((answer.code, asked.headers.pairs), (200, ()))


class UnkeptTests(SynchronousTestCase):
    """Answers with status 200 that must not be stored."""

    def _not_stored(self, rig: Rig, reason: Reason, start: float = -300) -> bytes:
        answer = rig.ask(start, 0)
        self.assertEqual((answer.code, answer.status, answer.outcome.reason),
                         (200, Status.PROXY_ONLY, reason))
        self.assertEqual((rig.held(), rig.left_over()), ([], (0, 0, 0)))
        return answer.octets

    def test_verbatim(self) -> None:
        """What the client asked for itself is passed on to the octet."""
        for fault, reason in (
                (having("warnings", ["a"]), Reason.ORIGIN_WARNINGS),
                (having("infos", ["a"]), Reason.ORIGIN_WARNINGS),
                (having("isPartial", True), Reason.ORIGIN_PARTIAL),
                (having("unknown", 1), Reason.UNDECODABLE),
                (saying(b"<html>"), Reason.UNDECODABLE), (saying(b""), Reason.UNDECODABLE),
                (saying(b"[" * 100_000), Reason.UNDECODABLE), (truncated, Reason.UNDECODABLE)):
            rig = Rig()
            rig.origin.faults = [fault]
            expected = fault(rig.origin.matrix("up", (NOW - 300) * 1000, NOW * 1000, 60_000))
            self.assertEqual(self._not_stored(rig, reason), at_once(expected.body.read()))
            self.assertEqual(len(rig.origin.requests), 1)

    def test_asked_again(self) -> None:
        """An answer to another range than the client's is not passed on as its own."""
        rig = Rig()
        rig.origin.always = having("warnings", ["a"])
        body = self._not_stored(rig, Reason.ORIGIN_WARNINGS, -290)
        self.assertIn(b'"warnings":["a"]', body)
        self.assertEqual(rig.asked(), [(-300, 0), (-290, 0)])

    def test_partly_cached(self) -> None:
        """Nor is an answer to a part; what was stored stays."""
        rig = Rig()
        rig.ask(-300, -60)
        rig.origin.always = having("warnings", ["a"])
        self.assertIn(b'"warnings"', rig.ask(-300, 0).octets)
        self.assertEqual(rig.held(), [(-300, -60)])

    def test_remembered(self) -> None:
        """For 15 seconds the origin is asked once, not twice; then it is tried again."""
        rig = Rig()
        rig.origin.faults = [having("warnings", ["a"])]
        rig.ask(-300, 0)
        rig.asked()
        rig.now.advance(14)
        answer = rig.ask(-290, 0)
        self.assertEqual((answer.outcome.reason, rig.asked()),
                         (Reason.ORIGIN_WARNINGS, [(-290, 0)]))
        rig.now.advance(1)
        self.assertEqual(rig.ask(-300, 0).status, Status.KEY_MISS)

    def test_coded(self) -> None:
        """A content coding that nobody asked for is passed on with its octets."""
        rig = Rig()
        rig.origin.always = lambda response: type(response)(
            200, Headers(((b"Content-Encoding", b"br"),)), response.body)
        self.assertEqual(self._not_stored(rig, Reason.UNDECODABLE), rig.direct(-300, 0))
        self.assertEqual(rig.ask(-300, 0).response.headers.get(b"content-encoding"), b"br")

    def test_waiters(self) -> None:
        """Whoever asked for the same gets the same, and the origin is asked once."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.always = having("warnings", ["a"])
        answers = [rig.start(-300, 0) for _ in range(5)]
        rig.origin.release()
        self.assertEqual(len({self.successResultOf(answer).octets for answer in answers}), 1)
        self.assertEqual(rig.asked(), [(-300, 0)])


class VolatileTests(SynchronousTestCase):
    """Samples that may still change are never kept."""

    def test_refreshed(self) -> None:
        """What was volatile is asked for again, on what were a full hit otherwise."""
        rig = Rig(tolerance=120.0)
        rig.origin.settle_ms = 120_000
        first = rig.ask(-600, 0)
        rig.now.advance(10)
        again = rig.ask(-600, 0)
        self.assertEqual(rig.asked(), [(-600, 0), (-60, 0)])
        self.assertEqual(again.octets, rig.direct(-600, 0))
        self.assertNotEqual(first.octets, again.octets)
        self.assertEqual((again.status, again.outcome.reason),
                         (Status.PARTIAL_HIT, Reason.VOLATILE))

    def test_points(self) -> None:
        """The tolerance in steps counts where it is the longer one."""
        rig = Rig(tolerance=30.0, tolerance_points=3)
        rig.ask(-600, 0)
        self.assertEqual(rig.held(), [(-600, -180)])

    def test_comment(self) -> None:
        """A comment in the query overrides both; 0 says nothing."""
        for seconds, last in ((60, -60), (600, -600), (0, -180)):
            rig = Rig(tolerance_points=3)
            rig.ask(-1200, 0, query=f"up # trickster-backfill-tolerance:{seconds}")
            self.assertEqual(rig.held(), [(-1200, last)])

    def test_only_volatile(self) -> None:
        """Where nothing is final nothing is stored, and nothing said to be."""
        rig = Rig(tolerance=600.0)
        for _ in range(2):
            answer = rig.ask(-300, 0)
            self.assertEqual((answer.status, answer.outcome.stored),
                             (Status.KEY_MISS, False))
            self.assertEqual(answer.octets, rig.direct(-300, 0))
        self.assertEqual(rig.held(), [])

    def test_future_end(self) -> None:
        """An end beyond now is asked for and answered, and not stored."""
        rig = Rig()
        for _ in range(2):
            answer = rig.ask(-300, 300)
            self.assertEqual(answer.octets, rig.direct(-300, 300))
        self.assertEqual((rig.asked(), rig.held()), ([(-300, 300), (60, 300)], [(-300, 0)]))

    def test_all_future(self) -> None:
        """Nor is a range that is all to come."""
        rig = Rig()
        self.assertEqual(rig.ask(60, 300).octets, rig.direct(60, 300))
        self.assertEqual((rig.asked(), rig.held()), ([(60, 300)], []))

    def test_negative_offset(self) -> None:
        """Samples that look ahead are final that much later."""
        rig = Rig()
        rig.ask(-600, 0, query="up offset -5m")
        self.assertEqual(rig.held(), [(-600, -300)])

    def test_fixed_instant(self) -> None:
        """An instant that is still to come makes nothing final, one that was does."""
        for at, held in ((NOW + 60, []), (NOW - 60, [(-600, 0)])):
            rig = Rig()
            answer = rig.ask(-600, 0, query=f"up @ {at}")
            self.assertEqual((answer.code, rig.held()), (200, held))


class StoreTests(SynchronousTestCase):
    """Stores that lose what they should keep."""

    def test_failing(self) -> None:
        """A store that fails is a miss."""
        rig = Rig(lambda clock: guarded(BrokenStore(), "c", clock))
        for _ in range(2):
            answer = rig.ask(-300, 0)
            self.assertEqual((answer.status, answer.octets),
                             (Status.KEY_MISS, rig.direct(-300, 0)))
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_full(self) -> None:
        """One that has no room is too, and nothing is said to be stored."""
        rig = Rig(lambda clock: MemoryStore(clock, max_octets=100))
        for _ in range(2):
            answer = rig.ask(-300, 0)
            self.assertEqual((answer.status, answer.outcome.stored), (Status.KEY_MISS, False))

    def test_damaged(self) -> None:
        """Octets that are none of ours are a miss, and replaced."""
        rig = Rig(DictStore)
        rig.ask(-300, 0)
        [(key, (value, deadline))] = rig.store.values.items()  # type: ignore[attr-defined]
        rig.store.values[key] = (value[:-1] + b"x", deadline)  # type: ignore[attr-defined]
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
        Every answer is the origin's own for the range, to the octet, whatever was asked
        before, and whatever of it is kept.
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


class ObjectFallbackTests(SynchronousTestCase):
    """What can be kept whole but not by range."""

    def test_object(self) -> None:
        """It goes to the object cache, as it came."""
        from trickster.errors import NotATimeRange
        from trickster.origins.promrange import PrometheusRange

        class Whole(PrometheusRange):
            def decode_request(self, request, now_ns):  # type: ignore[no-untyped-def]
                raise NotATimeRange(Reason.NOT_A_TIME_RANGE, fallback="object")

        rig, request = Rig(dialect=Whole()), range_request(NOW - 300, NOW)
        self.assertEqual(at_once(rig.send(request)).octets, b"ok")
        self.assertEqual((rig.objects.requests, rig.asked()), ([request], []))

