"""Parameters that do not count for a key, in all ways in which origins may read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote_to_bytes

Pairs = Sequence[tuple[str, str]]
Counts = Callable[[str], bool]

# Some origins split at a semicolon too, end a text at a NUL, decode before they split, or
# decode twice: only what has one reading is left out of a key.
_NAME = re.compile(r"[0-9A-Za-z_-]{1,256}")
_RAW_VALUE = re.compile(
    rb"(?:[0-9A-Za-z_.~!$'()*+,:@/=-]|%(?!2[356]|3[bBfF]|7[fF])[2-9A-Fa-f][0-9A-Fa-f])*")
_VALUE = re.compile(r"[^&;%#?\x00-\x1f\x7f]*")
_OTHER = re.compile(r"[^0-9a-z]+")
# With these, some origins take a request for one with another method.
_OVERRIDING = frozenset(("method", "httpmethod", "xhttpmethod", "xhttpmethodoverride",
                         "xmethodoverride", "methodoverride"))
_MOST = 1000


def alike(name: str) -> str:
    """
    :return: what is equal for names that some origin may take for the same: beside case and
        punctuation, some cut a name at a NUL or a bracket, and strip spaces.
    """
    plain = _OTHER.sub("", name.partition("\0")[0].partition("[")[0].casefold())
    return plain or name


def counted_pieces(query: bytes, counts: Counts, known: Iterable[str]) -> bytes:
    """
    :param query: as it came.
    :param counts: whether a parameter of that name is to be part of a key.
    :param known: names that the configuration has.
    :return: those pieces that count; the whole query where another could be read as one.
    """
    pieces = query.split(b"&")
    if len(pieces) > _MOST:
        return query
    named = [(piece, _name(piece)) for piece in pieces if piece]
    taken = _taken([name for _, name in named], counts, known)
    for piece, name in named:
        if not counts(name) and not _is_plain(piece, taken):
            return query
    return b"&".join(piece for piece, name in named if counts(name))


def _is_plain(piece: bytes, taken: frozenset[str]) -> bool:
    name, _, value = piece.partition(b"=")
    text = name.decode("latin-1")
    return (_NAME.fullmatch(text) is not None and alike(text) not in taken
            and _RAW_VALUE.fullmatch(value) is not None)


def counted_pairs(pairs: Pairs, counts: Counts, known: Iterable[str]) -> Pairs:
    """
    :param pairs: names and values, decoded.
    :param counts: as for L{counted_pieces}, like C{known}.
    :return: those that count; all of them where another could be read as one.
    """
    rest = [pair for pair in pairs if not counts(pair[0])]
    if not rest:
        return pairs
    taken = _taken([name for name, _ in pairs], counts, known)
    if not all(_NAME.fullmatch(name) and alike(name) not in taken and _VALUE.fullmatch(value)
               for name, value in rest):
        return pairs
    return [pair for pair in pairs if counts(pair[0])]


def _taken(names: Iterable[str], counts: Counts, known: Iterable[str]) -> frozenset[str]:
    """:return: what no name may be like that does not count."""
    return _OVERRIDING.union(map(alike, known), (alike(name) for name in names if counts(name)))


def _name(piece: bytes) -> str:
    name = piece.partition(b"=")[0].replace(b"+", b" ")
    return unquote_to_bytes(name).decode("utf-8", "surrogateescape")
