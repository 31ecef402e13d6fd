"""Structured field dictionaries (RFC 9651 section 4.2.2), as far as cache control needs them."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from decimal import Decimal

from attrs import define, frozen

_KEY = re.compile(rb"[a-z*][a-z0-9_\-.*]*")
_NUMBER = re.compile(rb"-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])")
_STRING = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_TOKEN = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_BINARY = re.compile(rb":([A-Za-z0-9+/]*={0,2}):")
_BOOLEAN = re.compile(rb"\?([01])")
_DATE = re.compile(rb"@(-?\d{1,15})(?![\d.])")


@frozen
class Token:
    """A bare word, which is not the same as a quoted string."""

    text: str


@frozen
class Date:
    """
    A date item.

    :ivar seconds: since the epoch.
    """

    seconds: int


@frozen
class InnerList:
    """A parenthesised list; its items are checked for their form."""

    items: tuple[Item, ...]


Item = int | Decimal | str | Token | bytes | bool | Date


class Malformed(ValueError):
    """The whole field is to be ignored."""


def parse_dictionary(lines: Sequence[bytes]) -> dict[str, Item | InnerList] | None:
    """
    :param lines: all field lines of one name, in order.
    :return: its members without their parameters, a later one of a name replacing an earlier;
        None if any part is malformed, since then all of it is to be ignored.
    """
    scanner = _Scanner(b", ".join(lines).strip(b" "))
    try:
        return scanner.dictionary()
    except Malformed:
        return None


@define
class _Scanner:
    octets: bytes
    at: int = 0

    def dictionary(self) -> dict[str, Item | InnerList]:
        members: dict[str, Item | InnerList] = {}
        while self.at < len(self.octets):
            key = self._match(_KEY).group().decode("ascii")
            value = self._member() if self._eat(b"=") else True
            self._parameters()
            members.pop(key, None)
            members[key] = value
            self._comma()
        return members

    def _comma(self) -> None:
        self._skip(b" \t")
        if self.at == len(self.octets):
            return
        if not self._eat(b","):
            raise Malformed
        self._skip(b" \t")
        if self.at == len(self.octets):
            raise Malformed("a trailing comma")

    def _member(self) -> Item | InnerList:
        if not self._eat(b"("):
            return self._item()
        items: list[Item] = []
        while True:
            self._skip(b" ")
            if self._eat(b")"):
                return InnerList(tuple(items))
            items.append(self._item())
            self._parameters()
            if self.octets[self.at:self.at + 1] not in (b" ", b")"):
                raise Malformed

    def _parameters(self) -> None:
        while self._eat(b";"):
            self._skip(b" ")
            self._match(_KEY)
            if self._eat(b"="):
                self._item()

    def _item(self) -> Item:
        first = self.octets[self.at:self.at + 1]
        if first == b'"':
            return _unescaped(self._match(_STRING).group(1))
        if first == b":":
            return _decoded(self._match(_BINARY).group(1))
        if first == b"?":
            return self._match(_BOOLEAN).group(1) == b"1"
        if first == b"@":
            return Date(int(self._match(_DATE).group(1)))
        if first.isdigit() or first == b"-":
            number = self._match(_NUMBER).group().decode("ascii")
            return Decimal(number) if "." in number else int(number)
        return Token(self._match(_TOKEN).group().decode("ascii"))

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        found = pattern.match(self.octets, self.at)
        if found is None:
            raise Malformed
        self.at = found.end()
        return found

    def _eat(self, octet: bytes) -> bool:
        if self.octets[self.at:self.at + 1] != octet:
            return False
        self.at += 1
        return True

    def _skip(self, octets: bytes) -> None:
        while self.at < len(self.octets) and self.octets[self.at] in octets:
            self.at += 1


def _unescaped(octets: bytes) -> str:
    return re.sub(rb"\\(.)", rb"\1", octets).decode("ascii")


def _decoded(octets: bytes) -> bytes:
    try:
        return b64decode(octets + b"=" * (-len(octets) % 4), validate=True)
    except ValueError:
        raise Malformed from None
