"""The form of the file that has a value: a header that is checked by itself, key, value."""

from __future__ import annotations

from hashlib import blake2b
from math import isnan
from struct import Struct

from attrs import frozen

from trickster.stores.sealed import Octets, digest_of

# Another number for every change of the form: what has another one is a miss.
_MAGIC = b"TkF1"
_DIGEST = 16
# Magic, deadline, octets of the key, octets of the value, digest of the value; then the digest of
# these and of the key; then the key and the value.
_FIELDS = Struct("<4sdII16s")
_HEADER = _FIELDS.size + _DIGEST
_PLACE = 24
_BLOCK = 4096

# Most octets of a key, as UTF-8, and of a value: what a file claims is read up to these only.
MOST_KEY = 1 << 16
MOST_VALUE = 64 << 20
# With so many octets of a file, its header and its key are known, unless the key is long.
FIRST_OCTETS = 4096


@frozen
class Place:
    """
    Where the value of a key is.

    :ivar digest: of the key; it tells a key from all others.
    """

    digest: bytes

    @classmethod
    def of(cls, key: str) -> Place:
        """:return: of a key, which may be any text."""
        return cls(blake2b(octets_of(key), digest_size=_PLACE).digest())

    @property
    def shard(self) -> int:
        """:return: the number of the directory, from 0 to 255."""
        return self.digest[0]

    @property
    def name(self) -> str:
        """:return: of the file in it: letters of one case and digits."""
        return self.digest[1:].hex()


@frozen
class Header:
    """
    What a file says of its value.

    :ivar deadline: the date, in seconds since the epoch, from which it is no more.
    :ivar start: where the value begins in the file.
    :ivar length: octets of the value.
    :ivar digest: of the value.
    """

    key: str
    deadline: float
    start: int
    length: int
    digest: bytes

    def is_of(self, value: Octets) -> bool:
        """:return: whether a value is the one that was written with this header."""
        return len(value) == self.length and digest_of(value) == self.digest


def octets_of(key: str) -> bytes:
    """:return: a key as octets, lone surrogates included."""
    return key.encode("utf-8", "surrogatepass")


def header(key: str, value: Octets, deadline: float) -> bytes:
    """
    :param value: what follows the header in the file.
    :param deadline: as in L{Header}.
    :return: the octets before the value.
    """
    octets = octets_of(key)
    fields = _FIELDS.pack(_MAGIC, deadline, len(octets), len(value), digest_of(value))
    return fields + digest_of(fields + octets) + octets


def needed(octets: bytes) -> int:
    """
    :param octets: with which a file begins.
    :return: of how many octets at the beginning its header can be read; 0 where that is none.
    """
    if len(octets) < _HEADER or octets[:len(_MAGIC)] != _MAGIC:
        return 0
    length: int = _FIELDS.unpack_from(octets)[2]
    return _HEADER + length if length <= MOST_KEY else 0


def read_header(octets: bytes, size: int) -> Header | None:
    """
    :param octets: with which a file begins, as many as L{needed} says or more.
    :param size: of the whole file.
    :return: None where these are not the octets of a header, or not of one of a file so large.
    """
    start = needed(octets)
    if not start or len(octets) < start:
        return None
    _, deadline, _, length, digest = _FIELDS.unpack_from(octets)
    mark, key = octets[_FIELDS.size:_HEADER], octets[_HEADER:start]
    if digest_of(octets[:_FIELDS.size] + key) != mark or isnan(deadline):
        return None
    if start + length != size or length > MOST_VALUE:
        return None
    try:
        text = key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return Header(text, deadline, start, length, digest)


def octets_on_disk(size: int) -> int:
    """:return: what a file of so many octets takes, in whole blocks of 4 KiB."""
    return max(1, -(-size // _BLOCK)) * _BLOCK


def date_of(head: bytes, now: float) -> int:
    """
    The date that a file is given as that of its last change: the second is true, and the rest
    tells its content from others.  So a file that has the number and the size of another one,
    which was replaced, is not taken for it, however coarse the clock of the file system is.

    :param head: as made by L{header}.
    :param now: in seconds since the epoch.
    :return: nanoseconds since the epoch.
    """
    return int(now) * 10**9 + int.from_bytes(head[_FIELDS.size:_HEADER]) % 10**9
