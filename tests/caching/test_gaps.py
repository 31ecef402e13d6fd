"""Tests of C{trickster.caching.gaps}: each instant is asked for once, whoever wants it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.caching.deltarig import NOW, SECOND_NS, Rig
from tests.caching.fakeprometheus import (
    Lingering,
    breaking,
    having,
    in_pieces,
    raising,
    saying,
    status,
    truncated,
)
from trickster.caching.deltaplan import Stumbled
from trickster.caching.guard import guarded
from trickster.errors import Reason, UpstreamBroke, UpstreamError, UpstreamTimeout
from trickster.messages import Headers, Octets, Response, Status
from trickster.origins.promrange import PrometheusRange
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import DictStore, PausedBody, PausedStore
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.planning import Sharding
from trickster.timeseries.query import TimeRangeQuery

STORES = (MemoryStore, DictStore, lambda clock: guarded(DictStore(clock), "c", clock))


class CollapsingTests(SynchronousTestCase):
    """What is under way is waited for, not asked for again."""

    def test_fifty(self) -> None:
        """Fifty clients with overlapping windows ask for each instant once."""
        for store in STORES:
            rig = Rig(store)
            rig.origin.is_paused = True
            windows = [(-3600 + 60 * i, -60 * (i % 7)) for i in range(50)]
            answers = [rig.start(*window) for window in windows]
            while rig.origin.waiting:
                rig.origin.release(len(rig.origin.waiting) - 1)
            for window, answer in zip(windows, answers, strict=True):
                self.assertEqual(self.successResultOf(answer).octets, rig.direct(*window))
            self.assertEqual(set(rig.origin.instants.values()), {1})
            self.assertEqual((len(rig.origin.instants), rig.left_over()), (61, (0, 0, 0)))

    def test_subrange(self) -> None:
        """A narrower question is answered from a wider fetch, and says so."""
        rig = Rig()
        rig.origin.is_paused = True
        wide, narrow = rig.start(-600, 0), rig.start(-300, -60)
        rig.origin.release()
        answer = self.successResultOf(narrow)
        self.assertEqual((answer.status, answer.outcome.reason, answer.outcome.fetched),
                         (Status.PROXY_HIT, Reason.COLLAPSED, ()))
        self.assertEqual(answer.octets, rig.direct(-300, -60))
        self.assertEqual((answer.outcome.points_fetched, answer.outcome.points_cached), (0, 15))
        self.assertEqual(self.successResultOf(wide).status, Status.KEY_MISS)

    def test_overlap(self) -> None:
        """Only what is neither held nor under way is asked for."""
        rig = Rig()
        rig.ask(-1200, -900)
        rig.origin.is_paused = True
        rig.start(-600, -300)
        answer = rig.start(-1200, 0)
        self.assertEqual(rig.asked(), [(-1200, -900), (-600, -300), (-840, -660), (-240, 0)])
        rig.origin.release()
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-1200, 0))

    def test_others_not_waited_for(self) -> None:
        """A fetch of another part of the same query is not waited for."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.start(-6000, -3000)
        answer = rig.start(-600, 0)
        rig.origin.release(1)
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-600, 0))

    def test_keys_apart(self) -> None:
        """Flights of other queries are none of anybody's business."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.start(-600, 0)
        rig.start(-600, 0, query="down")
        rig.start(-600, 0, headers=((b"Authorization", b"x"),))
        self.assertEqual(len(rig.origin.waiting), 3)

    def test_merges_keep_all(self) -> None:
        """Fetches that land in any order lose none of each other's samples."""
        for store in STORES:
            rig = Rig(store)
            rig.origin.is_paused = True
            answers = [rig.start(-300 * (i + 1), -300 * i - 60) for i in range(5)]
            for which in (3, 0, 2, 0, 0):
                rig.origin.release(which)
            for answer in answers:
                self.successResultOf(answer)
            self.assertEqual(rig.held(), [(-1500, -60)])
            self.assertEqual(rig.ask(-1500, -60).octets, rig.direct(-1500, -60))

    def test_read_while_written(self) -> None:
        """A read that began before a change ended does not ask for its samples again."""
        store = SlowStore()
        rig = Rig(lambda clock: store)
        first, second = rig.start(-300, 0), rig.start(-300, 0)
        store.go_on()
        self.assertEqual(rig.origin.instants.total(), 6)
        third = rig.start(-300, 0)
        store.go_on_always()
        for answer in (first, second, third):
            self.assertEqual(self.successResultOf(answer).octets, rig.direct(-300, 0))
        self.assertEqual((rig.origin.instants.total(), rig.left_over()), (6, (0, 0, 0)))


