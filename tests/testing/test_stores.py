"""Tests of C{trickster.testing.stores}: the contract finds stores that break it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, evolve, frozen
from twisted.trial.reporter import TestResult
from twisted.trial.unittest import SynchronousTestCase, TestCase

from trickster.stores.limits import StoreUsage
from trickster.stores.memory import MemoryStore, memory
from trickster.testing.doubles import DictStore, SharedStore
from trickster.testing.stores import (
    cache_store_contract,
    compare_and_set_contract,
    metered_store_contract,
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


@define
class Incomplete:
    """Is no store at all."""


@frozen
class NoDefaults:
    """Options that cannot be left out."""

    size: int


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
    """The contract."""

    def test_passes(self) -> None:
        """A good store passes."""
        self.assertEqual(_failed(DictStore), set())

    def test_immortal(self) -> None:
        """Values have to expire."""
        self.assertEqual(_failed(Immortal), {"test_expires", "test_replaced_ttl"})

    def test_miscounting(self) -> None:
        """Deletions have to be counted."""
        self.assertEqual(_failed(Miscounting), {"test_delete", "test_expires"})

    def test_globbing(self) -> None:
        """A prefix is no pattern, and a dead key is none."""
        self.assertEqual(_failed(Globbing), {"test_keys", "test_expires"})

    def test_truncating(self) -> None:
        """Nothing is something."""
        self.assertIn("test_empty_value", _failed(Truncating))

    def test_incomplete(self) -> None:
        """What has no methods fails in all of them."""
        self.assertIn("test_provides", _failed(lambda clock: Incomplete()))


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
        """A good store passes."""
        self.assertEqual(_failed(SharedStore, compare_and_set_contract), set())

    def test_careless(self) -> None:
        """One that does not compare does not."""
        self.assertEqual(_failed(Careless, compare_and_set_contract), {
            "test_first", "test_still_there", "test_empty_is_something", "test_gone",
            "test_two_writers"})

    def test_confusing(self) -> None:
        """No octets are something else than nothing."""
        self.assertIn("test_empty_is_something", _failed(Confusing, compare_and_set_contract))


class Unmetered(MemoryStore):
    """Counts nothing, and tells nothing."""

    def usage(self) -> StoreUsage:
        """See L{IMeteredStore.usage}."""
        return StoreUsage(objects=0, octets=0)

    def tell(self, heard: Callable[[str, str], None]) -> None:
        """See L{IMeteredStore.tell}."""


class MeteredTests(SynchronousTestCase):
    """The contract of stores that tell how full they are."""

    def test_unmetered(self) -> None:
        """One that counts nothing, or keeps its evictions to itself, does not pass."""
        self.assertEqual(_failed(Unmetered, metered_store_contract), {"test_usage", "test_told"})


class StoreTypeTests(SynchronousTestCase):
    """The plugin that makes stores."""

    def test_good(self) -> None:
        """Ours is fine."""
        verify_store_type(memory)

    def test_options_without_defaults(self) -> None:
        """Options have defaults, all of them."""
        self.assertRaises(TypeError, verify_store_type, evolve(memory, options=NoDefaults))
