"""What there is in a directory of ours, by its names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from trickster.stores.filesystem.files import TEMPORARY, Stamp, stamp_of

_VALUE = re.compile(r"[0-9a-f]{46}")
_BEGUN = re.compile(r"(?:[0-9a-f]{46}|index)\.[0-9a-f-]+" + re.escape(TEMPORARY))
# Seconds after which a file that was begun is not written any more.
_OLD = 60.0


@frozen
class Listing:
    """
    What has a name of ours; all else is let alone.

    :ivar values: the stamps of what has the name of a value, by that name.
    :ivar left: the names of files that were begun long ago: their process was killed.
    """

    values: Mapping[str, Stamp]
    left: Sequence[str]


def listing(directory: int, now: float) -> Listing:
    """
    :param directory: its descriptor.
    :param now: the date, in seconds since the epoch.
    """
    values: dict[str, Stamp] = {}
    left = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if _VALUE.fullmatch(entry.name):
                found = _stat(entry)
                if found is not None:
                    values[entry.name] = stamp_of(found)
            elif _BEGUN.fullmatch(entry.name) and _is_old(_stat(entry), now):
                left.append(entry.name)
    return Listing(values, left)


def value_names(directory: int) -> Sequence[str]:
    """
    :param directory: its descriptor.
    :return: what has the name of a value.
    """
    return [name for name in os.listdir(directory) if _VALUE.fullmatch(name)]


def digest_of(number: int, name: str) -> bytes:
    """
    :param number: of a shard.
    :param name: of a value in it.
    :return: the digest of its place.
    """
    return bytes((number,)) + bytes.fromhex(name)


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """:return: None for what is gone by now."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_old(found: os.stat_result | None, now: float) -> bool:
    # A date to come is one of a clock that was set back.
    return found is not None and abs(now - found.st_mtime) > _OLD
