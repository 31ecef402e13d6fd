"""What the values of fields are made of: tokens, quoted strings, lists and weights."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trickster.messages import Headers

# RFC 9110 section 5.6.2.
TOKEN_OCTETS = (b"!#$%&'*+-.^_`|~0123456789"
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
# Patterns, to be put into others.  No octet is in two parts that are neighbours, so that the
# time is linear without possessive quantifiers (Python 3.11.2 gets those wrong).
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# RFC 9110 section 5.6.4.
QUOTED_STRING = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
# RFC 9110 section 5.6.6, with the white space around "=" that some senders have.
PARAMETERS = (rb"(?:[ \t]*;[ \t]*" + TOKEN
              + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + QUOTED_STRING + rb"))?)*")
# What a value may have in it: everything but controls (RFC 9110 section 5.5).
TEXT = rb"[\t\x20-\x7e\x80-\xff]*"

_ELEMENT = re.compile(rb'(?:"(?:\\.|[^"\\])*(?:"|\\?$)|[^",])*', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_WEIGHTED = re.compile(
    rb"(" + TOKEN + rb")[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")


def is_token(octets: bytes) -> bool:
    """:return: whether this is a token (RFC 9110 section 5.6.2)."""
    return bool(octets) and not octets.translate(None, TOKEN_OCTETS)


def is_field_name(text: str) -> bool:
    """:return: whether a text of a configuration is the name of a field, or a method."""
    return text.isascii() and is_token(text.encode("ascii"))


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


def tokens(headers: Headers, name: bytes) -> list[bytes]:
    """
    :param name: of a field that is a list of tokens, such as C{Connection}, in lower case.
    :return: its members in lower case, without empty ones; those of all its lines.  No token
        has a quote in it, and so every comma separates two.
    """
    value = headers.joined(name)
    if value is None:
        return []
    members = [member.strip(b" \t") for member in value.lower().split(b",")]
    return [member for member in members if member]


def unquoted(value: bytes) -> bytes:
    """:return: what a quoted string says; any other value as it is."""
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return _ESCAPED.sub(rb"\1", value[1:-1])
    return value


def weighted(member: bytes) -> tuple[bytes, int] | None:
    """
    :param member: of a list such as C{Accept-Encoding}.
    :return: what it speaks of, in lower case, and its weight in thousandths (RFC 9110 section
        12.4.2); None where it is malformed.
    """
    found = _WEIGHTED.fullmatch(member)
    if found is None:
        return None
    name, weight = found.groups()
    return name.lower(), 1000 if weight is None else _thousandths(weight)


def _thousandths(weight: bytes) -> int:
    whole, _, fraction = weight.partition(b".")
    return 1000 * int(whole) + int(fraction.ljust(3, b"0"))
