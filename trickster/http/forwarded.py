"""What earlier hops say of a request: C{Forwarded} (RFC 7239) and C{X-Forwarded-*}."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from attrs import frozen

from trickster.http.fields import FORWARDING_FIELDS
from trickster.http.grammar import QUOTED_STRING, TOKEN, unquoted
from trickster.messages import Headers
from trickster.remembering import remembered

_ABOUT_PROXIES = frozenset((b"for", b"by"))

_NO_PSEUDONYM = re.compile(r"[^0-9A-Za-z._-]")
# The alternatives begin differently, and each piece ends where only one thing may follow:
# the time is linear.
_PAIR = re.compile(rb"(" + TOKEN + rb")=(" + TOKEN + rb"|" + QUOTED_STRING + rb")")
_NEXT = re.compile(rb";|[ \t]*,[ \t]*")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,31}")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_PORT = re.compile(rb"[0-9]{1,5}")
_NODE = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?|([0-9.]{7,15}):([0-9]{1,5})")
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}

# Loopback, and the addresses that no host has on the Internet: RFC 1918, RFC 4193, RFC 3927,
# RFC 4291.
PRIVATE_NETWORKS = (
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
    "169.254.0.0/16", "fe80::/10",
)

Element = tuple[tuple[bytes, bytes], ...]


@frozen
class Trusted:
    """
    The peers that are believed what they say about earlier hops.

    :ivar networks: with their addresses.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, networks: Iterable[str]) -> Trusted:
        """
        :param networks: addresses, or networks such as C{10.0.0.0/8}.
        :raises ValueError: one of them is neither.
        """
        return cls(tuple(ip_network(network) for network in networks))

    def has(self, host: str) -> bool:
        """
        :param host: an address; nothing else is trusted.
        """
        address = address_of(host.encode("latin-1", "replace"))
        return address is not None and any(address in network for network in self.networks)


@frozen
class Asked:
    """
    How the first hop was asked; what it did not say, or not clearly, is empty.

    :ivar scheme: such as C{b"https"}.
    :ivar host: with its port, where that is not the scheme's own.
    """

    scheme: bytes = b""
    host: bytes = b""
    port: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.scheme or self.host or self.port)


_NOTHING = Asked()


@remembered(1 << 20)
def elements(said: bytes) -> tuple[Element, ...] | None:
    """
    :param said: the value of C{Forwarded} (RFC 7239 section 4).
    :return: the pairs of each element, names in lower case and values without quotes, or
        None where readers could take it for different things.
    """
    found: list[Element] = []
    pairs: list[tuple[bytes, bytes]] = []
    at = 0
    while True:
        pair = _PAIR.match(said, at)
        if pair is None:
            return None
        pairs.append((pair[1].lower(), unquoted(pair[2])))
        after = _NEXT.match(said, pair.end())
        if after is None or after[0] != b";":
            found.append(tuple(pairs))
            pairs = []
        if after is None:
            return tuple(found) if pair.end() == len(said) else None
        at = after.end()


def forwarded(headers: Headers) -> bytes | None:
    """
    :return: the value of C{Forwarded}, if there is one that can be extended: an open
        quote would swallow what is appended.
    """
    said = headers.joined(b"forwarded")
    return said if said is not None and elements(said) is not None else None


def asked(headers: Headers) -> Asked:
    """:return: what the first hop was asked, by C{X-Forwarded-*}, else by C{Forwarded}."""
    if not headers.has_any(FORWARDING_FIELDS):
        return _NOTHING
    first = dict((elements(headers.joined(b"forwarded") or b"") or ((),))[0])
    scheme = _valid(_SCHEME, _first(headers, b"x-forwarded-proto"), first.get(b"proto"))
    host = _valid(_HOST, _first(headers, b"x-forwarded-host"), first.get(b"host"))
    port = _valid(_PORT, _first(headers, b"x-forwarded-port"))
    return Asked(scheme.lower(), host, port) if scheme or host or port else _NOTHING


def _first(headers: Headers, name: bytes) -> bytes | None:
    said = headers.joined(name)
    return None if said is None else said.partition(b",")[0].strip(b" \t")


def _valid(form: re.Pattern[bytes], *candidates: bytes | None) -> bytes:
    for candidate in candidates:
        if candidate is not None and form.fullmatch(candidate):
            return candidate
    return b""


def host_and_port(said: Asked, authority: bytes) -> bytes:
    """
    :param authority: as this proxy was asked.
    :return: the first hop's host, with its port where that is not the scheme's own.
    """
    host = said.host or (authority if said.port else b"")
    found = _HOST.fullmatch(host)
    if found is None or found[1] or not said.port:
        return host
    is_usual = _DEFAULT_PORTS.get(said.scheme or b"http") == said.port
    return host if is_usual else b"%b:%b" % (host, said.port)


def port_of(said: Asked, authority: bytes) -> bytes:
    """
    :param authority: as this proxy was asked.
    :return: the port that the first hop was asked on, as far as that can be known.
    """
    if said.port:
        return said.port
    found = _HOST.fullmatch(said.host or authority)
    if found is not None and found[1]:
        return found[1]
    return _DEFAULT_PORTS.get(said.scheme, b"")


def addresses(headers: Headers) -> list[bytes]:
    """:return: what hops said about where requests came from, first hop first."""
    said = headers.joined(b"x-forwarded-for")
    if said:
        return [each.strip(b" \t") for each in said.split(b",")]
    known = elements(headers.joined(b"forwarded") or b"") or ()
    return [dict(each).get(b"for", b"unknown") for each in known]


def client_of(headers: Headers, peer: str, trusted: Trusted) -> str:
    """
    :param headers: of a request that came from a trusted peer.
    :return: the client's address: the last in the chain of hops that is not trusted itself,
        since all before it may be made up; empty where it is the peer's.
    """
    client = ""
    for hop in reversed(addresses(headers)):
        address = address_of(hop)
        if address is None:
            break
        client = str(address)
        if not trusted.has(client):
            break
    return "" if client == peer else client


def address_of(node: bytes) -> IPv4Address | IPv6Address | None:
    """
    :param node: an address, in brackets or not, with a port or not (RFC 7239 section 6).
    """
    found = _NODE.fullmatch(node)
    text = (found[1] or found[3]) if found else node
    try:
        return ip_address(text.decode("latin-1").partition("%")[0])
    except ValueError:
        return None


def counted_value(name: bytes, headers: Headers) -> bytes | None:
    """
    :param name: one of L{trickster.http.fields.COUNTED_FIELDS}.
    :return: what of its value an answer may be made for: all of it, but of C{Forwarded} only
        what is not about the addresses of clients and proxies, which differ for all of them.
    """
    said = headers.joined(name)
    known = elements(said) if said is not None and name == b"forwarded" else None
    if known is None:
        return said
    counted = [[pair for pair in each if pair[0] not in _ABOUT_PROXIES] for each in known]
    return repr([each for each in counted if each]).encode("ascii") if any(counted) else None


@remembered(1 << 16)
def pseudonym(name: str) -> bytes:
    """
    :param name: of a proxy, as configured.
    :return: what C{Via} and C{Forwarded} call it: an identifier that both grammars know
        (RFC 9110 section 7.6.3, RFC 7239 section 6.3), with a hyphen for each other character.
    """
    return _NO_PSEUDONYM.sub("-", name).encode("ascii") or b"trickster"
