"""
What every cache store must do, as test cases to inherit from::

    class MyStoreTests(cache_store_contract(make), TestCase):
        ...

where C{TestCase} is C{twisted.trial.unittest}'s, and C{make} gets the clock of the test::

    def make(clock):
        return my_type.store("default", Options(), StoreLimits(), FakeRuntime(clock))

Suites for what a store may do beyond that can stand beside each other among the bases.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from trickster.errors import StoreError
from trickster.interfaces import (
    ICacheStore,
    ICompareAndSetStore,
    IInspectableStore,
    IMeteredStore,
    IPeekingStore,
    IReferenceStore,
    IStoreType,
)
from trickster.stores.limits import StoreLimits
from trickster.testing.runtime import FakeRuntime

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:
    _Base = object

MakeStore = Callable[[Clock], Any]
MakeLimited = Callable[[Clock, StoreLimits], Any]
PassTime = Callable[[Clock, float], Any]
Reopen = Callable[[Any, FakeRuntime], Any]

# How often what depends on real time is tried that may have taken longer, and seconds in between.
_TRIES, _PAUSE = 20, 0.1
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
        """
        Make a store for the test; its clock, which C{make} is given, begins in November 2023.

        :return: a store, started if it provides C{IService}; stopped after the test.
        """
        self.clock = Clock()
        self.clock.advance(1_700_000_000.25)
        return self.started(self.make(self.clock))

    def started(self, store: Any) -> Any:
        """
        Start a store as the program does, which waits for nothing.

        :param store: not started yet.
        :return: the store, started if it provides C{IService}; stopped after the test.
        """
        if IService.providedBy(store):
            for start in (store.privilegedStartService, store.startService):
                given = start()
                if isawaitable(given):
                    Deferred.fromCoroutine(_left(given))
                    self.fail(f"{start.__name__} gives {type(given).__name__}: services are not "
                              "waited for; have the first operation wait")
            self.addCleanup(self.stopped, store)
        return store

    async def stopped(self, store: Any) -> None:
        """
        Stop a store, and wait for it.

        :param store: stopped already, maybe; nothing is done in that case.
        """
        if IService.providedBy(store) and store.running:
            await maybeDeferred(store.stopService)

    async def passed(self, seconds: float) -> None:
        """
        Let time pass; returns when it has.

        :param seconds: by which the store's time is later then.
        """
        await maybeDeferred(self.pass_time, self.clock, seconds)

    async def test_provides(self) -> None:
        """The store has every member of its interface, with the right arguments."""
        verifyObject(ICacheStore, await self.ready())

    async def test_inspected(self) -> None:
        """
        A store that can be looked into tells what is there, and for how long, and keeps it no
        longer for that.
        """
        store: Any = await self.ready()
        if not IInspectableStore.providedBy(store):
            return
        inspect: Callable[[str], Any] = store.inspect
        self.assertIsNone(await inspect("a"))
        await store.put("a", b"1", 600.0)
        found = await inspect("a")
        self.assertEqual(found.value, b"1")
        if found.ttl is not None:
            self.assertTrue(500.0 < found.ttl <= 600.0, found.ttl)
        await store.put("a", b"2", 2.0)
        await self.passed(2.5)
        self.assertIsNone(await inspect("a"))

    async def test_stopped(self) -> None:
        """Once it is stopped, a store answers, or fails with a StoreError, and nothing else."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        await self.stopped(store)
        for ask in (lambda: store.get("a"), lambda: store.put("a", b"2", 60.0),
                    lambda: store.delete(["a"]), lambda: store.keys("")):
            try:
                await ask()
            except StoreError:
                continue

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
        store, found = await self.ready(), set()
        for _ in range(_TRIES):
            await store.put("a", b"1", 4.0)
            await self.passed(1.0)
            found.add(await store.get("a"))
            # More time may have passed, where it is the real one and the machine is busy.
            if found != {None}:
                break
        self.assertEqual(found - {None}, {b"1"})

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


