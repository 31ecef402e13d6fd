"""
What every cache store must do, as test cases to inherit from::

    class MyStoreTests(cache_store_contract(MyStore), TestCase):
        ...

where C{TestCase} is C{twisted.trial.unittest}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from trickster.interfaces import ICacheStore, IReferenceStore, IStoreType

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:
    _Base = object

MakeStore = Callable[[Clock], Any]

_ODD_KEYS = ("", "/", "../x", "a b", "a\x00b", "ä€😀", "x" * 1000, "key\r\nDEL key", "*", "[a-z]",
             "A", "a")


class CacheStoreContract(_Base):
    """
    What every cache store does; made for one of them by L{cache_store_contract}.

    :ivar make: makes an empty store, not started yet.
    :ivar pass_time: lets the store's time pass.
    """

    make: Any
    pass_time: Any

    async def ready(self) -> Any:
        """:return: a store, started if it wants to be; stopped after the test."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000.25)
        store = self.make(self.clock)
        if IService.providedBy(store):
            await maybeDeferred(store.startService)
            self.addCleanup(store.stopService)
        return store

    async def passed(self, seconds: float) -> None:
        """Let time pass."""
        await maybeDeferred(self.pass_time, self.clock, seconds)

    async def test_provides(self) -> None:
        """The store has every member of its interface, with the right arguments."""
        verifyObject(ICacheStore, await self.ready())

    async def test_get_nothing(self) -> None:
        """What was never put is None."""
        self.assertIsNone(await (await self.ready()).get("a"))

    async def test_get(self) -> None:
        """What was put is had back, to the octet, and again."""
        store = await self.ready()
        value = bytes(range(256)) * 3
        await store.put("a", value, 60.0)
        self.assertEqual([await store.get("a"), await store.get("a")], [value, value])

    async def test_empty_value(self) -> None:
        """No octets are a value too."""
        store = await self.ready()
        await store.put("a", b"", 60.0)
        self.assertEqual(await store.get("a"), b"")

    async def test_large_value(self) -> None:
        """A value of a mebibyte is nothing special."""
        store = await self.ready()
        await store.put("a", b"x" * (1 << 20), 60.0)
        self.assertEqual(len(await store.get("a")), 1 << 20)

    async def test_replaced(self) -> None:
        """A later value takes the place of an earlier one."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        await store.put("a", b"22", 60.0)
        self.assertEqual(await store.get("a"), b"22")

    async def test_odd_keys(self) -> None:
        """Keys are any text, each is itself only, and case counts."""
        store = await self.ready()
        for number, key in enumerate(_ODD_KEYS):
            await store.put(key, b"%d" % number, 60.0)
        self.assertEqual([await store.get(key) for key in _ODD_KEYS],
                         [b"%d" % number for number in range(len(_ODD_KEYS))])
        self.assertEqual(sorted(await store.keys("")), sorted(_ODD_KEYS))

    async def test_expires(self) -> None:
        """After its time, a value is there no more, in no way."""
        store = await self.ready()
        await store.put("a", b"1", 2.0)
        await self.passed(2.5)
        self.assertIsNone(await store.get("a"))
        self.assertEqual(list(await store.keys("")), [])
        self.assertEqual(await store.delete(["a"]), 0)

    async def test_before_its_time(self) -> None:
        """Until then it is."""
        store = await self.ready()
        await store.put("a", b"1", 4.0)
        await self.passed(1.0)
        self.assertEqual(await store.get("a"), b"1")

    async def test_replaced_ttl(self) -> None:
        """A later value brings its own time, longer or shorter."""
        store = await self.ready()
        for key, first, second in (("a", 2.0, 60.0), ("b", 60.0, 2.0)):
            await store.put(key, b"1", first)
            await store.put(key, b"2", second)
        await self.passed(2.5)
        self.assertEqual([await store.get("a"), await store.get("b")], [b"2", None])

    async def test_delete(self) -> None:
        """Deleted keys are gone; how many of them there were is told."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        await store.put("b", b"2", 60.0)
        self.assertEqual(await store.delete(iter(["a", "x", "y"])), 1)
        self.assertEqual([await store.get("a"), await store.get("b")], [None, b"2"])

    async def test_delete_nothing(self) -> None:
        """Deleting no keys is fine."""
        self.assertEqual(await (await self.ready()).delete([]), 0)

    async def test_keys(self) -> None:
        """Keys are found by how they begin, octet for octet."""
        store = await self.ready()
        for key in ("p.a", "p.b", "pxa", "q", "[a-z]", "a"):
            await store.put(key, b"1", 60.0)
        self.assertEqual(sorted(await store.keys("p.")), ["p.a", "p.b"])
        self.assertEqual(list(await store.keys("[a-z]")), ["[a-z]"])


def cache_store_contract(make: MakeStore,
                         pass_time: Callable[[Clock, float], Any] = Clock.advance) -> type:
    """
    :param make: makes an empty store, not started yet.
    :param pass_time: lets the store's time pass by some seconds; for a store whose
        expiry is not up to the clock, it may return a Deferred.
    :return: a mixin for a C{TestCase}.
    """
    return type("CacheStoreContract", (CacheStoreContract,), {
        "make": staticmethod(make), "pass_time": staticmethod(pass_time)})


def reference_store_contract(make: MakeStore) -> type:
    """
    :param make: makes an empty store.
    :return: a mixin for a C{TestCase}, for what only a store in this process can do.
    """

    class ReferenceStoreContract(cache_store_contract(make)):  # type: ignore[misc]
        async def test_provides_reference(self) -> None:
            """The store has every member of its interface, with the right arguments."""
            verifyObject(IReferenceStore, await self.ready())

        async def test_get_no_object(self) -> None:
            """What was never put is None."""
            self.assertIsNone((await self.ready()).get_object("a"))

        async def test_same_object(self) -> None:
            """The very object comes back."""
            store, value = await self.ready(), object()
            self.assertTrue(store.put_object("a", value, 100, 60.0))
            self.assertIs(store.get_object("a"), value)

        async def test_object_expires(self) -> None:
            """After its time, an object is there no more."""
            store = await self.ready()
            store.put_object("a", object(), 100, 2.0)
            await self.passed(2.5)
            self.assertIsNone(store.get_object("a"))

        async def test_object_deleted(self) -> None:
            """Objects are deleted, and found by their keys, as octets are."""
            store = await self.ready()
            store.put_object("a", object(), 100, 60.0)
            self.assertEqual(list(await store.keys("a")), ["a"])
            self.assertEqual(await store.delete(["a"]), 1)
            self.assertIsNone(store.get_object("a"))

        async def test_object_is_no_octets(self) -> None:
            """An object is never given to who asks for octets."""
            store = await self.ready()
            store.put_object("a", object(), 100, 60.0)
            self.assertIsNone(await store.get("a"))

        async def test_octets_replace_object(self) -> None:
            """Under one key there is one thing."""
            store = await self.ready()
            store.put_object("a", object(), 100, 60.0)
            await store.put("a", b"1", 60.0)
            self.assertEqual(await store.get("a"), b"1")
            self.assertEqual(await store.delete(["a"]), 1)

    return ReferenceStoreContract


def verify_store_type(store_type: Any) -> None:
    """
    :raises zope.interface.Invalid: a member of the interface is missing.
    :raises TypeError: an option has no default.
    """
    verifyObject(IStoreType, store_type)
    store_type.options()
