"""Cache directives as a recipient must read them (RFC 9111 section 5.2, RFC 9213)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from http_sfv import Dictionary, Item
from http_sfv.types import DisplayString, Token

from trickster.http.grammar import split_list, unquoted
from trickster.messages import Headers

# RFC 9111 section 1.2.2: a value too great to hold means this many seconds.
SATURATED = 2**31 - 1

_SECONDS = (b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error")
_FLAGS = (b"no-store", b"must-revalidate", b"proxy-revalidate", b"must-understand",
          b"public", b"no-transform", b"immutable")
_FLAGS_WITH_FIELDS = (b"private", b"no-cache")
# The time that the structured field takes to read grows with its square.
_LONGEST_TARGETED = 2048

@frozen
class Directives:
    """
    Cache directives by lower-case name; of those that occur several times, every value.

    :ivar values: a value without its quotes; None for a directive without one.
    """

    values: Mapping[bytes, tuple[bytes | None, ...]] = field(factory=dict)

    def __contains__(self, name: bytes) -> bool:
        return name in self.values

    def seconds(self, name: bytes) -> int | None:
        """
        :return: None where there is no such directive; 0 where its value is no number,
            negative, or where it is said several times and not alike, since an answer whose
            freshness is unclear is best called stale (RFC 9111 section 4.2.1).
        """
        values = self.values.get(name)
        if values is None:
            return None
        found = {_delta(value) for value in values}
        return found.pop() if len(found) == 1 else 0


NO_DIRECTIVES = Directives()
_FRESH = Directives({b"no-cache": (None,)})
_FRESH_UNSTORED = Directives({b"no-cache": (None,), b"no-store": (None,)})


def _delta(value: bytes | None) -> int:
    if value is None or not value.isdigit():
        return 0
    digits = value.lstrip(b"0")
    return SATURATED if len(digits) > 10 else min(int(digits or b"0"), SATURATED)


def parse_cache_control(lines: Sequence[bytes]) -> Directives:
    """
    :param lines: every C{Cache-Control} line, in order.
    """
    if not lines:
        return NO_DIRECTIVES
    values: dict[bytes, tuple[bytes | None, ...]] = {}
    for line in lines:
        for member in split_list(line):
            name, equals, value = member.partition(b"=")
            name = name.lower()
            values[name] = (*values.get(name, ()), unquoted(value) if equals else None)
    return Directives(values)


def parse_targeted(lines: Sequence[bytes]) -> Directives | None:
    """
    :param lines: every C{CDN-Cache-Control} line, in order.
    :return: None where the field is absent, empty, malformed, or gives a known directive a
        value of a type that it cannot have: then C{Cache-Control} decides
        (RFC 9213 section 2.1).  One that is absurdly long forbids everything.
    """
    if sum(map(len, lines)) > _LONGEST_TARGETED:
        return parse_cache_control((b"no-store",))
    values: dict[bytes, tuple[bytes | None, ...]] = {}
    for key, member in _dictionary(lines).items():
        name = key.encode("ascii")
        value = member.value if isinstance(member, Item) else member
        if not _is_fitting(name, value):
            return None
        if value is not False:
            values[name] = (None if value is True else str(value).encode(),)
    return Directives(values) if values else None


def _dictionary(lines: Sequence[bytes]) -> Mapping[str, Any]:
    """:return: the members of a structured field (RFC 9651); none where it is malformed."""
    members = Dictionary()
    try:
        members.parse(b", ".join(lines))
    except ValueError:
        return {}
    return members


def _is_fitting(name: bytes, value: Any) -> bool:
    if name in _SECONDS:
        return isinstance(value, int) and not isinstance(value, bool)
    if name in _FLAGS:
        return isinstance(value, bool)
    is_text = isinstance(value, str) and not isinstance(value, Token | DisplayString)
    return name not in _FLAGS_WITH_FIELDS or isinstance(value, bool) or is_text


def request_directives(headers: Headers) -> Directives:
    """:return: the directives of a request; C{Pragma} counts where there are no others."""
    lines = headers.get_all(b"cache-control")
    if not lines and b"no-cache" in (headers.joined(b"pragma") or b"").lower():
        return _FRESH  # RFC 9111 section 5.4
    return parse_cache_control(lines)


def honoured_directives(headers: Headers, in_full: bool) -> Directives:
    """
    :param in_full: whether all directives of a request are obeyed, as RFC 9111 section 5.2.1
        has them.
    :return: those that are obeyed; else C{no-cache} alone, which C{no-store} implies.  It is
        about the answer to its own client: nothing is taken from others.
    """
    if b"cache-control" not in headers and b"pragma" not in headers:
        return NO_DIRECTIVES
    said = request_directives(headers)
    if in_full:
        return said
    if b"no-store" in said:
        return _FRESH_UNSTORED
    return _FRESH if b"no-cache" in said else NO_DIRECTIVES
