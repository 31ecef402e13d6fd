"""The head of a response, read as well as can be (RFC 9112 sections 2, 4 and 5)."""

from __future__ import annotations

import re

from attrs import frozen

from trickster.errors import UpstreamMalformed
from trickster.http.grammar import TEXT, TOKEN
from trickster.http.h1.leniency import NO_LENIENCIES, Leniency
from trickster.messages import Headers, Pair

_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: (" + TEXT + rb"))?\r\n")
_FIELDS = re.compile(rb"(?:" + TOKEN + rb":" + TEXT + rb"\r\n)*\r\n")
_END = b"\r\n\r\n"

# What is taken of origins that do not keep to it; see trickster.http.h1.leniency.
_BLANK = re.compile(rb"(?:\r?\n){0,2}")
_ANY_END = re.compile(rb"\n\r?\n")
_START = re.compile(rb"HTTP/[0-9]", re.IGNORECASE)
_STARTS = b"HTTP/"
_ANY_STATUS_LINE = re.compile(
    rb"(HTTP/[0-9]{1,4}\.[0-9]{1,4})([ \t]+)([1-9][0-9][0-9])(?:[ \t](.*))?", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(rb"HTTP/1\.[0-9]")
_UNTAKEN = re.compile(rb"\r(?=[^\n])|\0")
_NAME = re.compile(TOKEN)
_NO_NAME = re.compile(rb"[\x00-\x20\x7f]")
_CONTROLS = bytes([*range(1, 9), *range(0x0B, 0x20), 0x7F])
_BLANKED = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")


@frozen(slots=True)
class ResponseHead:
    """
    A status line and the fields after it, as they came.

    :ivar minor: of the version: 0 for HTTP/1.0.
    :ivar leniencies: what there is about it that RFC 9112 does not know.
    """

    minor: int
    status: int
    phrase: bytes
    headers: Headers
    leniencies: frozenset[Leniency] = NO_LENIENCIES


def take_head(octets: bytes, seen: int, max_fields: int) -> tuple[ResponseHead, int] | None:
    """
    :param octets: from the first of a head on.
    :param seen: how many of them have been looked at before, and were no whole head.
    :param max_fields: the most header fields that are taken.
    :return: the head, and where it ends; None while it is not all here.
    :raises UpstreamMalformed: it is no head, or cannot become one.
    """
    end = octets.find(_END, max(0, seen - 3)) + 4
    if end > 3:
        head = _strict(octets[:end], max_fields)
        if head is not None:
            return head, end
    begin = _BLANK.match(octets).end()  # type: ignore[union-attr]
    found = _ANY_END.search(octets, begin if end > 3 else max(begin, seen - 2))
    if found is None:
        _check_beginning(octets, begin, seen)
        return None
    return _lenient(octets[:found.end()], begin, max_fields), found.end()


def _strict(octets: bytes, max_fields: int) -> ResponseHead | None:
    """:return: a head that is exactly what RFC 9112 describes, else None."""
    line = _STATUS_LINE.match(octets)
    if line is None or _FIELDS.fullmatch(octets, line.end()) is None:
        return None
    lines = octets[line.end():-4].split(b"\r\n") if len(octets) > line.end() + 2 else []
    _check_number(lines, max_fields)
    minor, status, phrase = line.groups()
    parts = [line.partition(b":") for line in lines]
    pairs = tuple([(name, value.strip(b" \t")) for name, _, value in parts])
    return ResponseHead(int(minor), int(status), phrase or b"", Headers(pairs))


def _check_number(lines: list[bytes], max_fields: int) -> None:
    if len(lines) > max_fields:
        raise UpstreamMalformed(f"more than {max_fields} header fields")


def _lenient(octets: bytes, begin: int, max_fields: int) -> ResponseHead:
    """
    Read a head as well as servers do that have seen much.

    :param begin: where the status line does.
    :raises UpstreamMalformed: even they would not, or it had better not be guessed.
    """
    if _UNTAKEN.search(octets):
        raise UpstreamMalformed("a bare CR or NUL in a response head")
    kinds = {Leniency.BLANK_LINE} if begin else set()
    lines = octets[begin:].split(b"\n")[:-2]
    if any(line[-1:] != b"\r" for line in lines) or not octets.endswith(b"\r\n"):
        kinds.add(Leniency.LINE_FEED)
    first, *rest = [line.removesuffix(b"\r") for line in lines]
    _check_number(rest, max_fields)
    minor, status, phrase = _status_line(first, kinds)
    pairs = _pairs(_unfolded(rest, kinds), kinds)
    return ResponseHead(minor, status, _blanked(phrase, kinds), Headers(tuple(pairs)),
                        frozenset(kinds))


def _status_line(line: bytes, kinds: set[Leniency]) -> tuple[int, int, bytes]:
    found = _ANY_STATUS_LINE.fullmatch(line)
    if found is None:
        raise UpstreamMalformed(f"a malformed status line: {_shown(line)}")
    version, space, status, phrase = found.groups()
    is_usual = _VERSION.fullmatch(version) is not None
    if not is_usual:
        kinds.add(Leniency.VERSION)
    if space != b" " or line[len(version) + 4:][:1] == b"\t":
        kinds.add(Leniency.STATUS_LINE)
    if int(status) > 599:
        kinds.add(Leniency.STATUS)
    return int(version[-1:]) if is_usual else 0, int(status), phrase or b""


def _unfolded(lines: list[bytes], kinds: set[Leniency]) -> list[bytes]:
    """:return: lines, each with those that continue it (RFC 9112 section 5.2)."""
    whole: list[list[bytes]] = []
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            whole.append([line])
            continue
        if not whole or whole[-1][0].partition(b":")[0].strip().lower() in _FRAMING:
            raise UpstreamMalformed("a folded line that may be about framing")
        kinds.add(Leniency.FOLD)
        whole[-1].append(line.strip(b" \t"))
    return [b" ".join(parts) for parts in whole]


def _pairs(lines: list[bytes], kinds: set[Leniency]) -> list[Pair]:
    pairs = []
    for line in lines:
        name, _, value = line.partition(b":")
        stripped = name.rstrip(b" \t") if b":" in line else name
        if stripped != name:
            kinds.add(Leniency.SPACE_BEFORE_COLON)
        if not stripped or _NO_NAME.search(stripped):
            raise UpstreamMalformed("a malformed header field")
        if b":" not in line or not _NAME.fullmatch(stripped):
            # It cannot be passed on; other readers might have understood it.
            kinds.add(Leniency.FIELD_NAME)
            continue
        pairs.append((stripped, _blanked(value.strip(b" \t"), kinds)))
    return pairs


def _blanked(text: bytes, kinds: set[Leniency]) -> bytes:
    """:return: a text with spaces for control octets (RFC 9110 section 5.5)."""
    blanked = text.translate(_BLANKED)
    if blanked != text:
        kinds.add(Leniency.CONTROL)
    return blanked


def _check_beginning(octets: bytes, begin: int, seen: int) -> None:
    """
    Refuse a head as soon as it cannot become a good one, so that no client waits for the rest.

    :raises UpstreamMalformed: it is not the beginning of a response.
    """
    start = octets[begin:begin + 6]
    if not _START.match(start) and start.upper() not in (
            _STARTS[:len(start)], b"\r") and len(start) > 0:
        raise UpstreamMalformed(f"this is not HTTP/1: {_shown(octets)}")
    if _UNTAKEN.search(octets, max(0, seen - 1)):
        raise UpstreamMalformed("a bare CR or NUL in a response head")


def _shown(octets: bytes) -> str:
    return repr(octets.lstrip().partition(b"\n")[0].rstrip()[:40])[1:]
