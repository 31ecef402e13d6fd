"""Tests of L{trickster.cacheclient.tables}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.cacheclient.tables import caches_table, entries_table, purged_table


class TablesTests(SynchronousTestCase):
    """What is answered, as people read it."""

    def test_caches(self) -> None:
        """Each cache has a line; what is not known is a dash."""
        self.assertEqual(caches_table({"caches": [
            {"name": "default", "provider": "memory", "up": True, "objects": 12, "bytes": 3 << 20,
             "backends": ["a", "b"]},
            {"name": "r", "provider": "redis", "up": False, "objects": None, "bytes": None,
             "backends": []}]}).splitlines(), [
                 "NAME     PROVIDER  UP   OBJECTS  SIZE   BACKENDS",
                 "default  memory    yes  12       3 MiB  a,b",
                 "r        redis     no   -        -      -"])

    def test_entries(self) -> None:
        """Each entry has a line, with the extents of time series, and how to go on is said."""
        found = entries_table({"entries": [
            {"backend": "p", "size": 1536, "age": None, "ttl": 90, "hits": 3, "key": "p.1",
             "url": "/q", "query": "up", "extents": [[0, 60_000]]},
            {"backend": "w", "size": 5, "age": 1.25, "ttl": 0, "hits": None, "key": "w.1",
             "url": "/a?b"}], "more": "w.1"}).splitlines()
        self.assertEqual([line.split() for line in found], [
            ["BACKEND", "SIZE", "AGE", "TTL", "HITS", "KEY", "URL", "HELD"],
            ["p", "1.5", "KiB", "-", "1m30s", "3", "p.1", "/q", "up",
             "1970-01-01T00:00:00Z/1970-01-01T00:01:00Z"],
            ["w", "5", "B", "1s", "0s", "-", "w.1", "/a?b", "-"],
            ["There", "is", "more:", "--after", "w.1"]])

    def test_purged(self) -> None:
        """Each cache has a line with what was purged in it."""
        self.assertEqual(purged_table({"caches": [{"name": "default", "number": 7, "rules": [
            {"kind": "path", "backend": "w", "name": "/a"}, {"kind": "all"}]}]}).splitlines(), [
                "CACHE    PURGE  WHAT", "default  7      w path /a; all"])

    def test_hostile(self) -> None:
        """What others have named moves no cursor, and no time is too far away."""
        found = entries_table({"entries": [
            {"url": "/a\x1b[2J\r\n\u2028", "key": "k\x00", "extents": [[10 ** 18, 2 * 10 ** 18]]}]})
        self.assertEqual(found.count("\n"), 2)
        self.assertNotIn("\x1b", found)
        self.assertIn("1000000000000000000/", found)
