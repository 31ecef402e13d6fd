"""Tests of C{trickster.workers.listings}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.workers.listings import merged_caches, merged_listing

_KEYS = st.lists(st.sampled_from("abcdefgh"), unique=True).map(sorted)


def _entry(key: str, hits: int | None = 0, **more: Any) -> dict[str, Any]:
    return {"key": key, "backend": "b", "url": f"/{key}", "size": 5, "hits": hits, **more}


def _listing(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"entries": list(entries), **more}


def _page(keys: list[str], after: str, limit: int) -> dict[str, Any]:
    """:return: what a worker lists that finds these keys."""
    left = [key for key in keys if key > after]
    more = {} if len(left) <= limit else {"more": left[limit - 1] if limit else after}
    return _listing(*(_entry(key) for key in left[:limit]), **more)


class ListingTests(SynchronousTestCase):
    """The entries of a cache, as several workers list them."""

    def hits(self, merged: Any) -> dict[str, int | None]:
        """:return: hits by key."""
        return {entry["key"]: entry["hits"] for entry in merged["entries"]}

    def test_hits(self) -> None:
        """Hits are added up; all else is what the first worker says."""
        merged = merged_listing([_listing(_entry("a", 2, age=1.0), _entry("b", 3)),
                                 _listing(_entry("a", 5, age=2.0), _entry("b", 0))])
        self.assertEqual(merged, _listing(_entry("a", 7, age=1.0), _entry("b", 3)))

    def test_one(self) -> None:
        """The listing of one worker is as it is."""
        listing = _listing(_entry("a", 2), _entry("b", None), more="b")
        self.assertEqual(merged_listing([listing]), listing)

    def test_input_unchanged(self) -> None:
        """What workers have told stays as it is."""
        told = [_listing(_entry("a", 2)), _listing(_entry("a", 3))]
        before = json.dumps(told)
        merged_listing(told)
        self.assertEqual(json.dumps(told), before)

    def test_not_listed(self) -> None:
        """A worker that does not list an entry where it has been has not given it."""
        merged = merged_listing([_listing(_entry("a", 2), _entry("c", 1)),
                                 _listing(_entry("c", 5))])
        self.assertEqual(self.hits(merged), {"a": 2, "c": 6})

    def test_not_known(self) -> None:
        """Hits that one worker does not know are not known."""
        merged = merged_listing([_listing(_entry("a", 2), _entry("b", 1)),
                                 _listing(_entry("a", None), _entry("b", 1))])
        self.assertEqual(self.hits(merged), {"a": None, "b": 2})

    def test_missing(self) -> None:
        """Where a worker has not answered, the hits of all are not known."""
        listing = _listing(_entry("a", 2))
        self.assertEqual(self.hits(merged_listing([listing, listing], 1)), {"a": None})

    def test_failing(self) -> None:
        """A worker whose store does not work has nothing to say, unless all have that."""
        failing = _listing(_entry("b", 9), error="the store of cache c does not work", where="")
        merged = merged_listing([failing, _listing(_entry("a", 2))])
        self.assertEqual(merged, _listing(_entry("a", None)))
        self.assertEqual(merged_listing([failing, failing]), failing)

    def test_errors(self) -> None:
        """Where there is no listing, the first answer is the answer."""
        errors = [{"error": "there is no cache 'x'", "where": ""}, {"error": "other", "where": ""}]
        self.assertEqual(merged_listing(errors), errors[0])

    def test_variants(self) -> None:
        """The variants of an entry have their hits together, as with one worker."""
        merged = merged_listing([_listing(_entry("a", 2, size=1), _entry("a", 2, size=2)),
                                 _listing(_entry("a", 3, size=1), _entry("a", 3, size=2))])
        self.assertEqual(merged, _listing(_entry("a", 5, size=1), _entry("a", 5, size=2)))

    def test_shortest(self) -> None:
        """The page that ends first is the page: beyond, not all have been."""
        merged = merged_listing([_listing(_entry("a", 1), _entry("b", 1), more="b"),
                                 _listing(_entry("a", 2), more="a"),
                                 _listing(_entry("a", 4), _entry("b", 4), _entry("c", 4))])
        self.assertEqual(merged, _listing(_entry("a", 7), more="a"))

    @given(_KEYS, st.lists(_KEYS, min_size=3, max_size=3), st.data())
    def test_paging(self, always: list[str], others: list[list[str]], data: st.DataObject) -> None:
        """
        By going on where each page ends, what all workers find is listed once, in order, however
        much each of them looks at.
        """
        found = [sorted({*always, *keys}) for keys in others]
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            limits = data.draw(st.lists(st.integers(1, 4), min_size=3, max_size=3))
            merged = merged_listing([_page(keys, after, limit)
                                     for keys, limit in zip(found, limits, strict=True)])
            seen += self.hits(merged)
            after = merged.get("more")
        self.assertEqual(seen, sorted(set(seen)))
        self.assertLessEqual(set(always), set(seen))


class CachesTests(SynchronousTestCase):
    """The caches, as several workers tell of them."""

    def cache(self, name: str, objects: int | None, up: bool = True) -> dict[str, Any]:
        """:return: what is told of one."""
        return {"name": name, "provider": "lmdb", "backends": ["b"], "up": up, "max_bytes": 9,
                "objects": objects, "bytes": None if objects is None else objects * 100}

    def test_merged(self) -> None:
        """A cache works where it does for all, and is as full as is known."""
        merged = merged_caches([
            {"caches": [self.cache("a", 1), self.cache("b", None), self.cache("c", None)]},
            {"caches": [self.cache("a", 3), self.cache("b", 2, False), self.cache("c", None)]}])
        self.assertEqual(merged, {"caches": [
            self.cache("a", 3), self.cache("b", 2, False), self.cache("c", None)]})

    def test_errors(self) -> None:
        """Where no worker tells of caches, the first answer is the answer."""
        self.assertEqual(merged_caches([{"error": "x"}, {"error": "y"}]), {"error": "x"})
