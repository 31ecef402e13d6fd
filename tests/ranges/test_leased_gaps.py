"""Tests of L{trickster.ranges.leased_gaps}: processes that share a store fetch each instant once."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, Answer
from tests.ranges.fakeprometheus import having, headed, raising, saying, status
from tests.ranges.sharedrigs import SECONDS, Rigs
from trickster.errors import Reason, UpstreamTimeout
from trickster.messages import Status
from trickster.testing.doubles import SharedStore
from trickster.timeseries.planning import Sharding


class LeasedCase(SynchronousTestCase):
    """Processes that share a store."""

    def setUp(self) -> None:
        """Two of them, and an origin that answers when it is told to."""
        self.have(Rigs())

    def have(self, rigs: Rigs) -> None:
        """Have others."""
        self.rigs = rigs
        self.one, self.two = rigs.rigs[:2]
        self.origin = rigs.origin
        self.origin.is_paused = True

    def released(self, seconds: float = 0.2) -> None:
        """Have the origin answer whatever it is asked, and time pass."""
        self.origin.is_paused = False
        while self.origin.waiting:
            self.origin.release()
        self.rigs.pass_time(seconds)

    def got(self, asking: Deferred[Answer], *window: float) -> Answer:
        """:return: an answer, held against the origin's own."""
        answer = self.successResultOf(asking)
        self.assertEqual(answer.octets, self.one.direct(*window))
        return answer


class LeasedTests(LeasedCase):
    """One process fetches, and the others wait for what it stores."""

    def test_same(self) -> None:
        """Equal queries to several processes are one to the origin."""
        for store in ({}, {"store": SharedStore}):
            self.have(Rigs(3, **store))
            answers = [rig.start(-600, 0) for rig in self.rigs.rigs for _ in range(3)]
            self.rigs.pass_time(1)
            self.assertEqual(self.rigs.fetches(), [(-600, 0)])
            self.released()
            found = [self.got(answer, -600, 0) for answer in answers]
            self.assertEqual([answer.status for answer in found],
                             [Status.KEY_MISS] + [Status.PROXY_HIT] * 8)
            self.assertEqual({answer.outcome.reason for answer in found[1:]}, {Reason.COLLAPSED})
            self.assertEqual({answer.outcome.fetched for answer in found[1:]}, {()})
            self.assertEqual(found[3].outcome.detail, "another-process")
            self.assertEqual(self.rigs.most_asked, 1)
            self.assertEqual(sorted(self.rigs.counted), ["taken", "waited", "waited"])

    def test_overlapping(self) -> None:
        """Of overlapping queries each instant is fetched once."""
        windows = [(-3600 + 60 * i, -60 * (i % 7)) for i in range(20)]
        self.have(Rigs(4))
        answers = [self.rigs.rigs[i % 4].start(*window) for i, window in enumerate(windows)]
        self.released(1)
        for window, answer in zip(windows, answers, strict=True):
            self.got(answer, *window)
        self.assertEqual(self.rigs.most_asked, 1)

    def test_around(self) -> None:
        """What another process fetches from the middle is waited for, and not fetched again."""
        self.one.start(-600, -300)
        answer = self.two.start(-900, 0)
        self.released()
        self.assertEqual(self.rigs.fetches(), [(-600, -300), (-900, -660), (-240, 0)])
        self.assertEqual(self.got(answer, -900, 0).status, Status.KEY_MISS)
        self.assertEqual(self.rigs.most_asked, 1)

    def test_apart(self) -> None:
        """What is apart from what another process fetches is not waited for."""
        self.one.start(-6000, -3000)
        answer = self.two.start(-600, 0)
        self.assertEqual(len(self.rigs.fetches()), 2)
        self.origin.release(1)
        self.got(answer, -600, 0)

    def test_other_queries(self) -> None:
        """Nor are other queries."""
        self.one.start(-600, 0)
        self.two.start(-600, 0, query="down")
        self.assertEqual(len(self.origin.waiting), 2)

    def test_shards(self) -> None:
        """Shards of a query are fetched by one process each, and by all together once."""
        self.have(Rigs(2, sharding=Sharding(0, 5), concurrency=2))
        answers = [rig.start(-1200, 0) for rig in self.rigs.rigs]
        self.released(2)
        for answer in answers:
            self.got(answer, -1200, 0)
        self.assertEqual(self.rigs.most_asked, 1)

    def test_a_step_later(self) -> None:
        """A dashboard that is refreshed through several processes has each instant fetched once."""
        self.released()
        for later in range(5):
            answers = [rig.start(-600 + 60 * later, 60 * later) for rig in self.rigs.rigs]
            self.rigs.pass_time(0.2)
            for answer in answers:
                self.got(answer, -600 + 60 * later, 60 * later)
            self.rigs.now.advance(60)
        self.assertEqual(self.rigs.most_asked, 1)

    def test_volatile(self) -> None:
        """What may still change goes to those who wait, and is not stored."""
        self.have(Rigs(3, tolerance=300.0))
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        for answer in answers:
            self.got(answer, -600, 0)
        self.assertEqual(self.rigs.fetches(), [(-600, 0)])
        again = self.one.start(-600, 0)
        self.rigs.pass_time(0.2)
        self.assertEqual(self.got(again, -600, 0).status, Status.PARTIAL_HIT)
        self.assertEqual(self.rigs.fetches(), [(-240, 0)])

    def test_order(self) -> None:
        """
        Series of which some are in the store alone, and others in what is given beside it, stand
        in the order of the origin, which is not that of their octets.
        """
        self.have(Rigs(3, tolerance=300.0))
        series = [("a", range(-240, 1, 60)), ("a!", range(-600, -299, 60))]
        octets = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"n": name}, "values": [[int(NOW) + t, "1"] for t in times]}
            for name, times in series]}}, separators=(",", ":")).encode()
        self.origin.faults = [saying(octets)]
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        self.assertEqual([self.successResultOf(answer).octets for answer in answers], [octets] * 3)

    def test_large_volatile(self) -> None:
        """What is too large to be given, each process fetches itself, without waiting further."""
        self.have(Rigs(3, tolerance=300.0))
        self.origin.series = 3000
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.origin.release()
        self.rigs.pass_time(0.2)
        self.assertEqual(self.rigs.fetches(), [(-600, 0), (-240, 0), (-240, 0)])
        self.released()
        for answer in answers:
            self.got(answer, -600, 0)

    def test_warned(self) -> None:
        """What nothing may be stored of goes to those who wait, and says so."""
        self.origin.faults = [having("warnings", ["partial"])] * 3
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        for answer in answers:
            self.assertEqual(self.successResultOf(answer).outcome.reason, Reason.ORIGIN_WARNINGS)
        self.assertEqual(self.one.held(), [])


