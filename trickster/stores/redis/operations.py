"""The operations of a store as commands, carried out by one server."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import sha1

from trickster.errors import StoreError
from trickster.stores.redis.commands import Argument, Commands, Reply
from trickster.stores.redis.errors import ErrorReply

# How many keys a server looks at for one answer to SCAN: some tenths of a millisecond of its time.
_LOOKED_AT = 1000
# Where a key holds something else than octets, which none of ours does, there is nothing.
_REPLACE = b"""\
local now = redis.pcall('GET', KEYS[1])
if type(now) ~= 'string' then now = false end
local expected = ARGV[1] == '1' and ARGV[2]
if now ~= expected then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
"""
_REPLACE_SHA = sha1(_REPLACE, usedforsecurity=False).hexdigest()
_SPECIAL = re.compile(rb"[*?\[\]\\]")
# A hundred years: Redis refuses what goes beyond the time that it can count.
_LONGEST_TTL = 3_200_000_000.0


async def read(node: Commands, key: bytes) -> bytes | None:
    """
    Read octets, and keep how they begin for as long as they are not changed.

    :return: the octets under a key; None where there are none.
    :raises StoreError: the server does not give them.
    """
    if node.tracking is None or not node.tracking.is_live:
        return await get(node, key)
    return await node.tracking.read(key, partial(get_with_ttl, node, key))


async def write(node: Commands, key: bytes, ask: Callable[[], Awaitable[bool]]) -> bool:
    """
    :param ask: writes octets under a key.
    :return: whether they are written.
    :raises StoreError: they may not be.
    """
    return await (ask() if node.tracking is None else node.tracking.write(key, ask))


async def get_with_ttl(node: Commands, key: bytes) -> tuple[bytes | None, float]:
    """
    :return: the octets under a key, or None, and the seconds for which they are kept; less than 0
        where that is for ever.
    :raises StoreError: the server does not give them.
    """
    found, left = await node.pipeline(("GET", key), ("PTTL", key))
    if isinstance(found, ErrorReply) and found.code != "WRONGTYPE":
        raise found
    ttl = left / 1000 if isinstance(left, int) else 0.0
    return _octets(found), ttl


async def get(node: Commands, key: bytes) -> bytes | None:
    """
    :return: the octets under a key; None where there are none.
    :raises StoreError: the server does not give them.
    """
    try:
        found = await node.execute("GET", key)
    except ErrorReply as error:
        if error.code == "WRONGTYPE":
            return None
        raise
    return _octets(found)


def _octets(found: Reply) -> bytes | None:
    if found is None or isinstance(found, bytes):
        return found
    if isinstance(found, ErrorReply):
        return None  # it is something else than octets
    raise _odd("GET", found)


async def put(node: Commands, key: bytes, value: bytes, ttl: float) -> bool:
    """
    Put octets under a key, also where another type of value is there.

    :param ttl: seconds.
    :return: True: where they are not put, the server says why.
    :raises StoreError: they may not be there.
    """
    reply = await node.execute("SET", key, value, "PX", milliseconds(ttl))
    if reply != b"OK":
        raise _odd("SET", reply)
    return True


async def replace(node: Commands, key: bytes, value: bytes, ttl: float,
                  expected: bytes | None) -> bool:
    """
    Put octets under a key if there are some others, at a stroke.

    :param expected: those others; None for nothing.
    :return: whether they were there.
    :raises StoreError: it may have been done, or not.
    """
    arguments: tuple[Argument, ...] = (
        1, key, 0 if expected is None else 1, expected or b"", value, milliseconds(ttl))
    try:
        reply = await node.execute("EVALSHA", _REPLACE_SHA, *arguments)
    except ErrorReply as error:
        if error.code != "NOSCRIPT":
            raise
        reply = await node.execute("EVAL", _REPLACE, *arguments)
    if reply not in (0, 1):
        raise _odd("EVALSHA", reply)
    return reply == 1


async def delete(node: Commands, keys: Sequence[bytes]) -> int:
    """
    :param keys: which one command may name; the memory of large values is freed in the background.
    :return: how many of them there were.
    :raises StoreError: they may be there.
    """
    try:
        count = await node.execute("UNLINK", *keys)
    except ErrorReply as error:
        if not error.text.startswith("ERR unknown command"):
            raise
        count = await node.execute("DEL", *keys)  # before Redis 4
    finally:
        if node.tracking is not None:
            node.tracking.forget(keys)
    if not isinstance(count, int):
        raise _odd("UNLINK", count)
    return count


async def touch(node: Commands, keys: Sequence[bytes]) -> None:
    """
    Tell a server that keys are used, of which it sees no use.

    :param keys: which one command may name.
    :raises StoreError: it may not have been told.
    """
    await node.execute("TOUCH", *keys)


async def scan(node: Commands, prefix: bytes) -> list[bytes]:
    """
    :return: the keys of a server that begin so; those that come or go meanwhile may be among
        them, or not.
    :raises StoreError: the server does not say.
    """
    pattern = _SPECIAL.sub(rb"\\\g<0>", prefix) + b"*"
    found: list[bytes] = []
    cursor: bytes = b"0"
    while True:
        reply = await node.execute("SCAN", cursor, "MATCH", pattern, "COUNT", _LOOKED_AT)
        if not (isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], list)):
            raise _odd("SCAN", reply)
        found += (key for key in reply[1] if isinstance(key, bytes) and key.startswith(prefix))
        if reply[0] in (b"0", 0):
            return found
        if not isinstance(reply[0], bytes):
            raise _odd("SCAN", reply)
        cursor = reply[0]


def milliseconds(ttl: float) -> int:
    """:return: whole milliseconds, at least one, that are no more than C{ttl} seconds, if they can."""
    return max(1, int(min(ttl, _LONGEST_TTL) * 1000))


def _odd(name: str, reply: Reply) -> StoreError:
    return StoreError(f"Redis answers {name} with {type(reply).__name__}, as it never does")
