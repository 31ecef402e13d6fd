"""Tests of C{trickster_sqlite}."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from trickster_sqlite import Options, sqlite
from twisted.trial.unittest import TestCase

from trickster.stores.limits import StoreLimits
from trickster.testing.runtime import FakeRuntime
from trickster.testing.stores import (
    cache_store_contract,
    compare_and_set_contract,
    durable_store_contract,
    metered_store_contract,
    verify_store_type,
)


class Stores:
    """Makes stores, whose files go with the tests."""

    def __init__(self):
        self.directory = TemporaryDirectory()
        self.made = 0

    def at(self, runtime, filename, limits=None):
        """:return: the store in a file."""
        return sqlite.store("default", Options(filename), limits or StoreLimits(), runtime)

    def make(self, clock):
        """:return: a store in a new file."""
        return self.make_limited(clock, None)

    def make_limited(self, clock, limits):
        """:return: the same, with limits."""
        self.made += 1
        return self.at(FakeRuntime(clock), f"{self.directory.name}/{self.made}", limits)

    def make_broken(self, clock):
        """:return: a store in a directory that is not there."""
        return self.at(FakeRuntime(clock), f"{self.directory.name}/nowhere/file")

    def reopen(self, store, runtime):
        """:return: the store of another process in the same file."""
        return self.at(runtime, store.options.filename)


stores = Stores()


class SqliteTests(
        cache_store_contract(stores.make, make_broken=stores.make_broken),
        compare_and_set_contract(stores.make), durable_store_contract(stores.make, stores.reopen),
        metered_store_contract(stores.make, make_limited=stores.make_limited), TestCase):
    """The store does what every one does, and one of several processes, and a durable one."""

    def test_type(self):
        """The kind of store has all of its interface, and options that all have defaults."""
        verify_store_type(sqlite)

    async def test_two_processes(self):
        """Two processes that have the file open see what each other has put."""
        one = await self.ready()
        other = self.started(stores.reopen(one, FakeRuntime(self.clock)))
        await one.put("a", b"1", 60.0)
        self.assertTrue(await other.replace("a", b"2", 60.0, b"1"))
        self.assertFalse(await one.replace("a", b"3", 60.0, b"1"))
        self.assertEqual((await one.get("a"), one.usage()), (b"2", other.usage()))

    async def test_no_database(self):
        """A file that is something else is a store that fails, and stays as it is."""
        path = Path(stores.directory.name, "text")
        path.write_bytes(b"text" * 1000)
        store = self.started(stores.at(FakeRuntime(), str(path)))
        with self.assertRaises(Exception) as caught:
            await store.get("a")
        self.assertIsInstance(caught.exception.__cause__, sqlite3.DatabaseError)
        self.assertEqual(path.read_bytes(), b"text" * 1000)
