"""Who asks, and through what: request fields that tell answers apart though no C{Vary} says so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import Factory, field, frozen

from trickster.http.fields import FORWARDING_FIELDS
from trickster.http.forwarded import counted_value, elements
from trickster.identity import ADDRESS_HEADERS, IDENTITY_HEADERS
from trickster.keys.cache_key import digest, principal_parts
from trickster.messages import Headers, Pair, Request
from trickster.remembering import remembered

_FORWARDED = b"forwarded"
_ADDRESSES = frozenset(name.encode("ascii") for name in ADDRESS_HEADERS)
_ADDRESS_LIST = re.compile(rb"(?:[0-9A-Fa-f:.,\[\]% \t]|unknown)*", re.IGNORECASE)
# RFC 7239 section 6.
_NODE = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|[0-9.]+|[0-9A-Fa-f:.]+|unknown|_[A-Za-z0-9._\-]+)"
    rb"(?::[A-Za-z0-9._\-]+)?", re.IGNORECASE)
# What is in these lists is known, and no matter of how its name begins.
_KNOWN = FORWARDING_FIELDS | _ADDRESSES | {name.encode("ascii") for name in IDENTITY_HEADERS}


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

    def of_request(self, request: Request) -> bytes | None:
        """
        :return: the same for a whole request, of which an authenticator may have found out
            whom it comes from: then that counts as well.
        """
        said = self.of(request.headers)
        if request.identity is None:
            return said
        return digest((said, *principal_parts(request.identity))).encode("ascii")


NO_IDENTITY = Identity()


@remembered(1 << 20)
def _digest(pairs: tuple[tuple[bytes, bytes | None], ...]) -> bytes | None:
    return digest(piece for pair in pairs for piece in pair).encode("ascii") if pairs else None


@frozen
class Overrides:
    """
    Tells requests that may ask for something else than their request line says.

    :ivar names: of fields that do so with any value, in lower case; one that ends with C{*}
        stands for all that begin so and are in none of the lists of L{trickster.identity} and
        L{trickster.http.fields}.
    :ivar counted: further fields that are part of the key, and so no matter by such a beginning.
    """

    names: frozenset[bytes] = frozenset()
    counted: frozenset[bytes] = frozenset()
    _watched: frozenset[bytes] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: self.names | _ADDRESSES | {_FORWARDED}, takes_self=True))
    _beginnings: tuple[bytes, ...] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: tuple(sorted(n[:-1] for n in self.names if n.endswith(b"*"))),
        takes_self=True))

    def are_in(self, request: Headers) -> bool:
        """:return: whether an answer to such a request is for that request only."""
        # The requests of a connection mostly have the very same fields.
        return request.derived(_are_overriding, self)

    def are_among(self, request: Headers) -> bool:
        """:return: the same, found out anew."""
        found = request.among(self._watched)
        return any(name in self.names or not _is_plain(name, request.joined(name) or b"")
                   for name in found) or any(map(self._begins, request.pairs))

    def _begins(self, pair: Pair) -> bool:
        name = pair[0].lower()
        return (name.startswith(self._beginnings) and name not in self.counted
                and name not in _KNOWN)


def _are_overriding(request: Headers, overrides: Overrides) -> bool:
    return overrides.are_among(request)


def _is_plain(name: bytes, value: bytes) -> bool:
    """:return: whether a field that says where a client is says nothing else."""
    if name != _FORWARDED:
        return _ADDRESS_LIST.fullmatch(value) is not None
    # What cannot be read, and all that is not about addresses, is part of the key.
    return all(_NODE.fullmatch(said) is not None
               for each in elements(value) or () for key, said in each if key in (b"for", b"by"))
