"""Header fields as an intermediary changes them (RFC 9110 section 7.6, RFC 7239)."""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from trickster.http.grammar import split_list, tokens
from trickster.http.hop_by_hop import (
    FORWARDING_FIELDS,
    HOP_BY_HOP,
    address_of,
    addresses,
    asked,
    forwarded,
    host_and_port,
    port_of,
    pseudonym,
)
from trickster.messages import Headers, Pair, Peer, Request
from trickster.remembering import remembered
from trickster.upstream.heads import encode_fields


class ForwardedMode(Enum):
    """How an origin is told about the client: the values of C{forwarded_headers}."""

    NONE = "none"
    STANDARD = "standard"
    X = "x"
    BOTH = "both"


# What we say ourselves, or, like Expect, have already done.
_OURS_UNSAID = HOP_BY_HOP | {b"via", b"content-length", b"expect", b"host", b"http2-settings"}
_OURS = _OURS_UNSAID | FORWARDING_FIELDS
_FRAMED = HOP_BY_HOP | {b"content-length"}
# Octets of fields that are kept with a connection; clients send more than that seldom, or to
# fill the memory.
_LONGEST_KEPT = 4096
_PLAIN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def end_to_end(headers: Headers) -> tuple[Pair, ...]:
    """
    :return: the fields without those for one connection only, and without those that
        C{Connection} names (RFC 9110 section 7.6.1).
    """
    gone = _gone(headers, HOP_BY_HOP)
    return tuple(pair for pair in headers.pairs if pair[0].lower() not in gone)


def without_nominated(headers: Headers) -> Headers:
    """
    :return: a request's fields without those that its C{Connection} names: no cache may
        take for part of the question what the origin will never see.  The hop-by-hop
        fields themselves stay for the code that sends the request on.
    """
    gone = _gone(headers, frozenset()) - HOP_BY_HOP
    return headers.excluding(gone) if gone else headers


def response_headers(headers: Headers, has_body: bool) -> Headers:
    """
    :param has_body: whether the message has one; where it has none by nature, its
        C{Content-Length} is a statement about another message and stays.
    :return: what a client may see of an origin's header fields.
    """
    gone = _gone(headers, _FRAMED if has_body else HOP_BY_HOP)
    return headers.excluding(gone)


