"""Where a cache keeps its stored responses: variants of a key, in any kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.leases.board import is_fenced
from trickster.http.freshness import FreshnessRules
from trickster.identity import AUTHORIZATION
from trickster.keys.cache_key import digest
from trickster.keys.identity import Identity
from trickster.keys.selecting import (
    ALL_FIELDS,
    WHO,
    Selecting,
    best_language,
    matches,
    selecting_values,
)
from trickster.messages import Headers
from trickster.objects.codec import Entry, Variants
from trickster.objects.requests import Found
from trickster.objects.stored_response import StoredResponse
from trickster.stores.typed_store import UNCHANGED, Kept, TypedStore, Unchanged

# Responses that vary by ever new fields would otherwise cost ever more look-ups.
_MOST_FIELD_SETS = 4
# What keeps requests from waiting for one another before anything is known of the answer.
_SLOTTED = frozenset((WHO, AUTHORIZATION))
# What is not known to matter for anything but an error.
_UNSLOTTED = frozenset((ALL_FIELDS,))


@define
class VariantStore:
    """
    Finds and keeps the variants of stored responses.

    What is at a key is the one response that there is, or says by which fields there are
    several, each of which has a key of its own.  Finding waits for no change.

    :ivar _entries: keeps both; a store that fails looks empty.
    :ivar identity: request fields that always select, beside those in C{Vary}.
    """

    _entries: TypedStore[Entry]
    _clock: IReactorTime
    _rules: FreshnessRules
    identity: Identity
    _telling: frozenset[bytes] = field(init=False)
    _count: Iterator[int] = field(factory=count, init=False)

    def __attrs_post_init__(self) -> None:
        self._telling = self.identity.names | {AUTHORIZATION}

    async def find(self, key: str, request: Headers) -> Found:
        """
        :param key: as from L{trickster.keys.cache_key.key_of}.
        :param request: the fields that select among the variants (RFC 9111 section 4.1).
        :return: the newest response that matches, if any.
        """
        entries = self._entries
        mark = await entries.mark()
        since = f"{key}@{mark}" if mark else key
        entry = entries.peek(key) if entries.is_by_reference else await entries.get(key)
        if isinstance(entry, Variants):
            return await self._variant(key, entry, request, Found(None, since, True, mark))
        slot = since
        if request.has_any(self._telling):
            slot = self._slot(since, _SLOTTED, request)
        if entry is None or self._matches(entry, request):
            return Found(entry, slot, mark=mark)
        return Found(None, slot, others=True, mark=mark)

    async def _variant(self, key: str, variants: Variants, request: Headers, none: Found) -> Found:
        """
        :param none: what was found where none of the variants matches; its slot is that of all.
        """
        found: list[StoredResponse] = []
        for names in variants.fields:
            selecting = selecting_values(names, request, identity=self.identity)
            for one in filter(None, (selecting, best_language(selecting, request))):
                entry = await self._entries.get(_variant_key(key, variants, one))
                if isinstance(entry, StoredResponse) and self._matches(entry, request):
                    found.append(entry)
        newest = max(found, key=_made, default=None)
        every = frozenset(name for names in variants.fields for name in names)
        slot = self._slot(none.slot, every - _UNSLOTTED | _SLOTTED, request)
        return Found(newest, slot, True, none.mark)

    def _matches(self, stored: StoredResponse, request: Headers) -> bool:
        return matches(stored.selecting, request, stored.headers, self.identity)

    def _slot(self, since: str, names: frozenset[bytes], request: Headers) -> str:
        """
        :param since: the key, with the number of the newest purge: a fetch that began before that
            is in another slot.
        """
        values = selecting_values(names, request, identity=self.identity)
        if all(value is None for _, value in values):
            return since
        return since + "." + _digest(values)

    async def keep(self, key: str, stored: StoredResponse, ttl: float) -> bool:
        """
        :param stored: replaces one that is selected by the same fields and values; it is not
            kept where it was purged on its way, nor where that one was fetched under a newer
            lease.
        :param ttl: seconds that it is of any use.
        :return: whether it is kept, as far as the store says.
        """
        if not ttl > 0 or self._entries.surviving(stored) is not stored:
            return False
        moved: dict[str, StoredResponse] = {}

        def added(entry: Entry | None) -> Kept[Entry] | Unchanged:
            moved.clear()
            if entry is None or (isinstance(entry, StoredResponse)
                                 and entry.selecting == stored.selecting):
                return _succeeding(stored, entry, ttl)
            variants = self._with_fields(entry, stored)
            for one in (entry, stored):
                if isinstance(one, StoredResponse):
                    # Also what was alone at the key goes to where its variants are.
                    moved[_variant_key(key, variants, one.selecting)] = one
            return Kept(variants, max(ttl, self._rules.max_ttl))

        is_kept = await self._entries.change(key, added)
        for variant, response in moved.items() if is_kept else ():
            succeeding = partial(_succeeding, response, ttl=ttl)
            is_put = await self._entries.change(variant, succeeding)
            is_kept = is_kept and (is_put or response is not stored)
        return is_kept

    def _with_fields(self, entry: Entry, stored: StoredResponse) -> Variants:
        names = _names(stored.selecting)
        if isinstance(entry, Variants):
            rest = tuple(one for one in entry.fields if one != names)
            return evolve(entry, fields=(names, *rest)[:_MOST_FIELD_SETS])
        # Another one each time, also within a microsecond: or what was forgotten came back.
        generation = f"{int(self._clock.seconds() * 1e6):x}g{next(self._count):x}"
        return Variants(generation, tuple(dict.fromkeys((names, _names(entry.selecting)))))

    async def drop(self, key: str) -> None:
        """
        Forget every variant of a key, also what is just being kept.

        :param key: as in L{find}.  The variants themselves go with time: without what stands
            under this key, none of them is found any more.
        """
        await self._entries.delete((key,))

    async def purge(self, prefix: str) -> int:
        """
        Forget all keys that begin so.

        :return: how many entries there were, those that tell of variants among them.
        """
        return await self._entries.purge(prefix)

    async def drop_one(self, key: str, stored: StoredResponse, token: int = 0) -> None:
        """
        Forget one variant of a key.

        :param stored: what is stored now with the selecting fields and values of this one is
            forgotten, be it this one or newer.
        :param token: of the lease under which it was found to be of no use; 0 for none.  What was
            fetched under a newer one stays.
        """
        variant = ""

        def forgotten(entry: Entry | None) -> Unchanged | None:
            return UNCHANGED if _is_newer(entry, token) else None

        def without(entry: Entry | None) -> Unchanged | None:
            nonlocal variant
            variant = ""
            if isinstance(entry, Variants):
                variant = _variant_key(key, entry, stored.selecting)
            elif entry is not None and entry.selecting == stored.selecting:
                return forgotten(entry)
            return UNCHANGED

        await self._entries.change(key, without)
        if variant and token:
            await self._entries.change(variant, forgotten)
        elif variant:
            await self._entries.delete((variant,))


def _succeeding(stored: StoredResponse, entry: Entry | None, ttl: float
                ) -> Kept[Entry] | Unchanged:
    """:return: what is kept where one response may take the place of another."""
    if not isinstance(entry, StoredResponse):
        return Kept(stored, ttl)
    if is_fenced(stored.token, entry.token):
        return UNCHANGED
    if stored.token < entry.token:
        stored = evolve(stored, token=entry.token)
    return Kept(stored, ttl)


def _is_newer(entry: Entry | None, token: int) -> bool:
    return isinstance(entry, StoredResponse) and is_fenced(token, entry.token)


def _names(selecting: Selecting) -> tuple[bytes, ...]:
    return tuple(name for name, _ in selecting)


def _variant_key(key: str, variants: Variants, selecting: Selecting) -> str:
    return f"{key}.{variants.generation}.{_digest(selecting)}"


def _digest(selecting: Selecting) -> str:
    return digest(piece for pair in selecting for piece in pair)


def _made(stored: StoredResponse) -> tuple[int, float]:
    """:return: the second in which it was made, as its date and age tell, and when it came."""
    return round(stored.received - stored.initial_age), stored.received
