"""The tables of one cache in a file of LMDB."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import islice
from struct import Struct
from typing import Any

from attrs import frozen

from trickster.stores.limits import Inspected
from trickster.stores.lmdb.layout import DamagedError, Name, Record, key_of, peeked, scan_start

_TABLES = (b"records", b"pieces", b"deadlines", b"uses", b"entries")
# How octets, entries and the last number stand in the totals of a cache; date and number in the
# names of deadlines; and a place in the order of uses.
TOTALS = Struct(">QQQ")
DEADLINE = Struct(">dQ")
SERIAL = Struct(">Q")


class Large(Enum):
    """What stands for a value that was not read."""

    LARGE = "larger than was to be read"


LARGE = Large.LARGE


@frozen
class Tables:
    """
    Of one cache.

    :ivar records: names of keys and their records.
    :ivar pieces: of large values, by the number of the record.
    :ivar deadlines: names by the date at which they expire, and number.
    :ivar uses: names of entries, in the order of their last use.
    :ivar entries: names of entries, and where each is in that order.
    :ivar bucket: under which, among the C{totals} of all caches, octets, entries and the last
        number of this one stand.
    """

    env: Any
    bucket: bytes
    totals: Any
    records: Any
    pieces: Any
    deadlines: Any
    uses: Any
    entries: Any

    @classmethod
    def of(cls, env: Any, bucket: bytes, totals: Any, txn: Any = None) -> Tables:
        """
        :param txn: in which they are made where they are not there yet, and that is to be ended
            before they are used; None where they are there.
        """
        return cls(env, bucket, totals, *(
            env.open_db(bucket + b"/" + table, txn=txn, create=txn is not None)
            for table in _TABLES))

    def totalled(self, txn: Any) -> tuple[int, int, int]:
        """
        :return: octets and entries that there are, and the last number that was given.
        :raises DamagedError: it does not say so.
        """
        octets = txn.get(self.bucket, db=self.totals)
        if octets is None:
            return 0, 0, 0
        if len(octets) != TOTALS.size:
            raise DamagedError("the totals are damaged")
        return TOTALS.unpack(octets)

    def peek(self, name: Name, now: float, length: int) -> bytes | None:
        """
        :param now: seconds since the epoch.
        :return: how the value begins, as far as its record tells.
        """
        txn = self.env.begin(self.records, None, False, True)
        try:
            found = txn.get(name.record)
            return None if found is None else peeked(found, now, length)
        finally:
            txn.abort()

    def get(self, name: Name, now: float) -> bytes | None:
        """
        :param now: seconds since the epoch.
        :return: the value; None where there is none, or one of which a piece is damaged.
        :raises DamagedError: there is something else than a record.
        """
        txn = self.env.begin(self.records)
        try:
            return self.read(txn, name, now)
        finally:
            txn.abort()

    def small(self, name: Name, now: float, most: int) -> bytes | Large | None:
        """
        The same as L{get}, for a value of so many octets at most.

        :param now: seconds since the epoch.
        :return: L{LARGE} for one that has more.
        """
        txn = self.env.begin(self.records)
        try:
            record = self._live(txn, name, now)
            if record is None:
                return None
            return LARGE if record.length > most else self._value(txn, record)
        finally:
            txn.abort()

    def inspect(self, name: Name, now: float) -> Inspected | None:
        """
        :param now: seconds since the epoch.
        :return: the same as L{get} gives, and for how long it is kept.
        """
        txn = self.env.begin(self.records)
        try:
            record = self._live(txn, name, now)
            value = None if record is None else self._value(txn, record)
        finally:
            txn.abort()
        if record is None or value is None:
            return None
        return Inspected(value, record.deadline - now)

    def read(self, txn: Any, name: Name, now: float) -> bytes | None:
        """
        The same as L{get}, as a transaction sees it.

        :param txn: that sees it.
        """
        record = self._live(txn, name, now)
        return None if record is None else self._value(txn, record)

    def _live(self, txn: Any, name: Name, now: float) -> Record | None:
        found = txn.get(name.record, db=self.records)
        if found is None:
            return None
        record = Record.read(name.record, found)
        return record if record.deadline > now else None

    def _value(self, txn: Any, record: Record) -> bytes | None:
        whole = self.whole(txn, record)
        return None if whole is None else whole[:record.length]

    def whole(self, txn: Any, record: Record) -> bytes | None:
        """:return: a value, and the rest of its key; None where a piece is damaged."""
        if not record.pieces:
            return record.inline
        found = txn.cursor(self.pieces).getmulti(record.piece_names())
        return record.whole([octets for _, octets in found])

    def keys(self, prefix: str, after: bytes, now: float, most: int
             ) -> tuple[list[str], bytes | None]:
        """
        Look through some of the records.

        :param after: the name of the last one that was looked at; empty at first.
        :param most: how many to look at.
        :return: live keys that begin so, and the name to go on after, or None.
        """
        txn = self.env.begin(self.records)
        try:
            return self._named(txn, (prefix, after, now), most)
        finally:
            txn.abort()

    def _named(self, txn: Any, sought: tuple[str, bytes, float], most: int
               ) -> tuple[list[str], bytes | None]:
        prefix, after, now = sought
        rows, found, name = self._rows(txn, scan_start(prefix), after), [], b""
        for name, octets in islice(rows, most):
            record = Record.read(name, octets)
            key = self._key(txn, name, record) if record.deadline > now else None
            if key is not None and key.startswith(prefix):
                found.append(key)
        return found, name if next(rows, None) is not None else None

    def _rows(self, txn: Any, start: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        cursor = txn.cursor(self.records)
        is_there = cursor.set_range(after + b"\x00" if after else start)
        while is_there and cursor.key().startswith(start):
            yield cursor.item()
            is_there = cursor.next()

    def _key(self, txn: Any, name: bytes, record: Record) -> str | None:
        if not record.rest:
            return key_of(name, b"")
        whole = self.whole(txn, record)
        return None if whole is None else key_of(name, whole[record.length:])

    def is_due(self, now: float) -> bool:
        """:return: whether something has expired."""
        txn = self.env.begin(self.deadlines)
        try:
            cursor = txn.cursor()
            return cursor.first() and DEADLINE.unpack(cursor.key())[0] <= now
        finally:
            txn.abort()
