"""Tests of C{trickster.ranges.gaps}: events in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, Rig
from tests.ranges.fakeprometheus import (
    breaking,
    having,
    raising,
    saying,
    status,
)
from trickster.errors import UpstreamBroke, UpstreamError, UpstreamTimeout
from trickster.messages import Status
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import DictStore, SlowStore
from trickster.timeseries.planning import Sharding

CLIENTS = st.lists(st.tuples(st.integers(-20, 1), st.integers(0, 12)), min_size=1, max_size=8)


class AnyOrderTests(SynchronousTestCase):
    """Several clients at once, with events in any order."""

    @settings(max_examples=120, deadline=None)
    @given(CLIENTS, st.lists(st.integers(0, 99), max_size=12), st.booleans(),
           st.sampled_from([0, 3]))
    def test_right_or_gone(self, clients, order, as_octets,  # type: ignore[no-untyped-def]
                           shard) -> None:
        """A client that stays gets the origin's answer; nothing final is asked for twice."""
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
        """
        A client that stays gets the origin's answer even if each step of the store takes time.
        """
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
        """After any failure, no sample is wrong, missing in silence, or stored without being."""
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
