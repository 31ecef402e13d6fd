"""Tests of C{trickster.stores.guard}."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import (
    ICacheStore,
    ICompareAndSetStore,
    IInspectableStore,
    IPeekingStore,
    IReferenceStore,
)
from trickster.observability.counters import StoreCounters
from trickster.stores.guard import GuardedReferences, GuardLimits, guarded
from trickster.stores.limits import Inspected
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import (
    BrokenStore,
    DictStore,
    PausedStore,
    PeekingStore,
    SharedStore,
    at_once,
)
from trickster.testing.stores import (
    cache_store_contract,
    compare_and_set_contract,
    peeking_store_contract,
    reference_store_contract,
)

LIMITS = GuardLimits(timeout=2.0, failures=3, pause=10.0, pending_octets=100, doomed_keys=3)


def _guarded_dict(clock: Clock) -> ICacheStore:
    return guarded(DictStore(clock), "c", clock)


def _guarded_memory(clock: Clock) -> ICacheStore:
    return guarded(MemoryStore(clock), "c", clock)


class OctetsContractTests(cache_store_contract(_guarded_dict), TestCase):  # type: ignore[misc]
    """The store contract, for a guard before a working store of octets."""


class ReferencesContractTests(  # type: ignore[misc]
        reference_store_contract(_guarded_memory), TestCase):
    """The store contract, for a guard before a working store of objects."""


def _guarded_shared(clock: Clock) -> ICacheStore:
    return guarded(SharedStore(clock), "c", clock)


class CompareAndSetContractTests(  # type: ignore[misc]
        compare_and_set_contract(_guarded_shared), TestCase):
    """The store contract, for a guard before a working shared store."""


def _guarded_peeking(clock: Clock) -> ICacheStore:
    return guarded(PeekingStore(clock), "c", clock)


class PeekingContractTests(  # type: ignore[misc]
        peeking_store_contract(_guarded_peeking), compare_and_set_contract(_guarded_peeking),
        TestCase):
    """The store contracts, for a guard before a working store that tells how values begin."""


@implementer(IPeekingStore)
class OnlyPeeking(DictStore):
    """Tells how values begin, but does not compare; or fails."""

    error: Exception | None = None
    peeked: Any = b"1"
    peek_lag = 0.0

    def peek(self, key: str, length: int) -> Any:
        """See L{IPeekingStore.peek}."""
        if self.error is not None:
            raise self.error
        return self.peeked


class PeekingTests(SynchronousTestCase):
    """A guard before a store that tells at once how values begin."""

    def setUp(self) -> None:
        self.clock, self.told = Clock(), list[tuple[str, str, int]]()
        self.store = OnlyPeeking(self.clock)
        self.guard: Any = guarded(self.store, "c", self.clock,
                                  lambda *told: self.told.append(told), LIMITS)

    def test_stamp(self) -> None:
        """A guard passes a stamp on, unless its store has none, fails, or has keys to be deleted."""
        self.assertIsNone(self.guard.stamp())
        self.store.stamp = lambda: 7  # type: ignore[attr-defined]
        self.assertEqual(self.guard.stamp(), 7)
        doomed: Any = guarded(NoDeletes(self.clock), "c", self.clock, limits=LIMITS)
        doomed.inner.stamp = lambda: 7
        self.assertEqual(doomed.stamp(), 7)
        at_once(doomed.delete(["a"]))
        self.assertIsNone(doomed.stamp())

        def fail() -> None:
            raise StoreError("x")

        self.store.stamp = fail  # type: ignore[attr-defined]
        self.assertEqual([self.guard.stamp() for _ in range(4)], [None] * 4)
        self.assertTrue(self.guard.is_failing)

    def test_lag(self) -> None:
        """A guard tells how late its store learns of others' changes; by default at once."""
        self.assertEqual(self.guard.peek_lag, 0.0)
        self.store.peek_lag = 2.5
        self.assertEqual(self.guard.peek_lag, 2.5)

    def test_interfaces(self) -> None:
        """A guard compares and sets only where its store does."""
        self.assertTrue(IPeekingStore.providedBy(self.guard))
        self.assertFalse(ICompareAndSetStore.providedBy(self.guard))

    def test_counted(self) -> None:
        """What is known at once is a hit; what is not says nothing of a miss."""
        self.assertEqual(self.guard.peek("a", 20), b"1")
        self.store.peeked = None
        self.assertIsNone(self.guard.peek("a", 20))
        self.assertEqual(self.told, [("get", "hit", 1)])

    def test_lying(self) -> None:
        """What is no octets is nothing."""
        for peeked in ("1", 1, memoryview(b"1"), bytearray(b"1")):
            self.store.peeked = peeked
            self.assertIsNone(self.guard.peek("a", 20))

    def test_failing(self) -> None:
        """A store that fails has nothing, is counted, and is left alone in time."""
        self.store.error = StoreError("x")
        self.assertEqual([self.guard.peek("a", 20) for _ in range(4)], [None] * 4)
        self.assertEqual(self.told, [("get", "error", 0)] * LIMITS.failures)
        self.store.error = None
        self.assertIsNone(self.guard.peek("a", 20))
        self.assertTrue(self.guard.is_failing)

    def test_doomed(self) -> None:
        """A key that could not be deleted has nothing."""
        guard: Any = guarded(NoDeletes(self.clock), "c", self.clock, limits=LIMITS)
        at_once(guard.put("a", b"1", 60.0))
        self.assertEqual(guard.peek("a", 20), b"1")
        at_once(guard.delete(["a"]))
        self.assertIsNone(guard.peek("a", 20))


