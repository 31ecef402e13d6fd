"""What is put into stores of octets: sealed, so that nothing else is taken for it, and in chunks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Annotated

import msgspec
from attrs import Factory, field, frozen

from trickster.stores.packing import Octets, Packer, unpacked

# Another number for every change of the form: what has another one is a miss.
_MAGIC = b"TkS3"
_DIGEST = 16
# Octets at the beginning of a value that tell it from all others.
STAMP = len(_MAGIC) + _DIGEST
# Most octets of a chunk.
CHUNK = 1 << 20
# Most octets of an entry, or of its first part, that are in the value itself: a hit gets that
# much from the store although it has the entry, and a refresh writes it anew.
INLINE = 1 << 16
# A chunk that an entry still needs is put again where it would be gone before the entry; since
# it is kept for twice the time, that is at most once in the life of each entry.
LONGER = 2.0

# Those of one entry, where they are as large as they may be: a gibibyte, lest what a store
# claims be more than memory takes.
MOST_CHUNKS = 1024
# Those of one entry, where they are small: a gibibyte in chunks of 4 KiB.
MOST_SMALL_CHUNKS = 1 << 18

# Octets of a value before it is compressed: more than the list of so many chunks takes.
_MOST_VALUE = 16 << 20

_CHUNK_KEY = re.compile(r"~[0-9a-f]{32}\Z")
_CHUNK_SUFFIX = 1 + 2 * _DIGEST
_Length = Annotated[int, msgspec.Meta(ge=0, le=CHUNK)]
_Digest = Annotated[bytes, msgspec.Meta(min_length=_DIGEST, max_length=_DIGEST)]

_reader = msgspec.msgpack.Decoder(list[bytes | list[tuple[_Digest, _Length, float]]])
_writer = msgspec.msgpack.Encoder()


@frozen(slots=True)
class Chunk:
    """
    A piece of an entry that has a key of its own.

    :ivar digest: of its octets, before they are compressed; part of the key, so that another
        content is another chunk.
    :ivar length: of these octets.
    :ivar until: seconds of the clock at which the store forgets it.
    """

    digest: bytes
    length: int
    until: float


Content = tuple[bytes, ...]
Placed = tuple[bytes | tuple[Chunk, ...], ...]


@frozen
class Value:
    """
    What is under the key of an entry.

    :ivar parts: of the entry: the octets of one, or the chunks that they are in.
    """

    parts: Placed
    chunks: tuple[Chunk, ...] = field(init=False, default=Factory(
        lambda self: _chunks_of(self.parts), takes_self=True))

    @property
    def is_too_large(self) -> bool:
        """:return: whether an entry is not kept in so many, or so large, chunks."""
        return (len(self.chunks) > MOST_SMALL_CHUNKS
                or sum(chunk.length for chunk in self.chunks) > MOST_CHUNKS * CHUNK)

    def encoded(self) -> bytes:
        """:return: what is put under the key of the entry; L{unsealed} reads it."""
        body = Packer().packed(_writer.encode([
            part if isinstance(part, bytes) else [(c.digest, c.length, c.until) for c in part]
            for part in self.parts]))
        return _MAGIC + digest_of(body) + body

    @property
    def chunked(self) -> tuple[tuple[Chunk, ...], ...]:
        """:return: the chunks of each part that is in chunks."""
        return tuple(part for part in self.parts if not isinstance(part, bytes))

    def needed(self, known: Collection[Content]) -> tuple[Chunk, ...]:
        """
        :param known: the contents of parts.
        :return: the chunks of those parts whose content is another one.
        """
        return _chunks_of(tuple(part for part in self.parts if not _is_known(part, known)))

    def joined(self, pieces: Iterable[bytes | None], known: Collection[Content] = ()
               ) -> list[bytes | None] | None:
        """
        :param pieces: what is in each of the chunks that are needed, in their order.
        :param known: as for L{needed}.
        :return: the octets of each part, or None for one that is known; None where a chunk is
            missing or damaged.
        """
        given, parts = iter(pieces), list[bytes | None]()
        for part in self.parts:
            if isinstance(part, bytes):
                parts.append(part)
                continue
            if _is_known(part, known):
                parts.append(None)
                continue
            found = [piece for chunk, piece in zip(part, given, strict=False)
                     if piece is not None and digest_of(piece) == chunk.digest]
            if len(found) < len(part):
                return None
            parts.append(b"".join(found) if len(found) != 1 else found[0])
        return parts


@frozen
class Sealed:
    """
    An entry that is ready to be put.

    :ivar parts: the octets of one, as they are in the value; or digest and octets of each of
        the chunks that they are cut into; or chunks that they are in already.
    """

    parts: tuple[bytes | tuple[tuple[bytes, Octets] | Chunk, ...], ...]

    @property
    def held(self) -> Iterator[Chunk]:
        """:return: the chunks that parts are in already."""
        return (piece for part in self.parts if not isinstance(part, bytes)
                for piece in part if isinstance(piece, Chunk))

    def placed(self, held: Iterable[Chunk], now: float, ttl: float) -> Value:
        """
        :param held: chunks that are in the store.
        :param now: seconds of the clock.
        :param ttl: seconds for which the entry is kept.
        :return: this entry in chunks that are held, where they are kept for long enough, and
            in new ones.
        """
        lasting = {chunk.digest: chunk for chunk in held if chunk.until >= now + ttl}
        return Value(tuple(
            part if isinstance(part, bytes) else tuple(
                piece if isinstance(piece, Chunk) else lasting.get(piece[0])
                or Chunk(piece[0], len(piece[1]), now + LONGER * ttl) for piece in part)
            for part in self.parts))

    def pieces(self) -> Iterator[Octets]:
        """
        :return: the octets of each chunk, in the order of the chunks of L{placed}; of one that
            a part is in already, none.
        """
        for part in self.parts:
            if not isinstance(part, bytes):
                for piece in part:
                    yield b"" if isinstance(piece, Chunk) else piece[1]


def digest_of(octets: bytes | memoryview) -> bytes:
    """:return: what tells octets from all others, damaged and forged ones among them."""
    return blake2b(octets, digest_size=_DIGEST).digest()


def chunk_key(key: str, chunk: Chunk) -> str:
    """:return: where a chunk is; it begins as the key does, so that a purge finds both."""
    return f"{key}~{chunk.digest.hex()}"


def is_chunk_key(key: str) -> bool:
    """:return: whether there is a chunk under a key, and not an entry."""
    return _CHUNK_KEY.search(key) is not None


def entry_key(key: str) -> str:
    """
    :return: of a chunk, the key of the entry that it is of; of an entry, its own.  A store that
        makes room does so for both at once: one without the other is of no use.
    """
    return key[:-_CHUNK_SUFFIX] if is_chunk_key(key) else key


def seal(parts: Sequence[Octets | tuple[Chunk, ...]], most: int = CHUNK, whole: int = 0) -> Sealed:
    """
    Make ready to be put what an entry is made of.

    :param parts: its octets, or for any but the first the chunks that they are in already.  What changes at each refresh belongs into the first, which is in
        the value itself while it is small; each of the others is in chunks of its own, so that
        a part that is as it was is not written again.
    :param most: octets of a chunk of any other part.
    :param whole: most parts of an entry that is in the value itself while it is small; 0 for
        any number.
    """
    made = [part for part in parts if not isinstance(part, tuple)]
    if (len(made) == len(parts) and sum(map(len, made)) <= INLINE
            and not 0 < whole < len(made) and all(len(part) <= most for part in made[1:])):
        return Sealed(tuple(map(bytes, made)))
    head = made[0]
    return Sealed((bytes(head) if len(head) <= INLINE else _cut(head, CHUNK),
                   *(part if isinstance(part, tuple) else _cut(part, min(most, CHUNK))
                     for part in parts[1:])))


def stamp_of(octets: bytes) -> bytes:
    """:return: what tells a value from all others that were under its key."""
    return octets[:STAMP]


def unsealed(octets: bytes | None) -> Value:
    """
    :param octets: what a store gave.
    :return: what was put there.
    :raises ValueError: it is nothing that this version has put, or damaged.
    """
    if octets is None or octets[:len(_MAGIC)] != _MAGIC:
        raise ValueError("no value of this version")
    body = memoryview(octets)[STAMP:]
    if digest_of(body) != octets[len(_MAGIC):STAMP]:
        raise ValueError("a damaged value")
    plain = unpacked(body, _MOST_VALUE)
    if plain is None:
        raise ValueError("more than is put, or in another form")
    value = Value(tuple(
        part if isinstance(part, bytes) else tuple(Chunk(*chunk) for chunk in part)
        for part in _reader.decode(plain)))
    if value.is_too_large:
        raise ValueError("more than is put")
    return value


def _cut(part: Octets, most: int) -> tuple[tuple[bytes, Octets], ...]:
    view = memoryview(part)
    pieces = (view[start:start + most] for start in range(0, len(view), most))
    return tuple((digest_of(piece), piece) for piece in pieces)


def content_of(part: Iterable[Chunk]) -> Content:
    """:return: what tells the octets of a part from those of others."""
    return tuple(chunk.digest for chunk in part)


def _is_known(part: bytes | tuple[Chunk, ...], known: Collection[Content]) -> bool:
    return not isinstance(part, bytes) and bool(part) and content_of(part) in known


def _chunks_of(parts: Placed) -> tuple[Chunk, ...]:
    return tuple(chunk for part in parts if not isinstance(part, bytes) for chunk in part)
