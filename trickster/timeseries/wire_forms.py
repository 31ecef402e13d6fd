"""The parts of a dataset in a store, as structures."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from trickster.timeseries.row_format import RowFormat

VERSION = b"TkD5"  # another number for every change of the form
Pairs = tuple[tuple[bytes, bytes], ...]


class Text(msgspec.Struct, array_like=True, tag="t", gc=False):
    """Rows in the form of their origin."""

    format: Annotated[int, msgspec.Meta(ge=0)]  # its place in the list of formats
    octets: memoryview  # what is read is not copied before it is put together


class Indexed(msgspec.Struct, array_like=True, tag="i", gc=False):
    """Rows of any form, with their instants."""

    separator: bytes
    rows: list[tuple[int, bytes]]


Piece = Text | Indexed


class Format(msgspec.Struct, array_like=True):
    """A L{RowFormat}."""

    separator: bytes
    after: bytes
    opening: bytes
    closing: bytes
    delimiter: bytes
    column: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    unit_ns: Annotated[int, msgspec.Meta(gt=0)]


class Head(msgspec.Struct, array_like=True):
    """The first part."""

    version: Annotated[bytes, msgspec.Meta(min_length=4, max_length=4)]
    step_ns: Annotated[int, msgspec.Meta(gt=0)]
    spans: list[tuple[int, int]]
    kind: Any
    headers: list[tuple[bytes, bytes]]
    beside: bytes
    formats: list[Format]
    groups: Annotated[int, msgspec.Meta(ge=0)]  # of identities; the other parts are windows
    identities: bytes  # what tells all of them, in their order, from others
    windows: list[tuple[int, int]]  # where each begins, and where the next may


class Window(msgspec.Struct, array_like=True):
    """The rows of all series in a window of time."""

    start_ns: int
    end_ns: int
    pieces: list[tuple[bytes, list[Piece]]]  # by digest of identity


head_reader = msgspec.msgpack.Decoder(Head)
group_reader = msgspec.msgpack.Decoder(list[bytes])
window_reader = msgspec.msgpack.Decoder(Window)
writer = msgspec.msgpack.Encoder()


def head_of(part: bytes) -> Head:
    """
    :param part: the first of those of a dataset.
    :raises ValueError: it is of another version, or none.
    """
    try:
        head = head_reader.decode(part)
    except RecursionError as error:
        raise ValueError("deeper than any") from error
    if head.version != VERSION:
        raise ValueError("another version")
    return head


def digest_of(identity: bytes) -> bytes:
    """:return: what stands for the identity of a series in windows."""
    return blake2b(identity, digest_size=16).digest()


def digest_of_all(digests: Iterable[bytes]) -> bytes:
    """
    :param digests: of identities, in their order.
    :return: what stands for all of them.
    """
    digest = blake2b(digest_size=16)
    for one in digests:
        digest.update(one)
    return digest.digest()


def format_stored(rows: RowFormat) -> Format:
    """:return: the structure of a format."""
    return Format(rows.separator, rows.after, rows.opening, rows.closing, rows.delimiter,
                  rows.column, rows.unit_ns)


def format_read(rows: Format) -> RowFormat:
    """:return: the format of a structure; the same object for equal ones."""
    return _row_format(rows.separator, rows.after, rows.opening, rows.closing, rows.delimiter,
                       rows.column, rows.unit_ns)


# Shared by datasets: each remembers how rows begin, which may be more than a small one has.
_row_format = lru_cache(maxsize=64)(RowFormat)
