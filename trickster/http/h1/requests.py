"""The head of a request: a strict reading of RFC 9112 sections 2, 3, 5 and 6."""

from __future__ import annotations

import re
from types import MappingProxyType

from attrs import frozen

from trickster.http.grammar import TOKEN_OCTETS, is_token, tokens
from trickster.http.h1.faults import Malformed
from trickster.http.h1.framing import request_length
from trickster.messages import Headers, Pair

_VISIBLE = bytes(range(0x21, 0x7F))
_ESCAPES = MappingProxyType({octet: f"%{octet:02X}" for octet in range(0x80, 0x100)})
# What a field block consists of: text, horizontal tabs, obs-text and line ends.
_BLOCK_OCTETS = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0x80, 0x100)])

_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)
# Stricter than RFC 3986, which allows sub-delimiters: no name that resolves has any.
_AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")

_LONGEST_METHOD = 64
_MOST_PORT = 65535


@frozen
class RequestLine:
    """
    The first line (RFC 9112 section 3).

    :ivar target: in origin form, or C{b"*"}.
    :ivar authority: of an absolute-form target; empty for the other forms.
    :ivar version: C{b"HTTP/1.0"} or C{b"HTTP/1.1"}.
    """

    method: bytes
    target: bytes
    authority: bytes
    version: bytes


@frozen
class Fields:
    """
    The header fields, and what they mean for framing, with any request line.

    :ivar framing: octets of the body, None where it is chunked.
    :ivar hosts: every value of C{Host}.
    :ivar are_hosts: whether each of them is one.
    :ivar tokens: of C{Connection}, in lower case.
    :ivar expectation: the value of C{Expect} in lower case; empty where there is none.
    :ivar client: the address of the first proxy's client, as far as it is known.
    """

    headers: Headers
    framing: int | None
    hosts: tuple[bytes, ...]
    are_hosts: bool
    tokens: frozenset[bytes]
    expectation: bytes
    client: str = ""


@frozen
class RequestHead:
    """
    All of a request but its body.

    :ivar target: in origin form (RFC 9112 section 3.2.1), or C{b"*"}.
    :ivar authority: from the target, else from C{Host}; may be empty for HTTP/1.0.
    :ivar length: octets of the body, None where it is chunked.
    :ivar persistent: whether the client is ready to go on after the answer.
    :ivar expects_continue: whether it waits for a 100 before it sends the body.
    :ivar client: as in L{Fields}.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: Headers
    authority: bytes
    length: int | None
    persistent: bool
    expects_continue: bool
    client: str = ""


def is_authority(octets: bytes) -> bool:
    """:return: whether this is a host, not empty, with or without a port below 65536."""
    found = _AUTHORITY.fullmatch(octets)
    return found is not None and int(found[1] or 0) <= _MOST_PORT


def parse_request_line(line: bytes) -> RequestLine | Malformed:
    """
    :param line: without its line end.
    :return: its parts, or why there are none.
    """
    parts = line.split(b" ")
    if len(parts) != 3:
        return Malformed(400, "malformed request line")
    method, target, version = parts
    if not is_token(method):
        return Malformed(400, "invalid method")
    if version != b"HTTP/1.1":
        found = _VERSION.fullmatch(version)
        if found is None:
            return Malformed(400, "invalid HTTP version")
        if found[1] != b"1":
            return Malformed(505, "unsupported HTTP version")
        # RFC 9110 section 2.5: a higher minor version is served as the highest that we know.
        version = b"HTTP/1.0" if found[2] == b"0" else b"HTTP/1.1"
    if len(method) > _LONGEST_METHOD:
        return Malformed(501, "unknown method")
    return _with_target(method, target, version)


def _with_target(method: bytes, target: bytes, version: bytes) -> RequestLine | Malformed:
    raw = target.translate(None, _VISIBLE)
    if not target or b"#" in target or (raw and min(raw) < 0x80):
        return Malformed(400, "invalid request target")
    if raw:
        target = _escaped(target)
    if method == b"CONNECT":
        return Malformed(501, "CONNECT is not supported")
    if target[0] == 0x2F:
        return RequestLine(method, target, b"", version)
    if target == b"*":
        if method == b"OPTIONS":
            return RequestLine(method, target, b"", version)
        return Malformed(400, "invalid request target")
    return _from_absolute(method, target, version)


def _escaped(target: bytes) -> bytes:
    """
    :return: a target in which all octets that are not ASCII are percent-encoded, which is
        what their sender should have done (RFC 3986 section 2.1): servers that take them
        take them for the same.
    """
    return target.decode("latin-1").translate(_ESCAPES).encode("ascii")


def _from_absolute(method: bytes, target: bytes, version: bytes) -> RequestLine | Malformed:
    found = _ABSOLUTE.fullmatch(target)
    if found is None or not is_authority(found[1]):
        return Malformed(400, "invalid request target")
    authority, rest = found.groups()
    if not rest:
        # RFC 9112 section 3.2.4.
        rest = b"*" if method == b"OPTIONS" else b"/"
    elif rest[0] != 0x2F:
        rest = b"/" + rest
    return RequestLine(method, rest, authority, version)


def parse_pairs(block: bytes) -> tuple[Pair, ...] | Malformed:
    """
    :param block: field lines, each with its CRLF; no CR or LF anywhere else.
    :return: names and values in their order, or why there are none.
    """
    if block.translate(None, _BLOCK_OCTETS):
        return Malformed(400, "control character in a header field")
    lines = block.split(b"\r\n")
    lines.pop()
    pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        # A line that begins with white space (obs-fold), or has some before its colon,
        # has no token for a name.
        if not colon or not name or name.translate(None, TOKEN_OCTETS):
            return Malformed(400, "malformed header field")
        pairs.append((name, value.strip(b" \t")))
    return tuple(pairs)


def parse_fields(block: bytes) -> Fields | Malformed:
    """
    :param block: as for L{parse_pairs}.
    :return: the fields, and what they say about framing, or why they are refused.
    """
    pairs = parse_pairs(block)
    if isinstance(pairs, Malformed):
        return pairs
    headers = Headers(pairs)
    framing = request_length(headers)
    if isinstance(framing, Malformed):
        return framing
    hosts = tuple(headers.get_all(b"host"))
    return Fields(headers, framing, hosts, all(map(is_authority, hosts)),
                  frozenset(tokens(headers, b"connection")),
                  b",".join(tokens(headers, b"expect")))


def assemble(line: RequestLine, fields: Fields) -> RequestHead | Malformed:
    """
    :return: the head that a line and fields make together, or why they make none.
    """
    is_old = line.version == b"HTTP/1.0"
    if fields.framing is None and is_old:
        return Malformed(400, "Transfer-Encoding in HTTP/1.0")
    hosts = fields.hosts
    if len(hosts) != 1 and (hosts or not is_old):
        return Malformed(400, "there must be exactly one Host")
    if not fields.are_hosts:
        return Malformed(400, "invalid Host")
    if fields.expectation not in (b"", b"100-continue"):
        return Malformed(417, "unknown expectation")
    headers, authority = fields.headers, line.authority
    if not authority:
        authority = hosts[0] if hosts else b""
    elif hosts != (authority,):
        # RFC 9112 section 3.2.2: the target's authority replaces any Host.
        headers = headers.with_set(b"Host", authority)
    return RequestHead(
        line.method, line.target, line.version, headers, authority, fields.framing,
        not is_old and b"close" not in fields.tokens,
        bool(fields.expectation) and not is_old and fields.framing != 0, fields.client)
