"""Stored responses as octets, for stores that keep nothing else."""

from __future__ import annotations

import json
import re
import struct
import zlib
from typing import Any

from attrs import frozen

from trickster.http.freshness import FreshnessRules, policy_of
from trickster.http.grammar import is_field_name
from trickster.http.partial_content import Part
from trickster.keys.selecting import Selecting
from trickster.messages import Headers
from trickster.objects.stored_response import StoredResponse

# Change the number with the form: entries of another version are misses.
_MAGIC = b"TROBJ\x02"
_HEAD = struct.Struct(">6sII")
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


Entry = StoredResponse | Variants


@frozen
class ResponseFormat:
    """
    The form of stored responses (L{trickster.stores.typed_store.EntryFormat}).

    :ivar rules: the policy of a stored response is made anew from its fields and these.
    """

    rules: FreshnessRules
    kinds: tuple[type, ...] = (StoredResponse, Variants)

    def octets(self, entry: Entry) -> bytes:
        """:return: the octets from which L{entry} makes an equal entry."""
        return to_octets(entry)

    def entry(self, octets: bytes) -> Entry | None:
        """:return: the entry; None where the octets are not what L{octets} makes."""
        try:
            return from_octets(octets, self.rules)
        except Unreadable:
            return None

    def size(self, entry: Entry) -> int:
        """:return: octets of memory that an entry takes."""
        return entry.nbytes if isinstance(entry, StoredResponse) else _VARIANTS_SIZE


def to_octets(entry: Entry) -> bytes:
    """:return: the octets from which L{from_octets} makes an equal entry."""
    if isinstance(entry, Variants):
        fields = [[_text(name) for name in names] for names in entry.fields]
        return _packed({"generation": entry.generation, "fields": fields}, ())
    meta = {
        "status": entry.status,
        "phrase": _text(entry.phrase),
        "headers": [[_text(name), _text(value)] for name, value in entry.headers],
        "selecting": [[_text(n), None if v is None else _text(v)] for n, v in entry.selecting],
        "parts": [[part.start, part.length] for part in entry.parts],
        "length": entry.length,
        "initial_age": entry.initial_age,
        "received": entry.received,
    }
    return _packed(meta, tuple(b for part in entry.parts for b in part.buffers))


def from_octets(octets: bytes, rules: FreshnessRules) -> Entry:
    """
    :param rules: the policy of a stored response is made anew from its fields and these.
    :raises Unreadable: they are cut short, of another version, damaged or forged.
    """
    try:
        meta, body = _unpacked(octets)
        if "generation" in meta:
            return _variants(meta)
        return _stored_response(meta, body, rules)
    except (KeyError, TypeError, ValueError, struct.error, RecursionError) as error:
        raise Unreadable(str(error)) from error


def _packed(meta: dict[str, Any], body: tuple[bytes, ...]) -> bytes:
    described = json.dumps(meta, separators=(",", ":")).encode("ascii")
    check = zlib.crc32(described)
    for buffer in body:
        check = zlib.crc32(buffer, check)
    return b"".join((_HEAD.pack(_MAGIC, check, len(described)), described, *body))


def _unpacked(octets: bytes) -> tuple[dict[str, Any], memoryview]:
    magic, check, size = _HEAD.unpack_from(octets)
    content = memoryview(octets)[_HEAD.size:]
    if magic != _MAGIC or zlib.crc32(content) != check or size > len(content):
        raise ValueError("not an entry, or a damaged one")
    meta = json.loads(bytes(content[:size]))
    return dict(meta), content[size:]


def _variants(meta: dict[str, Any]) -> Variants:
    generation, fields = meta["generation"], meta["fields"]
    if not isinstance(generation, str) or not generation.isalnum():
        raise ValueError("a generation of another form")
    return Variants(generation, tuple(tuple(_selector(n) for n in names) for names in fields))


def _stored_response(meta: dict[str, Any], body: memoryview, rules: FreshnessRules
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
    )


def _selecting(pairs: list[list[Any]]) -> Selecting:
    return tuple((_selector(n), None if v is None else _octets(v)) for n, v in pairs)


def _parts(extents: list[list[int]], body: memoryview) -> tuple[Part, ...]:
    parts = []
    at, after = 0, 0
    for start, length in extents:
        if start < after or length < 1 or at + length > len(body):
            raise ValueError("parts out of order")
        parts.append(Part(start, (bytes(body[at:at + length]),)))
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
