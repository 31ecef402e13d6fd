"""Stored responses as octets, for stores that keep nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import evolve, frozen

from trickster.http.freshness import FreshnessRules, policy_of
from trickster.http.grammar import is_field_name
from trickster.http.partial_content import Part
from trickster.keys.selecting import Selecting
from trickster.messages import Headers
from trickster.objects.stored_response import StoredResponse
from trickster.purging.label import NO_LABEL, Label
from trickster.purging.table import Judgement, Verdict
from trickster.stores.inspection.described import Described

# Change the number with the form: entries of another version are misses.
_MAGIC = b"TROBJ\x05"
_VARIANTS_SIZE = 1024
_UNSAFE = re.compile(r"[\r\n\0]")


class Unreadable(ValueError):
    """A store gave octets that this module did not make."""


@frozen
class Variants:
    """
    Says that the responses of a key are kept apart, by request fields.

    :ivar generation: part of the variants' keys, so that forgetting this forgets them all.
    :ivar fields: the sets of field names to try, the newest first.
    """

    generation: str
    fields: tuple[tuple[bytes, ...], ...]
    # Only the variants themselves are ever purged.
    mark: ClassVar[None] = None


Entry = StoredResponse | Variants


@frozen
class ResponseFormat:
    """
    The form of stored responses (L{trickster.stores.typed_store.EntryFormat}).

    :ivar rules: the policy of a stored response is made anew from its fields and these.
    """

    rules: FreshnessRules
    kinds: tuple[type, ...] = (StoredResponse, Variants)

    def parts(self, entry: Entry) -> list[bytes]:
        """
        :return: the octets from which L{entry} makes an equal entry.  The body is a part of
            its own, which a validation leaves as it is.
        """
        return to_parts(entry)

    def parts_since(self, entry: Entry, old: Entry, head: bytes) -> list[bytes | int]:
        """
        :param old: another entry, most often the one that this is made of.
        :param head: not looked at.
        :return: the same, with the number of the body's part where that is the same object.
        """
        if isinstance(entry, Variants) or isinstance(old, Variants) or entry.parts is not old.parts:
            return [*to_parts(entry)]
        return [_head(entry), 1]

    def entry(self, parts: Sequence[bytes]) -> Entry | None:
        """:return: the entry; None where the octets are not what L{parts} makes."""
        try:
            return from_parts(parts, self.rules)
        except Unreadable:
            return None

    def refreshed(self, old: Entry, parts: Sequence[bytes | None]) -> Entry | None:
        """
        :param parts: as for L{entry}, with None for each that C{old} has, too.
        :return: the entry, with the body of the old one where that is the same.
        """
        if isinstance(old, Variants):
            return None
        body = [octets for part in old.parts for octets in part.buffers]
        return self.entry([b"".join(body) if part is None else part for part in parts])

    def surviving(self, entry: Entry, judgement: Judgement, now: float) -> Entry | None:
        """
        :param now: seconds of the clock that ages are counted by.
        :return: what a purge leaves of an entry: the same, a stale one, or none.
        """
        if judgement.verdict is Verdict.GONE or judgement.spans:
            return None  # of what time an answer is, nothing tells
        if judgement.verdict is Verdict.STALE and isinstance(entry, StoredResponse):
            return entry.staled(now)
        return entry

    def described(self, entry: object, now: float) -> Described | None:
        """
        :param now: seconds of the clock that ages are counted by.
        :return: what there is to say of an entry; None of anything else.
        """
        if isinstance(entry, Variants):
            return Described(NO_LABEL, 0, _VARIANTS_SIZE, generation=entry.generation)
        if not isinstance(entry, StoredResponse):
            return None
        age = entry.age(now)
        return Described(entry.label, entry.mark, entry.nbytes, age,
                         max(0.0, entry.policy.lifetime - age))

    def described_head(self, octets: bytes, now: float) -> Described | None:
        """
        :param octets: the first of L{parts}.
        :param now: as for L{described}.
        :return: what there is to say of the entry, whose size is not known; None where the octets
            are not what L{parts} makes.
        """
        try:
            return _described(_meta_of(octets), now)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            return None

    def left(self, described: Described, judgement: Judgement) -> Described | None:
        """:return: what purges leave of what was described; None where that is nothing."""
        if judgement.verdict is Verdict.GONE or judgement.spans:
            return None
        return evolve(described, ttl=0.0) if judgement.verdict is Verdict.STALE else described

    def size(self, entry: Entry) -> int:
        """:return: octets of memory that an entry takes."""
        return entry.nbytes if isinstance(entry, StoredResponse) else _VARIANTS_SIZE


def to_parts(entry: Entry) -> list[bytes]:
    """
    :return: head and body, of which L{from_parts} makes an equal entry.  Nothing in them tells
        that they are whole: the seal of the store does (L{trickster.stores.sealed}).
    """
    if isinstance(entry, Variants):
        fields = [[_text(name) for name in names] for names in entry.fields]
        return [_described_as({"generation": entry.generation, "fields": fields}), b""]
    return [_head(entry), b"".join(b for part in entry.parts for b in part.buffers)]


def _head(entry: StoredResponse) -> bytes:
    return _described_as({
        "status": entry.status,
        "phrase": _text(entry.phrase),
        "headers": [[_text(name), _text(value)] for name, value in entry.headers],
        "selecting": [[_text(n), None if v is None else _text(v)] for n, v in entry.selecting],
        "parts": [[part.start, part.length] for part in entry.parts],
        "length": entry.length,
        "initial_age": entry.initial_age,
        "received": entry.received,
        "label": _label_stored(entry.label),
        "mark": entry.mark,
        "token": entry.token,
        "fresh": [entry.policy.lifetime, entry.policy.forced],
    })


def from_parts(parts: Sequence[bytes], rules: FreshnessRules) -> Entry:
    """
    :param parts: as L{to_parts} gives them.
    :param rules: the policy of a stored response is made anew from its fields and these.
    :raises Unreadable: they are of another version or form.
    """
    try:
        meta, body = _unpacked(parts)
        if "generation" in meta:
            return _variants(meta)
        return _stored_response(meta, body, rules)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def as_octets(entry: Entry) -> bytes:
    """:return: the octets from which L{from_octets} makes an equal entry."""
    head, body = to_parts(entry)
    return len(head).to_bytes(4, "big") + head + body


def from_octets(octets: bytes, rules: FreshnessRules) -> Entry:
    """
    :param octets: as L{as_octets} gives them.
    :raises Unreadable: as L{from_parts}.
    """
    end = 4 + int.from_bytes(octets[:4], "big")
    return from_parts((octets[4:end], octets[end:]), rules)


def _described_as(meta: dict[str, Any]) -> bytes:
    return _MAGIC + json.dumps(meta, separators=(",", ":")).encode("ascii")


def _unpacked(parts: Sequence[bytes]) -> tuple[dict[str, Any], bytes]:
    described, body = parts
    return _meta_of(described), body


def _meta_of(described: bytes) -> dict[str, Any]:
    if not described.startswith(_MAGIC):
        raise ValueError("not an entry of this version")
    return dict(json.loads(described[len(_MAGIC):]))


def _described(meta: dict[str, Any], now: float) -> Described:
    if "generation" in meta:
        return Described(NO_LABEL, 0, generation=_variants(meta).generation)
    lifetime, is_forced = meta["fresh"]
    age = max(0.0, now - float(meta["received"]))
    if not is_forced:
        age += float(meta["initial_age"])
    return Described(_label_read(meta["label"]), int(meta["mark"]), age=age,
                     ttl=max(0.0, float(lifetime) - age))


def _variants(meta: dict[str, Any]) -> Variants:
    generation, fields = meta["generation"], meta["fields"]
    if not isinstance(generation, str) or not generation.isalnum():
        raise ValueError("a generation of another form")
    return Variants(generation, tuple(tuple(_selector(n) for n in names) for names in fields))


def _stored_response(meta: dict[str, Any], body: bytes, rules: FreshnessRules
                     ) -> StoredResponse:
    headers = Headers(tuple((_name(n), _octets(v)) for n, v in meta["headers"]))
    status, received = int(meta["status"]), float(meta["received"])
    if not 200 <= status <= 999:
        raise ValueError("a status that is none")
    length = meta["length"]
    return StoredResponse(
        status=status,
        headers=headers,
        parts=_parts(meta["parts"], body),
        length=None if length is None else int(length),
        policy=policy_of(status, headers, received, rules),
        initial_age=float(meta["initial_age"]),
        received=received,
        selecting=_selecting(meta["selecting"]),
        phrase=_octets(meta["phrase"]),
        label=_label_read(meta["label"]),
        mark=int(meta["mark"]),
        token=int(meta["token"]),
    )


def _label_stored(label: Label) -> list[Any]:
    return [label.backend, label.key, label.group, _text(label.path), _text(label.target),
            [_text(tag) for tag in label.tags], label.query]


def _label_read(stored: list[Any]) -> Label:
    backend, key, group, path, target, tags, query = stored
    return Label(str(backend), str(key), str(group), path.encode("latin-1"), target.encode("latin-1"),
                 tuple(tag.encode("latin-1") for tag in tags),
                 None if query is None else str(query))


def _selecting(pairs: list[list[Any]]) -> Selecting:
    return tuple((_selector(n), None if v is None else _octets(v)) for n, v in pairs)


def _parts(extents: list[list[int]], body: bytes) -> tuple[Part, ...]:
    parts = []
    at, after = 0, 0
    for start, length in extents:
        if start < after or length < 1 or at + length > len(body):
            raise ValueError("parts out of order")
        parts.append(Part(start, (body[at:at + length],)))
        at, after = at + length, start + length
    if at != len(body):
        raise ValueError("octets left over")
    return tuple(parts)


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


def _octets(text: str) -> bytes:
    if _UNSAFE.search(text):
        raise ValueError("a field value that would end its line")
    return text.encode("latin-1")


def _name(text: str) -> bytes:
    if not is_field_name(text):
        raise ValueError("a field name that is none")
    return text.encode("ascii")


def _selector(text: str) -> bytes:
    if not is_field_name(text.removeprefix(":")):
        raise ValueError("neither a field name nor one of our own")
    return text.encode("ascii")
