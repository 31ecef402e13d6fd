"""The kinds of caches that are files of LMDB: C{lmdb}, C{bbolt} and C{badger}."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from attrs import frozen
from zope.interface import implementer

from trickster.config.document.settings import setting
from trickster.interfaces import ICheckedOptions, IRuntime, IStoreType
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
_BUCKET, _VALUES = "trickster", "/tmp/trickster"


def _file_faults(key: str, path: str) -> Iterator[tuple[str, str]]:
    if not path or "\x00" in path:
        yield key, "expected the path of a file"


@implementer(ICheckedOptions)
@frozen(kw_only=True)
class LmdbOptions:
    """
    A cache in one file, which the processes of a host share.

    :ivar is_private: whether the file is in a directory that only processes of this program enter.
    """

    path: str = setting("trickster.lmdb", "The file.")
    is_private: bool = setting(False, "", hidden=True)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See L{ICheckedOptions.faults}."""
        return _file_faults("path", self.path)

    def place(self) -> tuple[str, str]:
        """:return: the file, and the bucket in it."""
        return self.path, _BUCKET


@implementer(ICheckedOptions)
@frozen(kw_only=True)
class BboltOptions:
    """A cache in one file, of LMDB: files of bbolt are not read."""

    filename: str = setting("trickster.db", "The file.")
    bucket: str = setting(_BUCKET, "Which of the caches in the file.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """See L{ICheckedOptions.faults}."""
        yield from _file_faults("filename", self.filename)
        if not 0 < len(_octets(self.bucket)) <= _MOST_BUCKET:
            yield "bucket", f"expected a name of 1 to {_MOST_BUCKET} octets"

    def place(self) -> tuple[str, str]:
        """:return: the file, and the bucket in it."""
        return self.filename, self.bucket


@implementer(ICheckedOptions)
@frozen(kw_only=True)
class BadgerOptions:
    """A cache in one file, C{trickster.lmdb}, of LMDB: directories of Badger are not read."""

    directory: str = setting("/tmp/trickster", "Directory of the file.")
    value_directory: str = setting(
        _VALUES, "Directory of the file in the place of directory, where it is another "
        "than the default.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """See L{ICheckedOptions.faults}."""
        is_given = self._is_value_directory_given()
        return _file_faults("value_directory" if is_given else "directory", self._within())

    def place(self) -> tuple[str, str]:
        """:return: the file, and the bucket in it."""
        return os.path.join(self._within(), "trickster.lmdb"), _BUCKET

    def _within(self) -> str:
        return self.value_directory if self._is_value_directory_given() else self.directory

    def _is_value_directory_given(self) -> bool:
        return self.value_directory not in ("", _VALUES)


@implementer(IStoreType)
@frozen
class FileType:
    """
    One of the names under which a file of LMDB is a cache.

    :ivar options: an options class that says which file it is.
    """

    name: str
    options: type

    def store(self, name: str, options: Any, limits: StoreLimits,
              runtime: IRuntime) -> LmdbStore:
        """
        See L{IStoreType.store}.

        :param limits: all but C{index_expiry} have an effect.
        :raises ValueError: the options have a fault.
        """
        for key, fault in options.faults():
            raise ValueError(f"{key}: {fault}")
        path, bucket = options.place()
        is_private = isinstance(options, LmdbOptions) and options.is_private
        map_size = limits.max_octets + max(limits.max_octets // _ROOM, _LEAST_ROOM)
        if not limits.max_octets:
            map_size = _UNLIMITED
        return LmdbStore(path, _octets(bucket), limits, map_size,
                         runtime, partial(_environment, path, runtime, is_private))


def _environment(path: str, runtime: IRuntime, is_private: bool) -> Environment:
    """:return: that of a file, which all caches of the process share."""
    # What is in the place of the file may be another thing at each opening.
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    known: dict[str, Environment] = runtime.shared("trickster.stores.lmdb", dict)
    if real not in known:
        known[real] = Environment(real, 0, is_private)
    return known[real]


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


lmdb = FileType("lmdb", LmdbOptions)
bbolt = FileType("bbolt", BboltOptions)
badger = FileType("badger", BadgerOptions)
