"""What the management API tells of caches, by several workers, as one answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def merged_listing(documents: Sequence[Document], missing: int = 0) -> Document:
    """
    Merge what workers list of one cache, each of which has looked into the store that all have.

    The pages of an answer may end at different places, as one worker may have had no more time.
    The one that ends first is taken as it is: where it ends all have been, so that no entry is
    left out, or told twice, by one who goes on after it.

    :param documents: of those that have answered, the first one first; at least one.
    :param missing: how many have not.
    :return: the listing, in which hits are those of all workers: of one that does not list an
        entry, none.  They are None, not known, where a worker does not know them, does not
        answer, or says that its store does not work.  Where no worker has a listing without
        an error, it is the first answer.
    """
    listings = [each for each in documents if "entries" in each and "error" not in each]
    if not listings:
        return documents[0]
    first = min(listings, key=_end)
    counted = [*map(_hits, listings)]
    is_known = not missing and len(listings) == len(documents)
    return {**first, "entries": [
        {**entry, "hits": _added([hits[entry["key"]] for hits in counted] if is_known else [None])}
        for entry in first["entries"]]}


def merged_caches(documents: Sequence[Document], missing: int = 0) -> Document:
    """
    Merge what workers tell of all caches.

    :param documents: of those that have answered, the first one first; at least one.
    :param missing: how many have not; what they would say is not known.
    :return: the caches of the first one: up where they are so for all, and as full as the worker
        knows that knows of most.
    """
    lists = [each["caches"] for each in documents if "caches" in each]
    if not lists:
        return documents[0]
    told: defaultdict[str, list[Document]] = defaultdict(list)
    for cache in (cache for caches in lists for cache in caches):
        told[cache["name"]].append(cache)
    return {"caches": [_cache(told[cache["name"]]) for cache in lists[0]]}


def _end(listing: Document) -> tuple[bool, str]:
    """:return: what sorts listings by the key in the store up to which they go."""
    more = listing.get("more")
    return more is None, more or ""


def _hits(listing: Document) -> defaultdict[str, int | None]:
    """:return: hits by key, which all variants of an entry have together."""
    return defaultdict(int, {entry["key"]: entry["hits"] for entry in listing["entries"]})


def _added(hits: Sequence[int | None]) -> int | None:
    known = [each for each in hits if each is not None]
    return sum(known) if len(known) == len(hits) else None


def _cache(told: Sequence[Document]) -> Document:
    most = {key: max((each[key] for each in told if each[key] is not None), default=None)
            for key in ("objects", "bytes")}
    return {**told[0], "up": all(each["up"] for each in told), **most}
