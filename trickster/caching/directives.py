"""Cache directives as a recipient must read them (RFC 9111 section 5.2, RFC 9213)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

from trickster.caching.structured import InnerList, Item, parse_dictionary

# RFC 9111 section 1.2.2: a value too great to hold means this many seconds.
SATURATED = 2**31 - 1

_SECONDS = (b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error")
_FLAGS = (b"no-store", b"must-revalidate", b"proxy-revalidate", b"must-understand",
          b"public", b"no-transform", b"immutable")
_FLAGS_WITH_FIELDS = (b"private", b"no-cache")

_ELEMENT = re.compile(rb'(?:"(?:\\.|[^"\\])*(?:"|\\?$)|[^",])*', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def split_list(value: bytes) -> Iterator[bytes]:
    """
    :param value: a list-valued field (RFC 9110 section 5.6.1).
    :return: its members that are not empty; commas inside quotes separate nothing.
    """
    if b'"' not in value:
        yield from filter(None, (piece.strip(b" \t") for piece in value.split(b",")))
        return
    at = 0
    while at <= len(value):
        found = _ELEMENT.match(value, at)
        end = found.end() if found else len(value)
        member = value[at:end].strip(b" \t")
        if member:
            yield member
        at = end + 1


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
            values[name] = (*values.get(name, ()), _unquoted(value) if equals else None)
    return Directives(values)


def _unquoted(value: bytes) -> bytes:
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return _ESCAPED.sub(rb"\1", value[1:-1])
    return value


def parse_targeted(lines: Sequence[bytes]) -> Directives | None:
    """
    :param lines: every C{CDN-Cache-Control} line, in order.
    :return: None where the field is absent, empty, malformed, or gives a known directive a
        value of a type that it cannot have: then C{Cache-Control} decides
        (RFC 9213 section 2.1).
    """
    members = parse_dictionary(lines) if lines else None
    if not members:
        return None
    values: dict[bytes, tuple[bytes | None, ...]] = {}
    for key, item in members.items():
        name = key.encode("ascii")
        if not _is_fitting(name, item):
            return None
        if item is not False:
            values[name] = (_as_value(item),)
    return Directives(values)


def _is_fitting(name: bytes, item: Item | InnerList) -> bool:
    if name in _SECONDS:
        return isinstance(item, int) and not isinstance(item, bool)
    if name in _FLAGS:
        return isinstance(item, bool)
    return name not in _FLAGS_WITH_FIELDS or isinstance(item, bool | str)


def _as_value(item: Item | InnerList) -> bytes | None:
    return None if item is True else str(item).encode()