class SlowStore(DictStore):
    """
    A store that looks at once, but tells, and writes, only when the test says so.

    :ivar steps: what it still has to do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Deferred[None]] = []
        self.is_slow = True

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        found = await super().get(key)
        await self._turn()
        return found

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        await self._turn()
        await super().put(key, value, ttl)

    async def _turn(self) -> None:
        if self.is_slow:
            step: Deferred[None] = Deferred()
            self.steps.append(step)
            try:
                await step
            finally:
                if step in self.steps:
                    self.steps.remove(step)

    def go_on(self, which: int = 0) -> None:
        """Let one step be done."""
        self.steps.pop(which).callback(None)

    def go_on_always(self) -> None:
        """Let all be done, from now on."""
        self.is_slow = False
        while self.steps:
            self.go_on()


class LeavingTests(SynchronousTestCase):
    """Clients that go away."""

    def test_last_cancels(self) -> None:
        """The origin's work goes on while anybody waits for it, and no longer."""
        rig = Rig()
        rig.origin.is_paused = True
        first, second = rig.start(-600, 0), rig.start(-300, -60)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(rig.origin.paused[0].is_cancelled)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(rig.origin.paused[0].is_cancelled)
        self.assertEqual((rig.left_over(), rig.held()), ((0, 0, 0), []))

    def test_first_leaves(self) -> None:
        """Whoever stays is answered, and what comes is stored."""
        rig = Rig()
        rig.origin.is_paused = True
        first, second = rig.start(-600, 0), rig.start(-900, -60)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        rig.origin.release()
        self.assertEqual(self.successResultOf(second).octets, rig.direct(-900, -60))
        self.assertEqual(rig.held(), [(-900, 0)])

    def test_next_asks_anew(self) -> None:
        """After a fetch that was given up, the next client is none the worse."""
        rig = Rig()
        rig.origin.is_paused = True
        self.failureResultOf(_cancelled(rig.start(-600, 0)), CancelledError)
        rig.origin.is_paused = False
        self.assertEqual(rig.ask(-600, 0).octets, rig.direct(-600, 0))

    def test_abandoned_not_joined(self) -> None:
        """A fetch that takes its time to end once given up is not waited for."""
        rig = Rig()
        rig.origin.is_paused = True
        lingering: Deferred[None] = Deferred()
        rig.fetcher._upstream = Lingering(rig.origin, lingering)
        self.failureResultOf(_cancelled(rig.start(-600, 0)), CancelledError)
        self.assertEqual(rig.fetcher.flights, 1)
        answer = rig.start(-600, 0)
        lingering.callback(None)
        rig.origin.release()
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-600, 0))
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_reading_body(self) -> None:
        """One that leaves in the middle of the body closes it, and gives the octets back."""
        rig, body = Rig(), PausedBody()
        rig.origin.always = lambda response: Response(200, response.headers, body)
        answer = rig.start(-600, 0)
        body.feed(b"x" * 1000)
        self.assertEqual(rig.left_over(), (1, 1000, 0))
        self.failureResultOf(_cancelled(answer), CancelledError)
        self.assertTrue(body.is_closed)
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def test_error_body(self) -> None:
        """The same for the body of a refusal."""
        rig, body = Rig(), PausedBody()
        rig.origin.always = lambda response: Response(500, response.headers, body)
        answer = rig.start(-600, 0)
        body.feed(b"x")
        self.failureResultOf(_cancelled(answer), CancelledError)
        self.assertEqual((body.is_closed, rig.left_over()), (True, (0, 0, 0)))

    def test_thread(self) -> None:
        """One that leaves while a thread decodes does not wait for the thread."""
        threads: list[Deferred[Any]] = []

        def later(function: Any, *args: Any) -> Deferred[Any]:
            threads.append(Deferred())
            return threads[-1]

        rig = Rig(offload=later)
        rig.origin.series = 9000
        answer = rig.start(-600, 0)
        self.assertEqual(len(threads), 1)
        self.failureResultOf(_cancelled(answer), CancelledError)
        self.assertEqual((rig.left_over(), rig.held()), ((0, 0, 0), []))

    def test_any_await(self) -> None:
        """Wherever the store is when the last client leaves, nothing is left behind."""
        for steps in range(4):  # the first read, the second, the write, and all done
            store = PausedStore()
            rig = Rig(lambda clock, store=store: store)
            answer, waiter = rig.start(-600, 0), rig.start(-300, 0)
            for _ in range(steps):
                store.asked[-1].callback(None)
            for leaving in (answer, waiter):
                leaving.addErrback(lambda failure: failure.trap(CancelledError))
                leaving.cancel()
            self.assertEqual(rig.left_over(), (0, 0, 0))
            self.assertEqual([one for one in store.asked if not one.called], [])

    def test_waiting_for_turn(self) -> None:
        """One that leaves while some of its fetches have not begun begins them no more."""
        rig = Rig(sharding=Sharding(max_points=2), concurrency=2)
        rig.origin.is_paused = True
        self.failureResultOf(_cancelled(rig.start(-600, 0)), CancelledError)
        self.assertEqual((len(rig.origin.requests), rig.left_over()), (2, (0, 0, 0)))


