"""Entries of the delta cache in a store of any kind."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from trickster.purging.purges import Purges
from trickster.ranges.kept.entries import Entries, RangeFormat
from trickster.ranges.offloading import Offload
from trickster.stores.typed_store import TypedStore
from trickster.timeseries.wire import Codec


def entries_in(store: Any, codec: Codec, ttl: float, offload: Offload | None = None,
               purges: Purges | None = None) -> Entries:
    """:return: entries that a store keeps."""
    clock = getattr(store, "clock", None) or Clock()
    typed = TypedStore(store, RangeFormat(codec), clock, offload=offload, purges=purges)
    return Entries(typed, ttl, offload)
