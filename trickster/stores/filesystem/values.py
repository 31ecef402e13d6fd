"""The values in a directory: read, written and deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOENT, ENOSPC
from functools import partial

from attrs import define, frozen

from trickster.errors import StoreError
from trickster.stores.filesystem.beginnings import Beginnings
from trickster.stores.filesystem.directory import MissingShard
from trickster.stores.filesystem.files import (
    Damaged,
    Found,
    Stamp,
    move,
    read,
    read_head,
    stamp_of,
    write,
)
from trickster.stores.filesystem.shard import Shard, remove
from trickster.stores.filesystem.upkeep import HURRY, Upkeep
from trickster.stores.filesystem.value_file import (
    MOST_KEY,
    MOST_VALUE,
    Place,
    date_of,
    header,
    octets_of,
    octets_on_disk,
)
from trickster.stores.sealed import Octets

_FULL = (ENOSPC, EDQUOT)
# Expired values that are removed before one is written.
_A_FEW = 100
_MOST_ROUNDS = 3
# What is freed on a full disk beside the octets that are needed: others write there, too.
_SPARE = 1 << 20

_Allows = Callable[[Shard], bool]


@frozen
class _New:
    """
    A value that is to be written.

    :ivar head: the octets of the file before it.
    :ivar date_ns: of the file, in nanoseconds since the epoch.
    """

    key: str
    place: Place
    deadline: float
    head: bytes
    value: bytes
    date_ns: int

    @property
    def size(self) -> int:
        """:return: octets of the file."""
        return len(self.head) + len(self.value)


@define(eq=False)
class Values:
    """
    The values in a directory, by their keys.

    Reading takes no lock: a file is never changed, but replaced at once by another one.  All
    methods block, and may be called in any thread.

    :ivar beginnings: of the values that were read or written last.
    :ivar _write: writes a file beside the one in whose place it is put then.
    """

    upkeep: Upkeep
    beginnings: Beginnings
    _write: Callable[[int, str, tuple[bytes, Octets], int], str] = write

    def get(self, key: str) -> bytes | None:
        """:return: the value of a key; None where there is none, or none any more."""
        found = self.found(key)
        return None if found is None else found.value

    def found(self, key: str) -> Found | None:
        """:return: the same with all that is known of it."""
        place = Place.of(key)
        try:
            with self.upkeep.directory.shard(place.shard) as shard:
                return self._read(shard, place, key)
        except MissingShard:
            self.upkeep.index.remove(place)
            return None

    def put(self, key: str, value: bytes, ttl: float) -> bool:
        """:return: whether the value is there; if not, there is none any more."""
        new = self._new(key, value, ttl)
        if new is not None and self._kept(new, None):
            return True
        # What was there is out of date.
        self.delete([key])
        return False

    def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """:return: whether the value is there; if not, nothing is changed."""
        new = self._new(key, value, ttl)
        if new is None or not self._may_be(new, expected):
            return False
        return self._kept(new, partial(self._is_there, new, expected))

    def delete(self, keys: Iterable[str]) -> int:
        """:return: how many of the keys had a value."""
        self.upkeep.load()
        return sum([self._deleted(key) for key in keys])

    def keys(self, prefix: str) -> Sequence[str]:
        """:return: the keys that begin so, also of values that another process has put."""
        self.upkeep.load()
        return [key for number in self.upkeep.directory.shards()
                for key in self.upkeep.keys(number) if key.startswith(prefix)]

    def _read(self, shard: Shard, place: Place, key: str) -> Found | None:
        found: Found | None = None
        damaged: Stamp | None = None
        try:
            found = read(shard.fd, place.name)
        except Damaged as error:
            damaged = error.stamp
        if found is not None and self._is_live(found, key):
            path = f"{shard.path}/{place.name}"
            self.beginnings.note(key, path, found.stat, (found.header.deadline, found.value))
            return found
        if found or damaged or self.upkeep.index.get(place):
            # It is a miss also where what is there cannot be removed.
            with suppress(StoreError, OSError), shard.locked(HURRY):
                self.upkeep.settle(shard, place, damaged)
        return None

    def _is_live(self, found: Found, key: str) -> bool:
        return found.header.key == key and found.header.deadline > self.upkeep.wall()

    def _new(self, key: str, value: bytes, ttl: float) -> _New | None:
        """:return: None for what is not kept: it is too large, or has no time to live."""
        if not ttl > 0:
            return None
        now, limit = self.upkeep.wall(), self.upkeep.index.limits.max_octets
        size = len(value) + len(octets_of(key))
        if len(value) <= MOST_VALUE and size - len(value) <= MOST_KEY:
            head = header(key, value, now + ttl)
            if not limit or octets_on_disk(len(head) + len(value)) <= limit:
                return _New(key, Place.of(key), now + ttl, head, value, date_of(head, now))
        self.upkeep.heard("refusal", "size_bytes")
        return None

    def _may_be(self, new: _New, expected: bytes | None) -> bool:
        """:return: False where it is plain that something else is there: nothing goes for that."""
        try:
            with self.upkeep.directory.shard(new.place.shard) as shard:
                if expected is None:
                    return self._is_there(new, None, shard)
                found = read_head(shard.fd, new.place.name)
        except (MissingShard, Damaged):
            return expected is None
        return (found is not None and self._is_live(found, new.key)
                and found.header.length == len(expected))

    def _is_there(self, new: _New, expected: bytes | None, shard: Shard) -> bool:
        try:
            found = read(shard.fd, new.place.name)
        except Damaged:
            found = None
        if found is None or not self._is_live(found, new.key):
            return expected is None
        return found.value == expected

    def _kept(self, new: _New, allows: _Allows | None) -> bool:
        self.upkeep.load()
        self.upkeep.reap(_A_FEW)
        try:
            return self._written(new, allows)
        except OSError as error:
            if error.errno in _FULL:
                self.upkeep.reap(10 * _A_FEW)
                self.upkeep.evict(self.upkeep.index.oldest(new.size + _SPARE, new.key))
            elif error.errno != ENOENT:
                raise
        # There is room now; or what was removed meanwhile, such as the directory, is made anew.
        return self._written(new, allows)

    def _written(self, new: _New, allows: _Allows | None) -> bool:
        with (self.upkeep.directory.shard(new.place.shard, make=True) as shard,
              self._room(new) as is_room):
            return is_room and self._moved(new, allows, shard)

    def _moved(self, new: _New, allows: _Allows | None, shard: Shard) -> bool:
        with self._begun(shard, new) as temporary, shard.locked():
            if allows is not None and not allows(shard):
                return False
            self._note(shard, new, move(shard.fd, temporary, new.place.name))
        return True

    def _note(self, shard: Shard, new: _New, there: os.stat_result) -> None:
        self.upkeep.index.put(new.place, (new.key, new.deadline, stamp_of(there)))
        path = f"{shard.path}/{new.place.name}"
        self.beginnings.note(new.key, path, there, (new.deadline, new.value))

    @contextmanager
    def _begun(self, shard: Shard, new: _New) -> Iterator[str]:
        """:return: the name of a file with a value, removed unless it has got another name."""
        name = self._write(shard.fd, new.place.name, (new.head, new.value), new.date_ns)
        try:
            yield name
        finally:
            with suppress(OSError):
                os.unlink(name, dir_fd=shard.fd)

    @contextmanager
    def _room(self, new: _New) -> Iterator[bool]:
        """:return: whether there is room: not where others are written that need all there is."""
        for _ in range(_MOST_ROUNDS):
            room = self.upkeep.index.reserve(new.place, new.key, new.size)
            try:
                if self.upkeep.evict(room.victims):
                    yield room.fits
                    return
            finally:
                self.upkeep.index.release(room)
        raise StoreError(f"{self.upkeep.directory.own}: what is to make room cannot be deleted")

    def _deleted(self, key: str) -> bool:
        place = Place.of(key)
        with self.upkeep.locked(place) as shard:
            known = self.upkeep.settle(shard, place)
            if shard is not None and known is not None:
                remove(shard.fd, place.name)
                self.upkeep.index.remove(place)
        return known is not None