def _cancelled(answer: Deferred[Any]) -> Deferred[Any]:
    answer.cancel()
    return answer


class FailureTests(SynchronousTestCase):
    """Fetches that fail."""

    def _next_is_fine(self, rig: Rig) -> None:
        self.assertEqual((rig.held(), rig.left_over()), ([], (0, 0, 0)))
        self.assertEqual(rig.ask(-600, 0).octets, rig.direct(-600, 0))

    def test_statuses(self) -> None:
        """The origin's own refusal is passed on, with its body and its fields."""
        for code in (302, 400, 401, 404, 422, 429, 500, 503):
            rig = Rig()
            rig.origin.faults = [status(code, b'{"status":"error"}', ((b"Retry-After", b"9"),))]
            answer = rig.ask(-600, 0)
            self.assertEqual((answer.code, answer.octets), (code, b'{"status":"error"}'))
            self.assertEqual((answer.status, answer.outcome.reason),
                             (Status.PROXY_ERROR, Reason.ORIGIN_STATUS))
            self.assertEqual(answer.response.headers.get(b"retry-after"), b"9")
            self._next_is_fine(rig)

    def test_errors(self) -> None:
        """No answer at all is the error that it is."""
        for error in (UpstreamTimeout("slow"), UpstreamBroke("gone"), UpstreamError("what")):
            for fault in (raising(error), breaking(error)):
                rig = Rig()
                rig.origin.faults = [fault]
                self.assertIs(self.failureResultOf(rig.start(-600, 0)).value, error)
                self._next_is_fine(rig)

    def test_broken_refusal(self) -> None:
        """A refusal whose body breaks is no refusal but an error."""
        rig = Rig()
        error = UpstreamBroke("gone")
        rig.origin.faults = [lambda response: Response(
            500, response.headers, breaking(error)(response).body)]
        self.assertIs(self.failureResultOf(rig.start(-600, 0)).value, error)
        self._next_is_fine(rig)

    def test_large_refusal(self) -> None:
        """A refusal with a body of some mebibytes is streamed past the cache."""
        rig = Rig()
        rig.origin.always = status(500, b"x" * (2 << 20))
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.code, len(answer.octets)), (500, 2 << 20))
        self.assertEqual(answer.outcome.reason, Reason.TOO_LARGE)
        rig.origin.always = None
        rig.now.advance(15)
        self._next_is_fine(rig)

    def test_nothing_incomplete(self) -> None:
        """What cannot be understood is never stored, and the next answer is right."""
        for fault in (truncated, saying(b"garbage"), saying(b'{"status":"success"}'),
                      having("status", "error"), having("warnings", ["w"])):
            rig = Rig()
            rig.origin.faults = [fault]
            rig.ask(-600, 0)
            self._next_is_fine(rig)

    def test_partial(self) -> None:
        """Where some fetches fail, what there is is answered, and said what is missing."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.faults = [None, status(500)]
        answer = rig.ask(-900, 0)
        self.assertEqual((answer.code, answer.outcome.reason),
                         (200, Reason.PARTIAL_FAILURE))
        self.assertEqual(answer.outcome.failed, (((NOW - 240) * SECOND_NS, NOW * SECOND_NS),))
        [warning] = answer.json["warnings"]
        self.assertIn(f"{NOW - 240} to {NOW}", warning)
        self.assertEqual(answer.times, [float(t) for t in range(-900, -299, 60)])
        self.assertEqual(rig.held(), [(-900, -300)])
        self.assertEqual(rig.ask(-900, 0).octets, rig.direct(-900, 0))

    def test_partial_points(self) -> None:
        """What failed was not had from anywhere."""
        rig = Rig()
        rig.origin.series = 1
        rig.ask(-600, -300)
        rig.origin.faults = [None, raising(UpstreamTimeout("slow"))]
        outcome = rig.ask(-900, 0).outcome
        self.assertEqual((outcome.points_cached, outcome.points_fetched, outcome.stored),
                         (6, 5, True))

    def test_all_of_the_rest_failed(self) -> None:
        """Samples that happen to be held are no answer where the origin gives none."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.faults = [status(503, b"busy")]
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.code, answer.octets), (503, b"busy"))

    def test_client_error_wins(self) -> None:
        """Where the client is at fault it is told so, whatever else was fetched."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.faults = [None, status(422, b"what?")]
        answer = rig.ask(-900, 0)
        self.assertEqual((answer.code, answer.octets), (422, b"what?"))

    def test_too_many_is_nobodys_fault(self) -> None:
        """429 and 408 are failures like those of the origin."""
        for code in (429, 408):
            rig = Rig()
            rig.ask(-600, -300)
            rig.origin.faults = [None, status(code)]
            self.assertEqual(rig.ask(-900, 0).outcome.reason, Reason.PARTIAL_FAILURE)

    def test_longer_by_alignment(self) -> None:
        """A refusal of more instants than were asked for is no answer: they are asked for."""
        rig = Rig()
        rig.origin.faults = [status(400, b"exceeded maximum resolution")]
        answer = rig.ask(-590, 5)
        self.assertEqual((answer.code, answer.octets), (200, rig.direct(-590, 5)))
        self.assertEqual(rig.asked(), [(-600, 0), (-590, 5)])

    def test_waiters(self) -> None:
        """All who wait for one fetch are told of its failure, and the origin asked once."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.always = status(500, b"down")
        answers = [rig.start(-600, 0) for _ in range(10)]
        rig.origin.release()
        self.assertEqual([self.successResultOf(answer).octets for answer in answers],
                         [b"down"] * 10)
        self.assertEqual(len(rig.origin.requests), 1)

    def test_wider_failed(self) -> None:
        """That somebody's wider question was refused does not refuse a narrower one."""
        for fault in (status(422), raising(UpstreamTimeout("slow")), having("warnings", ["w"])):
            rig = Rig()
            rig.origin.is_paused = True
            rig.origin.faults = [fault]
            wide, narrow = rig.start(-6000, 0), rig.start(-300, 0)
            wide.addErrback(lambda failure: None)
            rig.origin.release(0)
            self.assertNoResult(narrow)
            rig.origin.release()
            answer = self.successResultOf(narrow)
            self.assertEqual((answer.octets, answer.outcome.failed), (rig.direct(-300, 0), ()))
            self.assertEqual(answer.outcome.fetched,
                             (((NOW - 300) * SECOND_NS, NOW * SECOND_NS),))
            self.assertEqual((rig.held(), rig.fetcher.flights), ([(-300, 0)], 0))
            self.assertTrue(answer.outcome.stored)
            self.assertEqual(answer.response.headers.get(b"x-origin"), b"fake")

    def test_wider_failed_again(self) -> None:
        """Nor is the next wider one waited for, which may be refused as well."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.faults = [status(422), status(422)]
        answers = [rig.start(-6000, 0), rig.start(-3000, 0), rig.start(-300, 0)]
        rig.origin.release()
        rig.origin.release()
        self.assertEqual([self.successResultOf(answer).code for answer in answers],
                         [422, 422, 200])
        self.assertEqual(rig.asked(), [(-6000, 0), (-3000, 0), (-300, 0)])

    def test_clumsy_dialect(self) -> None:
        """A dialect that stumbles over an answer does not keep it from the client."""
        rig = Rig(dialect=Clumsy())
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.octets, answer.outcome.reason),
                         (rig.direct(-600, 0), Reason.UNDECODABLE))
        self.assertEqual(len(self.flushLoggedErrors(Stumbled)), 1)

    def test_bugs_are_loud(self) -> None:
        """An error that no fetch may have is not hidden."""
        rig = Rig()
        rig.origin.faults = [raising(KeyError("bug"))]
        self.failureResultOf(rig.start(-600, 0), KeyError)
        self._next_is_fine(rig)


class Clumsy(PrometheusRange):
    """A dialect that has not thought of everything."""

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{IQueryDialect.decode_response}."""
        raise KeyError("result")


