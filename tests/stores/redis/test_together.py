"""Tests of C{trickster.stores.redis.together}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import StoreError
from trickster.stores.redis.together import all_of


async def waited(one: Deferred[Any]) -> Any:
    """:return: what it fires with."""
    return await one


class AllOfTests(SynchronousTestCase):
    """Things that are done at a time."""

    def setUp(self) -> None:
        """Begin two."""
        self.each: list[Deferred[Any]] = [Deferred(), Deferred()]
        self.all = Deferred.fromCoroutine(all_of(map(waited, self.each)))

    def test_all(self) -> None:
        """What comes of all is given in their order, not in that in which they end."""
        self.each[1].callback(2)
        self.assertNoResult(self.all)
        self.each[0].callback(1)
        self.assertEqual(self.successResultOf(self.all), [1, 2])

    def test_fails(self) -> None:
        """The first that fails is the failure, and the others are cancelled."""
        self.each[1].errback(StoreError("no"))
        self.assertEqual(str(self.failureResultOf(self.all, StoreError).value), "no")
        self.assertTrue(self.each[0].called)

    def test_cancelled(self) -> None:
        """Cancelling it cancels all."""
        self.all.cancel()
        self.failureResultOf(self.all, CancelledError)
        self.assertEqual([one.called for one in self.each], [True, True])

    def test_nothing(self) -> None:
        """Of nothing, nothing comes."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(all_of([]))), [])
