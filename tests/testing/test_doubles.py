"""Tests of C{trickster.testing.doubles}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from trickster.errors import StoreError, UpstreamBroke
from trickster.interfaces import ICacheStore, ICompareAndSetStore, IReferenceStore, IResponder
from trickster.messages import Request, text_response
from trickster.testing.doubles import (
    BrokenOctetStore,
    BrokenStore,
    DictStore,
    PausedOrigin,
    PausedStore,
    RecordingResponder,
    RecordingStore,
    SlowStore,
    at_once,
)
from trickster.testing.stores import cache_store_contract

GET = Request(b"GET", b"/")
ONE, TWO = text_response(200, "one"), text_response(200, "two")


def _fired(value: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(value)
    return done


def _begun(awaitable: Any) -> Deferred[Any]:
    async def awaiting() -> Any:
        return await awaitable
    return Deferred.fromCoroutine(awaiting())


class AtOnceTests(SynchronousTestCase):
    """Results of coroutines and Deferreds that have one."""

    def test_result(self) -> None:
        """The result of a coroutine, or of a Deferred, that has one is returned."""
        self.assertEqual((at_once(RecordingResponder.of(ONE).respond(GET)), at_once(_fired(2))),
                         (ONE, 2))

    def test_error(self) -> None:
        """The error of a coroutine is raised."""
        self.assertRaises(StoreError, at_once, BrokenStore().get("a"))

    def test_waiting(self) -> None:
        """A coroutine that waits is an error, and is cancelled."""
        origin = PausedOrigin()
        self.assertRaises(AssertionError, at_once, origin.respond(GET))
        self.assertTrue(origin.asked[0].is_cancelled)


class ResponderTests(SynchronousTestCase):
    """Stand-ins for origins."""

    def test_provide(self) -> None:
        """Stand-ins for origins provide C{IResponder}."""
        for responder in (RecordingResponder(), PausedOrigin()):
            verifyObject(IResponder, responder)

    def test_recorded(self) -> None:
        """Requests are noted; responses are given in turn, the last one again and again."""
        responder = RecordingResponder.of(ONE, TWO)
        answers = [at_once(responder.respond(GET)) for _ in range(3)]
        self.assertEqual((answers, responder.requests), ([ONE, TWO, TWO], [GET] * 3))

    def test_made_up(self) -> None:
        """A response may be made of the request, or be an error."""
        responder = RecordingResponder.of(lambda r: text_response(200, r.target.decode()),
                                          UpstreamBroke())
        self.assertEqual(at_once(responder.respond(GET)).body.octets, b"/")
        self.assertRaises(UpstreamBroke, at_once, responder.respond(GET))

    def test_paused(self) -> None:
        """A paused origin answers when the test says so."""
        origin = PausedOrigin()
        first, second = _begun(origin.respond(GET)), _begun(origin.respond(GET))
        self.assertEqual(len(origin.waiting), 2)
        origin.waiting[0].answer(ONE)
        origin.waiting[0].fail(UpstreamBroke())
        self.assertIs(self.successResultOf(first), ONE)
        self.failureResultOf(second, UpstreamBroke)
        self.assertEqual(origin.waiting, [])


class DictStoreTests(cache_store_contract(DictStore), TestCase):  # type: ignore[misc]
    """The double of a store keeps the contract of stores."""


class StoreTests(SynchronousTestCase):
    """Stand-ins for stores that do not work."""

    def test_provide(self) -> None:
        """Stand-ins for stores provide the interfaces of stores."""
        verifyObject(IReferenceStore, BrokenStore())
        for store in (PausedStore(), SlowStore(), BrokenOctetStore()):
            verifyObject(ICacheStore, store)
        verifyObject(ICompareAndSetStore, RecordingStore())
        self.assertFalse(IReferenceStore.providedBy(BrokenOctetStore()))

    def test_broken(self) -> None:
        """Every call of a broken store fails, and is noted."""
        store = BrokenStore()
        for call in (store.put("a", b"", 1), store.delete(["a"]), store.keys("")):
            self.assertRaises(StoreError, at_once, call)
        self.assertRaises(StoreError, store.get_object, "a")
        self.assertRaises(StoreError, store.put_object, "a", 1, 1, 1)
        self.assertEqual(store.calls, ["put", "delete", "keys", "get_object", "put_object"])

    def test_paused(self) -> None:
        """Each call of a paused store waits for the test."""
        store = PausedStore()
        calls = [_begun(call) for call in (
            store.get("a"), store.put("a", b"", 1), store.delete(["a"]), store.keys(""))]
        for number, waiting in enumerate(store.asked):
            waiting.callback(number)
        self.assertEqual([self.successResultOf(call) for call in calls], [0, 1, 2, 3])

    def test_slow(self) -> None:
        """A slow store gives its results later, and makes its changes later."""
        store = SlowStore()
        writing, reading = _begun(store.put("a", b"1", 1)), _begun(store.get("a"))
        store.go_on(1)
        self.assertEqual(self.successResultOf(reading), None)
        self.assertEqual((self.assertNoResult(writing), store.entries), (None, {}))
        reading, listing = _begun(store.get("a")), _begun(store.keys(""))
        store.catch_up()
        self.assertEqual([self.successResultOf(one) for one in (writing, reading, listing)],
                         [None, None, []])
        store.go_on_always()
        self.assertEqual((at_once(store.get("a")), at_once(store.delete(["a"]))), (b"1", 1))

    def test_slow_and_cancelled(self) -> None:
        """A call of a slow store that is cancelled while it waits changes nothing."""
        store = SlowStore()
        writing = _begun(store.put("a", b"1", 1))
        writing.cancel()
        self.failureResultOf(writing, CancelledError)
        self.assertEqual((store.steps, store.entries), ([], {}))

    def test_recorded(self) -> None:
        """A put to a recording store is noted, and kept."""
        store = RecordingStore()
        at_once(store.put("a", b"123", 1))
        self.assertTrue(at_once(store.replace("a", b"4", 1, b"123")))
        self.assertEqual((store.puts, at_once(store.get("a"))), ([("a", 3), ("a", 1)], b"4"))

    def test_clock(self) -> None:
        """Octets and deadlines of a store are there for the test to look at."""
        clock = Clock()
        clock.advance(5)
        store = DictStore(clock)
        at_once(store.put("a", b"1", 2))
        self.assertEqual(store.entries, {"a": (b"1", 7.0)})
