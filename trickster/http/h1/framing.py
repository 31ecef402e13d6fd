"""Where the body of a message ends (RFC 9112 section 6)."""

from __future__ import annotations

import re
from enum import Enum

from attrs import define, evolve, frozen

from trickster.errors import UpstreamMalformed
from trickster.http.grammar import is_token, tokens
from trickster.http.h1.chunked import ChunkedReader, ChunkLimits
from trickster.http.h1.faults import Malformed
from trickster.http.h1.leniency import NO_LENIENCIES, Leniency
from trickster.http.h1.responses import ResponseHead
from trickster.messages import Headers

_MAX_LENGTH = 2 ** 63
_MOST_LENGTH_DIGITS = 18
# What may come with the chunks of a request; the listener bounds the body itself.
_OF_REQUESTS = ChunkLimits(16 * 1024, 1024, 16 * 1024, 64)
_MANY_DIGITS = 19  # of fewer, every number is below that
_KEEP_ALIVE = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)


@define
class CountedReader:
    """
    A body of a length known before.

    :ivar remaining: octets that are still to come.
    :ivar is_done: whether all of it has come.
    :ivar rest: what came after its end.
    """

    remaining: int
    is_done: bool = False
    rest: bytes = b""

    def feed(self, data: bytes) -> list[bytes]:
        """:return: what of this belongs to the body."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return [data]
        body, self.rest = data[:self.remaining], data[self.remaining:]
        self.remaining = 0
        self.is_done = True
        return [body] if body else []


class Ending(Enum):
    """How the end of a body is known."""

    NO_BODY = "no body"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    CLOSE = "the connection's end"
    UPGRADED = "no HTTP any more"


# Members of an enum are slow to look up, and every request asks.
_LENGTH = Ending.LENGTH


@frozen(slots=True)
class Framing:
    """
    :ivar length: octets in the body, for C{Ending.LENGTH}.
    :ivar is_persistent: whether the connection can be used again after it.
    :ivar leniencies: what there is about head and framing that RFC 9112 does not know.
    """

    ending: Ending
    length: int | None
    is_persistent: bool
    leniencies: frozenset[Leniency] = NO_LENIENCIES


def response_framing(head: ResponseHead, method: bytes) -> Framing:
    """
    :param method: of the request; an answer to HEAD has no body.
    :raises UpstreamMalformed: different readers might find different ends.
    """
    headers = head.headers
    codings = headers.get_all(b"transfer-encoding")
    lengths = headers.get_all(b"content-length")
    kinds = set(head.leniencies)
    length = _content_length(lengths, kinds) if lengths else None
    is_chunked = bool(codings) and _is_chunked(codings, length, head.minor, kinds)
    is_persistent = not kinds and _stays_open(head)
    framing = _ended(head, method, length, is_chunked, is_persistent)
    return evolve(framing, leniencies=frozenset(kinds)) if kinds else framing


def _ended(head: ResponseHead, method: bytes, length: int | None, is_chunked: bool,
           is_persistent: bool) -> Framing:
    if head.status == 101:
        return Framing(Ending.UPGRADED, None, False)
    if head.status == 204:
        # RFC 9110 section 15.3.5: it has no body; one that claims to is not to be trusted.
        return Framing(Ending.NO_BODY, None, is_persistent and not (is_chunked or length))
    if method == b"HEAD" or head.status == 304:
        return Framing(Ending.NO_BODY, None, is_persistent)
    if is_chunked:
        return Framing(Ending.CHUNKED, None, is_persistent)
    if length is not None:
        return Framing(_LENGTH, length, is_persistent)
    return Framing(Ending.CLOSE, None, False)


def _content_length(values: list[bytes], kinds: set[Leniency]) -> int:
    if len(values) == 1 and values[0].isdigit() and len(values[0]) < _MANY_DIGITS:
        return int(values[0])
    # RFC 9112 section 6.3: a list of equal numbers may be taken for that number.
    numbers = {number.strip(b" \t") for value in values for number in value.split(b",")}
    if len(values) > 1 or b"," in values[0]:
        kinds.add(Leniency.REPEATED_LENGTH)
    number = numbers.pop()
    if numbers or not number.isdigit() or len(number) > 4096:
        raise UpstreamMalformed("a Content-Length that is not one number")
    length = int(number)
    if length > _MAX_LENGTH:
        raise UpstreamMalformed("a Content-Length that no server can send")
    return length


def _is_chunked(values: list[bytes], length: int | None, minor: int, kinds: set[Leniency]) -> bool:
    """
    :param values: of C{Transfer-Encoding}.
    :return: whether the body is in chunks, also beside a length (RFC 9112 section 6.3).
    """
    codings = {coding.strip(b" \t").lower() for value in values for coding in value.split(b",")}
    if codings <= {b"", b"identity"}:
        # Of HTTP/1.1 as it once was (RFC 2616 section 3.6): no coding.
        kinds.add(Leniency.IDENTITY_CODING)
        return False
    if codings != {b"chunked"}:
        raise UpstreamMalformed("a Transfer-Encoding other than chunked")
    if len(values) > 1 or b"," in values[0]:
        kinds.add(Leniency.REPEATED_CODING)
    if length is not None:
        kinds.add(Leniency.LENGTH_AND_CODING)
    if minor == 0:
        kinds.add(Leniency.OLD_CODING)
    return True


def _stays_open(head: ResponseHead) -> bool:
    if b"connection" not in head.headers:
        return head.minor > 0
    said = tokens(head.headers, b"connection")
    return b"close" not in said and (head.minor > 0 or b"keep-alive" in said)


def kept_for(headers: Headers) -> float:
    """
    :return: seconds for which the origin says it keeps an idle connection, less one for
        the way: a request that meets its closing would be lost.  Infinite when it says
        nothing.
    """
    said = headers.joined(b"keep-alive")
    found = _KEEP_ALIVE.search(said) if said else None
    return float(found[1]) - 1.0 if found else float("inf")


def request_length(headers: Headers) -> int | None | Malformed:
    """
    :param headers: of a request.
    :return: octets of its body, None where it is chunked; or why the end of it would not be
        the same for all readers.
    """
    lengths = headers.get_all(b"content-length")
    if b"transfer-encoding" in headers:
        if lengths:
            return Malformed(400, "both Content-Length and Transfer-Encoding")
        return _coding(headers.get_all(b"transfer-encoding"))
    if not lengths:
        return 0
    if len(lengths) > 1:
        return Malformed(400, "more than one Content-Length")
    return _length(lengths[0])


def _length(digits: bytes) -> int | Malformed:
    # bytes.isdigit knows ASCII digits only, and is false for no octets.
    if not digits.isdigit():
        return Malformed(400, "invalid Content-Length")
    significant = digits.lstrip(b"0")
    if len(significant) > _MOST_LENGTH_DIGITS:
        return Malformed(413, "the body is too large")
    return int(significant or b"0")


def _coding(values: list[bytes]) -> None | Malformed:
    codings = [coding.strip(b" \t").lower() for coding in b",".join(values).split(b",")]
    if codings == [b"chunked"]:
        return None
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or b"identity" in codings:
        # RFC 9112 section 6.3: the length of such a body cannot be known.
        return Malformed(400, "invalid Transfer-Encoding")
    if not all(map(is_token, codings)):
        return Malformed(400, "invalid Transfer-Encoding")
    return Malformed(501, "unknown transfer coding")


BodyReader = CountedReader | ChunkedReader


def request_body_reader(length: int | None) -> BodyReader:
    """
    :param length: octets, or None for a chunked body.
    """
    if length is None:
        return ChunkedReader(_OF_REQUESTS, is_lenient=False)
    return CountedReader(length, length == 0)
