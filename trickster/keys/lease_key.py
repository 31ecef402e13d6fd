"""Where a store has what tells who fetches an entry."""

from __future__ import annotations

_SUFFIX = "~lease"


def lease_key(slot: str) -> str:
    """
    :param slot: what is fetched: the key of the entry, or what begins so.
    :return: where it is said who fetches that; no entry has such a key.
    """
    return slot + _SUFFIX


def is_lease_key(key: str) -> bool:
    """:return: whether there is a lease under a key, and not an entry."""
    return key.endswith(_SUFFIX)