def cache_store_contract(make: MakeStore, pass_time: PassTime = Clock.advance,
                         make_broken: MakeStore | None = None) -> type:
    """
    :param make: called with a clock, in each test; makes an empty store, not started yet, that
        never sees what another test has kept.
    :param pass_time: lets the store's time pass by some seconds; for a store whose expiry is not
        up to the clock, it may return a Deferred.
    :param make_broken: makes a store that cannot work, since its file is in no directory for
        example: its failures have to be L{StoreError}s.
    :return: a mixin for a C{TestCase}, to be named before it.
    """
    bases = (CacheStoreContract, *([BrokenStoreContract] if make_broken else []))
    return _made(bases, make=make, pass_time=pass_time, make_broken=make_broken)


def _made(bases: tuple[type, ...], **functions: Callable[..., Any] | None) -> type:
    """:return: a mixin of these, the first of which names it, with functions of a plugin's author."""
    return type(bases[0].__name__, bases, {
        name: staticmethod(function) for name, function in functions.items() if function})


class BrokenStoreContract(_Base):
    """
    How a store fails.

    :ivar make_broken: makes one that cannot work.
    """

    make_broken: Any

    async def test_broken(self) -> None:
        """All failures of operations are StoreErrors: what the storage raises is translated."""
        store = self.started(self.make_broken(Clock()))  # type: ignore[attr-defined]
        for ask in (lambda: store.get("a"), lambda: store.put("a", b"1", 60.0),
                    lambda: store.delete(["a"]), lambda: store.keys("")):
            with self.assertRaises(StoreError):
                await ask()


class ReferenceStoreContract(CacheStoreContract):
    """What only a store in this process can do, which keeps objects as they are; made for one by L{reference_store_contract}."""

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


def reference_store_contract(make: MakeStore, pass_time: PassTime = Clock.advance) -> type:
    """
    :param make: as in L{cache_store_contract}, whose tests are among these.
    :param pass_time: as in L{cache_store_contract}.
    :return: a mixin for a C{TestCase}, for what only a store in this process can do.
    """
    return _made((ReferenceStoreContract,), make=make, pass_time=pass_time)


