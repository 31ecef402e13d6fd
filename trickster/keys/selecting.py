"""Which request fields select a stored response, and when they match (RFC 9111 section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable

from trickster.http.vary import ACCEPT_LANGUAGE, language_of, liked_language, normalised
from trickster.keys.cache_key import digest
from trickster.keys.identity import NO_IDENTITY, Identity
from trickster.messages import NO_HEADERS, Headers

# No fields, as no field's name has a colon: who asks, and the request's fields altogether.
WHO = b":identity"
ALL_FIELDS = b":fields"

Selecting = tuple[tuple[bytes, bytes | None], ...]


def selecting_values(names: Iterable[bytes], request: Headers,
                     response: Headers = NO_HEADERS, identity: Identity = NO_IDENTITY) -> Selecting:
    """
    :param names: of fields, in lower case; L{WHO} for what C{identity} says of the request,
        L{ALL_FIELDS} for all that it has.
    :param response: the fields of the answer; one in the language that the request likes
        best is for all requests that like that best.
    :return: each name, sorted, with the request's value in a form in which values that mean
        the same are equal; None for a field that the request has not.
    """
    best = liked_language(request)
    is_best = best is not None and best == language_of(response)
    return tuple(
        (name, best if is_best and name == ACCEPT_LANGUAGE else _value(name, request, identity))
        for name in sorted(names))


def best_language(selecting: Selecting, request: Headers) -> Selecting | None:
    """
    :param selecting: of a request, from L{selecting_values}.
    :return: the same for the language alone that the request likes best; None where that
        is no other, or there is none.
    """
    best = liked_language(request)
    if best is None or (ACCEPT_LANGUAGE, best) in selecting:
        return None
    return tuple((n, best if n == ACCEPT_LANGUAGE else v) for n, v in selecting)


def matches(selecting: Selecting, request: Headers, response: Headers = NO_HEADERS,
            identity: Identity = NO_IDENTITY) -> bool:
    """
    :param response: the fields of the stored answer.
    :return: whether a request has equal values in all those fields.
    """
    for name, value in selecting:
        if _value(name, request, identity) != value and not (
                name == ACCEPT_LANGUAGE and _likes(request, value, response)):
            return False
    return True


def _likes(request: Headers, value: bytes | None, response: Headers) -> bool:
    best = liked_language(request)
    return best is not None and best in (value, language_of(response))


def _value(name: bytes, request: Headers, identity: Identity) -> bytes | None:
    if name == WHO:
        return identity.of(request)
    return _digest(request) if name == ALL_FIELDS else normalised(name, request)


def _digest(request: Headers) -> bytes:
    pairs = sorted((name.lower(), value) for name, value in request.pairs)
    return digest(piece for pair in pairs for piece in pair).encode("ascii")
