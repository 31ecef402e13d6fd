"""Where a cache keeps its stored responses: variants of a key, in any kind of store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.key_locks import KeyLocks
from trickster.errors import StoreError
from trickster.http.freshness import FreshnessRules
from trickster.identity import AUTHORIZATION
from trickster.interfaces import ICacheStore, IReferenceStore
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
from trickster.objects.codec import Entry, Unreadable, Variants, from_octets, to_octets
from trickster.objects.requests import Found
from trickster.objects.stored_response import StoredResponse

# Responses that vary by ever new fields would otherwise cost ever more look-ups.
_MOST_FIELD_SETS = 4
# What keeps requests from waiting for one another before anything is known of the answer.
_SLOTTED = frozenset((WHO, AUTHORIZATION))
# What is not known to matter for anything but an error.
_UNSLOTTED = frozenset((ALL_FIELDS,))


@define
class VariantStore:
    """
    Finds and keeps the variants of stored responses.  A store that fails looks empty.

    In a store that takes its time, one change of a key is made after the other, so that none
    loses what another one has stored.  Finding waits for none of them.

    :ivar identity: request fields that always select, beside those in C{Vary}.
    :ivar locks: of the keys that are being changed; the same for all that use a store's keys.
    """

    _store: ICacheStore
    _clock: IReactorTime
    _rules: FreshnessRules
    identity: Identity
    locks: KeyLocks = field(factory=KeyLocks)
    _references: IReferenceStore | None = field(init=False)
    _telling: frozenset[bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._telling = self.identity.names | {AUTHORIZATION}
        is_reference = IReferenceStore.providedBy(self._store)
        self._references = self._store if is_reference else None  # type: ignore[assignment]

    async def find(self, key: str, request: Headers) -> Found:
        """
        :param key: as from L{trickster.keys.cache_key.key_of}.
        """
        entry = await self._load(key)
        if isinstance(entry, Variants):
            return await self._variant(key, entry, request)
        slot = key
        if request.has_any(self._telling):
            slot = self._slot(key, _SLOTTED, request)
        if entry is None or self._matches(entry, request):
            return Found(entry, slot)
        return Found(None, slot, others=True)

    async def _variant(self, key: str, variants: Variants, request: Headers) -> Found:
        found: list[StoredResponse] = []
        for names in variants.fields:
            selecting = selecting_values(names, request, identity=self.identity)
            for one in filter(None, (selecting, best_language(selecting, request))):
                entry = await self._load(_variant_key(key, variants, one))
                if isinstance(entry, StoredResponse) and self._matches(entry, request):
                    found.append(entry)
        newest = max(found, key=_made, default=None)
        every = frozenset(name for names in variants.fields for name in names)
        return Found(newest, self._slot(key, every - _UNSLOTTED | _SLOTTED, request), others=True)

    def _matches(self, stored: StoredResponse, request: Headers) -> bool:
        return matches(stored.selecting, request, stored.headers, self.identity)

    def _slot(self, key: str, names: frozenset[bytes], request: Headers) -> str:
        values = selecting_values(names, request, identity=self.identity)
        if all(value is None for _, value in values):
            return key
        return key + "." + _digest(values)

    async def keep(self, key: str, stored: StoredResponse, ttl: float) -> None:
        """
        :param stored: replaces one that is selected by the same fields and values.
        :param ttl: seconds that it is of any use.
        """
        if ttl > 0:
            await self._alone(key, lambda: self._keep(key, stored, ttl))

    async def _alone(self, key: str, change: Callable[[], Awaitable[None]]) -> None:
        if self._references is not None:
            await change()  # nothing comes in between: such a store does not wait
        else:
            await self.locks.alone(key, change)

    async def _keep(self, key: str, stored: StoredResponse, ttl: float) -> None:
        entry = await self._load(key)
        if entry is None or (isinstance(entry, StoredResponse)
                             and entry.selecting == stored.selecting):
            await self._save(key, stored, ttl)
            return
        variants = await self._with_fields(key, entry, _names(stored.selecting), ttl)
        await self._save(_variant_key(key, variants, stored.selecting), stored, ttl)

    async def _with_fields(self, key: str, entry: Entry, names: tuple[bytes, ...],
                           ttl: float) -> Variants:
        if isinstance(entry, Variants):
            rest = tuple(one for one in entry.fields if one != names)
            variants = evolve(entry, fields=(names, *rest)[:_MOST_FIELD_SETS])
        else:
            generation = f"{int(self._clock.seconds() * 1e6):x}"
            fields = dict.fromkeys((names, _names(entry.selecting)))
            variants = Variants(generation, tuple(fields))
            # What was alone at the key goes to where its variants are.
            await self._save(_variant_key(key, variants, entry.selecting), entry, ttl)
        await self._save(key, variants, max(ttl, self._rules.max_ttl))
        return variants

    async def drop(self, key: str) -> None:
        """Forget every variant of a key, also what is just being kept."""
        await self._alone(key, lambda: self._delete(key))

    async def drop_one(self, key: str, stored: StoredResponse) -> None:
        """Forget one variant of a key."""
        await self._alone(key, lambda: self._drop_one(key, stored))

    async def _drop_one(self, key: str, stored: StoredResponse) -> None:
        entry = await self._load(key)
        if isinstance(entry, Variants):
            await self._delete(_variant_key(key, entry, stored.selecting))
        elif entry is not None and entry.selecting == stored.selecting:
            await self._delete(key)

    async def _delete(self, key: str) -> None:
        try:
            await self._store.delete((key,))
        except StoreError:
            return

    async def _load(self, key: str) -> Entry | None:
        try:
            if self._references is not None:
                kept = self._references.get_object(key)
                return kept if isinstance(kept, StoredResponse | Variants) else None
            octets = await self._store.get(key)
            return None if octets is None else from_octets(octets, self._rules)
        except (StoreError, Unreadable):
            return None

    async def _save(self, key: str, entry: Entry, ttl: float) -> None:
        try:
            if self._references is None:
                await self._store.put(key, to_octets(entry), ttl)
            else:
                nbytes = entry.nbytes if isinstance(entry, StoredResponse) else 1024
                self._references.put_object(key, entry, nbytes, ttl)
        except StoreError:
            return


def _names(selecting: Selecting) -> tuple[bytes, ...]:
    return tuple(name for name, _ in selecting)


def _variant_key(key: str, variants: Variants, selecting: Selecting) -> str:
    return f"{key}.{variants.generation}.{_digest(selecting)}"


def _digest(selecting: Selecting) -> str:
    return digest(piece for pair in selecting for piece in pair)


def _made(stored: StoredResponse) -> float:
    return stored.received - stored.initial_age
