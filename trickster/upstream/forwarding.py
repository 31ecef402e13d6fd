"""Header fields as an intermediary changes them (RFC 9110 section 7.6, RFC 7239)."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address

from trickster.messages import Headers, Pair, Request


class ForwardedMode(Enum):
    """How an origin is told about the client: the values of C{forwarded_headers}."""

    NONE = "none"
    STANDARD = "standard"
    X = "x"
    BOTH = "both"


_HOP_BY_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authentication-info",
    b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade",
))
_ABOUT_FORWARDING = frozenset((
    b"forwarded", b"via", b"x-forwarded-by", b"x-forwarded-for", b"x-forwarded-host",
    b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-server",
))
# What we say ourselves, or, like Expect, have already done.
_OURS = _HOP_BY_HOP | _ABOUT_FORWARDING | {
    b"content-length", b"expect", b"host", b"http2-settings",
}
_FRAMED = _HOP_BY_HOP | {b"content-length"}
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'
_PARAMETER = _TOKEN + rb"=(?:" + _TOKEN + rb"|" + _QUOTED + rb")"
_ELEMENT = _PARAMETER + rb"(?:;" + _PARAMETER + rb")*+"
_FORWARDED = re.compile(_ELEMENT + rb"(?:[ \t]*+,[ \t]*+" + _ELEMENT + rb")*+")
_FOR = re.compile(rb'(?:^|[;, \t])for=(?:"((?:[^"\\]|\\.)*)"|([^;, \t"]*))', re.IGNORECASE)
_PLAIN = re.compile(_TOKEN)
_NOT_OBFUSCATED = re.compile(r"[^0-9A-Za-z._-]")


def end_to_end(headers: Headers) -> tuple[Pair, ...]:
    """
    :return: the fields without those for one connection only, and without those that
        C{Connection} names (RFC 9110 section 7.6.1).
    """
    gone = _gone(headers, _HOP_BY_HOP)
    return tuple(pair for pair in headers.pairs if pair[0].lower() not in gone)


def without_nominated(headers: Headers) -> Headers:
    """
    :return: a request's fields without those that its C{Connection} names: no cache may
        take for part of the question what the origin will never see.  The hop-by-hop
        fields themselves stay for whoever sends the request on.
    """
    gone = _gone(headers, frozenset()) - _HOP_BY_HOP
    return headers.without(*gone) if gone else headers


def response_headers(headers: Headers, has_body: bool) -> Headers:
    """
    :param has_body: whether the message has one; where it has none by nature, its
        C{Content-Length} is a statement about another message and stays.
    :return: what a client may see of an origin's header fields.
    """
    gone = _gone(headers, _FRAMED if has_body else _HOP_BY_HOP)
    return Headers(tuple([pair for pair in headers.pairs if pair[0].lower() not in gone]))


def request_fields(request: Request, authority: bytes, mode: ForwardedMode,
                   server_name: str) -> list[Pair]:
    """
    :param authority: of the origin, for C{Host}.
    :param server_name: what we are called in C{Via} and C{Forwarded}.
    :return: the fields to send to an origin, except those about the body.
    """
    headers = request.headers
    gone = _gone(headers, _OURS)
    fields = [(b"Host", authority)]
    fields += [pair for pair in headers.pairs if pair[0].lower() not in gone]
    fields.append((b"Via", _via(request, server_name)))
    if request.peer.host:
        fields += _about_client(request, mode, server_name)
    upgrade = upgrade_of(request)
    if upgrade:
        fields += ((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    return fields


def upgrade_of(request: Request) -> bytes | None:
    """
    :return: the protocols that the client wants to change to (RFC 9110 section 7.8), or
        None.  HTTP/2 is not among them: nobody could check what is asked over it.
    """
    headers = request.headers
    if b"upgrade" not in headers or request.version == b"HTTP/1.0":
        return None
    if b"upgrade" not in connection_options(headers):
        return None
    offered = [name.strip() for name in (headers.joined(b"upgrade") or b"").split(b",")]
    return b", ".join(name for name in offered if name and name.lower() != b"h2c") or None


def connection_options(headers: Headers) -> frozenset[bytes]:
    """:return: all that C{Connection} names, in lower case."""
    said = headers.joined(b"connection")
    if said is None:
        return frozenset()
    return frozenset(option.strip() for option in said.lower().split(b","))


def _gone(headers: Headers, always: frozenset[bytes]) -> frozenset[bytes]:
    said = headers.get_all(b"connection")
    if not said or (len(said) == 1 and said[0].lower() in (b"keep-alive", b"close")):
        return always
    return always | connection_options(headers)


def _via(request: Request, server_name: str) -> bytes:
    ours = b"%b %b" % (request.version.removeprefix(b"HTTP/"), _pseudonym(server_name))
    before = request.headers.joined(b"via")
    return b"%b, %b" % (before, ours) if before else ours


@lru_cache(maxsize=64)
def _pseudonym(server_name: str) -> bytes:
    return _NOT_OBFUSCATED.sub("-", server_name).encode("ascii") or b"trickster"


def _about_client(request: Request, mode: ForwardedMode, server_name: str) -> list[Pair]:
    fields: list[Pair] = []
    if mode in (ForwardedMode.STANDARD, ForwardedMode.BOTH):
        fields.append((b"Forwarded", _forwarded(request, server_name)))
    if mode in (ForwardedMode.X, ForwardedMode.BOTH):
        fields += _x_forwarded(request)
    return fields


def _forwarded(request: Request, server_name: str) -> bytes:
    peer = request.peer
    ours = _element(peer.host, peer.secure, request.authority, server_name)
    before = _forwarded_before(request.headers)
    return b"%b, %b" % (before, ours) if before else ours


@lru_cache(maxsize=1024)
def _element(host: str, is_secure: bool, authority: bytes, server_name: str) -> bytes:
    parts = [b"by=_" + _pseudonym(server_name), b"for=" + _node(host)]
    if authority:
        parts.append(b"host=" + _value(authority))
    parts.append(b"proto=https" if is_secure else b"proto=http")
    return b";".join(parts)


def _forwarded_before(headers: Headers) -> bytes | None:
    said = _valid_forwarded(headers)
    if said is not None or b"forwarded" in headers:
        return said
    hops = headers.joined(b"x-forwarded-for")
    if not hops:
        return None
    return b", ".join(b"for=" + _node(hop.strip().decode("latin-1")) for hop in hops.split(b","))


def _valid_forwarded(headers: Headers) -> bytes | None:
    # A value with, say, an open quote would swallow what we append to it.
    said = headers.joined(b"forwarded")
    return said if said is not None and _FORWARDED.fullmatch(said) else None


def _x_forwarded(request: Request) -> list[Pair]:
    peer = request.peer
    before = _x_for_before(request.headers)
    host = peer.host.encode("latin-1", "replace")
    fields = [(b"X-Forwarded-For", b"%b, %b" % (before, host) if before else host)]
    if request.authority:
        fields.append((b"X-Forwarded-Host", request.authority))
    fields.append((b"X-Forwarded-Proto", b"https" if peer.secure else b"http"))
    if peer.local_port:
        fields.append((b"X-Forwarded-Port", b"%d" % peer.local_port))
    return fields


def _x_for_before(headers: Headers) -> bytes | None:
    said = headers.joined(b"x-forwarded-for")
    if said:
        return said
    elements = _valid_forwarded(headers)
    if elements is None:
        return None
    return b", ".join((quoted or plain).strip(b"[]") for quoted, plain in _FOR.findall(elements))


def _node(host: str) -> bytes:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return b"unknown"
    text = str(address).encode("ascii")
    return text if address.version == 4 else b'"[%b]"' % text


def _value(text: bytes) -> bytes:
    if _PLAIN.fullmatch(text):
        return text
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
