"""How values begin that were read or written lately: so that what has not changed is known at once."""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock

from attrs import define, field

# Octets that are kept of a value: what tells it from others is in its first ones.
LENGTH = 64

# Number, dates of the last change of the content and of all else, and size.
_Identity = tuple[int, int, int, int]


def _identity(found: os.stat_result) -> _Identity:
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


@define(eq=False)
class Beginnings:
    """
    The first octets of values, with what the system said of their files then.

    A file is never changed, but replaced by another one.  So the octets are those of the file
    that is there as long as the system says the same of that, which costs one question.

    :ivar most: values of which they are kept; those that were noted longest ago are forgotten.
    """

    most: int = 20_000
    _noted: OrderedDict[str, tuple[str, _Identity, float, int, bytes]] = field(
        factory=OrderedDict, init=False, repr=False)
    _lock: Lock = field(factory=Lock, init=False, repr=False)

    def note(self, key: str, path: str, found: os.stat_result, kept: tuple[float, bytes]) -> None:
        """
        May be called from any thread.

        :param path: of the file.
        :param found: what the system says of it.
        :param kept: the deadline and the value.
        """
        deadline, value = kept
        noted = (path, _identity(found), deadline, len(value), bytes(value[:LENGTH]))
        with self._lock:
            self._noted.pop(key, None)
            self._noted[key] = noted
            while len(self._noted) > self.most:
                self._noted.popitem(last=False)

    def get(self, key: str, length: int, now: float) -> bytes | None:
        """
        :param length: octets.
        :param now: the date, in seconds since the epoch.
        :return: the first octets of the value of a key, or all where there are fewer; None where
            there is none, or it is not known.
        :raises OSError: the directory cannot be read.
        """
        noted = self._noted.get(key)
        if noted is None:
            return None
        path, identity, deadline, size, octets = noted
        if now >= deadline or length > LENGTH < size:
            return None
        try:
            there = os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return octets[:length] if _identity(there) == identity else None
