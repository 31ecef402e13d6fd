"""Tests of what the kinds of C{trickster.stores.lmdb.kinds} have to do as every store."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from trickster.stores.limits import StoreLimits
from trickster.stores.lmdb import kinds
from trickster.stores.lmdb.store import LmdbStore
from trickster.testing.runtime import FakeRuntime
from trickster.testing.stores import (
    cache_store_contract,
    compare_and_set_contract,
    durable_store_contract,
    metered_store_contract,
    peeking_store_contract,
    verify_store_type,
)


@define
class Stores:
    """Makes stores of one kind, whose files go with the tests."""

    kind: kinds.FileType
    directory: TemporaryDirectory[str] = field(factory=TemporaryDirectory)
    made: int = 0

    def options(self, where: Path) -> Any:
        """:return: options of which the file is in a directory."""
        if self.kind.name == "badger":
            return kinds.BadgerOptions(directory=str(where))
        if self.kind.name == "bbolt":
            return kinds.BboltOptions(filename=str(where / "file"), bucket="one")
        return kinds.LmdbOptions(path=str(where / "file"))

    def at(self, where: Path, runtime: FakeRuntime, limits: StoreLimits | None = None
           ) -> LmdbStore:
        """:return: the store in a directory."""
        return self.kind.store("default", self.options(where), limits or StoreLimits(), runtime)

    def make(self, clock: Clock) -> LmdbStore:
        """:return: a store in a new file."""
        return self.make_limited(clock, StoreLimits())

    def make_limited(self, clock: Clock, limits: StoreLimits) -> LmdbStore:
        """:return: the same, with limits."""
        self.made += 1
        return self.at(Path(self.directory.name, str(self.made)), FakeRuntime(clock), limits)

    def make_broken(self, clock: Clock) -> LmdbStore:
        """:return: a store in a directory that is a file."""
        file = Path(self.directory.name, "no-directory")
        file.touch()
        return self.at(file, FakeRuntime(clock))

    def reopen(self, store: LmdbStore, runtime: FakeRuntime) -> LmdbStore:
        """:return: the store of another process in the same file."""
        return self.at(Path(store.path).parent, runtime, store.limits)


def suites(kind: kinds.FileType) -> tuple[type, ...]:
    """:return: all suites for what a store of a kind does."""
    stores = Stores(kind)
    return (cache_store_contract(stores.make, make_broken=stores.make_broken),
            compare_and_set_contract(stores.make),
            durable_store_contract(stores.make, stores.reopen),
            metered_store_contract(stores.make, make_limited=stores.make_limited),
            peeking_store_contract(stores.make))


class KindTests:
    """What each of the three does beside the suites."""

    kind: kinds.FileType

    def test_type(self) -> None:
        """The kind of store has all of its interface, and options that all have defaults."""
        verify_store_type(self.kind)


class LmdbTests(KindTests, *suites(kinds.lmdb), TestCase):  # type: ignore[misc]
    """The store C{lmdb}."""

    kind = kinds.lmdb


class BboltTests(KindTests, *suites(kinds.bbolt), TestCase):  # type: ignore[misc]
    """The store C{bbolt}."""

    kind = kinds.bbolt


class BadgerTests(KindTests, *suites(kinds.badger), TestCase):  # type: ignore[misc]
    """The store C{badger}."""

    kind = kinds.badger
