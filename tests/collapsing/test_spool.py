"""Spool files."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryFile
from typing import IO, Any

from attrs import define, field
from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.collapsing.spool import FileSpool, ISpool


@define
class Files:
    """Makes files, and remembers them."""

    made: list[IO[bytes]] = field(factory=list)

    def __call__(self) -> IO[bytes]:
        self.made.append(TemporaryFile())  # noqa: SIM115
        return self.made[-1]


class FileSpoolTests(SynchronousTestCase):
    """A spool in a file without a name."""

    def spool(self, in_thread: Callable[..., Deferred[Any]] = execute) -> tuple[FileSpool, Files]:
        """:return: a spool whose thread is this one."""
        files = Files()
        return FileSpool(in_thread, files, 1000), files

    def test_interface(self) -> None:
        """A file spool provides ISpool."""
        verifyObject(ISpool, self.spool()[0])

    def test_round_trip(self) -> None:
        """Octets that were written are read back from any offset."""
        spool, _ = self.spool()
        self.successResultOf(spool.write(0, b"abc"))
        self.successResultOf(spool.write(3, b"def"))
        self.assertEqual(self.successResultOf(spool.read(2, 3)), b"cde")
        spool.close()

    def test_no_file_before_it_is_needed(self) -> None:
        """No file is opened before something is written."""
        spool, files = self.spool()
        spool.close()
        self.assertEqual(files.made, [])

    def test_closed(self) -> None:
        """Closing gives the file back; nothing can be done after it."""
        spool, files = self.spool()
        self.successResultOf(spool.write(0, b"abc"))
        spool.close()
        spool.close()
        self.assertTrue(files.made[0].closed)
        self.failureResultOf(spool.read(0, 1), OSError)
        self.failureResultOf(spool.write(3, b"x"), OSError)
