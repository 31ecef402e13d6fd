"""What is known of the files of a store: how much they take, and which of them go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from attrs import define, field, frozen

from trickster.stores.expiry import Expiries
from trickster.stores.filesystem.directory import SHARDS
from trickster.stores.filesystem.files import Stamp
from trickster.stores.filesystem.value_file import Place, octets_on_disk
from trickster.stores.limits import StoreLimits
from trickster.stores.sealed import entry_key, is_chunk_key

# Key, deadline and stamp of a value's file.  A plain tuple of texts and numbers is nothing that
# the collector of cycles has to look at.
Known = tuple[str, float, Stamp]


def octets_of(known: Known) -> int:
    """:return: what a file takes on the disk."""
    return octets_on_disk(known[2][2])


@frozen
class Victim:
    """
    An entry, or a part of one, that makes room for another.

    :ivar reason: C{"size_bytes"} or C{"size_objects"}.
    :ivar values: its files, which the index knows no more.
    :ivar is_entry: whether that is the end of an entry.
    """

    reason: str
    values: Sequence[Known]
    is_entry: bool = True


@frozen
class Room:
    """
    Room that is kept for a value until it is written.

    :ivar victims: what is to be deleted before.
    :ivar fits: whether there is room.
    """

    victims: Sequence[Victim]
    fits: bool
    octets: int = 0
    objects: int = 0


@define(eq=False)
class Index:
    """
    What is known of the values, by the shards and the entries that they are in.

    It says what is to be deleted, and deletes nothing.  All of it may be called from any thread;
    none waits for anything but another call.

    :ivar octets: of all files that are known.
    :ivar changes: how often that has changed; uses are no change.
    :ivar uses: how often that was noted.
    """

    limits: StoreLimits
    octets: int = field(default=0, init=False)
    changes: int = field(default=0, init=False)
    uses: int = field(default=0, init=False)
    _reserved: list[int] = field(factory=lambda: [0, 0], init=False)
    _values: tuple[dict[bytes, Known], ...] = field(
        factory=lambda: tuple({} for _ in range(SHARDS)), init=False, repr=False)
    _entries: OrderedDict[str, dict[bytes, None]] = field(
        factory=OrderedDict, init=False, repr=False)
    _expiries: Expiries = field(factory=Expiries, init=False, repr=False)
    _lock: Lock = field(factory=Lock, init=False, repr=False)

    @property
    def objects(self) -> int:
        """:return: the number of entries that are known."""
        return len(self._entries)

    def get(self, place: Place) -> Known | None:
        """:return: what is known of the value in a place."""
        return self._values[place.shard].get(place.digest)

    def shard(self, number: int) -> dict[bytes, Known]:
        """:return: what is known of the values in a shard, by the digests of their places."""
        with self._lock:
            return dict(self._values[number])

    def put(self, place: Place, known: Known) -> None:
        """
        Note what is in a place now; its entry is the last to go from now on.

        :param known: takes the place of what was known.
        """
        with self._lock:
            self._forget(place)
            key, deadline, _ = known
            self._values[place.shard][place.digest] = known
            self._entries.setdefault(entry_key(key), {})[place.digest] = None
            self._entries.move_to_end(entry_key(key))
            self._expiries.add(key, deadline)
            self.octets += octets_of(known)
            self.changes += 1

    def remove(self, place: Place) -> Known | None:
        """:return: what was known of a place, in which there is nothing any more."""
        with self._lock:
            return self._forget(place)

    def touch(self, keys: Iterable[str]) -> None:
        """
        Note that entries are used: they are the last to go from now on.

        :param keys: of any of their values, in the order of their use.
        """
        with self._lock:
            for key in keys:
                if entry_key(key) in self._entries:
                    self._entries.move_to_end(entry_key(key))
                    self.uses += 1

    def reserve(self, place: Place, key: str, size: int) -> Room:
        """
        Have room for a value: what is over the limits goes, and then as much more as the limits
        say, the least recently used entries first, each of them whole.

        :param size: octets of the file.
        :return: to be given back with L{release}.
        """
        with self._lock:
            octets, entry = octets_on_disk(size), entry_key(key)
            old = self._values[place.shard].get(place.digest)
            more = octets - (octets_of(old) if old else 0)
            objects = 0 if entry in self._entries else 1
            victims = [*self._victims(entry, more, objects), *self._own(place, entry, more)]
            if self._is_over(more):
                return Room(victims, fits=False)
            self._reserved[0] += octets
            self._reserved[1] += objects
            return Room(victims, True, octets, objects)

    def release(self, room: Room) -> None:
        """Give back room that was kept: the value is there, or will not be."""
        with self._lock:
            self._reserved[0] -= room.octets
            self._reserved[1] -= room.objects

    def over(self) -> Sequence[Victim]:
        """:return: what is to be deleted, since there is more than was known before."""
        with self._lock:
            return list(self._victims("", 0, 0))

    def oldest(self, octets: int, key: str) -> Sequence[Victim]:
        """
        :param octets: that are to be free, although there are fewer than may be.
        :param key: whose entry stays.
        :return: what is to be deleted for that.
        """
        victims, freed = [], 0
        with self._lock:
            while freed < octets and (victim := self._oldest(entry_key(key), "size_bytes")):
                freed += sum(map(octets_of, victim.values))
                victims.append(victim)
        return victims

    def due(self, now: float, most: int) -> Sequence[str]:
        """
        :param now: the date, in seconds since the epoch.
        :return: keys of some values whose time is over.
        """
        with self._lock:
            return self._expiries.due(now, most)

    def known(self) -> Sequence[Known]:
        """:return: all that is known, by entries, the least recently used first."""
        with self._lock:
            return [self._values[digest[0]][digest]
                    for digests in self._entries.values() for digest in digests]

    def order_by_date(self) -> None:
        """Take the date at which an entry was written for that of its last use."""
        def date_ns(entry: tuple[str, dict[bytes, None]]) -> int:
            return max(self._values[digest[0]][digest][2][1] for digest in entry[1])

        with self._lock:
            self._entries = OrderedDict(sorted(self._entries.items(), key=date_ns))
            self.changes += bool(self._entries)

    def _forget(self, place: Place) -> Known | None:
        known = self._values[place.shard].pop(place.digest, None)
        if known is not None:
            self.changes += 1
            key, deadline, _ = known
            key_of_entry = entry_key(key)
            entry = self._entries[key_of_entry]
            del entry[place.digest]
            if not entry:
                del self._entries[key_of_entry]
            elif key == key_of_entry:
                # Chunks without their entry are of no use, and go before all else.
                self._entries.move_to_end(key_of_entry, last=False)
            self._expiries.remove(key, deadline)
            self.octets -= octets_of(known)
        return known

    def _is_over(self, more: int, most: int | None = None) -> bool:
        limit = self.limits.max_octets if most is None else most
        return bool(limit) and self.octets + self._reserved[0] + more > limit

    def _are_over(self, more: int, most: int | None = None) -> bool:
        limit = self.limits.max_objects if most is None else most
        return bool(limit) and len(self._entries) + self._reserved[1] + more > limit

    def _victims(self, kept: str, octets: int, objects: int) -> Iterator[Victim]:
        if self._is_over(octets):
            while self._is_over(octets) or self._is_over(0, self.limits.low_octets):
                victim = self._oldest(kept, "size_bytes")
                if victim is None:
                    break
                yield victim
        if self._are_over(objects):
            while self._are_over(objects) or self._are_over(0, self.limits.low_objects):
                victim = self._oldest(kept, "size_objects")
                if victim is None:
                    break
                yield victim

    def _oldest(self, kept: str, reason: str) -> Victim | None:
        entry = next((entry for entry in self._entries if entry != kept), None)
        if entry is None:
            return None
        # What is left, where the process ends meanwhile, are chunks that take room only.
        values = self._removed(list(self._entries[entry]))
        return Victim(reason, sorted(values, key=lambda known: is_chunk_key(known[0])))

    def _own(self, place: Place, entry: str, more: int) -> Iterator[Victim]:
        """Where an entry is nearly as large as all may be, its new parts take the place of old."""
        for digest in list(self._entries.get(entry, ())):
            if not self._is_over(more):
                return
            if digest != place.digest:
                values = self._removed([digest])
                yield Victim("size_bytes", values, not is_chunk_key(values[0][0]))

    def _removed(self, digests: Sequence[bytes]) -> Sequence[Known]:
        found = [self._forget(Place(digest)) for digest in digests]
        return [known for known in found if known is not None]
