"""Test cases with stores of files that are looked into."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.stores.filesystem.stores import Stores
from trickster.stores.filesystem.directory import OWN
from trickster.stores.filesystem.store import FilesystemStore
from trickster.stores.filesystem.value_file import Place
from trickster.stores.limits import StoreLimits
from trickster.testing.runtime import FakeRuntime


class StoreCase(TestCase):
    """Has stores in one directory."""

    def setUp(self) -> None:
        """Name the directory."""
        self.stores = Stores()
        self.addCleanup(self.stores.directory.cleanup)
        self.path = self.stores.path()
        self.clock = Clock()

    def store(self, **limits: Any) -> FilesystemStore:
        """:return: a store in the directory, like that of another process; it runs."""
        store = self.stores.at(FakeRuntime(self.clock), self.path, StoreLimits(**limits))
        self.told: list[tuple[str, str]] = []
        store.tell(lambda event, reason: self.told.append((event, reason)))
        store.startService()
        self.addCleanup(self.stopped, store)
        return store

    async def stopped(self, store: FilesystemStore) -> None:
        """Stop a store, unless it is stopped."""
        if store.running:
            await store.stopService()

    def file(self, key: str) -> Path:
        """:return: the file of the value of a key."""
        place = Place.of(key)
        return self.path / OWN / f"{place.shard:02x}" / place.name

    def values(self) -> list[Path]:
        """:return: the files of all values."""
        return sorted(path for path in (self.path / OWN).glob("??/*") if path.name != "lock")


def away(path: Path) -> None:
    """Remove whatever is at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