class PeekingStoreContract(CacheStoreContract):
    """What a store does that tells at once how values begin; made for one by L{peeking_store_contract}."""

    async def test_provides_peeking(self) -> None:
        """The store has every member of its interface, with the right arguments."""
        verifyObject(IPeekingStore, await self.ready())

    async def test_peek(self) -> None:
        """Once a value was read, its beginning is told at once; a short value is told whole."""
        store = await self.ready()
        for key, value in (("a", bytes(range(100))), ("b", b"12"), ("c", b"")):
            await store.put(key, value, 60.0)
            self.assertEqual(await self.begins(store, key), value[:20])

    async def begins(self, store: Any, key: str) -> bytes | None:
        """
        Read a value, and again where a store that hears late of what has changed needs it.

        :param store: has the value.
        :param key: of it.
        :return: how it begins, as the store tells at once then.
        """
        for _ in range(_TRIES):
            await store.get(key)
            begins: bytes | None = store.peek(key, 20)
            if begins is not None:
                return begins
            await self.passed(_PAUSE)
        return None

    async def test_peek_large(self) -> None:
        """A value of a mebibyte begins as any other does."""
        store = await self.ready()
        value = bytes(range(256)) * 4096
        await store.put("a", value, 60.0)
        self.assertEqual(await self.begins(store, "a"), value[:20])

    async def test_peek_nothing(self) -> None:
        """What was never put, is deleted or has expired does not begin with anything."""
        store = await self.ready()
        for key, ttl in (("a", 60.0), ("b", 2.0)):
            await store.put(key, b"1", ttl)
            await store.get(key)
        await store.delete(["a"])
        await self.passed(2.5)
        self.assertEqual([store.peek(key, 20) for key in ("a", "b", "c")], [None, None, None])

    async def test_stamp(self) -> None:
        """Where the store has a stamp, it is the same until something is put or deleted."""
        store = await self.ready()
        tell = getattr(store, "stamp", lambda: None)
        stamps = []
        for key in ("a", "b"):
            await store.put(key, b"1", 60.0)
            stamps.append(tell())
            self.assertEqual(tell(), stamps[-1])
        await store.delete(["a"])
        stamps.append(tell())
        if stamps != [None] * 3:
            self.assertNotIn(None, stamps)
            self.assertEqual([stamps.count(each) for each in stamps], [1, 1, 1])

    async def test_peek_replaced(self) -> None:
        """What was replaced is never told once the replacement is put."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        self.assertEqual(await self.begins(store, "a"), b"1")
        await store.put("a", b"2", 60.0)
        self.assertIn(store.peek("a", 20), (None, b"2"))
        self.assertEqual(await self.begins(store, "a"), b"2")


def peeking_store_contract(make: MakeStore, pass_time: PassTime = Clock.advance) -> type:
    """
    :param make: as in L{cache_store_contract}, whose tests are among these.
    :param pass_time: as in L{cache_store_contract}.
    :return: a mixin for a C{TestCase}, for a store that tells at once how values begin.
    """
    return _made((PeekingStoreContract,), make=make, pass_time=pass_time)


class CompareAndSetContract(CacheStoreContract):
    """What a store of several processes can do; made for one by L{compare_and_set_contract}."""

    async def test_provides_compare_and_set(self) -> None:
        """The store has every member of its interface, with the right arguments."""
        verifyObject(ICompareAndSetStore, await self.ready())

    async def test_first(self) -> None:
        """Where there is nothing, what expects nothing is put, and only once."""
        store = await self.ready()
        self.assertTrue(await store.replace("a", b"1", 60.0, None))
        self.assertFalse(await store.replace("a", b"2", 60.0, None))
        self.assertEqual(await store.get("a"), b"1")

    async def test_still_there(self) -> None:
        """What was read is replaced if it is still there, to the octet."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        for expected in (b"", b"11", b"2"):
            self.assertFalse(await store.replace("a", b"3", 60.0, expected))
        self.assertTrue(await store.replace("a", b"3", 60.0, b"1"))
        self.assertEqual(await store.get("a"), b"3")

    async def test_empty_is_something(self) -> None:
        """No octets are something else than nothing."""
        store = await self.ready()
        self.assertFalse(await store.replace("a", b"1", 60.0, b""))
        await store.put("a", b"", 60.0)
        self.assertFalse(await store.replace("a", b"1", 60.0, None))
        self.assertTrue(await store.replace("a", b"1", 60.0, b""))

    async def test_gone(self) -> None:
        """What was deleted, or has expired, is nothing."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        await store.put("b", b"1", 2.0)
        await store.delete(["a"])
        await self.passed(2.5)
        for key in ("a", "b"):
            self.assertFalse(await store.replace(key, b"2", 60.0, b"1"))
            self.assertTrue(await store.replace(key, b"2", 60.0, None))

    async def test_brings_its_time(self) -> None:
        """A value that replaces another one has its own time to live."""
        store = await self.ready()
        await store.put("a", b"1", 60.0)
        await store.replace("a", b"2", 2.0, b"1")
        await self.passed(2.5)
        self.assertIsNone(await store.get("a"))

    async def test_two_writers(self) -> None:
        """Of writers that have read the same, one replaces it, and the others can tell."""
        store = await self.ready()
        await store.put("a", b"0", 60.0)
        put = [await store.replace("a", b"%d" % number, 60.0, b"0") for number in (1, 2, 3)]
        self.assertEqual((put, await store.get("a")), ([True, False, False], b"1"))

    async def test_nothing_is_lost(self) -> None:
        """Writers that read again where they came too late lose nothing of each other."""
        store = await self.ready()

        async def add(mark: bytes) -> None:
            while True:
                before = await store.get("a")
                if await store.replace("a", (before or b"") + mark, 60.0, before):
                    return

        marks = [bytes([mark]) for mark in range(8)]
        await gatherResults([Deferred.fromCoroutine(add(mark)) for mark in marks])
        self.assertEqual(sorted(await store.get("a")), list(range(8)))


def compare_and_set_contract(make: MakeStore, pass_time: PassTime = Clock.advance) -> type:
    """
    :param make: as in L{cache_store_contract}, whose tests are among these.
    :param pass_time: as in L{cache_store_contract}.
    :return: a mixin for a C{TestCase}, for what a store of several processes can do.
    """
    return _made((CompareAndSetContract,), make=make, pass_time=pass_time)


class MeteredStoreContract(CacheStoreContract):
    """What a store does that tells how full it is; made for one by L{metered_store_contract}."""

    async def test_provides_metered(self) -> None:
        """The store has every member of its interface, with the right arguments."""
        verifyObject(IMeteredStore, await self.ready())

    async def test_usage(self) -> None:
        """What is put counts until it is deleted."""
        store = await self.ready()
        empty = store.usage()
        await store.put("a", b"x" * 1000, 60.0)
        full = store.usage()
        self.assertEqual((empty.objects, full.objects), (0, 1))
        self.assertGreaterEqual(full.octets - empty.octets, 1000)
        await store.delete(["a"])
        self.assertEqual(store.usage(), empty)

    async def test_usage_replaced(self) -> None:
        """A value that takes the place of another counts alone."""
        store = await self.ready()
        await store.put("a", b"x" * 1000, 60.0)
        once = store.usage()
        for size in (1, 5000, 1000):
            await store.put("a", b"y" * size, 60.0)
        self.assertEqual(store.usage(), once)

    async def test_told(self) -> None:
        """That an entry is removed since it has expired is told, and why, soon after."""
        store, told = await self.ready(), []
        store.tell(lambda event, reason: told.append((event, reason)))
        await store.put("a", b"1", 2.0)
        await self.passed(10.0)
        await store.get("a")
        await store.put("b", b"1", 2.0)
        self.assertIn(("eviction", "ttl"), told)


def metered_store_contract(make: MakeStore, pass_time: PassTime = Clock.advance,
                           make_limited: MakeLimited | None = None) -> type:
    """
    :param make: as in L{cache_store_contract}, whose tests are among these; makes a store that
        evicts what has expired, at the latest with the next write.
    :param pass_time: as in L{cache_store_contract}.
    :param make_limited: called with a clock and limits; makes an empty store that heeds them.
    :return: a mixin for a C{TestCase}, for a store that tells how full it is.
    """
    bases = (MeteredStoreContract, *([LimitedStoreContract] if make_limited else []))
    return _made(bases, make=make, pass_time=pass_time, make_limited=make_limited)


class LimitedStoreContract(_Base):
    """
    What a store does that heeds its limits.

    :ivar make_limited: makes one with some.
    """

    make_limited: Any

    async def limited(self, **limits: Any) -> tuple[Any, list[tuple[str, str]]]:
        """
        :param limits: as in L{StoreLimits}.
        :return: a store that heeds them, and what it tells: events and reasons, as they come.
        """
        await self.ready()  # type: ignore[attr-defined]
        made = self.make_limited(self.clock, StoreLimits(**limits))  # type: ignore[attr-defined]
        store, told = self.started(made), []  # type: ignore[attr-defined]
        store.tell(lambda event, reason: told.append((event, reason)))
        return store, told

    async def kept(self, store: Any, size: int) -> list[int]:
        """
        :param store: empty; gets twenty entries, one a second.
        :param size: of each value, in octets.
        :return: the numbers of those that are still there.
        """
        for number in range(20):
            await store.put(f"{number}", bytes([number]) * size, 60.0)
            await self.passed(1.0)  # type: ignore[attr-defined]
        values = [await store.get(f"{number}") for number in range(20)]
        self.assertEqual([value for number, value in enumerate(values)
                          if value not in (None, bytes([number]) * size)], [])
        return [number for number, value in enumerate(values) if value is not None]

    async def test_most_octets(self) -> None:
        """It keeps no more octets than it may, the last one among them, and tells of others."""
        store, told = await self.limited(max_octets=10_000)
        kept = await self.kept(store, 2000)
        self.assertIn(19, kept)
        self.assertLessEqual(len(kept), 4)
        self.assertLessEqual(store.usage().octets, 10_000)
        self.assertEqual(told, [("eviction", "size_bytes")] * (20 - len(kept)))

    async def test_most_objects(self) -> None:
        """It keeps no more entries than it may, the last one among them, and tells of others."""
        store, told = await self.limited(max_objects=5)
        kept = await self.kept(store, 10)
        self.assertIn(19, kept)
        self.assertLessEqual(len(kept), 5)
        self.assertLessEqual(store.usage().objects, 5)
        self.assertEqual(told, [("eviction", "size_objects")] * (20 - len(kept)))

    async def test_too_large(self) -> None:
        """What is larger than all that it may keep costs no other entry its place."""
        store, told = await self.limited(max_octets=10_000)
        await store.put("a", b"1", 60.0)
        await store.put("b", b"1", 60.0)
        await store.put("b", b"x" * 20_000, 60.0)
        self.assertEqual([await store.get("a"), await store.get("b")], [b"1", None])
        self.assertEqual(told, [("refusal", "size_bytes")])

    async def test_unlimited(self) -> None:
        """A limit of 0 is none."""
        store, told = await self.limited(max_octets=0, max_objects=0)
        self.assertEqual((len(await self.kept(store, 1000)), told), (20, []))


class DurableStoreContract(CacheStoreContract):
    """
    What a store does whose entries outlive the process; made for one by L{durable_store_contract}.

    :ivar reopen: makes the store of the next process, over what the one before has left.
    """

    reopen: Any

    async def restarted(self, store: Any, seconds: float) -> Any:
        """
        :param store: of the process that ends.
        :param seconds: until the next process is there, whose clock begins anew.
        :return: its store, over the same entries.
        """
        await self.stopped(store)
        now = FakeRuntime(self.clock).wall()
        self.clock = Clock()
        return self.started(self.reopen(store, FakeRuntime(self.clock, epoch=now + seconds)))

    async def test_kept(self) -> None:
        """What was put before a restart is there after it, octet for octet."""
        store = await self.ready()
        for key in ("a", "b", "c"):
            await store.put(key, bytes(range(256)), 60.0)
        await store.delete(["b"])
        store = await self.restarted(store, 5.0)
        self.assertEqual([await store.get(key) for key in ("a", "b")],
                         [bytes(range(256)), None])
        self.assertEqual(sorted(await store.keys("")), ["a", "c"])

    async def test_expires_meanwhile(self) -> None:
        """Time to live goes on while no process runs: deadlines are dates."""
        store = await self.ready()
        await store.put("a", b"1", 10.0)
        await store.put("b", b"1", 60.0)
        store = await self.restarted(store, 20.0)
        self.assertEqual([await store.get("a"), await store.get("b")], [None, b"1"])
        await self.passed(50.0)
        self.assertIsNone(await store.get("b"))

    async def test_changed_after(self) -> None:
        """What was left can be replaced and deleted as if it had just been put."""
        store = await self.ready()
        for key in ("a", "b"):
            await store.put(key, b"1", 60.0)
        store = await self.restarted(store, 5.0)
        await store.put("a", b"2", 60.0)
        self.assertEqual((await store.get("a"), await store.delete(["a", "b"])), (b"2", 2))


def durable_store_contract(make: MakeStore, reopen: Reopen,
                           pass_time: PassTime = Clock.advance) -> type:
    """
    :param make: as in L{cache_store_contract}, whose tests are among these; its runtime is a
        L{FakeRuntime} of the clock.
    :param reopen: gets a store that is stopped, and the L{FakeRuntime} of another process;
        makes the store that this process would have, over what the first one has left.
    :param pass_time: as in L{cache_store_contract}.
    :return: a mixin for a C{TestCase}, for a store whose entries outlive the process.
    """
    return _made((DurableStoreContract,), make=make, pass_time=pass_time, reopen=reopen)


async def _left(awaitable: Any) -> None:
    """Let what is not waited for end in its own time, and without a sound."""
    with suppress(Exception):
        await awaitable


def verify_store_type(store_type: Any) -> None:
    """
    Look at what an entry point names; no store is made.

    :param store_type: is to provide L{IStoreType}.
    :raises zope.interface.Invalid: a member of the interface is missing.
    :raises TypeError: an option has no default.
    """
    verifyObject(IStoreType, store_type)
    store_type.options()
