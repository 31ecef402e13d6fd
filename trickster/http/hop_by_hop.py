"""Which fields of a message concern one connection only (RFC 9110 sections 7.6.1 and 7.8)."""

from __future__ import annotations

from trickster.http.fields import HOP_BY_HOP, OF_ONE_MESSAGE
from trickster.http.grammar import split_list, tokens
from trickster.messages import Headers, Request


def without_nominated(headers: Headers) -> Headers:
    """
    :return: a request's fields without those that its C{Connection} names: no cache may
        take for part of a key what the origin will never see.  The hop-by-hop
        fields themselves stay for the code that sends the request on.
    """
    gone = concerning_hop(headers, frozenset()) - HOP_BY_HOP
    return headers.excluding(gone) if gone else headers


def response_headers(headers: Headers, has_body: bool) -> Headers:
    """
    :param has_body: whether the message has one; where it has none by nature, its
        C{Content-Length} is a statement about another message and stays.
    :return: what a client may see of an origin's header fields.
    """
    return headers.excluding(concerning_hop(headers, OF_ONE_MESSAGE if has_body else HOP_BY_HOP))


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


def concerning_hop(headers: Headers, always: frozenset[bytes]) -> frozenset[bytes]:
    """
    :param always: fields that concern one connection in any case.
    :return: these, and those that C{Connection} names.
    """
    said = headers.get_all(b"connection")
    if not said or (len(said) == 1 and said[0].lower() in (b"keep-alive", b"close")):
        return always
    return always | connection_options(headers)
