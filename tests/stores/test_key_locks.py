"""Tests of L{trickster.stores.key_locks}."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.key_locks import KeyLocks

ACTS = st.lists(st.tuples(st.sampled_from(("change", "end", "fail", "cancel")),
                          st.integers(0, 5)), max_size=40)


class KeyLocksTests(SynchronousTestCase):
    """Changes of the same key follow each other."""

    def changing(self, locks: KeyLocks, key: str, begun: list[Deferred[str]]) -> Deferred[str]:
        """:return: fires when a change has ended; what it waits for is added to C{begun}."""
        return Deferred.fromCoroutine(locks.alone(key, waiting(begun)))

    def test_in_turn(self) -> None:
        """A change begins when the one before of the same key has ended; other keys do not wait."""
        locks, begun = KeyLocks(), list[Deferred[str]]()
        results = [self.changing(locks, key, begun) for key in ("a", "a", "b")]
        self.assertEqual((len(begun), len(locks)), (2, 2))
        begun[0].callback("first")
        self.assertEqual((self.successResultOf(results[0]), len(begun)), ("first", 3))
        for waited in begun[1:]:
            waited.callback("later")
        self.assertEqual([self.successResultOf(one) for one in results[1:]], ["later"] * 2)
        self.assertEqual(len(locks), 0)

    def test_without_waiting(self) -> None:
        """A change that does not wait is made at once."""
        locks = KeyLocks()
        done = self.changing(locks, "a", [])
        self.assertNoResult(done)
        done.cancel()
        self.failureResultOf(done, CancelledError)

        async def at_once() -> int:
            return 1

        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(
            locks.alone("a", at_once))), 1)
        self.assertEqual(len(locks), 0)

    def test_cancelled_before_its_turn(self) -> None:
        """A change that is cancelled while it waits never begins, and the next one does."""
        locks, begun = KeyLocks(), list[Deferred[str]]()
        results = [self.changing(locks, "a", begun) for _ in range(3)]
        results[1].cancel()
        self.failureResultOf(results[1], CancelledError)
        begun[0].callback("")
        self.assertEqual(len(begun), 2)
        begun[1].callback("")
        self.assertEqual(len(locks), 0)

    @given(ACTS)
    def test_any_order(self, acts: list[tuple[str, int]]) -> None:
        """However changes end, one runs at a time, and no lock is left."""
        locks, begun = KeyLocks(), list[Deferred[str]]()
        results: list[Deferred[str]] = []
        for act, n in acts:
            running = [one for one in begun if not one.called]
            self.assertLessEqual(len(running), 1)
            if act == "change":
                results.append(self.changing(locks, "a", begun))
                results[-1].addErrback(lambda _: "")
            elif act == "cancel" and results:
                results[n % len(results)].cancel()
            elif running:
                running[0].callback("") if act == "end" else running[0].errback(KeyError())
        while any(not one.called for one in begun):
            next(one for one in begun if not one.called).callback("")
        self.assertTrue(all(one.called for one in results))
        self.assertEqual(len(locks), 0)


def waiting(begun: list[Deferred[str]]) -> Callable[[], Coroutine[Any, Any, str]]:
    """:return: a change that waits until the test fires what it adds to C{begun}."""

    async def change() -> str:
        waited: Deferred[str] = Deferred()
        begun.append(waited)
        return await waited

    return change
