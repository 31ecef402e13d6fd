"""Tests of C{trickster.testing.stores}: the contract finds stores that break it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, evolve, frozen
from twisted.application.service import Service
from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.trial.reporter import TestResult
from twisted.trial.unittest import SynchronousTestCase, TestCase

from trickster.errors import StoreError
from trickster.stores.limits import StoreUsage
from trickster.stores.memory import MemoryStore, memory
from trickster.testing.doubles import BrokenStore, DictStore, PeekingStore, SharedStore
from trickster.testing.runtime import FakeRuntime
from trickster.testing.stores import (
    cache_store_contract,
    compare_and_set_contract,
    durable_store_contract,
    metered_store_contract,
    peeking_store_contract,
    reference_store_contract,
    verify_store_type,
)


class Immortal(DictStore):
    """Forgets nothing."""

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        await DictStore.put(self, key, value, 1e9)


class Miscounting(DictStore):
    """Says that it deleted all it was asked to."""

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        every = list(keys)
        await DictStore.delete(self, every)
        return len(every)


class Globbing(DictStore):
    """Takes a prefix for a pattern, and knows no upper case."""

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        return [key for key in self.entries if key.lower().startswith(prefix.rstrip("*.]"))]


class Truncating(DictStore):
    """Takes an empty value for none."""

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        return await DictStore.get(self, key) or None


class Remembering(PeekingStore):
    """Tells how a value began that was there once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.begun: dict[str, bytes] = {}

    def peek(self, key: str, length: int) -> bytes | None:
        """See L{IPeekingStore.peek}."""
        found = PeekingStore.peek(self, key, length)
        return found if found is None else self.begun.setdefault(key, found)


@define
class Incomplete:
    """Is no store at all."""


@frozen
class NoDefaults:
    """Options that cannot be left out."""

    size: int


class Serving(DictStore, Service):
    """A store that is a service, and stays what it is."""


class AwaitsStart(Serving):
    """Would have to be waited for."""

    async def startService(self) -> None:  # type: ignore[override]
        """Start later."""


class FiresStart(Serving):
    """Would have to be waited for, and fails."""

    def startService(self) -> Any:
        """:return: what fires once it is started."""
        return fail(OSError("x"))


class GoneOnceStopped(Serving):
    """Has nothing to ask once it is stopped, and does not look."""

    def stopService(self) -> None:
        """Let go of everything."""
        Service.stopService(self)
        self.entries = None  # type: ignore[assignment]


def _failed(make: Any, contract_of: Callable[[Any], type] = cache_store_contract) -> set[str]:
    """:return: the tests of the contract that a store does not pass."""
    result = TestResult()
    contract = contract_of(make)
    case = type("Case", (contract, TestCase), {})
    for name in dir(case):
        if name.startswith("test_"):
            case(name).run(result)
    return {test.id().rpartition(".")[2] for test, _ in result.failures + result.errors}


