"""Who asks, and through what: request fields that tell answers apart though no C{Vary} says so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import Factory, field, frozen

from trickster.caching.keys import digest
from trickster.hops import counted_value, elements
from trickster.identity import ADDRESS_HEADERS
from trickster.messages import Headers
from trickster.remembering import remembered

_FORWARDED = b"forwarded"
_ADDRESSES = frozenset(name.encode("ascii") for name in ADDRESS_HEADERS)
_ADDRESS_LIST = re.compile(rb"(?:[0-9A-Fa-f:.,\[\]% \t]|unknown)*", re.IGNORECASE)
# RFC 7239 section 6.
_NODE = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|[0-9.]+|[0-9A-Fa-f:.]+|unknown|_[A-Za-z0-9._\-]+)"
    rb"(?::[A-Za-z0-9._\-]+)?", re.IGNORECASE)


def field_names(names: Iterable[str]) -> frozenset[bytes]:
    """
    :param names: of header fields, as configured.
    :return: the same in lower case.
    """
    return frozenset(name.lower().encode("latin-1") for name in names)


@frozen
class Identity:
    """
    The request fields that are part of a key.

    :ivar names: in lower case.
    """

    names: frozenset[bytes] = frozenset()

    def of(self, request: Headers) -> bytes | None:
        """
        :return: what is equal for requests with equal values in all the fields; None for a
            request that has none of them.
        """
        if not request.has_any(self.names):
            return None
        said = [(name, counted_value(name, request)) for name in sorted(
            request.among(self.names))]
        return _digest(tuple([pair for pair in said if pair[1] is not None]))


@remembered(1 << 20)
def _digest(pairs: tuple[tuple[bytes, bytes | None], ...]) -> bytes | None:
    return digest(piece for pair in pairs for piece in pair).encode("ascii") if pairs else None


@frozen
class Overrides:
    """
    Tells requests that may ask for something else than their request line says.

    :ivar names: of fields that do so with any value, in lower case.
    :ivar watched: these, and those that do so with some values.
    """

    names: frozenset[bytes] = frozenset()
    watched: frozenset[bytes] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: self.names | _ADDRESSES | {_FORWARDED}, takes_self=True))

    def are_in(self, request: Headers) -> bool:
        """:return: whether an answer to such a request is for that request only."""
        found = request.among(self.watched) if request.has_any(self.watched) else frozenset()
        return any(name in self.names or not _is_plain(name, request.joined(name) or b"")
                   for name in found)


def _is_plain(name: bytes, value: bytes) -> bool:
    """:return: whether a field that says where a client is says nothing else."""
    if name != _FORWARDED:
        return _ADDRESS_LIST.fullmatch(value) is not None
    # What cannot be read, and all that is not about addresses, is part of the key.
    return all(_NODE.fullmatch(said) is not None
               for each in elements(value) or () for key, said in each if key in (b"for", b"by"))
