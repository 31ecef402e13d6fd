"""What is put into stores of octets: sealed, so that nothing else is taken for it, and in chunks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Annotated

import msgspec
from attrs import frozen

# Another number for every change of the form: what has another one is a miss.
_MAGIC = b"TkS1"
_DIGEST = 16
# Most octets of a value.
CHUNK = 1 << 20
# A chunk that an entry still needs is put again where it would be gone before the entry; since
# it is kept for twice the time, that is at most once in the life of each entry.
LONGER = 2.0

# Those of one entry: a gibibyte, lest what a store claims be more than memory takes.
MOST_CHUNKS = 1024

_CHUNK_KEY = re.compile(r"~[0-9a-f]{32}\Z")
_Length = Annotated[int, msgspec.Meta(ge=0, le=CHUNK)]
_Digest = Annotated[bytes, msgspec.Meta(min_length=_DIGEST, max_length=_DIGEST)]


class _Body(msgspec.Struct, array_like=True):
    inline: bytes
    chunks: Annotated[list[tuple[_Digest, _Length, float]], msgspec.Meta(max_length=MOST_CHUNKS)]


_reader = msgspec.msgpack.Decoder(_Body)
_writer = msgspec.msgpack.Encoder()


@frozen(slots=True)
class Chunk:
    """
    A piece of an entry that has a key of its own.

    :ivar digest: of its octets; part of the key, so that another content is another chunk.
    :ivar until: seconds of the clock at which the store forgets it.
    """

    digest: bytes
    length: int
    until: float


@frozen
class Value:
    """
    What is under the key of an entry.

    :ivar inline: the octets of the entry, where they are no more than a chunk.
    :ivar chunks: where the octets are instead.
    """

    inline: bytes
    chunks: tuple[Chunk, ...] = ()


@frozen
class Sealed:
    """
    An entry that is ready to be put.

    :ivar inline: as for L{Value}.
    :ivar pieces: the octets of the chunks.
    :ivar digests: of the pieces.
    """

    inline: bytes
    pieces: tuple[memoryview, ...] = ()
    digests: tuple[bytes, ...] = ()

    def placed(self, held: Iterable[Chunk], now: float, ttl: float) -> tuple[Chunk, ...]:
        """
        :param held: chunks that are in the store.
        :param now: seconds of the clock.
        :param ttl: seconds for which the entry is kept.
        :return: the chunks of this entry: those that are held, where they are kept for long
            enough, and new ones.
        """
        lasting = {chunk.digest: chunk for chunk in held if chunk.until >= now + ttl}
        return tuple(lasting.get(digest) or Chunk(digest, len(piece), now + LONGER * ttl)
                     for digest, piece in zip(self.digests, self.pieces, strict=True))

    def value(self, chunks: Iterable[Chunk]) -> bytes:
        """:return: what is put under the key of the entry."""
        body = _writer.encode(_Body(
            self.inline, [(chunk.digest, chunk.length, chunk.until) for chunk in chunks]))
        return _MAGIC + digest_of(body) + body


def digest_of(octets: bytes | memoryview) -> bytes:
    """:return: what tells octets from all others, damaged and forged ones among them."""
    return blake2b(octets, digest_size=_DIGEST).digest()


def chunk_key(key: str, chunk: Chunk) -> str:
    """:return: where a chunk is; it begins as the key does, so that a purge finds both."""
    return f"{key}~{chunk.digest.hex()}"


def is_chunk_key(key: str) -> bool:
    """:return: whether there is a chunk under a key, and not an entry."""
    return _CHUNK_KEY.search(key) is not None


def seal(octets: bytes) -> Sealed:
    """
    :param octets: of an entry.
    :return: the same, in chunks if there are many of them.
    """
    if len(octets) <= CHUNK:
        return Sealed(octets)
    view = memoryview(octets)
    pieces = tuple(view[start:start + CHUNK] for start in range(0, len(view), CHUNK))
    return Sealed(b"", pieces, tuple(map(digest_of, pieces)))


def stamp_of(octets: bytes) -> bytes:
    """:return: what tells a value from all others that were under its key."""
    return octets[:len(_MAGIC) + _DIGEST]


def unsealed(octets: bytes | None) -> Value:
    """
    :param octets: what a store gave.
    :return: what was put there.
    :raises ValueError: it is nothing that this version has put, or damaged.
    """
    if octets is None or octets[:len(_MAGIC)] != _MAGIC:
        raise ValueError("no value of this version")
    body = memoryview(octets)[len(_MAGIC) + _DIGEST:]
    if digest_of(body) != octets[len(_MAGIC):len(_MAGIC) + _DIGEST]:
        raise ValueError("a damaged value")
    read = _reader.decode(body)
    return Value(read.inline, tuple(Chunk(*chunk) for chunk in read.chunks))


def joined(pieces: Sequence[bytes | None], chunks: Sequence[Chunk]) -> bytes | None:
    """
    :param pieces: what a store gave for each of the chunks.
    :return: the octets of the entry; None where one of them is missing or damaged.
    """
    for piece, chunk in zip(pieces, chunks, strict=True):
        if piece is None or digest_of(piece) != chunk.digest:
            return None
    return b"".join(piece for piece in pieces if piece is not None)
