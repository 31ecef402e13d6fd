"""Which request fields select a stored response, and when they match (RFC 9111 section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trickster.caching.directives import split_list
from trickster.messages import Headers

Selecting = tuple[tuple[bytes, bytes | None], ...]

_WEIGHT = re.compile(rb";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$", re.IGNORECASE)


def selecting_values(names: Iterable[bytes], request: Headers) -> Selecting:
    """
    :param names: of fields, in lower case.
    :return: each name, sorted, with the request's value in a form in which values that mean
        the same are equal; None for a field that the request has not.
    """
    return tuple((name, _normalised(name, request)) for name in sorted(names))


def matches(selecting: Selecting, request: Headers) -> bool:
    """:return: whether a request has equal values in all those fields."""
    return all(_normalised(name, request) == value for name, value in selecting)


def _normalised(name: bytes, request: Headers) -> bytes | None:
    if name not in request:
        return None
    value = request.joined(name) or b""
    if name == b"accept-language":
        return b", ".join(tag + b";q=%g" % weight for tag, weight in preferences(value))
    return b", ".join(split_list(value))


def preferences(value: bytes) -> list[tuple[bytes, float]]:
    """
    :param value: of C{Accept-Language}.
    :return: language ranges in lower case with their weights, the best first, those of
        equal weight by name (RFC 9110 section 12.5.4).
    """
    found = {}
    for member in split_list(value):
        weighted = _WEIGHT.search(member)
        tag = member[:weighted.start()] if weighted else member
        found[tag.strip().lower()] = float(weighted[1]) if weighted else 1.0
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))
