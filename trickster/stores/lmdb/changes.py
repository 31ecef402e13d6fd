"""Changes of all tables of a cache, each in one transaction."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb.layout import DamagedError, Name, Record, Written, entry_of, taken
from trickster.stores.lmdb.tables import DEADLINE, SERIAL, TOTALS, Tables

# What has expired that a put removes besides.
_EXPIRED_BESIDE = 16


@define(eq=False)
class Change:
    """
    A change of the tables of one cache, in one transaction.

    :ivar txn: which others see as a whole, or not at all.
    :ivar limits: that are kept to at its end.
    :ivar now: seconds since the epoch.
    :ivar told: events and reasons, for L{trickster.interfaces.IMeteredStore.tell}.
    :ivar has_evicted: whether there was too much.
    """

    txn: Any
    tables: Tables
    limits: StoreLimits
    now: float
    told: list[tuple[str, str]] = field(factory=list, init=False)
    has_evicted: bool = field(default=False, init=False)
    octets: int = field(init=False)
    objects: int = field(init=False)
    _last: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.octets, self.objects, self._last = self.tables.totalled(self.txn)

    def finish(self) -> None:
        """Write what there is now; the transaction is then to be committed."""
        totals = TOTALS.pack(self.octets, self.objects, self._last)
        self.txn.put(self.tables.bucket, totals, db=self.tables.totals)

    def put(self, key: str, value: bytes, ttl: float) -> bool:
        """
        Put a value in the place of any other, and make room for it.

        :param ttl: seconds from now.
        :return: whether it is kept; one that is too large is not, nor what was there before.
        """
        name = Name.of(key)
        self._dropped(name.record)
        size = taken(name.record, len(value) + len(name.rest))
        if not ttl > 0 or 0 < self.limits.max_octets < size:
            self.told += [("refusal", "size_bytes")] if ttl > 0 else []
            self._forget_unused(name.entry)
            return False
        self._last += 1
        deadline = self.now + ttl
        written = Written.of(name, value, deadline, self._last)
        self.txn.put(name.record, written.record, db=self.tables.records)
        if written.pieces:
            self.txn.cursor(self.tables.pieces).putmulti(written.pieces, append=True)
        self.txn.put(DEADLINE.pack(deadline, self._last), name.record, db=self.tables.deadlines)
        self.octets += size
        self.objects += 1
        self._note_use(name.entry)
        return self._made_room(name.entry)

    def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """
        :param expected: what there is to be, or None; if it is not, nothing is changed.
        :return: whether the value is put.
        """
        if self.tables.read(self.txn, Name.of(key), self.now) != expected:
            return False
        return self.put(key, value, ttl)

    def delete(self, key: str) -> bool:
        """:return: whether there was a live value."""
        name = Name.of(key)
        record = self._dropped(name.record)
        self._forget_unused(name.entry)
        return record is not None and record.deadline > self.now

    def use(self, entry: bytes) -> None:
        """
        Make an entry the last to go.

        :param entry: its name; nothing is done where it is gone.
        """
        if self.txn.get(entry, db=self.tables.entries) is not None:
            self._note_use(entry)

    def expire(self, most: int) -> int:
        """
        Forget what has expired.

        :param most: how many values, in this change.
        :return: how many.
        """
        count = 0
        while count < most:
            cursor = self.txn.cursor(self.tables.deadlines)
            if not cursor.first() or DEADLINE.unpack(cursor.key())[0] > self.now:
                break
            self._expired(cursor.value(), cursor.key())
            count += 1
        return count

    def _expired(self, name: bytes, row: bytes) -> None:
        record = self._dropped(name)
        if record is None or DEADLINE.pack(record.deadline, record.number) != row:
            raise DamagedError("a deadline belongs to no record")
        self._forget_unused(entry_of(name))
        self.told.append(("eviction", "ttl"))

    def trim(self, most: int) -> bool:
        """
        Go on with an eviction, down to where the next put does not lead to another one.

        :param most: how many entries, in this change.
        :return: whether that is done.
        """
        limits = self.limits
        for _ in range(most):
            excess = _excess(self, limits.low_octets, limits.low_objects)
            if excess is None or not self._evicted_oldest(excess):
                return True
        return False

    def evict(self, octets: int) -> int:
        """
        Make room in a file that is full.

        :param octets: about how many, at least.
        :return: how many it were; fewer where there are no more.
        """
        before = self.octets
        while before - self.octets < octets and self._evicted_oldest("size_bytes"):
            pass
        return before - self.octets

    def _made_room(self, entry: bytes) -> bool:
        if self._excess() is not None:
            self.expire(_EXPIRED_BESIDE)
        while (excess := self._excess()) is not None:
            if self._oldest() == entry:
                # Alone it is more than all that may be kept.
                self._evict(entry, None)
                self.told.append(("refusal", excess))
                return False
            self.has_evicted = True
            if not self._evicted_oldest(excess):
                raise DamagedError("there are entries without a use")
        return True

    def _excess(self) -> str | None:
        return _excess(self, self.limits.max_octets, self.limits.max_objects)

    def _oldest(self) -> bytes | None:
        cursor = self.txn.cursor(self.tables.uses)
        return cursor.value() if cursor.first() else None

    def _evicted_oldest(self, reason: str) -> bool:
        entry = self._oldest()
        if entry is not None:
            self._evict(entry, reason)
        return entry is not None

    def _evict(self, entry: bytes, reason: str | None) -> None:
        """Forget an entry with its chunks."""
        while (name := self._first_of(entry)) is not None:
            self._dropped(name)
            self.told += [("eviction", reason)] if reason else []
        self._forget_use(entry)

    def _first_of(self, entry: bytes) -> bytes | None:
        cursor = self.txn.cursor(self.tables.records)
        is_one = cursor.set_range(entry) and cursor.key().startswith(entry)
        return cursor.key() if is_one else None

    def _dropped(self, name: bytes) -> Record | None:
        found = self.txn.get(name, db=self.tables.records)
        if found is None:
            return None
        record = Record.read(name, found)
        for piece in record.piece_names():
            self.txn.delete(piece, db=self.tables.pieces)
        self.txn.delete(name, db=self.tables.records)
        self.txn.delete(DEADLINE.pack(record.deadline, record.number), db=self.tables.deadlines)
        self.octets -= taken(name, record.length + record.rest)
        self.objects -= 1
        if self.octets < 0 or self.objects < 0:
            raise DamagedError("there is more than was ever put")
        return record

    def _forget_unused(self, entry: bytes) -> None:
        if self._first_of(entry) is None:
            self._forget_use(entry)

    def _forget_use(self, entry: bytes) -> None:
        serial = self.txn.pop(entry, db=self.tables.entries)
        if serial is not None:
            self.txn.delete(serial, db=self.tables.uses)

    def _note_use(self, entry: bytes) -> None:
        self._forget_use(entry)
        self._last += 1
        serial = SERIAL.pack(self._last)
        self.txn.put(serial, entry, db=self.tables.uses)
        self.txn.put(entry, serial, db=self.tables.entries)


def _excess(change: Change, octets: int, objects: int) -> str | None:
    if 0 < octets < change.octets:
        return "size_bytes"
    return "size_objects" if 0 < objects < change.objects else None
