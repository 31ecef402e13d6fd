"""Files for what of a body in transit does not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import IO, Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import Attribute, Interface, implementer


class ISpool(Interface):
    """Holds the octets of one body until its last reader has gone."""

    limit = Attribute("C{int}: octets that it can hold")

    def write(offset: int, octets: bytes) -> Deferred[None]:
        """
        :param offset: where all that was written before ends.
        :return: fires when they have been written, with L{OSError} where they could not be: then
            as many as before can be read.
        """

    def read(offset: int, size: int) -> Deferred[bytes]:
        """
        :param size: of octets that have all been written.
        :return: fires with them, or with L{OSError} where they could not be read.
        """

    def close() -> None:
        """Give everything back; nothing is read or written after it."""


@implementer(ISpool)
@define(eq=False)
class FileSpool:
    """
    Spools to a file without a name, which the system removes even after a crash.

    :ivar limit: octets that it can hold.
    """

    _log = Logger()

    _in_thread: Callable[..., Deferred[Any]]
    _make: Callable[[], IO[bytes]]
    limit: int
    _file: IO[bytes] | None = field(default=None, init=False)
    _is_closed: bool = field(default=False, init=False)
    # A file must not be closed under a thread that reads it: its number may be used again.
    _lock: Lock = field(factory=Lock, init=False)

    def write(self, offset: int, octets: bytes) -> Deferred[None]:
        """
        :param offset: where all that was written before ends.
        :return: fires when they have been written, with L{OSError} where they could not be: then
            as many as before can be read.
        """
        return self._in_thread(self._write, offset, octets)

    def read(self, offset: int, size: int) -> Deferred[bytes]:
        """
        :param size: of octets that have all been written.
        :return: fires with them, or with L{OSError} where they could not be read.
        """
        return self._in_thread(self._read, offset, size)

    def close(self) -> None:
        """Give the file back."""
        self._in_thread(self._close).addErrback(
            lambda failure: self._log.failure("closing a spool file", failure))

    def _write(self, offset: int, octets: bytes) -> None:
        with self._lock:
            if self._is_closed:
                raise OSError("the spool is closed")
            if self._file is None:
                self._file = self._make()
            view = memoryview(octets)
            while view:
                written = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[written:], offset + written

    def _read(self, offset: int, size: int) -> bytes:
        with self._lock:
            if self._is_closed or self._file is None:
                raise OSError("the spool is closed")
            return os.pread(self._file.fileno(), size, offset)

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._file is not None:
                self._file.close()