class ShardingTests(SynchronousTestCase):
    """Requests in several pieces."""

    def test_pieces(self) -> None:
        """Each piece is asked for by itself, and the answer is one."""
        rig = Rig(sharding=Sharding(max_points=4))
        answer = rig.ask(-600, 0)
        self.assertEqual(rig.asked(), [(-600, -420), (-360, -180), (-120, 0)])
        self.assertEqual((answer.octets, rig.held()), (rig.direct(-600, 0), [(-600, 0)]))

    def test_concurrency(self) -> None:
        """No more than so many of one request are under way at a time."""
        rig = Rig(sharding=Sharding(max_points=1), concurrency=3)
        rig.origin.is_paused = True
        answer = rig.start(-600, 0)
        most = 0
        while rig.origin.waiting:
            most = max(most, len(rig.origin.waiting))
            rig.origin.release(0)
        self.assertEqual((most, self.successResultOf(answer).octets), (3, rig.direct(-600, 0)))

    def test_no_concurrency(self) -> None:
        """None at a time would be no answer: it is one."""
        rig = Rig(concurrency=0)
        self.assertEqual(rig.ask(-600, 0).code, 200)

    def test_failure_frees_turn(self) -> None:
        """A piece that fails makes room for the next."""
        rig = Rig(sharding=Sharding(max_points=4), concurrency=1)
        rig.origin.faults = [raising(UpstreamBroke("gone")), status(500), None]
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.times, rig.held()), ([-120, -60, 0], [(-120, 0)]))
        self.assertEqual(answer.outcome.failed,
                         (((NOW - 600) * SECOND_NS, (NOW - 180) * SECOND_NS),))


