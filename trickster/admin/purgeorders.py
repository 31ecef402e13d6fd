"""What the management API is told to purge: pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import quote_from_bytes, urlsplit

from attrs import frozen

from trickster.config.document.problems import meant
from trickster.origins.promtime import instant_ns
from trickster.promql.tokens import Unreadable
from trickster.purging.selection import selection
from trickster.purging.table import Kind

# Octets of an order.
LONGEST_ORDER = 64 << 10
# Characters of what is said of what was given.
_SHOWN = 80
_EARLIEST_NS, _LATEST_NS = -(1 << 63), (1 << 63) - 1
_VISIBLE = bytes(range(0x21, 0x7f)).decode("ascii")

_KINDS: Mapping[str, Kind] = {
    "url": Kind.TARGET, "path": Kind.PATH, "prefix": Kind.PREFIX, "tag": Kind.TAG,
    "query": Kind.QUERY, "matcher": Kind.MATCHER, "key": Kind.KEY}
_MEMBERS = ("backend", *_KINDS, "start", "end", "soft", "all")


class BadOrder(ValueError):
    """
    An order that cannot be carried out.

    :ivar where: the member that is at fault; empty for all of it.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(problem)
        self.where = where


@frozen
class PurgeOrder:
    """
    What is to be purged.

    :ivar kind: what C{name} is.
    :ivar backend: whose; None for all of them.
    :ivar name: a key, path, beginning of a path, tag, query, matcher, or path and query.
    :ivar authority: the host of a URL that has one; else empty.
    :ivar span: of time, in nanoseconds, both ends inclusive; None for all of it.
    """

    kind: Kind
    backend: str | None = None
    name: bytes = b""
    authority: bytes = b""
    span: tuple[int, int] | None = None
    is_soft: bool = False


def read_order(octets: bytes | bytearray) -> PurgeOrder:
    """
    :param octets: the JSON of an order: C{{backend?, url|path|prefix|tag|query|matcher|key?,
        start?, end?, soft?, all?}}.
    :raises BadOrder: it is none.
    """
    document = _document(octets)
    for member in document:
        if member not in _MEMBERS:
            _bad(member[:_SHOWN], "there is no such member" + meant(member, _MEMBERS)
                 + f"; there are {', '.join(_MEMBERS)}")
    backend = _text(document, "backend")
    span, is_soft = _span(document), _flag(document, "soft")
    kind, name, authority = _named(document, backend)
    if span is not None and is_soft:
        _bad("soft", "a part of a time series cannot be purged softly: leave out soft, or start "
             "and end")
    if span is not None and kind is Kind.TAG:
        _bad("start" if "start" in document else "end",
             "only time series have a time, and those have no tags")
    return PurgeOrder(kind, backend, name, authority, span, is_soft)


def _document(octets: bytes | bytearray) -> dict[str, Any]:
    try:
        document = json.loads(octets.decode("utf-8"), object_pairs_hook=_once,
                              parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BadOrder("", f"no UTF-8 from octet {error.start} on") from error
    except json.JSONDecodeError as error:
        raise BadOrder("", f"no JSON: {error.msg} in line {error.lineno}, column "
                       f"{error.colno}") from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, BadOrder):
            raise
        raise BadOrder("", "no JSON that can be read") from error
    if not isinstance(document, dict):
        _bad("", f"{_kind_of(document)} is given, and an object is needed")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            _bad(name[:_SHOWN], "the member is there twice")
        found[name] = value
    return found


def _no_constant(text: str) -> NoReturn:
    _bad("", f"{text} is no JSON")


def _named(document: dict[str, Any], backend: str | None) -> tuple[Kind, bytes, bytes]:
    given = [member for member in _KINDS if member in document]
    is_all = _flag(document, "all")
    if is_all and given:
        _bad("all", f"everything is meant, or what {given[0]!r} says, but not both")
    if len(given) > 1:
        _bad(given[1], f"stands beside {given[0]!r}, and only one of {_listed(_KINDS)} may be "
             "there")
    if not given:
        return _whole(document, backend, is_all)
    [member] = given
    text = _text(document, member)
    assert text is not None
    return _KINDS[member], *_READERS[member](member, text)


