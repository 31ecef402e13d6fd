"""The kinds of caches that are files of LMDB: C{lmdb}, C{bbolt} and C{badger}."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen
from zope.interface import implementer

from trickster.config.document.settings import setting
from trickster.interfaces import IRuntime, IStoreType
from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb.environment import Environment
from trickster.stores.lmdb.store import LmdbStore

# A file has room for what the limit counts, for pages that are freed and not yet reused, and for
# those that are not quite full.
_ROOM, _LEAST_ROOM = 4, 16 << 20
# Octets of a file without a limit: addresses, of which there are more, and not a file that large.
_UNLIMITED = 1 << 40
# The name of a table has at most 511 octets.
_MOST_BUCKET = 400


@frozen(kw_only=True)
class LmdbOptions:
    """A cache in one file, which the processes of a host share."""

    path: str = setting("trickster.lmdb", "The file.")


@frozen(kw_only=True)
class BboltOptions:
    """A cache in one file, of LMDB: files of bbolt are not read."""

    filename: str = setting("trickster.db", "The file.")
    bucket: str = setting("trickster", "Which of the caches in the file.")


@frozen(kw_only=True)
class BadgerOptions:
    """A cache in one file, C{trickster.lmdb}, of LMDB: directories of Badger are not read."""

    directory: str = setting("/tmp/trickster", "Directory of the file.")
    value_directory: str = setting(
        "/tmp/trickster", "Directory of the file in the place of directory, where it is another "
        "than the default.")


def _of_lmdb(options: LmdbOptions) -> tuple[str, str]:
    return options.path, "trickster"


def _of_bbolt(options: BboltOptions) -> tuple[str, str]:
    return options.filename, options.bucket


def _of_badger(options: BadgerOptions) -> tuple[str, str]:
    is_given = options.value_directory not in ("", BadgerOptions().value_directory)
    directory = options.value_directory if is_given else options.directory
    return os.path.join(directory, "trickster.lmdb") if directory else "", "trickster"


@implementer(IStoreType)
@frozen
class FileType:
    """
    One of the names under which a file of LMDB is a cache.

    :ivar _place: gives the file and the bucket of an instance of C{options}.
    """

    name: str
    options: type
    _place: Callable[[Any], tuple[str, str]]

    def store(self, name: str, options: Any, limits: StoreLimits, runtime: IRuntime) -> LmdbStore:
        """
        See L{IStoreType.store}.

        :param limits: all but C{index_expiry} have an effect.
        :raises ValueError: no file is named, or a bucket that cannot be one.
        """
        path, bucket = self._place(options)
        if not path or "\x00" in path:
            raise ValueError("names no file")
        octets = bucket.encode("utf-8", "surrogatepass")
        if not 0 < len(octets) <= _MOST_BUCKET:
            raise ValueError(f"bucket: expected a name of 1 to {_MOST_BUCKET} octets")
        map_size = limits.max_octets + max(limits.max_octets // _ROOM, _LEAST_ROOM)
        return LmdbStore(path, octets, limits, map_size if limits.max_octets else _UNLIMITED,
                         runtime, partial(_environment, path, runtime))


def _environment(path: str, runtime: IRuntime) -> Environment:
    """:return: that of a file, which all caches of the process share."""
    real = os.path.realpath(path)
    known: dict[str, Environment] = runtime.shared("trickster.stores.lmdb", dict)
    if real not in known:
        known[real] = Environment(real, 0)
    return known[real]


lmdb = FileType("lmdb", LmdbOptions, _of_lmdb)
bbolt = FileType("bbolt", BboltOptions, _of_bbolt)
badger = FileType("badger", BadgerOptions, _of_badger)