class BudgetTests(SynchronousTestCase):
    """Answers that are too large to be held."""

    def test_too_large(self) -> None:
        """They are streamed past the cache, at once for the next 15 seconds."""
        for fault in (None, in_pieces(100)):
            rig = Rig(max_answer_bytes=500)
            rig.origin.always = fault
            answer = rig.ask(-590, 0)
            self.assertEqual((answer.status, answer.outcome.reason, answer.octets),
                             (Status.PROXY_ONLY, Reason.TOO_LARGE, rig.direct(-590, 0)))
            rig.ask(-590, 0)
            self.assertEqual(rig.asked(), [(-600, 0), (-590, 0), (-590, 0)])
            self.assertEqual((rig.held(), rig.left_over()), ([], (0, 0, 0)))

    def test_in_flight(self) -> None:
        """Where others hold too much already, it is not remembered."""
        rig = Rig(limit=500)
        rig.origin.always = in_pieces(100)
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.outcome.reason, answer.octets),
                         (Reason.IN_FLIGHT_BUDGET, rig.direct(-600, 0)))
        self.assertEqual((rig.ask(-120, 0).status, rig.left_over()),
                         (Status.KEY_MISS, (0, 0, 0)))

    def test_transformed_too_large(self) -> None:
        """What must be changed cannot be streamed: too much of it is an error that says so."""
        rig = Rig(max_answer_bytes=500, transform=bytes.upper)
        error = self.failureResultOf(rig.start(-600, 0), UpstreamError).value
        self.assertEqual(error.reason, Reason.TOO_LARGE)


