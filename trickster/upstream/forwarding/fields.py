"""Header fields as an intermediary changes them (RFC 9110 section 7.6, RFC 7239)."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from trickster.http.fields import FORWARDING_FIELDS, MADE_BY_PROXY
from trickster.http.forwarded import (
    address_of,
    addresses,
    asked,
    forwarded,
    host_and_port,
    port_of,
    pseudonym,
)
from trickster.http.grammar import is_token
from trickster.http.h1.encoding import encode_fields
from trickster.http.hop_by_hop import concerning_hop, upgrade_of
from trickster.messages import Headers, Pair, Peer, Request
from trickster.remembering import remembered


class ForwardedMode(Enum):
    """How an origin is told about the client: the values of C{forwarded_headers}."""

    NONE = "none"
    STANDARD = "standard"
    X = "x"
    BOTH = "both"


# What we say ourselves, or, like Expect, have already done.
_OURS_UNSAID = MADE_BY_PROXY | {b"via"}
_OURS = _OURS_UNSAID | FORWARDING_FIELDS
# Octets of fields that are kept with a connection; clients send more than that seldom, or to
# fill the memory.
_LONGEST_KEPT = 4096


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
    gone = concerning_hop(headers, ours)
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
    if is_token(text):
        return text
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
