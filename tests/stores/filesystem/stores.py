"""Stores of files for tests, in directories that go with them."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.task import Clock

from trickster.stores.filesystem.store import FilesystemOptions, FilesystemStore, filesystem
from trickster.stores.limits import StoreLimits
from trickster.testing.runtime import FakeRuntime


class Stores:
    """Makes stores."""

    def __init__(self) -> None:
        self.directory = TemporaryDirectory()
        self.numbers = count()

    def at(self, runtime: FakeRuntime, path: str | Path,
           limits: StoreLimits | None = None) -> FilesystemStore:
        """:return: the store in a directory."""
        return filesystem.store(
            "default", FilesystemOptions(cache_path=str(path)), limits or StoreLimits(), runtime)

    def path(self) -> Path:
        """:return: a path at which nothing is."""
        return Path(self.directory.name, str(next(self.numbers)))

    def make(self, clock: Clock) -> FilesystemStore:
        """:return: a store in a new directory."""
        return self.at(FakeRuntime(clock), self.path())

    def make_limited(self, clock: Clock, limits: StoreLimits) -> FilesystemStore:
        """:return: the same, with limits."""
        return self.at(FakeRuntime(clock), self.path(), limits)

    def make_broken(self, clock: Clock) -> FilesystemStore:
        """:return: a store whose directory would be in a file."""
        path = self.path()
        path.write_bytes(b"")
        return self.at(FakeRuntime(clock), path / "within")

    def reopen(self, store: Any, runtime: FakeRuntime) -> FilesystemStore:
        """:return: the store that another process has in the same directory."""
        return self.at(runtime, store.path, store.limits)