class TransformTests(SynchronousTestCase):
    """Answers that are passed on past the cache are changed as others are."""

    def test_passed(self) -> None:
        """Those that went past, whole and without content coding."""
        rig = Rig(transform=bytes.upper)
        rig.origin.faults = [status(400), lambda _: Response(200, Headers(), Octets(b"ok"))]
        for octets in (b"no", b"OK"):  # only what is a success
            answer = rig.ask(-60, 0, query="up @ end()",
                             headers=((b"Accept-Encoding", b"gzip"),))
            self.assertEqual(answer.octets, octets)
        self.assertNotIn(b"accept-encoding", rig.origin.requests[-1].headers)

    def test_unkept(self) -> None:
        """And those that were not to be kept."""
        rig = Rig(transform=bytes.upper)
        rig.origin.faults = [having("warnings", ["abc"])]
        self.assertIn(b'"WARNINGS":["ABC"]', rig.ask(-600, 0).octets)


CLIENTS = st.lists(st.tuples(st.integers(-20, 1), st.integers(0, 12)), min_size=1, max_size=8)


class AnyOrderTests(SynchronousTestCase):
    """Several clients at once, in whatever order things happen."""

    @settings(max_examples=120, deadline=None)
    @given(CLIENTS, st.lists(st.integers(0, 99), max_size=12), st.booleans(),
           st.sampled_from([0, 3]))
    def test_right_or_gone(self, clients, order, as_octets,  # type: ignore[no-untyped-def]
                           shard) -> None:
        """Whoever stays gets the origin's answer; nothing final is asked for twice."""
        rig = Rig(DictStore if as_octets else MemoryStore,
                  sharding=Sharding(max_points=shard))
        rig.origin.is_paused = True
        windows = [(60 * end - 60 * length, 60 * end) for end, length in clients]
        answers = [rig.start(*window) for window in windows]
        gone = set()
        for choice in order:
            if choice % 3 == 0:
                leaving = choice % len(answers)
                gone |= {leaving} if not answers[leaving].called else set()
                answers[leaving].cancel()
            elif rig.origin.waiting:
                rig.origin.release(choice % len(rig.origin.waiting))
        while rig.origin.waiting:
            rig.origin.release()
        for i, (window, answer) in enumerate(zip(windows, answers, strict=True)):
            if i in gone:
                self.failureResultOf(answer, CancelledError)
            else:
                self.assertEqual(self.successResultOf(answer).octets, rig.direct(*window))
        if not gone:
            self.assertLessEqual(set(rig.origin.instants.values()), {1})
        self.assertEqual(rig.left_over(), (0, 0, 0))

    @settings(max_examples=120, deadline=None)
    @given(CLIENTS, st.lists(st.integers(0, 999), max_size=25))
    def test_slow_store(self, clients, order) -> None:  # type: ignore[no-untyped-def]
        """All that holds as well where each step of the store takes its time."""
        store = SlowStore()
        rig = Rig(lambda clock: store)
        rig.origin.is_paused = True
        windows = [(60 * end - 60 * length, 60 * end) for end, length in clients]
        answers, gone = [rig.start(*window) for window in windows[:2]], set()
        for choice in order:
            if choice % 4 == 0 and len(answers) < len(windows):
                answers.append(rig.start(*windows[len(answers)]))
            elif choice % 7 == 0:
                gone |= {i for i in [choice % len(answers)] if not answers[i].called}
                answers[choice % len(answers)].cancel()
            elif choice % 2 and rig.origin.waiting:
                rig.origin.release(choice % len(rig.origin.waiting))
            elif store.steps:
                store.go_on(choice % len(store.steps))
        store.go_on_always()
        while rig.origin.waiting:
            rig.origin.release()
        for i, (window, answer) in enumerate(zip(windows, answers, strict=False)):
            if i in gone:
                self.failureResultOf(answer, CancelledError)
            else:
                self.assertEqual(self.successResultOf(answer).octets, rig.direct(*window))
        final = [count for t, count in rig.origin.instants.items() if t <= NOW * 1000]
        self.assertTrue(gone or set(final) <= {1})
        self.assertEqual(rig.left_over(), (0, 0, 0))

    @settings(max_examples=80, deadline=None)
    @given(CLIENTS, st.lists(st.sampled_from(["fine", "fine", "500", "422", "error", "broken",
                                              "warned", "garbage"]), max_size=10),
           st.lists(st.integers(0, 99), max_size=8))
    def test_faults(self, clients, faults, order) -> None:  # type: ignore[no-untyped-def]
        """Whatever fails, no sample is wrong, missing in silence, or stored without being."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.faults = [FAULTS[name] for name in faults]
        windows = [(60 * end - 60 * length, 60 * end) for end, length in clients]
        answers = [rig.start(*window) for window in windows]
        for choice in order:
            if rig.origin.waiting:
                rig.origin.release(choice % len(rig.origin.waiting))
        while rig.origin.waiting:
            rig.origin.release()
        for window, answer in zip(windows, answers, strict=True):
            self._check(rig, window, answer)
        rig.origin.is_paused, rig.origin.faults = False, []
        rig.now.advance(15)
        for window in windows:
            self.assertEqual(rig.ask(*window).octets, rig.direct(*window))
        self.assertEqual(rig.left_over(), (0, 0, 0))

    def _check(self, rig: Rig, window: tuple[int, int], answer: Deferred[Any]) -> None:
        result: Any = []
        answer.addBoth(result.append)
        if isinstance(getattr(result[0], "value", None), UpstreamError):
            return
        [got] = result
        if got.code == 200 and got.status is not Status.PROXY_ONLY and not got.outcome.failed:
            self.assertEqual(got.octets, rig.direct(*window))
        elif got.outcome.failed:
            self.assertTrue(got.code != 200 or got.json["warnings"])


FAULTS = {
    "fine": None, "500": status(500), "422": status(422), "broken": breaking(UpstreamBroke("b")),
    "error": raising(UpstreamTimeout("t")), "warned": having("warnings", ["w"]),
    "garbage": saying(b"<html>"),
}
