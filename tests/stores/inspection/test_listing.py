"""Tests of L{trickster.stores.inspection.listing}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.keys.lease_key import lease_key
from trickster.purging.label import Label
from trickster.purging.purges import TABLE_KEY, Purges
from trickster.purging.table import Judgement, Verdict
from trickster.stores.guard import guarded
from trickster.stores.inspection.described import Described
from trickster.stores.inspection.listing import Listing, StoreListing, Wanted
from trickster.stores.memory import MemoryStore
from trickster.stores.packing import Packer
from trickster.stores.sealed import CHUNK, chunk_key, seal, unsealed
from trickster.testing.doubles import DictStore, at_once


@define
class KeyFormat:
    """Entries are octets that begin with the key of their label."""

    mark: int

    def described(self, entry: object, now: float) -> Described | None:
        """See L{trickster.stores.inspection.listing.Describing}."""
        return None

    def described_head(self, octets: bytes, now: float) -> Described | None:
        """See L{trickster.stores.inspection.listing.Describing}."""
        key = octets.strip(b".").decode()
        return Described(Label(key.partition(".")[0], key, key, b"/" + key.encode()), self.mark)

    def left(self, described: Described, judgement: Judgement) -> Described | None:
        """See L{trickster.stores.inspection.listing.Describing}."""
        return described if judgement.verdict is Verdict.SPARED else None


@define(eq=False)
class SlowlyNaming(DictStore):
    """
    Takes its time to name keys.

    :ivar takes: seconds.
    """

    takes: float = 0.0

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        self.clock.advance(self.takes)
        return await super().keys(prefix)


class ListingTests(SynchronousTestCase):
    """What is in a store is listed by and by."""

    def setUp(self) -> None:
        """Have an empty store."""
        self.clock = Clock()
        self.store = SlowlyNaming(self.clock)
        guard = guarded(self.store, "c", self.clock)
        purges = Purges(guard, self.clock, self.clock.seconds)
        at_once(purges.refreshed())
        self.listing = StoreListing(guard, purges, [KeyFormat(purges.mark)], self.clock)

    def put(self, key: str, *parts: bytes) -> None:
        """Put an entry, as L{trickster.stores.octet_entries} does."""
        sealed = seal(parts or (key.encode(),))
        value = sealed.placed((), 0.0, 60.0)
        for chunk, octets in zip(value.chunks, sealed.pieces(), strict=True):
            at_once(self.store.put(chunk_key(key, chunk), Packer().packed(octets), 60.0))
        at_once(self.store.put(key, value.encoded(), 60.0))

    def listed(self, turns: int = 0, **wanted: Any) -> Listing:
        """:return: what is listed, after so many turns of the reactor."""
        found: Deferred[Listing] = Deferred.fromCoroutine(
            self.listing.listed(Wanted(**{"limit": 1000, **wanted})))
        for _ in range(turns):
            self.assertNoResult(found)
            self.clock.advance(0)
        return self.successResultOf(found)

    def keys(self, listing: Listing) -> list[str]:
        """:return: of what is listed."""
        return [each.described.label.key for each in listing.entries]

    def test_chunks(self) -> None:
        """The head of an entry tells all, also in chunks; the size is that of all octets."""
        self.put("small")
        self.put("parts", b"parts", b"x" * (3 * CHUNK))
        self.put("head", b"head".ljust(CHUNK + 5, b"."), b"x" * 70_000)
        listing = self.listed()
        self.assertEqual(self.keys(listing), ["head", "parts", "small"])
        sizes = [each.described.size for each in listing.entries]
        self.assertEqual(sizes, [CHUNK + 70_005, 3 * CHUNK + 5, 5])

    def test_foreign(self) -> None:
        """What is damaged, or none of ours, or lacks a piece of its head, is not listed."""
        self.put("good")
        self.put("torn", b"torn".ljust(CHUNK + 5, b"."))
        [chunk, _] = unsealed(at_once(self.store.get("torn"))).chunks
        at_once(self.store.put(chunk_key("torn", chunk), b"x", 60.0))
        at_once(self.store.put("foreign", b"x", 60.0))
        self.assertEqual([key for key in self.keys(self.listed()) if key], ["good"])

    def test_no_entries(self) -> None:
        """What tells of purges, and who fetches what, is not listed, whatever it looks like."""
        self.put("good")
        self.put(TABLE_KEY)
        self.put(lease_key("good"))
        self.assertEqual(self.keys(self.listed()), ["good"])

    def test_turns(self) -> None:
        """Others have a turn after some dozens of entries."""
        for number in range(120):
            self.put(f"{number:03}")
        self.assertEqual(len(self.listed(1).entries), 120)

    def test_many_keys(self) -> None:
        """So they have while many keys are put in order."""
        for number in range(5000):
            self.store.entries[f"{number * 7919 % 5000:04}"] = b"", 60.0
        self.put("9999")
        found = Deferred.fromCoroutine(self.listing.listed(Wanted(5, after="9998")))
        self.assertNoResult(found)
        self.clock.pump([0.0] * 2)
        self.assertEqual(self.keys(self.successResultOf(found)), ["9999"])

    def test_slow_keys(self) -> None:
        """However long a store takes to name its keys, each answer goes on from the one before."""
        for key in ("a", "b", "c"):
            self.put(key)
        self.store.takes = 2.5
        found, after = list[str](), ""
        for _ in range(3):
            listing = self.listed(after=after)
            found += self.keys(listing)
            if listing.more is None:
                break
            self.assertGreater(listing.more, after)
            after = listing.more
        self.assertEqual(found, ["a", "b", "c"])

    def test_patience(self) -> None:
        """Where looking takes long, what was found is given, with where to go on."""
        for number in range(200):
            self.put(f"a{number:03}")
        found = Deferred.fromCoroutine(self.listing.listed(Wanted(1000)))
        self.clock.advance(3)
        listing = self.successResultOf(found)
        self.assertTrue(0 < len(listing.entries) < 200)
        self.assertEqual(listing.more, self.keys(listing)[-1])

    def test_limit(self) -> None:
        """As many are listed as are wanted; there is nothing more after the last."""
        for key in "abcd":
            self.put(key)
        first = self.listed(limit=3)
        self.assertEqual((self.keys(first), first.more), (["a", "b", "c"], "c"))
        last = self.listed(limit=1, after="c")
        self.assertEqual((self.keys(last), last.more), (["d"], None))

    def test_no_use(self) -> None:
        """Looking at what a store in memory has is no use of it: what was used last stays."""
        store = MemoryStore(self.clock, 0, 2)
        guard = guarded(store, "c", self.clock)
        for key in "ab":
            store.put_object(key, key, 1, 60.0)
        listing = StoreListing(guard, Purges(guard, self.clock, self.clock.seconds), [], self.clock)
        store.get_object("b")
        at_once(listing.listed(Wanted(9)))
        store.put_object("c", "c", 1, 60.0)
        self.assertEqual(sorted(at_once(store.keys(""))), ["b", "c"])
