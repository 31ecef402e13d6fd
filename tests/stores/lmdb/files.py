"""Stores in files of LMDB, for tests: what waits for threads only is there at once."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmdb.verify import verify
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb import kinds
from trickster.stores.lmdb.checking import contents
from trickster.stores.lmdb.store import LmdbStore
from trickster.testing.runtime import FakeRuntime


class Files(SynchronousTestCase):
    """Has a directory, and a process."""

    def setUp(self) -> None:
        """Make both."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "file")
        self.clock = Clock()
        self.runtime = FakeRuntime(self.clock)

    def opened(self, bucket: str = "one", runtime: FakeRuntime | None = None, map_size: int = 0,
               **limits: Any) -> LmdbStore:
        """:return: a store in the file, which runs until the end of the test."""
        options = kinds.BboltOptions(filename=str(self.path), bucket=bucket)
        store = kinds.bbolt.store("one", options, StoreLimits(**limits), runtime or self.runtime)
        store.map_size = map_size or store.map_size
        store.startService()
        self.addCleanup(lambda: self.given(store.stopService()))
        return store

    def problems(self) -> list[str]:
        """:return: what is wrong with the file, which no store has open."""
        path = str(self.path)
        return [*verify(path), *contents(path)] if self.path.exists() else []

    def given(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """:return: what a coroutine gives."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def failure(self, coroutine: Coroutine[Any, Any, Any], *kinds: type[Exception]) -> str:
        """:return: what is said by the error in which a coroutine ends."""
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), *kinds).value)
