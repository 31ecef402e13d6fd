"""Which request fields select a stored response, and when they match (RFC 9111 section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable

from trickster.caching.identifying import Identity
from trickster.caching.keys import digest
from trickster.http.grammar import split_list, weighted
from trickster.messages import NO_HEADERS, Headers

# No fields, as no field's name has a colon: who asks, and the request's fields altogether.
WHO = b":identity"
ALL_FIELDS = b":fields"
NOBODY = Identity()

Selecting = tuple[tuple[bytes, bytes | None], ...]

_ACCEPT_LANGUAGE = b"accept-language"
# Fields whose members' order means nothing beside their weights.
_WEIGHTED = (_ACCEPT_LANGUAGE, b"accept-encoding", b"accept-charset")


def selecting_values(names: Iterable[bytes], request: Headers,
                     response: Headers = NO_HEADERS, identity: Identity = NOBODY) -> Selecting:
    """
    :param names: of fields, in lower case; L{WHO} for what C{identity} says of the request,
        L{ALL_FIELDS} for all that it has.
    :param response: the fields of the answer; one in the language that the request likes
        best is for all requests that like that best.
    :return: each name, sorted, with the request's value in a form in which values that mean
        the same are equal; None for a field that the request has not.
    """
    best = _best(request)
    is_best = best is not None and best == _language(response)
    return tuple(
        (name, best if is_best and name == _ACCEPT_LANGUAGE else _value(name, request, identity))
        for name in sorted(names))


def best_language(selecting: Selecting, request: Headers) -> Selecting | None:
    """
    :param selecting: of a request, from L{selecting_values}.
    :return: the same for the language alone that the request likes best; None where that
        is no other, or there is none.
    """
    best = _best(request)
    if best is None or (_ACCEPT_LANGUAGE, best) in selecting:
        return None
    return tuple((n, best if n == _ACCEPT_LANGUAGE else v) for n, v in selecting)


def matches(selecting: Selecting, request: Headers, response: Headers = NO_HEADERS,
            identity: Identity = NOBODY) -> bool:
    """
    :param response: the fields of the stored answer.
    :return: whether a request has equal values in all those fields.
    """
    for name, value in selecting:
        if _value(name, request, identity) != value and not (
                name == _ACCEPT_LANGUAGE and _likes(request, value, response)):
            return False
    return True


def _likes(request: Headers, value: bytes | None, response: Headers) -> bool:
    best = _best(request)
    return best is not None and best in (value, _language(response))


def _best(request: Headers) -> bytes | None:
    """The one language that a request likes best, if it likes one best."""
    if _ACCEPT_LANGUAGE not in request:
        return None
    liked = preferences(request.joined(_ACCEPT_LANGUAGE) or b"")
    if not liked or (len(liked) > 1 and liked[1][1] == liked[0][1]) or liked[0][0] == b"*":
        return None
    return _spelled((liked[0][0], 1000))


def _language(response: Headers) -> bytes | None:
    value = response.joined(b"content-language")
    return None if value is None else _spelled((value.strip().lower(), 1000))


def _value(name: bytes, request: Headers, identity: Identity) -> bytes | None:
    if name == WHO:
        return identity.of(request)
    return _digest(request) if name == ALL_FIELDS else _normalised(name, request)


def _digest(request: Headers) -> bytes:
    pairs = sorted((name.lower(), value) for name, value in request.pairs)
    return digest(piece for pair in pairs for piece in pair).encode("ascii")


def _normalised(name: bytes, request: Headers) -> bytes | None:
    if name not in request:
        return None
    value = request.joined(name) or b""
    if name in _WEIGHTED:
        return b", ".join(map(_spelled, preferences(value)))
    return b", ".join(split_list(value))


def _spelled(liked: tuple[bytes, int]) -> bytes:
    return b"%b;q=%d" % liked


def preferences(value: bytes) -> list[tuple[bytes, int]]:
    """
    :param value: of C{Accept-Language}.
    :return: language ranges in lower case with their weights in thousandths, the best first,
        those of equal weight by name (RFC 9110 section 12.5.4); a member that is malformed
        stands for itself.
    """
    found = dict([weighted(member) or (member.lower(), 1000) for member in split_list(value)])
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))