class FailingTests(LeasedCase):
    """The process that fetches gets no dataset."""

    def test_error(self) -> None:
        """All get its error."""
        self.origin.faults = [raising(UpstreamTimeout("late"))]
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        for answer in answers:
            self.assertEqual(self.failureResultOf(answer).check(UpstreamTimeout), UpstreamTimeout)
        self.assertEqual(len(self.rigs.fetches()), 1)

    def test_status(self) -> None:
        """All get the answer by which it failed."""
        self.origin.faults = [status(503, b"busy", ((b"X-Why", b"load"),))]
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        for answer in answers:
            got = self.successResultOf(answer)
            self.assertEqual((got.code, got.octets), (503, b"busy"))
            self.assertIn((b"X-Why", b"load"), got.response.headers.pairs)
        self.assertEqual(len(self.rigs.fetches()), 1)

    def test_large_status(self) -> None:
        """One that is too large to be shared, each asks for."""
        self.origin.faults = [status(503, bytes(100_000))] * 2
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        self.assertEqual([self.successResultOf(answer).code for answer in answers], [503, 503])
        self.assertEqual(len(self.rigs.fetches()), 2)

    def test_refused(self) -> None:
        """A refusal may be about one client's request: each asks."""
        self.origin.faults = [status(422), status(422)]
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        self.assertEqual([self.successResultOf(answer).code for answer in answers], [422, 422])

    def test_for_one(self) -> None:
        """An answer for one client alone goes to no other, and each asks."""
        self.origin.always = headed((b"Cache-Control", b"private"))
        answers = [rig.start(-600, 0) for rig in self.rigs.rigs]
        self.released()
        for answer in answers:
            got = self.successResultOf(answer)
            self.assertEqual((got.status, got.outcome.reason), (Status.PROXY_ONLY, Reason.PRIVATE))
        self.assertEqual(len(self.rigs.fetches()), 2)

    def test_wider(self) -> None:
        """That a wider fetch fails says nothing about a narrower one."""
        self.origin.faults = [raising(UpstreamTimeout("late"))]
        wide, narrow = self.one.start(-6000, 0), self.two.start(-600, -300)
        self.released()
        self.failureResultOf(wide)
        self.got(narrow, -600, -300)


class TakenOverTests(LeasedCase):
    """A process that is not heard of costs others no more than the lease."""

    def setUp(self) -> None:
        """One that has stopped while it was fetching."""
        super().setUp()
        self.late = self.one.start(-600, 0)
        for call in self.rigs.now.getDelayedCalls():
            call.reset(10_000)

    def test_taken_over(self) -> None:
        """Another one fetches after that."""
        answer = self.two.start(-600, 0)
        self.rigs.pass_time(SECONDS - 0.2)
        self.assertEqual(len(self.rigs.fetches()), 1)
        self.rigs.pass_time(0.5)
        self.origin.release(1)
        self.got(answer, -600, 0)

    def test_late_result(self) -> None:
        """What it brings then replaces no newer sample, and only adds what is missing."""
        self.two.start(-600, -300)
        self.rigs.pass_time(SECONDS + 0.5)
        self.origin.salt = "newer"
        newer = self.one.direct(-600, -300)
        self.origin.release(1)
        self.rigs.pass_time(0.2)
        self.origin.salt = "older"
        older = self.one.direct(-240, 0)
        self.origin.release(0)
        self.rigs.pass_time(0.2)
        for rig in self.rigs.rigs:
            self.assertEqual(rig.held(), [(-600, 0)])
            self.assertEqual(rig.ask(-600, -300).octets, newer)
            self.assertEqual(rig.ask(-240, 0).octets, older)

    def test_client_leaves(self) -> None:
        """Where no client waits for it any more, another process fetches at once."""
        self.rigs.pass_time(2 * SECONDS)
        self.have(Rigs())
        first, second = self.one.start(-600, 0), self.two.start(-600, 0)
        first.addErrback(lambda _: None)
        first.cancel()
        self.rigs.pass_time(0.1)
        self.assertEqual(len(self.origin.waiting), 1)
        self.released()
        self.got(second, -600, 0)
        self.assertEqual(self.rigs.now.getDelayedCalls(), [])

    def test_no_cache(self) -> None:
        """A query that wants new samples waits for none that were asked for earlier."""
        headers = ((b"Cache-Control", b"no-cache"),)
        self.have(Rigs(honours=True))
        self.one.start(-600, 0)
        self.two.start(-600, 0, headers=headers)
        self.assertEqual(len(self.origin.waiting), 2)
