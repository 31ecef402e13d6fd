"""Tests of L{trickster.routing.table}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.routing.table import PathTable

PATHS = st.text("/ab", max_size=5).map(lambda rest: b"/" + rest.encode())
ENTRIES = st.dictionaries(PATHS, st.integers(0, 9), max_size=6)


def expected(exact: dict[bytes, int], prefixes: dict[bytes, int], path: bytes) -> list[int]:
    """:return: what stands at a path and at its beginnings, by trying each beginning."""
    beginnings = [path[:end] for end in range(len(path), -1, -1)]
    return ([exact[path]] if path in exact else []) + [
        prefixes[each] for each in beginnings if each in prefixes]


class PathTableTests(SynchronousTestCase):
    """Exact paths come first, then prefixes from the longest down."""

    def test_exact_before_prefix(self) -> None:
        """An exact path wins over a prefix of the same path."""
        table = PathTable.of({b"/a": "exact"}, {b"/a": "prefix"})
        self.assertEqual((table.best(b"/a"), table.best(b"/a/b")), ("exact", "prefix"))

    def test_longest_prefix(self) -> None:
        """Of several prefixes the longest wins, in whichever order they were given."""
        table = PathTable.of({}, {b"/": "root", b"/api/v1/": "v1", b"/api/": "api"})
        self.assertEqual([table.best(path) for path in (b"/api/v1/x", b"/api/x", b"/x")],
                         ["v1", "api", "root"])

    def test_nothing(self) -> None:
        """Where nothing stands at a path, nothing is found."""
        table: PathTable[str] = PathTable.of({b"/a": "exact"}, {b"/b/": "prefix"})
        self.assertEqual([table.best(path) for path in (b"/a/", b"/b", b"", b"*")], [None] * 4)

    def test_independent(self) -> None:
        """A table does not change with the mappings that it was made of."""
        exact = {b"/a": 1}
        table = PathTable.of(exact, {})
        exact[b"/b"] = 2
        self.assertIsNone(table.best(b"/b"))

    @given(ENTRIES, ENTRIES, PATHS)
    def test_model(self, exact: dict[bytes, int], prefixes: dict[bytes, int],
                   path: bytes) -> None:
        """A lookup finds what trying every beginning of the path finds, in that order."""
        table = PathTable.of(exact, prefixes)
        found = list(table.matching(path))
        self.assertEqual(found, expected(exact, prefixes, path))
        self.assertEqual(table.best(path), found[0] if found else None)