class NoDeletes(PeekingStore):
    """Cannot delete."""

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        raise StoreError("read-only")


class LyingStore(DictStore):
    """Gives what no store may give."""

    given: Any = None

    async def get(self, key: str) -> Any:
        """See L{ICacheStore.get}."""
        return self.given

    async def keys(self, prefix: str) -> Any:
        """See L{ICacheStore.keys}."""
        return self.given

    async def delete(self, keys: Iterable[str]) -> Any:
        """See L{ICacheStore.delete}."""
        return self.given


@implementer(IInspectableStore)
class InspectedStore(LyingStore):
    """One that can be looked into."""

    async def inspect(self, key: str) -> Any:
        """See L{IInspectableStore.inspect}."""
        return self.given


class LyingTests(SynchronousTestCase):
    """A store that does not keep to its interface."""

    def test_no_octets(self) -> None:
        """What is no octets is a failure of the store, and a miss."""
        for given in ("text", 7, ["a"], object()):
            inner = LyingStore(Clock())
            inner.given = given
            store = guarded(inner, "c", Clock())
            self.assertIsNone(at_once(store.get("a")), given)
            self.assertTrue(store.is_failing)
        self.flushLoggedErrors()

    def test_octets_of_any_kind(self) -> None:
        """Octets in another buffer are octets."""
        for given in (bytearray(b"1"), memoryview(b"1")):
            inner = LyingStore(Clock())
            inner.given = given
            self.assertEqual(at_once(guarded(inner, "c", Clock()).get("a")), b"1")

    def test_other_keys(self) -> None:
        """Keys that were not asked for are not given to a purge."""
        inner = LyingStore(Clock())
        inner.given = ["a.1", "b.1", "a"]
        self.assertEqual(at_once(guarded(inner, "c", Clock()).keys("a.")), ["a.1"])


    def test_inspected(self) -> None:
        """What a store tells of a key is believed only in the form that it has to have."""
        for given, expected in ((None, None), (Inspected(b"1", 5.0), Inspected(b"1", 5.0)),
                                (b"1", None), ((b"1", 5.0), None)):
            inner = InspectedStore(Clock())
            inner.given = given
            store = guarded(inner, "c", Clock())
            self.assertEqual(at_once(store.inspected("a")), expected)
            self.assertEqual(store.is_failing, given is not None and expected is None)
        self.flushLoggedErrors()

    def test_only_got(self) -> None:
        """Of a store that cannot be looked into, a value is got, and nothing else is known."""
        inner = LyingStore(Clock())
        inner.given = b"1"
        self.assertEqual(at_once(guarded(inner, "c", Clock()).inspected("a")), Inspected(b"1"))

    def test_no_keys(self) -> None:
        """What are no keys, and what is no count of them, are failures of the store."""
        for given in (None, 7, [b"a"], [None], ["a", 3]):
            inner = LyingStore(Clock())
            inner.given = given
            store = guarded(inner, "c", Clock())
            self.assertEqual(at_once(store.keys("")), [], given)
            self.assertTrue(store.is_failing)
        for given in (None, "1", [1]):
            inner = LyingStore(Clock())
            inner.given = given
            store = guarded(inner, "c", Clock())
            self.assertEqual(at_once(store.delete(["a"])), 0)
            self.assertTrue(store.is_failing)
        self.flushLoggedErrors()

    def test_exits(self) -> None:
        """A store does not end what asks it."""
        store = guarded(BrokenStore(SystemExit(3)), "c", Clock())  # type: ignore[arg-type]
        self.assertIsNone(at_once(store.get("a")))
        self.assertTrue(store.is_failing)
        self.flushLoggedErrors()


