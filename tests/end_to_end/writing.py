"""
A process that writes into a store of files until it is killed::

    python -m tests.end_to_end.writing DIRECTORY add MARK COUNT
    python -m tests.end_to_end.writing DIRECTORY put MARK COUNT

It says when it is about to begin, and when it has put something.
"""

from __future__ import annotations

import sys
import time
from hashlib import blake2b

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from trickster.stores.filesystem.store import FilesystemOptions, FilesystemStore, filesystem
from trickster.stores.limits import StoreLimits
from trickster.testing.runtime import FakeRuntime

LIMIT = 8 << 20
KEYS = 12


def opened(path: str, limit: int = LIMIT) -> FilesystemStore:
    """:return: a store in a directory, which runs; its dates are the real ones."""
    runtime = FakeRuntime(Clock(), epoch=time.time())
    store = filesystem.store(
        "default", FilesystemOptions(cache_path=path), StoreLimits(max_octets=limit), runtime)
    store.startService()
    return store


def value_of(key: str, number: int) -> bytes:
    """:return: a value that says what it is: no two of a key are equal."""
    start = f"{key}:{number}:".encode()
    seed = blake2b(start, digest_size=32).digest()
    return start + seed * (1 + number * 977 % 9000)


def is_whole(key: str, value: bytes) -> bool:
    """:return: whether a value is one that was put under a key."""
    name, number, _ = value.split(b":", 2)
    return name == key.encode() and value == value_of(key, int(number))


async def adding(store: FilesystemStore, mark: str, count: int) -> None:
    """Add to the values of a few keys, what others add meanwhile included."""
    for number in range(count):
        key = f"shared{number % 3}"
        while True:
            before = await store.get(key)
            after = (before or b"") + f"{mark}{number} ".encode()
            if await store.replace(key, after, 600.0, before):
                break


async def putting(store: FilesystemStore, mark: str, count: int) -> None:
    """Put values until the end."""
    for number in range(count):
        key = f"{mark}{number % KEYS}"
        await store.put(key, value_of(key, number), 600.0)
        if not number:
            print("put", flush=True)
        if number % 7 == 0:
            await store.delete([f"{mark}{number * 5 % KEYS}"])


def main(path: str, what: str, mark: str, count: str) -> None:
    """Do what the arguments say."""
    print("ready", flush=True)
    work = {"add": adding, "put": putting}[what]
    failed: list[object] = []
    Deferred.fromCoroutine(work(opened(path), mark, int(count))).addErrback(failed.append)
    if failed:
        sys.exit(str(failed[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
