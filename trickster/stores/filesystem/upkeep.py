"""Keeps the index and the directory in line with each other, and both within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock

from attrs import define, field

from trickster.errors import StoreError
from trickster.net.callbacks import ignore
from trickster.stores.filesystem.directory import SHARDS, Directory, MissingShard
from trickster.stores.filesystem.files import (
    Damaged,
    Found,
    Stamp,
    move,
    read_head,
    read_whole,
    stamp_of,
    write,
)
from trickster.stores.filesystem.index import Index, Known, Victim
from trickster.stores.filesystem.listing import digest_of, listing, value_names
from trickster.stores.filesystem.saved_index import MOST_OCTETS, decoded, encoded
from trickster.stores.filesystem.shard import LockedOut, Patience, Shard, remove
from trickster.stores.filesystem.value_file import Place
from trickster.stores.sealed import is_chunk_key

_INDEX = "index"
# What can be done elsewhere, or later, is not waited for where another process keeps a lock.
HURRY = Patience(5, 0.01)


@define(eq=False)
class Upkeep:
    """
    Knows what there is, and removes what has expired or makes room.

    Files change, and the index with them, only while the lock of their shard is held, by this
    process or another one.  All methods block, and may be called in any thread.

    :ivar wall: the date, in seconds since the epoch.
    :ivar heard: as in L{trickster.interfaces.IMeteredStore.tell}.
    :ivar is_restored: whether there was an index that was saved.
    :ivar saved_octets: those of the index when it was saved last; 0 before that.
    """

    directory: Directory
    index: Index
    wall: Callable[[], float]
    heard: Callable[[str, str], None] = field(default=ignore, repr=False)
    is_restored: bool = field(default=False, init=False)
    saved_octets: int = field(default=0, init=False)
    _is_loaded: bool = field(default=False, init=False)
    _saved_state: tuple[int, int] = field(default=(0, 0), init=False)
    _saving: Lock = field(factory=Lock, init=False, repr=False)

    def load(self) -> None:
        """Read the index that was saved, the first time."""
        with self._saving:
            if self._is_loaded:
                return
            saved = self._saved()
            for known in saved or ():
                self.index.put(Place.of(known[0]), known)
            self._saved_state = self.index.changes, self.index.uses
            self.is_restored, self._is_loaded = saved is not None, True

    def save(self, *, with_uses: bool = False) -> None:
        """
        Save the index, if it was read, and has changed since.

        :param with_uses: whether the order of use is a change as well.
        """
        with self._saving:
            state = self.index.changes, self.index.uses
            are_used = with_uses and state[1] != self._saved_state[1]
            if not self._is_loaded or not (are_used or state[0] != self._saved_state[0]):
                return
            octets = encoded(self.index.known(), self.wall())
            with self.directory.opened() as own:
                temporary = write(own, _INDEX, (octets, b""), int(self.wall() * 10**9))
                move(own, temporary, _INDEX)
            self._saved_state, self.saved_octets = state, len(octets)

    def reap(self, most: int) -> int:
        """
        Remove what has expired.

        :param most: values that are looked at.
        :return: how many were; those in a shard that another process keeps locked were not.
        """
        count = 0
        for key in self.index.due(self.wall(), most):
            place = Place.of(key)
            with suppress(LockedOut), self.locked(place, HURRY) as shard:
                self.settle(shard, place)
                count += 1
        return count

    def evict(self, victims: Sequence[Victim]) -> bool:
        """
        Delete what makes room.

        :return: whether all of it is gone; the index knows again what is not.
        """
        are_gone = True
        for victim in victims:
            gone = [self._is_evicted(known) for known in victim.values]
            are_gone = are_gone and all(gone)
            if victim.is_entry and all(gone):
                self.heard("eviction", victim.reason)
        return are_gone

    def sweep(self) -> Sequence[int]:
        """
        Remove what processes that were killed have left beside the shards.

        :return: the numbers of the shards that there are, and of those that are known.
        """
        with self.directory.opened() as own:
            for name in listing(own, self.wall()).left:
                remove(own, name)
        there = frozenset(self.directory.shards())
        return [number for number in range(SHARDS)
                if number in there or self.index.shard(number)]

    def scan(self, number: int) -> None:
        """
        See what is in a shard: other processes have put and deleted, and so have operators.

        :param number: from 0 to 255; one that another process keeps locked is let alone.
        """
        try:
            with suppress(LockedOut), self.directory.shard(number) as shard:
                self._compare(shard, number)
        except MissingShard:
            for digest in self.index.shard(number):
                self.index.remove(Place(digest))
        self.evict(self.index.over())

    def keys(self, number: int) -> Iterator[str]:
        """
        :param number: of a shard.
        :return: the keys of its values, of those that other processes have put as well; no lock
            is needed for that, and for those that are known no file.
        """
        now, known = self.wall(), self.index.shard(number)
        with suppress(MissingShard), self.directory.shard(number) as shard:
            for name in value_names(shard.fd):
                digest = digest_of(number, name)
                found = known.get(digest)
                if found is None or found[1] <= now:
                    found = _known(_looked_at(shard, Place(digest), None)[0])
                if found is not None and found[1] > now:
                    yield found[0]

    @contextmanager
    def locked(self, place: Place, patience: Patience | None = None) -> Iterator[Shard | None]:
        """
        :param patience: with others who lock it, where it is another than usual.
        :return: the shard of a place, in which no other changes anything; None where there is
            none.
        :raises LockedOut: another one keeps the lock.
        """
        with ExitStack() as stack:
            shard = None
            with suppress(MissingShard):
                shard = stack.enter_context(self.directory.shard(place.shard))
            if shard is not None:
                stack.enter_context(shard.locked(patience))
            yield shard

    def settle(self, shard: Shard | None, place: Place,
               damaged: Stamp | None = None) -> Known | None:
        """
        Have the index say what is in a place, and remove what is no value, or is one no more; to
        be called while the shard is locked.

        :param shard: None where it is missing.
        :param damaged: tells the file of which that is known.
        :return: what is there.
        """
        found, is_none = (None, False) if shard is None else _looked_at(shard, place, damaged)
        is_over = found is not None and found.header.deadline <= self.wall()
        if shard is not None and (is_none or is_over):
            remove(shard.fd, place.name)
        if found is None or is_over:
            self.index.remove(place)
            if found is not None and not is_chunk_key(found.header.key):
                self.heard("eviction", "ttl")
            return None
        known = _known(found)
        if known is not None and self.index.get(place) != known:
            self.index.put(place, known)
        return known

    def _saved(self) -> Sequence[Known] | None:
        with self.directory.opened() as own:
            try:
                octets = read_whole(own, _INDEX, MOST_OCTETS)
            except Damaged:
                return None
        return decoded(octets or b"", self.wall(), self.index.limits.index_expiry)

    def _is_evicted(self, known: Known) -> bool:
        place = Place.of(known[0])
        try:
            with self.locked(place, HURRY) as shard:
                # Unless it was put anew meanwhile.
                if shard is not None and self.index.get(place) is None:
                    remove(shard.fd, place.name)
        except (StoreError, OSError):
            self.index.put(place, known)
            return False
        return True

    def _compare(self, shard: Shard, number: int) -> None:
        found, known = listing(shard.fd, self.wall()), self.index.shard(number)
        there = {digest_of(number, name): stamp for name, stamp in found.values.items()}
        odd = [digest for digest, stamp in there.items()
               if digest not in known or known[digest][2] != stamp]
        gone = known.keys() - there.keys()
        if not (odd or gone or found.left):
            return
        with shard.locked(HURRY):
            for digest in (*odd, *gone):
                self.settle(shard, Place(digest))
            for name in found.left:
                remove(shard.fd, name)



def _known(found: Found | None) -> Known | None:
    if found is None:
        return None
    return found.header.key, found.header.deadline, stamp_of(found.stat)


def _looked_at(shard: Shard, place: Place, damaged: Stamp | None) -> tuple[Found | None, bool]:
    """:return: what is there, and whether that is something else than a value of this place."""
    try:
        found = read_head(shard.fd, place.name)
    except Damaged:
        return None, True
    if found is None:
        return None, False
    if stamp_of(found.stat) == damaged or Place.of(found.header.key) != place:
        return None, True
    return found, False
