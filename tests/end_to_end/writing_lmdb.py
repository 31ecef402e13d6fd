"""
A process that writes into a store in a file of LMDB until it is killed::

    python -m tests.end_to_end.writing_lmdb FILE add MARK COUNT
    python -m tests.end_to_end.writing_lmdb FILE put MARK COUNT
    python -m tests.end_to_end.writing_lmdb FILE hold
"""

from __future__ import annotations

import sys
import time
from typing import Any

import lmdb as library
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.end_to_end.writing import LIMIT, adding, putting
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb.kinds import LmdbOptions, lmdb
from trickster.stores.lmdb.store import LmdbStore
from trickster.testing.runtime import FakeRuntime


def opened(path: str, limit: int = LIMIT) -> LmdbStore:
    """:return: a store in a file, which runs; its dates are the real ones."""
    runtime = FakeRuntime(Clock(), epoch=time.time())
    store = lmdb.store("default", LmdbOptions(path=path), StoreLimits(max_octets=limit), runtime)
    store.startService()
    return store


def hold(path: str) -> None:
    """Be in the middle of a transaction that writes, until the end."""
    with library.open(path, subdir=False, max_dbs=99) as env, env.begin(write=True):
        print("ready", flush=True)
        sys.stdin.readline()


def main(path: str, what: str, mark: str = "", count: str = "0") -> None:
    """Do what the arguments say."""
    if what == "hold":
        return hold(path)
    print("ready", flush=True)
    work: Any = {"add": adding, "put": putting}[what]
    failed: list[object] = []
    Deferred.fromCoroutine(work(opened(path), mark, int(count))).addErrback(failed.append)
    if failed:
        sys.exit(str(failed[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