class HalfStore(DictStore):
    """Fails at some of its operations."""

    failing: frozenset[str] = frozenset()
    calls: Counter[str]

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.calls = Counter()

    def _note(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.failing:
            raise StoreError("broken")

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        self._note("get")
        return await DictStore.get(self, key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        self._note("put")
        await DictStore.put(self, key, value, ttl)


class HalfTests(SynchronousTestCase):
    """A store that can be read and not written, such as a disk that is full; or the reverse."""

    def setUp(self) -> None:
        """Have one."""
        self.clock = Clock()
        self.store = HalfStore(self.clock)
        self.guard = guarded(self.store, "c", self.clock, limits=LIMITS)
        at_once(self.guard.put("a", b"1", 600.0))
        self.addCleanup(self.flushLoggedErrors)

    def use(self, times: int) -> list[bytes | None]:
        """:return: what is read, with something written each time."""
        found: list[bytes | None] = []
        for _ in range(times):
            found.append(at_once(self.guard.get("a")))
            at_once(self.guard.put("b", b"2", 600.0))
        return found

    def test_not_written(self) -> None:
        """What is there is read; writing is left alone, and it is told to be failing."""
        self.store.failing = frozenset({"put"})
        self.assertEqual(self.use(9), [b"1"] * 9)
        self.assertEqual(self.store.calls, {"get": 9, "put": 1 + LIMITS.failures})
        self.assertTrue(self.guard.is_failing)

    def test_not_read(self) -> None:
        """Each reading may take its time to fail: it is left alone, though writing works."""
        self.store.failing = frozenset({"get"})
        self.assertEqual(self.use(9), [None] * 9)
        self.assertEqual(self.store.calls, {"get": LIMITS.failures, "put": 10})
        self.assertTrue(self.guard.is_failing)

    def test_works_again(self) -> None:
        """Once both have worked again, it is failing no more, and that is told once."""
        self.store.failing = frozenset({"get", "put"})
        self.use(9)
        self.store.failing = frozenset()
        self.clock.advance(LIMITS.pause)
        with capturedLogs() as events:
            at_once(self.guard.get("a"))
            self.assertTrue(self.guard.is_failing)
            at_once(self.guard.put("a", b"1", 600.0))
        self.assertFalse(self.guard.is_failing)
        self.assertEqual([event["log_format"] for event in events],
                         ["Cache {cache} works again"])


class FailingReplaceTests(SynchronousTestCase):
    """A shared store that fails."""

    def test_failing(self) -> None:
        """A failure puts nothing, and is no error for the caller."""
        class Failing(SharedStore):
            async def replace(self, key: str, value: bytes, ttl: float,
                              expected: bytes | None) -> bool:
                raise StoreError("broken")

        clock = Clock()
        store: Any = guarded(Failing(clock), "c", clock, limits=LIMITS)
        self.assertIsNone(at_once(store.replace("a", b"1", 60.0, None)))
        self.assertTrue(store.is_failing)
        self.flushLoggedErrors()

    def test_unknown(self) -> None:
        """
        What a store has not answered may have been put, or may yet be: that is told from what was
        not put, since another value was there or the store is left alone.
        """
        clock = Clock()
        paused: Any = PausedShared()
        store: Any = guarded(paused, "c", clock, limits=LIMITS)
        first = Deferred.fromCoroutine(store.replace("a", b"1", 60.0, None))
        paused.asked[0].callback(False)
        self.assertIs(self.successResultOf(first), False)
        late = Deferred.fromCoroutine(store.replace("a", b"1", 60.0, None))
        clock.advance(LIMITS.timeout)
        self.assertIsNone(self.successResultOf(late))
        self.assertIs(at_once(store.replace("a", b"1", 60.0, None)), False)
        clock.advance(LIMITS.pause)
        self.assertEqual(len(paused.asked), 2)
        self.assertIsNone(at_once(store.replace("a", b"1", 60.0, None)))
        self.assertEqual(len(paused.asked), 3)

    def test_too_much(self) -> None:
        """Values of replaces count against the pending limit as those of puts do."""
        clock = Clock()
        operations: list[tuple[str, str, int]] = []
        paused: Any = PausedShared()
        store: Any = guarded(paused, "c", clock, lambda *told: operations.append(told), LIMITS)
        first = Deferred.fromCoroutine(store.replace("a", b"x" * 90, 60.0, None))
        self.assertFalse(at_once(store.replace("b", b"x" * 90, 60.0, None)))
        paused.asked[0].callback(True)
        self.assertTrue(self.successResultOf(first))
        self.assertEqual(operations, [("set", "skipped", 90), ("set", "none", 90)])


@implementer(ICompareAndSetStore)
class PausedShared(PausedStore):
    """Answers nothing until the test says so."""

    def replace(self, key: str, value: bytes, ttl: float,
                expected: bytes | None) -> Awaitable[bool]:
        """See L{ICompareAndSetStore.replace}."""
        return self._wait()


class HastyStore(DictStore):
    """A store that fails before there is anything to wait for."""

    def get(self, key: str) -> Any:
        """See L{ICacheStore.get}."""
        raise StoreError("not now")


class DeafStore(DictStore):
    """A store that cannot be cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.later: Deferred[bytes] = Deferred()

    async def get(self, key: str) -> Any:
        """See L{ICacheStore.get}."""
        try:
            await Deferred()
        except CancelledError:
            return await self.later


class GuardTestCase(SynchronousTestCase):
    """Sets up a store that fails, and one that works."""

    def setUp(self) -> None:
        """Make a clock and a guard before a dict."""
        self.clock = Clock()
        self.noted: list[tuple[str, str, int]] = []
        self.working = DictStore(self.clock)
        self.broken = BrokenStore()
        self.guard = self.before(self.working)

    def before(self, inner: Any) -> Any:
        """:return: a guard before a store."""
        return guarded(inner, "cold", self.clock, self.note, LIMITS)

    def note(self, operation: str, status: str, octets: int) -> None:
        """Keep what is counted."""
        self.noted.append((operation, status, octets))

    def break_it(self) -> None:
        """Let the store fail from now on."""
        self.guard.inner = self.broken

    def mend_it(self) -> None:
        """Let it work again, and wait until that is tried."""
        self.guard.inner = self.working
        self.clock.advance(LIMITS.pause)


class FailureTests(GuardTestCase):
    """Failures are misses."""

    def test_get(self) -> None:
        """A get that fails finds nothing."""
        self.assertIsNone(at_once(self.before(self.broken).get("a")))
        self.assertEqual(self.noted, [("get", "error", 0)])

    def test_others(self) -> None:
        """A put, delete or listing of a failing store does nothing."""
        guard = self.before(self.broken)
        at_once(guard.put("a", b"1", 9))
        self.assertEqual(at_once(guard.delete(["a"])), 0)
        self.assertEqual(list(at_once(self.before(self.broken).keys(""))), [])

    def test_objects(self) -> None:
        """
        A get of an object that fails is a miss, a put is refused, and both are counted as errors.
        """
        guard = self.before(self.broken)
        self.assertIsNone(guard.get_object("a"))
        self.assertFalse(guard.put_object("a", object(), 1, 9))
        self.assertEqual(self.noted, [("get", "error", 0), ("set", "error", 0)])

    def test_unforeseen(self) -> None:
        """Every error of a store is a failure, not only those that it may raise."""
        guard = self.before(BrokenStore(ZeroDivisionError()))
        self.assertIsNone(at_once(guard.get("a")))

    def test_raises_before_it_waits(self) -> None:
        """A store whose method is no coroutine, and raises at once, has failed as well."""
        self.guard.inner = HastyStore()
        self.assertIsNone(at_once(self.guard.get("a")))

    def test_says_that_it_fails(self) -> None:
        """After a miss, a caller can ask whether the store is failing, until it works again."""
        guard = self.before(self.broken)
        self.assertFalse(guard.is_failing)
        at_once(guard.get("a"))
        self.assertTrue(guard.is_failing)
        guard.inner = MemoryStore(self.clock)
        guard.get_object("a")
        self.assertFalse(guard.is_failing)

    def test_provides_what_the_inner_one_does(self) -> None:
        """A guard is a reference store if, and only if, the store that it guards is one."""
        self.assertFalse(IReferenceStore.providedBy(self.before(DictStore())))
        self.assertIsInstance(self.before(MemoryStore(self.clock)), GuardedReferences)


class CountTests(GuardTestCase):
    """Operations that work are counted with their octets."""

    def test_octets(self) -> None:
        """Hits, misses, puts and deletes are counted with their octets."""
        at_once(self.guard.put("a", b"123", 9))
        at_once(self.guard.get("a"))
        at_once(self.guard.get("b"))
        at_once(self.guard.delete(["a"]))
        self.assertEqual(self.noted, [("set", "none", 3), ("get", "hit", 3), ("get", "miss", 0),
                                      ("del", "none", 0)])

    def test_objects(self) -> None:
        """Hits, misses and puts of objects are counted; one that is refused is skipped."""
        guard = self.before(MemoryStore(self.clock, 1000))
        guard.put_object("a", object(), 7, 9)
        guard.put_object("b", object(), 1000, 9)
        guard.get_object("a")
        guard.get_object("b")
        self.assertEqual(self.noted, [("set", "none", 7), ("set", "skipped", 0),
                                      ("get", "hit", 0), ("get", "miss", 0)])


class TimeTests(GuardTestCase):
    """A slow store is not waited for."""

    def setUp(self) -> None:
        """Ask a paused store."""
        super().setUp()
        self.paused = PausedStore()
        self.guard = self.before(self.paused)

    def asked(self, coroutine: Any) -> Deferred[Any]:
        """:return: what is being waited for."""
        return Deferred.fromCoroutine(coroutine)

    def test_in_time(self) -> None:
        """An answer in time is taken, and leaves no timer."""
        asking = self.asked(self.guard.get("a"))
        self.clock.advance(1.9)
        self.paused.asked[0].callback(b"1")
        self.assertEqual(self.successResultOf(asking), b"1")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """A get that exceeds the timeout is a miss, and the store's operation is cancelled."""
        asking = self.asked(self.guard.get("a"))
        self.clock.advance(2.0)
        self.assertIsNone(self.successResultOf(asking))
        self.assertTrue(self.paused.asked[0].called)
        self.assertEqual(self.noted, [("get", "error", 0)])

    def test_deaf_store(self) -> None:
        """A get that exceeds the timeout is a miss even if the store ignores the cancelling."""
        deaf = DeafStore()
        asking = self.asked(self.before(deaf).get("a"))
        self.clock.advance(2.0)
        self.assertIsNone(self.successResultOf(asking))
        deaf.later.callback(b"1")

    def test_client_gone(self) -> None:
        """A caller that leaves cancels the operation, which is no failure of the store."""
        asking = self.asked(self.guard.get("a"))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertTrue(self.paused.asked[0].called)
        self.assertFalse(self.guard.is_failing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_within(self) -> None:
        """A store that cancels what it waits for has failed: no client has left."""
        asking = self.asked(self.guard.get("a"))
        self.paused.asked[0].cancel()
        self.assertIsNone(self.successResultOf(asking))
        self.assertTrue(self.guard.is_failing)

    def test_pending_values(self) -> None:
        """Values that a slow store has not taken yet are bounded."""
        for size in (150, 10, 1):
            self.asked(self.guard.put("a", b"x" * size, 9))
        self.assertEqual(len(self.paused.asked), 1)
        self.assertEqual(self.noted, [("set", "skipped", 10), ("set", "skipped", 1)])

    def test_no_longer_pending(self) -> None:
        """A pending value that was taken or given up makes room for the next one."""
        self.asked(self.guard.put("a", b"x" * 150, 9))
        self.clock.advance(2.0)
        self.clock.advance(LIMITS.pause)
        self.asked(self.guard.put("b", b"x", 9))
        self.assertEqual(len(self.paused.asked), 2)

    def test_hangs(self) -> None:
        """A store that hangs once, in reading or in writing, is left alone in both at once."""
        for ask in (lambda guard: guard.get("a"), lambda guard: guard.put("a", b"x", 9)):
            guard = self.before(paused := PausedStore())
            self.asked(ask(guard))
            self.clock.advance(2.0)
            self.assertIsNone(at_once(guard.get("a")))
            self.assertFalse(at_once(guard.put("a", b"x", 9)))
            self.assertEqual(len(paused.asked), 1)

    def test_try_not_waited_for(self) -> None:
        """Whether a store works again is tried, and no caller waits for that."""
        self.asked(self.guard.get("a"))
        self.clock.advance(2.0)
        self.clock.advance(LIMITS.pause)
        self.assertIsNone(at_once(self.guard.get("a")))
        self.assertEqual(len(self.paused.asked), 2)
        self.paused.asked[1].callback(b"1")
        found = self.asked(self.guard.get("a"))
        self.paused.asked[2].callback(b"1")
        self.assertEqual(self.successResultOf(found), b"1")

    def test_own_timeout(self) -> None:
        """A store may say itself how long its operations take at most."""
        class Patient(PausedStore):
            timeout = 5.0

        guard = self.before(Patient())
        asking = self.asked(guard.get("a"))
        self.clock.advance(4.9)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(asking))
        self.assertEqual((guard.timeout, self.guard.timeout), (5.0, 2.0))


@define(eq=False)
class Repeating(BrokenStore):
    """Raises one and the same error each time."""

    error: Exception = field(factory=lambda: OSError("disk full"))

    async def get(self, key: str) -> bytes | None:
        raise self.error


class ErrorTests(SynchronousTestCase):
    """What the guard does with errors that it has handled."""

    def test_frames(self) -> None:
        """An error that a store keeps holds no frame of those who have asked the store."""
        store = Repeating()
        self.assertIsNone(at_once(guarded(store, "c", Clock()).get("a")))
        self.assertIsNone(store.error.__traceback__)


class LeftAloneTests(GuardTestCase):
    """A store that keeps failing is left alone for a while."""

    def test_left_alone(self) -> None:
        """After several failures in a row the store is not asked any more."""
        self.break_it()
        for _ in range(5):
            at_once(self.guard.get("a"))
        self.assertEqual(len(self.broken.calls), 3)
        self.assertEqual(self.noted[-1], ("get", "skipped", 0))

    def test_tried_again(self) -> None:
        """After a pause the store is tried again, and used if the try works."""
        at_once(self.guard.put("a", b"1", 99))
        self.break_it()
        for _ in range(3):
            at_once(self.guard.get("a"))
        self.mend_it()
        self.assertEqual([at_once(self.guard.get("a")) for _ in range(2)], [b"1", b"1"])


class HalfAway(DictStore):
    """A store of which a part is away: what it has for keys that begin with C{-}."""

    async def get(self, key: str) -> Any:
        """See L{ICacheStore.get}."""
        if key.startswith("-"):
            error = StoreError("one of two is away")
            error.is_partial = True
            raise error
        return await super().get(key)


class PartTests(GuardTestCase):
    """A store of which a part fails."""

    def setUp(self) -> None:
        """Have one."""
        super().setUp()
        self.guard = self.before(HalfAway(self.clock))
        at_once(self.guard.put("a", b"1", 99))

    def test_others(self) -> None:
        """However often a part fails, the others are asked, and what they have is had."""
        for _ in range(10):
            self.assertIsNone(at_once(self.guard.get("-")))
        self.assertEqual(at_once(self.guard.get("a")), b"1")
        self.assertEqual(self.noted.count(("get", "error", 0)), 10)
        self.assertEqual(self.guard.unread, 10)

    def test_told(self) -> None:
        """It is said to fail, whatever the other parts do, until that was some time ago."""
        at_once(self.guard.get("-"))
        at_once(self.guard.get("a"))
        self.assertTrue(self.guard.is_failing)
        self.clock.advance(LIMITS.pause)
        at_once(self.guard.get("a"))
        self.assertFalse(self.guard.is_failing)

    def test_rest_works(self) -> None:
        """A store that was left alone, and of which only a part fails now, is used again."""
        inner = self.guard.inner
        self.break_it()
        for _ in range(3):
            at_once(self.guard.get("a"))
        self.guard.inner = inner
        self.clock.advance(LIMITS.pause)
        self.assertIsNone(at_once(self.guard.get("-")))
        self.assertEqual(at_once(self.guard.get("a")), b"1")


class DoomedTests(GuardTestCase):
    """What was to be deleted does not come back."""

    def setUp(self) -> None:
        """Fail to delete something."""
        super().setUp()
        at_once(self.guard.put("a", b"old", 999))
        self.break_it()
        at_once(self.guard.delete(["a"]))

    def test_gone_all_the_same(self) -> None:
        """
        A key deleted while the store failed is a miss, and is deleted, once the store works again.
        """
        self.mend_it()
        self.assertEqual(list(at_once(self.guard.keys(""))), [])
        self.assertIsNone(at_once(self.guard.get("a")))
        self.assertEqual(self.working.entries, {})

    def test_put_again(self) -> None:
        """A newer value of a key that was to be deleted is found."""
        self.mend_it()
        at_once(self.guard.put("a", b"new", 99))
        self.assertEqual(at_once(self.guard.get("a")), b"new")

    def test_bounded(self) -> None:
        """The memory of keys to be deleted is bounded, and the oldest are forgotten."""
        at_once(self.guard.delete(["b", "c", "d"]))
        self.mend_it()
        self.assertEqual(at_once(self.guard.get("a")), b"old")

    def test_bounded_by_the_last_time(self) -> None:
        """A pending deletion that is asked for again is no longer among the oldest ones."""
        for key in ("b", "a", "c", "d"):
            at_once(self.guard.delete([key]))
        self.mend_it()
        self.assertIsNone(at_once(self.guard.get("a")))


class LogTests(GuardTestCase):
    """A store that is down is loud, but not deafening."""

    def fail(self, times: int, apart: float) -> list[str]:
        """:return: what is logged when the store fails so often."""
        guard = guarded(self.broken, "cold", self.clock,
                        limits=GuardLimits(failures=10**6))
        with capturedLogs() as events:
            for _ in range(times):
                at_once(guard.get("a"))
                self.clock.advance(apart)
        return [event["log_format"].format(**event) for event in events
                if event["log_level"] is LogLevel.error]

    def test_once_a_minute(self) -> None:
        """A failure is logged at once, others of the same minute are only counted."""
        self.assertEqual(self.fail(7, 10.0), [
            "Cache cold failed to get: StoreError: broken (0 more failures)",
            "Cache cold failed to get: StoreError: broken (5 more failures)"])

    def test_nameless_error(self) -> None:
        """An error without a message is logged by its type."""
        self.broken.error = StoreError()
        self.assertEqual(self.fail(1, 0), [
            "Cache cold failed to get: StoreError (0 more failures)"])

    def test_works_again(self) -> None:
        """The recovery of a store is logged as well as its failure."""
        self.break_it()
        for _ in range(3):
            at_once(self.guard.get("a"))
        self.mend_it()
        with capturedLogs() as events:
            at_once(self.guard.get("a"))
        self.assertEqual([event["log_format"] for event in events],
                         ["Cache {cache} works again"])


class WordTests(SynchronousTestCase):
    """What is counted, and what the page on operations says of it."""

    def documented(self) -> dict[str, set[str]]:
        """:return: the statuses of each operation, from the page's table."""
        page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
        table = page.split("| `operation` |")[1].split("\n\n")[0]
        rows = re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", table, re.MULTILINE)
        return {operation: set(re.findall("`([a-z]+)`", rest)) for operation, rest in rows}

    def counted(self) -> dict[str, set[str]]:
        """:return: what the guard tells of stores that work, fail, and are left alone."""
        found: dict[str, set[str]] = {}

        def note(operation: str, status: str, octets: int) -> None:
            found.setdefault(operation, set()).add(status)

        clock = Clock()
        small = MemoryStore(clock, max_octets=500)
        for store in (DictStore(clock), BrokenStore(), small):
            for ask in (lambda guard: guard.get("k"), lambda guard: guard.put("k", b"v", 9.0),
                        lambda guard: guard.get("k"), lambda guard: guard.delete(["k"]),
                        lambda guard: guard.keys("")):
                guard = guarded(store, "c", clock, note, LIMITS)
                for _ in range(LIMITS.failures + 1):
                    self.successResultOf(Deferred.fromCoroutine(ask(guard)))
        self.assertFalse(guarded(small, "c", clock, note).put_object("k", "v", 1000, 9.0))
        return found

    def test_documented(self) -> None:
        """Every word that is counted is documented, and no other."""
        self.assertEqual(self.counted(), self.documented())

    def test_in_docstrings(self) -> None:
        """The words are the same where the counters and the guard describe them."""
        words = {*self.documented(), *set().union(*self.documented().values())}
        for documented in (guarded.__doc__, StoreCounters.operation.__doc__):
            self.assertEqual(set(re.findall(r"C\{(\w+)\}", documented or "")), words)
