"""How what is kept stands in the tables: names, records and pieces, as octets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct
from struct import error as StructError
from zlib import crc32

from attrs import frozen

from trickster.stores.sealed import entry_key

# Another number for every change of the layout: a file of another one is begun anew.
VERSION = b"1"

# Octets of a value, or of what a record has in it, that take one page of 4 KiB with its header
# of 16, and no second one.  Pages of one value that have to lie side by side would not be found
# in a file that has been in use for long, however much of it is free.
PIECE = 4080
# Octets of a value that a record has where the value is in pieces: what a peek asks for.
START = 256

# Names of records have at most 511 octets in LMDB.
_MOST_TEXT = 440
_END, _CUT = b"\xff", b"\xfe"  # neither is in UTF-8
_DIGEST = 16
_CHUNK = re.compile(r"~[0-9a-f]{0,32}\Z")
_MAGIC = b"TkL1"
# Magic, checksum, number, deadline, octets of the value, checksum of all pieces, octets of the key.
_HEAD = Struct(">4sIQdQII")
# The same without what a peek has no use for.
_BEGIN = Struct(">4s12xdQ")
_SEALED = 8  # octets of the head that its checksum does not cover: the magic, and itself
_PIECE_NAME = Struct(">QI")
_PAGE = 4096
# What an entry takes in the tables beside its names and its octets, and how full their pages are.
_ROWS, _PIECE_ROW, _FILLED = 160, 32, 0.7


class DamagedError(Exception):
    """The file says what was never written to it."""


@frozen(slots=True)
class Name:
    """
    What a key is called in the tables.

    :ivar record: the key, in the order of keys; of a long one its beginning and a digest.
    :ivar entry: the same for the entry of which it is a chunk, or for itself: C{record} begins
        with it, so that an entry and its chunks stand side by side.
    :ivar rest: the octets of a key that C{record} does not have whole; empty where it does.
    """

    record: bytes
    entry: bytes
    rest: bytes = b""

    @classmethod
    def of(cls, key: str) -> Name:
        """:return: the name of any text."""
        owner = entry_key(key)
        octets = _octets(owner)
        rest = b""
        if len(octets) <= _MOST_TEXT:
            entry = octets + _END
        else:
            rest = _octets(key)
            entry = octets[:_MOST_TEXT] + _CUT + _digest(octets) + _END
        if owner == key:
            return cls(entry, entry, rest)
        return cls(entry + bytes.fromhex(key[len(owner) + 1:]), entry, rest)


@frozen(slots=True)
class Record:
    """
    What is known of a value without its pieces.

    :ivar number: of its pieces and its deadline; no other record ever had it.
    :ivar deadline: seconds since the epoch.
    :ivar length: octets of the value.
    :ivar checksum: of all that is in pieces.
    :ivar rest: octets of the key that are kept behind the value.
    :ivar inline: value and key, or only how they begin.
    """

    number: int
    deadline: float
    length: int
    checksum: int
    rest: int
    inline: bytes

    @classmethod
    def read(cls, name: bytes, octets: bytes) -> Record:
        """
        :param name: under which the octets stand.
        :raises DamagedError: they are no record of this layout, or damaged.
        """
        try:
            magic, checksum, number, deadline, length, whole, rest = _HEAD.unpack_from(octets)
        except StructError as error:
            raise DamagedError("a record is cut off") from error
        if magic != _MAGIC or crc32(octets[_SEALED:], crc32(name)) != checksum:
            raise DamagedError("a record is damaged")
        return cls(number, deadline, length, whole, rest, octets[_HEAD.size:])

    @property
    def pieces(self) -> int:
        """:return: how many pieces there are; 0 where all is in the record."""
        total = self.length + self.rest
        return 0 if len(self.inline) == total else -(-total // PIECE)

    def piece_names(self) -> Iterator[bytes]:
        """:return: the names of the pieces, in their order."""
        for index in range(self.pieces):
            yield _PIECE_NAME.pack(self.number, index)

    def whole(self, pieces: list[bytes]) -> bytes | None:
        """
        :param pieces: all of them, in their order.
        :return: the value and the rest of its key; None where a piece is damaged.
        """
        if not self.pieces:
            return self.inline
        octets = b"".join(pieces)
        is_whole = len(octets) == self.length + self.rest and crc32(octets) == self.checksum
        return octets if is_whole else None


@frozen(slots=True)
class Written:
    """
    A value as it is put into the tables.

    :ivar record: octets that stand under the name.
    :ivar pieces: names and octets.
    """

    record: bytes
    pieces: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, name: Name, value: bytes, deadline: float, number: int) -> Written:
        """
        :param deadline: seconds since the epoch.
        :param number: that no other record has.
        """
        octets = value + name.rest
        inline, checksum = octets, 0
        pieces: tuple[tuple[bytes, bytes], ...] = ()
        if _HEAD.size + len(octets) > PIECE:
            inline, checksum = value[:START], crc32(octets)
            pieces = tuple((_PIECE_NAME.pack(number, index), octets[start:start + PIECE])
                           for index, start in enumerate(range(0, len(octets), PIECE)))
        head = _HEAD.pack(_MAGIC, 0, number, deadline, len(value), checksum, len(name.rest))
        sealed = head[_SEALED:] + inline
        return cls(_MAGIC + crc32(sealed, crc32(name.record)).to_bytes(4, "big") + sealed, pieces)


def peeked(octets: memoryview, now: float, length: int) -> bytes | None:
    """
    :param octets: of a record.
    :param now: seconds since the epoch.
    :return: how its value begins; None where it is over, or no record, or has less of it.
    """
    if len(octets) < _HEAD.size:
        return None
    magic, deadline, size = _BEGIN.unpack_from(octets)
    if magic != _MAGIC or deadline <= now:
        return None
    length = min(length, size)
    # Where the value is in pieces, less of it may be here.
    start = bytes(octets[_HEAD.size:_HEAD.size + length])
    return start if len(start) == length else None


def taken(name: bytes, octets: int) -> int:
    """
    :param name: of a record.
    :param octets: of its value and the rest of its key.
    :return: about how many octets of the file it takes, in all tables.
    """
    names = 4 * len(name) + _ROWS
    if _HEAD.size + octets <= PIECE:
        return int((names + _HEAD.size + octets) / _FILLED)
    pieces = -(-octets // PIECE)
    return pieces * _PAGE + int((names + START + _PIECE_ROW * pieces) / _FILLED)


def entry_of(name: bytes) -> bytes:
    """
    :param name: of a record.
    :return: the name of the entry of which it is a chunk, or its own.
    :raises DamagedError: it is not the name of a record.
    """
    if name[_MOST_TEXT:_MOST_TEXT + 1] == _CUT:
        return name[:_MOST_TEXT + _DIGEST + 2]
    end = name.find(_END) + 1
    if not end:
        raise DamagedError("a name without an end")
    return name[:end]


def scan_start(prefix: str) -> bytes:
    """:return: with what the name of every key begins that begins with a prefix."""
    # What looks like the beginning of a chunk's suffix is no text in the names of chunks.
    return _octets(_CHUNK.sub("", prefix))[:_MOST_TEXT]


def key_of(name: bytes, rest: bytes) -> str:
    """
    :param name: of a record.
    :param rest: octets of a long key, or none.
    :return: the key.
    :raises DamagedError: it is not the name of one.
    """
    try:
        if rest:
            return rest.decode("utf-8", "surrogatepass")
        text, _, chunk = name.partition(_END)
        key = text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise DamagedError("a name is no text") from error
    return f"{key}~{chunk.hex()}" if chunk else key


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _digest(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=_DIGEST).digest()
