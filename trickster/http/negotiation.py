"""Which content coding a client likes best (RFC 9110 section 12.5.3): pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from trickster.http.grammar import weighted

IDENTITY = b"identity"

_NAME = re.compile(rb"[^;\s]+")
_ALIASES = MappingProxyType({b"x-gzip": b"gzip"})  # RFC 9110 section 8.4.1.3
# No client knows more codings than that; a longer list is an attempt to keep us busy.
_MOST_MEMBERS = 64
_MOST_REMEMBERED_OCTETS = 256


def weights(value: bytes) -> Mapping[bytes, int]:
    """
    Read C{Accept-Encoding}.

    What is malformed is no consent: the coding that such a member seems to speak of counts
    as refused.  Where a coding occurs more than once, the lowest weight counts.

    :return: weights in thousandths, by coding in lower case.
    """
    found: dict[bytes, int] = {}
    for member in value.split(b",", _MOST_MEMBERS)[:_MOST_MEMBERS]:
        named = _weight(member.strip(b" \t"))
        if named is not None:
            name, weight = named
            found[name] = min(weight, found.get(name, 1000))
    return found


def _weight(member: bytes) -> tuple[bytes, int] | None:
    found = weighted(member)
    if found is None:
        seeming = _NAME.match(member)
        found = None if seeming is None else (seeming[0].lower(), 0)
    return None if found is None else (_ALIASES.get(found[0], found[0]), found[1])


def chosen(value: bytes | None, offered: Sequence[bytes]) -> bytes | None:
    """
    Choose a coding for an answer that has none.

    Without the field every coding is acceptable, but those who do not ask do not expect any.
    Where nothing is acceptable, not even C{identity}, the answer stays as it is: that is
    more use than a 406, and allowed.

    :param value: of C{Accept-Encoding}, or None where there is none.
    :param offered: codings, the cheapest first; of those that a client likes equally well
        the first is taken.
    :return: one of those offered, or None to leave the answer as it is.
    """
    if not value:
        return None
    if len(value) > _MOST_REMEMBERED_OCTETS:
        return _best(value, tuple(offered))
    return _remembered(value, tuple(offered))


def _best(value: bytes, offered: tuple[bytes, ...]) -> bytes | None:
    liked = weights(value)
    rest = liked.get(b"*", 0)
    best = max(offered, key=lambda name: liked.get(name, rest), default=None)
    if best is None:
        return None
    weight = liked.get(best, rest)
    return best if weight > 0 and weight >= liked.get(IDENTITY, rest) else None


_remembered = lru_cache(maxsize=256)(_best)
