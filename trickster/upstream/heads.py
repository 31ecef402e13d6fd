"""Message heads, to octets and from octets (RFC 9112 sections 2 to 5)."""

from __future__ import annotations

import re

from attrs import frozen

from trickster.errors import BadRequest, UpstreamMalformed
from trickster.messages import Headers, Pair

# In these no octet can belong to two neighbouring parts: where one fails, each shorter choice
# before it fails at its next octet, so that the time is linear without possessive quantifiers
# (Python 3.11.2 gets those wrong).
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: (" + _TEXT + rb"))?\r\n")
# White space before the colon is removed, as RFC 9112 section 5.1 wants it of a proxy for
# responses; a folded line is refused, as section 5.2 allows.
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb"[ \t]*:" + _TEXT + rb"\r\n)*\r\n")
_REQUEST = re.compile(
    _TOKEN + rb" [\x21-\x7e\x80-\xff]+ HTTP/1\.1\r\n"
    rb"(?:" + _TOKEN + rb": " + _TEXT + rb"\r\n)*\r\n")
_LONE_CR_OR_LF = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")
_START = b"HTTP/1."


@frozen(slots=True)
class ResponseHead:
    """
    A status line and the fields after it, as they came.

    :ivar minor: of the version: 0 for HTTP/1.0.
    """

    minor: int
    status: int
    phrase: bytes
    headers: Headers


def parse_head(octets: bytes, max_fields: int) -> ResponseHead:
    """
    :param octets: up to and with the empty line.
    :param max_fields: the most header fields that are taken.
    :raises UpstreamMalformed: it is not exactly what RFC 9112 describes.
    """
    line = _STATUS_LINE.match(octets)
    if line is None:
        raise UpstreamMalformed(f"a malformed status line: {_shown(octets)}")
    if _FIELDS.fullmatch(octets, line.end()) is None:
        raise UpstreamMalformed("a malformed header field")
    lines = octets[line.end():-4].split(b"\r\n") if len(octets) > line.end() + 2 else []
    if len(lines) > max_fields:
        raise UpstreamMalformed(f"more than {max_fields} header fields")
    minor, status, phrase = line.groups()
    parts = [line.partition(b":") for line in lines]
    pairs = tuple([(name.rstrip(b" \t"), value.strip(b" \t")) for name, _, value in parts])
    return ResponseHead(int(minor), int(status), phrase or b"", Headers(pairs))


def check_beginning(octets: bytes, start: int) -> None:
    """
    Refuse a head as soon as it cannot become a good one, so that nobody waits for the rest.

    :param octets: all that has come of it.
    :param start: up to where they have been looked at before.
    :raises UpstreamMalformed: it is not the beginning of a response.
    """
    if not octets.startswith(_START) and not _START.startswith(octets):
        raise UpstreamMalformed(f"this is not HTTP/1: {_shown(octets)}")
    if _LONE_CR_OR_LF.search(octets, max(0, start - 1)):
        raise UpstreamMalformed("a line that does not end with CR LF")


def _shown(octets: bytes) -> str:
    return repr(octets.partition(b"\r\n")[0][:40])[1:]


def encode_head(method: bytes, target: bytes, fields: list[Pair]) -> bytes:
    """
    :param fields: written in this order.
    :return: a request head, ready to be sent.
    :raises BadRequest: something in it would not be one request to every reader, such as a
        line end in a value.
    """
    lines = [b"%b: %b\r\n" % pair for pair in fields]
    octets = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(lines))
    if _REQUEST.fullmatch(octets) is None or octets.count(b"\r\n") != len(lines) + 2:
        raise BadRequest("the request cannot be passed on: it has octets that HTTP forbids")
    return octets