def request_fields(request: Request, authority: bytes, mode: ForwardedMode,
                   server_name: str) -> list[Pair]:
    """
    :param authority: of the origin, for C{Host}.
    :param server_name: what we are called in C{Via} and C{Forwarded}.
    :return: the fields to send to an origin, except those about the body.
    """
    headers = request.headers
    ours = _OURS_UNSAID if mode is ForwardedMode.NONE else _OURS
    # What is configured is sent, even where a client's Connection names it.
    gone = _gone(headers, ours)
    if request.configured:
        gone = gone - request.configured
    fields = [(b"Host", authority)]
    fields += [pair for pair in headers.pairs if pair[0].lower() not in gone]
    if b"via" not in request.configured:
        fields.append((b"Via", _via(request, server_name)))
    if request.peer.host:
        fields += _about_client(request, mode, server_name)
    upgrade = upgrade_of(request)
    if upgrade:
        fields += ((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    return fields


@frozen(eq=False)
class OutgoingFields:
    """
    The fields of requests to one origin, except those about the body, as they are sent.

    The requests on a client's connection mostly have the very same fields: what is sent for
    them is made once.

    :ivar authority: of the origin, for C{Host}.
    :ivar server_name: what we are called in C{Via} and C{Forwarded}.
    """

    authority: bytes
    mode: ForwardedMode
    server_name: str

    def lines(self, request: Request) -> bytes:
        """
        :return: the lines of L{request_fields}.
        :raises BadRequest: as L{encode_fields}.
        """
        known = request.headers.derived(self._none_known, request.peer)
        # All else that they depend on.
        about = (request.version, request.authority, request.configured)
        lines = known.get(about)
        if lines is None:
            lines = encode_fields(
                request_fields(request, self.authority, self.mode, self.server_name))
            if len(lines) <= _LONGEST_KEPT:
                known[about] = lines
        return lines

    def _none_known(self, _headers: Headers, _peer: Peer) -> dict[object, bytes]:
        return {}


def upgrade_of(request: Request) -> bytes | None:
    """
    :return: the protocols that the client wants to change to (RFC 9110 section 7.8), or
        None.  HTTP/2 is not among them: what is asked over it could not be checked.
    """
    headers = request.headers
    if b"upgrade" not in headers or request.version == b"HTTP/1.0":
        return None
    if b"upgrade" not in connection_options(headers):
        return None
    offered = split_list(headers.joined(b"upgrade") or b"")
    return b", ".join(name for name in offered if name.lower() != b"h2c") or None


def connection_options(headers: Headers) -> frozenset[bytes]:
    """:return: all that C{Connection} names, in lower case."""
    return frozenset(tokens(headers, b"connection"))


def _gone(headers: Headers, always: frozenset[bytes]) -> frozenset[bytes]:
    said = headers.get_all(b"connection")
    if not said or (len(said) == 1 and said[0].lower() in (b"keep-alive", b"close")):
        return always
    return always | connection_options(headers)


def _via(request: Request, server_name: str) -> bytes:
    ours = b"%b %b" % (request.version.removeprefix(b"HTTP/"), pseudonym(server_name))
    before = request.headers.joined(b"via")
    return b"%b, %b" % (before, ours) if before else ours


def _about_client(request: Request, mode: ForwardedMode, server_name: str) -> list[Pair]:
    fields: list[Pair] = []
    if mode in (ForwardedMode.STANDARD, ForwardedMode.BOTH):
        fields.append((b"Forwarded", _forwarded(request, server_name)))
    if mode in (ForwardedMode.X, ForwardedMode.BOTH):
        fields += _x_forwarded(request)
    if not request.configured:
        return fields
    return [pair for pair in fields if pair[0].lower() not in request.configured]


def _forwarded(request: Request, server_name: str) -> bytes:
    peer = request.peer
    ours = _element(peer.host, peer.secure, request.authority, server_name)
    before = _forwarded_before(request)
    return b"%b, %b" % (before, ours) if before else ours


@remembered(1 << 20)
def _element(host: str, is_secure: bool, authority: bytes, server_name: str) -> bytes:
    parts = [b"by=_" + pseudonym(server_name), b"for=" + _node(host.encode("latin-1", "replace"))]
    if authority:
        parts.append(b"host=" + _value(authority))
    parts.append(b"proto=https" if is_secure else b"proto=http")
    return b";".join(parts)


def _forwarded_before(request: Request) -> bytes | None:
    """:return: what earlier hops said, in the order of the hops (RFC 7239 section 7.4)."""
    headers = request.headers
    if not headers.has_any(FORWARDING_FIELDS):
        return None
    said = forwarded(headers)
    if said is not None or b"forwarded" in headers:
        return said
    hops = [b"for=" + _node(hop) for hop in addresses(headers)]
    first, *others = hops or [b""]
    parts = [first] if first else []
    known = asked(headers)
    host = host_and_port(known, request.authority)
    if host:
        parts.append(b"host=" + _value(host))
    if known.scheme:
        parts.append(b"proto=" + _value(known.scheme))
    return b", ".join([b";".join(parts), *others])


def _x_forwarded(request: Request) -> list[Pair]:
    peer = request.peer
    hops = [*_x_for_before(request.headers), peer.host.encode("latin-1", "replace")]
    fields = [(b"X-Forwarded-For", b", ".join(hops))]
    known = asked(request.headers)
    host = known.host or request.authority
    if host:
        fields.append((b"X-Forwarded-Host", host))
    ours = b"https" if peer.secure else b"http"
    fields.append((b"X-Forwarded-Proto", known.scheme or ours))
    # Our own port means nothing to a client that asked another hop.
    port = port_of(known, request.authority) if known else b"%d" % peer.local_port
    if port not in (b"", b"0"):
        fields.append((b"X-Forwarded-Port", port))
    return fields


def _x_for_before(headers: Headers) -> list[bytes]:
    said = headers.joined(b"x-forwarded-for")
    if said:
        return [said]
    found = [(address_of(hop), hop) for hop in addresses(headers)]
    return [str(address).encode("ascii") if address else hop for address, hop in found]


def _node(host: bytes) -> bytes:
    address = address_of(host)
    if address is None:
        return b"unknown"
    text = str(address).encode("ascii")
    return text if address.version == 4 else b'"[%b]"' % text


def _value(text: bytes) -> bytes:
    if _PLAIN.fullmatch(text):
        return text
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
