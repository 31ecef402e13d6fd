"""Request fields by which responses vary, in forms that can be compared (RFC 9111 section 4.1)."""

from __future__ import annotations

from trickster.http.grammar import split_list, weighted
from trickster.messages import Headers

ACCEPT_LANGUAGE = b"accept-language"
# Fields whose members' order means nothing beside their weights.
_WEIGHTED = (ACCEPT_LANGUAGE, b"accept-encoding", b"accept-charset")


def normalised(name: bytes, request: Headers) -> bytes | None:
    """
    :param name: of a field, in lower case.
    :return: its value in a form in which values that mean the same are equal; None where the
        request has no such field.
    """
    if name not in request:
        return None
    value = request.joined(name) or b""
    if name in _WEIGHTED:
        return b", ".join(map(_spelled, preferences(value)))
    return b", ".join(split_list(value))


def liked_language(request: Headers) -> bytes | None:
    """:return: the one language that a request likes best, if it likes one best."""
    if ACCEPT_LANGUAGE not in request:
        return None
    liked = preferences(request.joined(ACCEPT_LANGUAGE) or b"")
    if not liked or (len(liked) > 1 and liked[1][1] == liked[0][1]) or liked[0][0] == b"*":
        return None
    return _spelled((liked[0][0], 1000))


def language_of(response: Headers) -> bytes | None:
    """:return: the language that a response is in, in the form of L{liked_language}."""
    value = response.joined(b"content-language")
    return None if value is None else _spelled((value.strip().lower(), 1000))


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
