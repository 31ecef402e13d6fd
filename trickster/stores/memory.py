"""A cache store in this process: objects are kept as they are, and scans push out no dashboard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import Factory, define, evolve, field, frozen
from twisted.application.service import IService, Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from trickster.config.document.settings import setting
from trickster.interfaces import (
    IInspectableStore,
    IMeteredStore,
    IReferenceStore,
    IRuntime,
    IStoreType,
)
from trickster.net.callbacks import ignore
from trickster.stores.eviction.frequency_sketch import FrequencySketch
from trickster.stores.eviction.segmented_lru import Entry, SegmentedLRU
from trickster.stores.expiry import Expiries
from trickster.stores.limits import Inspected, StoreLimits, StoreUsage
from trickster.stores.lmdb.kinds import LmdbOptions, lmdb
from trickster.stores.lmdb.store import LmdbStore

# What an entry costs beside its key's and its value's octets, measured: the entry, its
# place in the order and in the wheel, and the headers of the objects.
OVERHEAD = 384

# Entries forgotten, or keys looked through, in one turn of the reactor: about a millisecond.
_TURN = 1000
_KEYS_A_TURN = 20_000

# The part of all octets that counters of keys may take.
_COUNTERS = 16


@implementer(IReferenceStore, IInspectableStore, IMeteredStore, IService)
@define(eq=False, slots=False)
class MemoryStore(Service):
    """
    Keeps octets, and objects as they are, within bounds.

    As a service it forgets what has expired by and by; what has expired is never given out,
    whether it runs or not.

    What was used once goes before what was used again (L{SegmentedLRU}).

    :ivar max_octets: most octets: keys, values and L{OVERHEAD} for each, and counters; 0 for no
        limit.
    :ivar max_objects: most entries; 0 for no limit.
    :ivar reap_interval: seconds between two looks for what has expired.
    :ivar counters: of the keys that were pushed out, each an octet; fewer, where these would
        be more than a sixteenth of all octets, and none for 0.
    """

    clock: IReactorTime
    max_octets: int = 512 << 20
    max_objects: int = 0
    reap_interval: float = 3.0
    counters: int = 0
    _heard: Callable[[str, str], None] = field(default=ignore, init=False, repr=False)
    _pushed_out: FrequencySketch | None = field(init=False, repr=False, default=Factory(
        lambda self: _sketch(self.counters, self.max_octets), takes_self=True))
    _entries: SegmentedLRU = field(init=False, repr=False, default=Factory(
        lambda self: SegmentedLRU(
            self.max_octets and self.max_octets - _size(self._pushed_out), self.max_objects,
            self._pushed_out), takes_self=True))
    # The entries of most hits: looked up here, in one step.
    _protected: OrderedDict[str, Entry] = field(init=False, repr=False, default=Factory(
        lambda self: self._entries.protected, takes_self=True))
    _expiries: Expiries = field(factory=Expiries, init=False, repr=False)
    _reaping: IDelayedCall | None = field(default=None, init=False, repr=False)

    @property
    def octets(self) -> int:
        """:return: held now, what entries take beside their values and counters included."""
        return self._entries.octets + _size(self._pushed_out)

    @property
    def objects(self) -> int:
        """:return: entries held now, those that have expired unnoticed among them."""
        return len(self._entries)

    def usage(self) -> StoreUsage:
        """
        See L{IMeteredStore.usage}.

        :return: with what has expired unnoticed.
        """
        return StoreUsage(objects=self.objects, octets=self.octets, max_objects=self.max_objects,
                          max_octets=self.max_octets,
                          protected_octets=self._entries.protected_octets)

    def tell(self, heard: Callable[[str, str], None]) -> None:
        """
        See L{IMeteredStore.tell}.

        :param heard: takes the place of the one before.
        """
        self._heard = heard

    async def get(self, key: str) -> bytes | None:
        """
        See L{trickster.interfaces.ICacheStore.get}.

        :return: None also where an object is kept under the key.
        """
        value = self.get_object(key)
        return value if type(value) is bytes else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """
        See L{trickster.interfaces.ICacheStore.put}.

        :param value: kept as in L{put_object}, or not; copied where it is another buffer than
            C{bytes}.
        """
        octets = bytes(value)
        self.put_object(key, octets, len(octets), ttl)

    async def delete(self, keys: Iterable[str]) -> int:
        """
        See L{trickster.interfaces.ICacheStore.delete}.

        :return: without those that had expired.
        """
        now = self.clock.seconds()
        count = 0
        for key in keys:
            entry = self._removed(key)
            count += entry is not None and entry[2] > now
        return count

    async def keys(self, prefix: str) -> Sequence[str]:
        """
        See L{trickster.interfaces.ICacheStore.keys}.

        :return: of the keys that there were at the beginning: looking through many takes several
            turns of the reactor, and what is put meanwhile is not found.
        """
        found: list[str] = []
        all_keys = list(self._entries)
        for start in range(0, len(all_keys), _KEYS_A_TURN):
            if start:
                await deferLater(self.clock, 0)
            now = self.clock.seconds()
            found += [key for key in all_keys[start:start + _KEYS_A_TURN]
                      if key.startswith(prefix) and self._is_live(key, now)]
        return found

    async def inspect(self, key: str) -> Inspected | None:
        """
        See L{trickster.interfaces.IInspectableStore.inspect}.

        :return: at once.
        """
        entry, now = self._entries.get(key), self.clock.seconds()
        return None if entry is None or entry[2] <= now else Inspected(entry[0], entry[2] - now)

    def get_object(self, key: str) -> object | None:
        """
        See L{trickster.interfaces.IReferenceStore.get_object}.

        :return: the very object, which is the last to go from now on.
        """
        entry = self._protected.get(key)
        if entry is None:
            return self._object_on_probation(key)
        value, _, deadline = entry
        if deadline <= self.clock.seconds():
            self._expired(key)
            return None
        self._protected.move_to_end(key)
        return value

    def put_object(self, key: str, value: object, nbytes: int, ttl: float) -> bool:
        """
        See L{trickster.interfaces.IReferenceStore.put_object}.

        :param nbytes: the key's and L{OVERHEAD} are added.
        :return: whether it is kept.  What was there under the key is gone in any case.
        """
        octets = max(0, nbytes) + len(key) + OVERHEAD
        most = self._entries.most_octets
        if not ttl > 0 or most and octets > most:
            # What was there under this key is out of date all the same.
            self._removed(key)
            if ttl > 0:
                self._heard("refusal", "size_bytes")
            return False
        before = self._entries.get(key)
        if before is not None:
            self._expiries.remove(key, before[2])
        deadline = self.clock.seconds() + ttl
        self._entries.put(key, (value, octets, deadline))
        self._expiries.add(key, deadline)
        self._make_room()
        return True

    def startService(self) -> None:
        """Begin to look for what has expired."""
        super().startService()
        self._reap_later(self.reap_interval)

    def stopService(self) -> None:
        """Forget everything."""
        super().stopService()
        if self._reaping is not None:
            self._reaping.cancel()
            self._reaping = None
        self._entries.clear()
        self._expiries.clear()

    def _is_live(self, key: str, now: float) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry[2] > now

    def _object_on_probation(self, key: str) -> object | None:
        entry = self._entries.probation.get(key)
        if entry is None:
            return None
        if entry[2] <= self.clock.seconds():
            self._expired(key)
            return None
        self._entries.use(key)
        return entry[0]

    def _expired(self, key: str) -> None:
        self._removed(key)
        self._heard("eviction", "ttl")

    def _make_room(self) -> None:
        entries = self._entries
        while entries.most_octets and entries.octets > entries.most_octets:
            self._evict("size_bytes")
        while self.max_objects and len(entries) > self.max_objects:
            self._evict("size_objects")

    def _evict(self, reason: str) -> None:
        self._removed(self._entries.push_out())
        self._heard("eviction", reason)

    def _removed(self, key: str) -> Entry | None:
        entry = self._entries.pop(key)
        if entry is not None:
            self._expiries.remove(key, entry[2])
        return entry

    def _reap_later(self, seconds: float) -> None:
        self._reaping = self.clock.callLater(seconds, self._reap)

    def _reap(self) -> None:
        due = self._expiries.due(self.clock.seconds(), _TURN)
        for key in due:
            self._expired(key)
        self._reap_later(0 if due else self.reap_interval)


@frozen(kw_only=True)
class MemoryOptions:
    """
    A cache in this process.

    :ivar file: in the place of the memory of this process, where several share the cache; a
        worker has it from its supervisor.
    """

    max_size_bytes: int = setting(
        512 << 20, "Most octets in the cache; the smaller of this and index.max_size_bytes.",
        unit="size")
    num_counters: int = setting(
        500_000, "Counters, of an octet each, by which a key is known again that had to go for "
        "want of room: at most a sixteenth of max_size_bytes; 0 for none.", minimum=0,
        maximum=1 << 26)
    file: str = setting("", "", hidden=True)


@implementer(IStoreType)
@frozen
class MemoryType:
    """The store type C{memory}."""

    name: str = "memory"
    options: type = MemoryOptions

    def store(self, name: str, options: Any, limits: StoreLimits,
              runtime: IRuntime) -> MemoryStore | LmdbStore:
        """
        See L{IStoreType.store}.

        :param options: L{MemoryOptions}.
        :param limits: of the two limits on octets, theirs and that of the options, the smaller
            one that is set counts.  What has expired is looked for every 0.1 s at most.
        """
        most = [limit for limit in (options.max_size_bytes, limits.max_octets) if limit > 0]
        if options.file:
            return lmdb.store(name, LmdbOptions(path=options.file, is_private=True),
                              evolve(limits, max_octets=min(most, default=0)), runtime)
        return MemoryStore(runtime.clock, min(most, default=0), limits.max_objects,
                           max(0.1, limits.reap_interval), options.num_counters)


def _sketch(counters: int, max_octets: int) -> FrequencySketch | None:
    size = min(counters, max_octets // _COUNTERS) if max_octets else counters
    return FrequencySketch(size) if size > 0 else None


def _size(sketch: FrequencySketch | None) -> int:
    return 0 if sketch is None else sketch.size


memory = MemoryType()
