"""
Looks through a file of LMDB before it is opened::

    python -m trickster.stores.lmdb.checking FILE SECONDS

LMDB maps its file, and believes what stands in it: a damaged page can end the process.  So it is
looked through in a process of its own, which reads it without LMDB first.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import lmdb
from lmdb.verify import verify

from trickster.stores.lmdb.layout import VERSION, Record, entry_of, taken
from trickster.stores.lmdb.tables import DEADLINE, Tables

# Where the version of the layout stands, and the totals of each cache.
ABOUT, TOTALS = b"trickster", b"totals"
MOST_TABLES = 256
# Statuses of the process, besides 0; none that Python has of itself, as where it cannot begin.
DAMAGED, FOREIGN = 65, 66



class ForeignFileError(Exception):
    """The file is something else than a cache, and is left as it is."""


def contents(path: str) -> Iterator[str]:
    """
    Look at all that a file says, whose pages are in order, but for values that are in pieces: when
    one of these is read, it is seen whether it is whole.

    :return: what is wrong with it.
    :raises ForeignFileError: it is a file of LMDB, but no cache.
    """
    with lmdb.open(path, subdir=False, readonly=True, lock=False, max_dbs=MOST_TABLES) as env:
        with env.begin() as txn:
            names = {bytes(name) for name in txn.cursor().iternext(values=False)}
        if not names:
            return
        if ABOUT not in names:
            raise ForeignFileError(f"{path} is a file of LMDB, but no cache")
        about, totals = env.open_db(ABOUT, create=False), env.open_db(TOTALS, create=False)
        with env.begin() as txn:
            if txn.get(b"version", db=about) != VERSION:
                yield "it is of another version"
                return
            buckets = list(txn.cursor(totals).iternext(values=False))
        for bucket in buckets:
            tables = Tables.of(env, bucket, totals)
            with env.begin() as txn:
                yield from _of_tables(tables, txn)


def _of_tables(tables: Tables, txn: Any) -> Iterator[str]:
    octets = objects = pieces = 0
    numbers: dict[int, float] = {}
    for name, found in txn.cursor(tables.records):
        record = Record.read(name, found)
        if txn.get(entry_of(name), db=tables.entries) is None:
            yield "an entry without a use"
        if txn.get(DEADLINE.pack(record.deadline, record.number), db=tables.deadlines) != name:
            yield "an entry without a deadline"
        octets += taken(name, record.length + record.rest)
        objects += 1
        pieces += record.pieces
        numbers[record.number] = record.deadline
    for entry, serial in txn.cursor(tables.entries):
        if txn.get(serial, db=tables.uses) != entry:
            yield "an entry without a place in the order of uses"
    held = (octets, objects, pieces, objects)
    last = max([*numbers, *(int.from_bytes(key, "big") for key in _last_use(tables, txn))],
               default=0)
    said_octets, said_objects, said_last = tables.totalled(txn)
    counted = (said_octets, said_objects, *(
        txn.stat(table)["entries"] for table in (tables.pieces, tables.deadlines)))
    if counted != held or len(numbers) != objects or said_last < last:
        yield "what there is, is not what was counted"
    if txn.stat(tables.uses)["entries"] != txn.stat(tables.entries)["entries"]:
        yield "more uses than entries"


def _last_use(tables: Tables, txn: Any) -> list[bytes]:
    cursor = txn.cursor(tables.uses)
    return [cursor.key()] if cursor.last() else []


def limit(seconds: int) -> None:
    """Have this process ended once it has taken so much of the processor."""
    # Above it there is room, lest it be killed, which says nothing about the file.
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))


def main(path: str) -> int:
    """
    Say what is wrong with a file, if anything is.

    :return: the status of the process.
    """
    try:
        for problem in chain(verify(path), contents(path)):
            print(problem)
            return DAMAGED
    except ForeignFileError as error:
        print(error)
        return FOREIGN
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - what damage leads to in those who read it
        print(f"{type(error).__name__}: {error}")
        return DAMAGED
    return 0


if __name__ == "__main__":
    limit(int(sys.argv[2]))
    sys.exit(main(sys.argv[1]))