class ContractTests(SynchronousTestCase):
    """Stores that break the contract fail."""

    def test_passes(self) -> None:
        """A good store passes."""
        self.assertEqual(_failed(DictStore), set())

    def test_immortal(self) -> None:
        """A store whose values do not expire fails."""
        self.assertEqual(_failed(Immortal), {"test_expires", "test_replaced_ttl"})

    def test_miscounting(self) -> None:
        """A store that miscounts deletions fails."""
        self.assertEqual(_failed(Miscounting), {"test_delete", "test_expires"})

    def test_globbing(self) -> None:
        """A store that takes prefixes for patterns, or lists expired keys, fails."""
        self.assertEqual(_failed(Globbing), {"test_keys", "test_expires"})

    def test_truncating(self) -> None:
        """A store that takes an empty value for none fails."""
        self.assertIn("test_empty_value", _failed(Truncating))

    def test_peeking(self) -> None:
        """A store that tells how values begin passes, unless it tells of those before."""
        self.assertEqual(_failed(PeekingStore, peeking_store_contract), set())
        self.assertEqual(_failed(Remembering, peeking_store_contract), {"test_peek_replaced"})

    def test_incomplete(self) -> None:
        """A store without methods fails all tests."""
        self.assertIn("test_provides", _failed(lambda clock: Incomplete()))

    def test_service(self) -> None:
        """A store may be a service, whose start is not waited for."""
        self.assertEqual(_failed(Serving), set())
        for kind in (AwaitsStart, FiresStart):
            self.assertIn("test_get", _failed(kind))

    def test_stopped(self) -> None:
        """What is asked of a store that is stopped has no failures but StoreErrors."""
        self.assertEqual(_failed(GoneOnceStopped), {"test_stopped"})

    def test_broken(self) -> None:
        """Failures of a store that cannot work are StoreErrors."""

        def contract_of(error: Exception) -> Callable[[Any], type]:
            return lambda make: cache_store_contract(
                make, make_broken=lambda clock: BrokenStore(error))

        self.assertEqual(_failed(DictStore, contract_of(StoreError("x"))), set())
        self.assertEqual(_failed(DictStore, contract_of(OSError("x"))), {"test_broken"})

    def test_own_time(self) -> None:
        """Every suite lets time pass in the store's own way."""
        passed: list[float] = []

        def pass_time(clock: Clock, seconds: float) -> None:
            passed.append(seconds)
            clock.advance(seconds)

        for contract_of, make in ((cache_store_contract, DictStore),
                                  (compare_and_set_contract, SharedStore),
                                  (metered_store_contract, MemoryStore),
                                  (peeking_store_contract, PeekingStore),
                                  (reference_store_contract, MemoryStore)):
            passed.clear()
            self.assertEqual(_failed(make, partial(contract_of, pass_time=pass_time)), set())
            self.assertNotEqual(passed, [])


class Careless(SharedStore):
    """Puts in any case, and says that it has compared."""

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """See L{ICompareAndSetStore.replace}."""
        await self.put(key, value, ttl)
        return True


class Confusing(SharedStore):
    """Takes an empty value for none."""

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """See L{ICompareAndSetStore.replace}."""
        return await SharedStore.replace(self, key, value, ttl, expected or None)


class CompareAndSetTests(SynchronousTestCase):
    """The contract of stores that several processes share."""

    def test_passes(self) -> None:
        """A good shared store passes."""
        self.assertEqual(_failed(SharedStore, compare_and_set_contract), set())

    def test_careless(self) -> None:
        """A store that puts without comparing fails."""
        self.assertEqual(_failed(Careless, compare_and_set_contract), {
            "test_first", "test_still_there", "test_empty_is_something", "test_gone",
            "test_two_writers"})

    def test_confusing(self) -> None:
        """A store that takes an empty value for an absent one when it compares fails."""
        self.assertIn("test_empty_is_something", _failed(Confusing, compare_and_set_contract))


class Unmetered(MemoryStore):
    """Counts nothing, and tells nothing."""

    def usage(self) -> StoreUsage:
        """See L{IMeteredStore.usage}."""
        return StoreUsage(objects=0, octets=0)

    def tell(self, heard: Callable[[str, str], None]) -> None:
        """See L{IMeteredStore.tell}."""


class MeteredTests(SynchronousTestCase):
    """The contract of stores that report their usage."""

    def test_unmetered(self) -> None:
        """A store that counts nothing, or does not report its evictions, fails."""
        self.assertEqual(_failed(Unmetered, metered_store_contract), {"test_usage", "test_told"})


class CountsTwice(MemoryStore):
    """Counts what was replaced as well."""

    put_octets: int = 0

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        self.put_octets += len(value)
        await MemoryStore.put(self, key, value, ttl)

    def usage(self) -> StoreUsage:
        """See L{IMeteredStore.usage}."""
        usage = MemoryStore.usage(self)
        return evolve(usage, octets=self.put_octets if usage.objects else 0)


