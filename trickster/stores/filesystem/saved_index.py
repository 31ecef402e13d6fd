"""The form in which the index is saved, for the next process."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import msgspec

from trickster.stores.filesystem.index import Known
from trickster.stores.filesystem.value_file import MOST_VALUE
from trickster.stores.sealed import digest_of

_MAGIC = b"TkI1"
_DIGEST = 16
# Of a million entries or more; a larger file is not read.
MOST_OCTETS = 256 << 20

_reader = msgspec.msgpack.Decoder(tuple[float, list[tuple[bytes, float, int, int, int]]])
_writer = msgspec.msgpack.Encoder()


def encoded(values: Sequence[Known], now: float) -> bytes:
    """
    :param values: all that is known, the least recently used first.
    :param now: the date, in seconds since the epoch.
    :return: the octets of the file.
    """
    body = _writer.encode((now, [
        (key.encode("utf-8", "surrogatepass"), deadline, *stamp)
        for key, deadline, stamp in values]))
    return _MAGIC + digest_of(body) + body


def decoded(octets: bytes, now: float, oldest: float) -> Sequence[Known] | None:
    """
    :param octets: of a file; they need not be an index.
    :param oldest: seconds after which what was saved is not used.
    :return: what was saved; None where that is nothing of this version, damaged or too old.
    """
    start = len(_MAGIC) + _DIGEST
    body = memoryview(octets)[start:]
    if octets[:start] != _MAGIC + digest_of(body):
        return None
    try:
        date, values = _reader.decode(body)
        known = [(key.decode("utf-8", "surrogatepass"), deadline, (inode, date_ns, size))
                 for key, deadline, inode, date_ns, size in values]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # A date to come is one of a clock that was set back since.
    if not 0 <= now - date <= oldest or not all(map(_is_possible, known)):
        return None
    return known


def _is_possible(known: Known) -> bool:
    _, deadline, (_, _, size) = known
    return not isnan(deadline) and 0 <= size <= 2 * MOST_VALUE