def _whole(document: dict[str, Any], backend: str | None, is_all: bool
           ) -> tuple[Kind, bytes, bytes]:
    if backend is not None and (is_all or "all" not in document):
        return Kind.BACKEND, b"", b""
    if is_all:
        return Kind.ALL, b"", b""
    _bad("", f"nothing says what is to be purged: give one of {_listed(_KINDS)}, or backend, or "
         "all: true")


def _plain(member: str, text: str) -> tuple[bytes, bytes]:
    try:
        return text.encode(), b""
    except UnicodeEncodeError:
        _bad(member, "has half a character in it")


def _header(member: str, text: str) -> tuple[bytes, bytes]:
    if any(char <= " " or char == "," for char in text):
        _bad(member, "is one tag, which has neither spaces nor commas in it")
    return _plain(member, text)


def _path(member: str, text: str) -> tuple[bytes, bytes]:
    if not text.startswith("/"):
        _bad(member, f"{_shown(text)} does not begin with a slash, as paths do")
    if "?" in text or "#" in text:
        _bad(member, "has a query or a fragment, which no path has; for these, give url")
    return _spelled(member, text), b""


def _matcher(member: str, text: str) -> tuple[bytes, bytes]:
    try:
        selection(text)
    except Unreadable as error:
        _bad(member, f"is no vector selector, such as up{{job=\"a\"}}: {error}")
    return _plain(member, text)


def _url(member: str, text: str) -> tuple[bytes, bytes]:
    if "#" in text:
        _bad(member, "has a fragment, which no server ever sees")
    if text.startswith("/"):
        return _spelled(member, text), b""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise BadOrder(member, f"is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        _bad(member, f"{_shown(text)} is neither a path with a query, as /a?b=c, nor an http or "
             "https URL")
    authority = _spelled(member, parts.netloc.rpartition("@")[2])
    target = text.split("://", 1)[1][len(parts.netloc):]
    return _spelled(member, target if target.startswith("/") else "/" + target), authority


def _spelled(member: str, text: str) -> bytes:
    """:return: a target as browsers send it: what is no ASCII percent-encoded."""
    if any(char < " " or char == "\x7f" for char in text):
        _bad(member, "has control characters in it")
    octets, _ = _plain(member, text)
    return quote_from_bytes(octets, _VISIBLE).encode("ascii")


_READERS: Mapping[str, Callable[[str, str], tuple[bytes, bytes]]] = {
    "url": _url, "path": _path, "prefix": _path, "tag": _header, "query": _plain,
    "matcher": _matcher, "key": _plain}


def _span(document: dict[str, Any]) -> tuple[int, int] | None:
    if "start" not in document and "end" not in document:
        return None
    start = _instant(document, "start", _EARLIEST_NS)
    end = _instant(document, "end", _LATEST_NS)
    if end < start:
        _bad("end", "is before start")
    return start, end


def _instant(document: dict[str, Any], member: str, otherwise: int) -> int:
    if member not in document:
        return otherwise
    given = document[member]
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        _bad(member, f"{_kind_of(given)} is given, and a time is needed: RFC 3339 as "
             "2026-01-31T12:00:00Z, or seconds since 1970")
    try:
        return instant_ns(given if isinstance(given, str) else repr(given))
    except ValueError as error:
        raise BadOrder(member, f"{_shown(str(given)[:2 * _SHOWN])} is no time: RFC 3339 as "
                       "2026-01-31T12:00:00Z, or seconds since 1970") from error


def _text(document: dict[str, Any], member: str) -> str | None:
    if member not in document:
        return None
    given = document[member]
    if not isinstance(given, str):
        _bad(member, f"{_kind_of(given)} is given, and a text is needed")
    if not given:
        _bad(member, "is empty")
    return given


def _flag(document: dict[str, Any], member: str) -> bool:
    given = document.get(member, False)
    if not isinstance(given, bool):
        _bad(member, f"{_kind_of(given)} is given, and true or false is needed")
    return given


def _kind_of(given: Any) -> str:
    kinds: Sequence[tuple[type | tuple[type, ...], str]] = (
        (bool, "true or false"), ((int, float), "a number"), (str, "a text"), (list, "a list"),
        (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(given, kind)), "null")


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _bad(where: str, problem: str) -> NoReturn:
    raise BadOrder(where, problem)