class KeepsAll(MemoryStore):
    """Heeds no limit."""

    def _make_room(self) -> None:
        """Keep everything."""


class ClearsForLarge(MemoryStore):
    """Makes room for what does not fit at all."""

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        if 0 < self.max_octets < len(value):
            await self.delete(await self.keys(""))
        await MemoryStore.put(self, key, value, ttl)


class RefusesLast(MemoryStore):
    """Keeps what came first."""

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        if not self.max_objects or self.objects < self.max_objects:
            await MemoryStore.put(self, key, value, ttl)


class LimitedTests(SynchronousTestCase):
    """The contract of stores that heed limits."""

    def failed(self, kind: Any) -> set[str]:
        """:return: the tests that a kind of store does not pass."""
        return _failed(MemoryStore, lambda make: metered_store_contract(
            make, make_limited=lambda clock, limits: kind(
                clock, limits.max_octets, limits.max_objects)))

    def test_passes(self) -> None:
        """Ours passes."""
        self.assertEqual(self.failed(MemoryStore), set())

    def test_fails(self) -> None:
        """Each fault is found by the tests that are about it."""
        for kind, tests in ((KeepsAll, {"test_most_octets", "test_most_objects"}),
                            (ClearsForLarge, {"test_too_large"}),
                            (RefusesLast, {"test_most_objects"})):
            self.assertEqual(self.failed(kind), tests, kind)

    def test_counts_twice(self) -> None:
        """What was replaced counts no more."""
        self.assertIn("test_usage_replaced", _failed(CountsTwice, metered_store_contract))


class ByDate(DictStore):
    """Has its deadlines by the wall, as what outlives a process must."""

    runtime: Any

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.runtime = FakeRuntime(clock)

    @classmethod
    def reopened(cls, store: Any, runtime: FakeRuntime) -> Any:
        """:return: the same store in another process."""
        made = cls(runtime.clock)
        made.runtime, made.entries = runtime, store.entries
        return made

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        value, deadline = self.entries.get(key, (None, 0.0))
        return value if deadline > self.runtime.wall() else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        self.entries[key] = (value, self.runtime.wall() + ttl)

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        now = self.runtime.wall()
        return sum(self.entries.pop(key, (b"", now))[1] > now for key in keys)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        return [key for key in self.entries if key.startswith(prefix) and await self.get(key)
                is not None]


def _reopened_by_clock(store: Any, runtime: FakeRuntime) -> DictStore:
    return DictStore(runtime.clock, store.entries)


class DurableTests(SynchronousTestCase):
    """The contract of stores whose entries outlive the process."""

    def failed(self, make: Any, reopen: Any) -> set[str]:
        """:return: the tests that such a store does not pass."""
        return _failed(make, partial(durable_store_contract, reopen=reopen))

    def test_passes(self) -> None:
        """One that goes by dates passes."""
        self.assertEqual(self.failed(ByDate, ByDate.reopened), set())

    def test_by_clock(self) -> None:
        """The clock of a process begins anew with each one, and tells no dates."""
        self.assertEqual(self.failed(DictStore, _reopened_by_clock), {"test_expires_meanwhile"})

    def test_forgets(self) -> None:
        """One that begins empty is not durable."""
        failed = self.failed(ByDate, lambda store, runtime: ByDate(runtime.clock))
        self.assertEqual(failed, {"test_kept", "test_expires_meanwhile", "test_changed_after"})


class StoreTypeTests(SynchronousTestCase):
    """Store types keep the contract of plugins."""

    def test_good(self) -> None:
        """The store type of Trickster passes."""
        verify_store_type(memory)

    def test_options_without_defaults(self) -> None:
        """A store type whose options lack a default fails."""
        self.assertRaises(TypeError, verify_store_type, evolve(memory, options=NoDefaults))
