"""Keeps cache entries in a file of SQLite, which outlives the process."""

import sqlite3
from threading import Lock

from attrs import define, field, frozen
from twisted.application.service import Service
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import ICompareAndSetStore, IMeteredStore, IStoreType
from trickster.stores.limits import StoreUsage

# How full it is, is kept beside the entries: to count them would take longer the more there are.
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS entries (key BLOB UNIQUE, value BLOB, deadline REAL);
CREATE INDEX IF NOT EXISTS deadlines ON entries (deadline);
CREATE TABLE IF NOT EXISTS used (objects INTEGER, octets INTEGER);
INSERT INTO used SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM used);
CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON entries BEGIN UPDATE used SET
    objects = objects + 1, octets = octets + length(NEW.key) + length(NEW.value); END;
CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON entries BEGIN UPDATE used SET
    objects = objects - 1, octets = octets - length(OLD.key) - length(OLD.value); END;
"""


@frozen
class Options:
    """The C{sqlite} block of a cache."""

    filename: str = field(default="trickster.sqlite", metadata={"doc": "The file."})
    busy_timeout: float = field(default=1.0, metadata={
        "doc": "How long a write waits for one of another process.", "unit": "duration",
        "minimum": 0})


@implementer(ICompareAndSetStore, IMeteredStore)
@define(eq=False)
class SqliteStore(Service):
    """Asks the file in a thread, one question at a time; it is opened by the first of them."""

    options: Options
    limits: object
    runtime: object
    _lock: object = field(factory=Lock, init=False)
    _connection: object = field(default=None, init=False)
    _used: tuple = field(default=(0, 0), init=False)
    _heard: object = field(default=lambda event, reason: None, init=False)

    async def get(self, key):
        """See L{ICacheStore.get}."""
        return await self._asked("BEGIN", self._get, key.encode())

    async def put(self, key, value, ttl):
        """See L{ICacheStore.put}."""
        await self._asked("BEGIN IMMEDIATE", self._put, key.encode(), value, ttl)

    async def replace(self, key, value, ttl, expected):
        """See L{ICompareAndSetStore.replace}."""
        return await self._asked("BEGIN IMMEDIATE", self._replace, key.encode(), value, ttl,
                                 expected)

    async def delete(self, keys):
        """See L{ICacheStore.delete}."""
        return await self._asked("BEGIN IMMEDIATE", self._delete, [key.encode() for key in keys])

    async def keys(self, prefix):
        """See L{ICacheStore.keys}."""
        return await self._asked("BEGIN", self._keys, prefix.encode())

    def usage(self):
        """See L{IMeteredStore.usage}."""
        objects, octets = self._used
        return StoreUsage(objects=objects, octets=octets, max_objects=self.limits.max_objects,
                          max_octets=self.limits.max_octets)

    def tell(self, heard):
        """See L{IMeteredStore.tell}."""
        self._heard = heard

    async def stopService(self):
        """Close the file, after what is being asked."""
        super().stopService()
        await self.runtime.in_thread(self._close)

    async def _asked(self, begin, function, *arguments):
        return await self.runtime.in_thread(self._transact, begin, function, arguments)

    def _transact(self, begin, function, arguments):
        try:
            with self._lock, self._opened() as connection:
                connection.execute(begin)
                result = function(connection, self.runtime.wall(), *arguments)
                self._used = connection.execute("SELECT * FROM used").fetchone()
                return result
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def _opened(self):
        if not self.running:
            raise StoreError("the store is not running")
        if self._connection is None:
            connection = sqlite3.connect(self.options.filename, self.options.busy_timeout,
                                         isolation_level=None, check_same_thread=False)
            connection.executescript(SCHEMA)
            self._connection = connection
        return self._connection

    def _close(self):
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _get(self, connection, now, key):
        found = connection.execute("SELECT value FROM entries WHERE key = ? AND deadline > ?",
                                   (key, now)).fetchone()
        return found[0] if found else None

    def _put(self, connection, now, key, value, ttl):
        connection.execute("DELETE FROM entries WHERE key = ?", (key,))
        if 0 < self.limits.max_octets < len(key) + len(value):
            self._heard("refusal", "size_bytes")
            return
        connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (key, value, now + ttl))
        self._evict(connection, "ttl", "deadline <= ?", now)
        for column, most, why in (("octets", self.limits.max_octets, "size_bytes"),
                                  ("objects", self.limits.max_objects, "size_objects")):
            over = f"(SELECT {column} FROM used) > ?"
            while most and self._evict(
                    connection, why, f"{over} AND rowid = (SELECT min(rowid) FROM entries)", most):
                pass

    def _evict(self, connection, why, where, *arguments):
        count = connection.execute(f"DELETE FROM entries WHERE {where}", arguments).rowcount
        for _ in range(count):
            self._heard("eviction", why)
        return count

    def _replace(self, connection, now, key, value, ttl, expected):
        if self._get(connection, now, key) != expected:
            return False
        self._put(connection, now, key, value, ttl)
        return True

    def _delete(self, connection, now, keys):
        return sum(connection.execute("DELETE FROM entries WHERE key = ? RETURNING deadline > ?",
                                      (key, now)).fetchone() == (1,) for key in keys)

    def _keys(self, connection, now, prefix):
        # No octet of UTF-8 is 0xFF.
        found = connection.execute(
            "SELECT key FROM entries WHERE key >= ? AND key < ? AND deadline > ?",
            (prefix, prefix + b"\xff", now))
        return [key.decode() for key, in found]


@implementer(IStoreType)
@frozen
class Sqlite:
    """The kind of store."""

    name = "sqlite"
    options = Options

    def store(self, name, options, limits, runtime):
        """See L{IStoreType.store}."""
        return SqliteStore(options, limits, runtime)


sqlite = Sqlite()
