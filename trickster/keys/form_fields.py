"""
Named values in a request body: urlencoded, multipart, or deep in a JSON document.

What two origins may read in different ways is refused: what one takes for a field that does
not count may be one that does for the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from multipart import MultipartError, PushMultipartParser

from trickster.keys.parameters import alike
from trickster.messages import Headers, MalformedParams, Params, media_type

FORM = b"application/x-www-form-urlencoded"
_JSON = b"application/json"
_MOST_PARTS = 256
# Reading JSON takes 30 ns an octet, and no thread would help: the interpreter waits for it.
_LONGEST_JSON = 131_072
_LONGEST_MULTIPART = 1 << 20
# As browsers write them, and nothing else (RFC 7578 section 4).
_MULTIPART = re.compile(
    rb'multipart/form-data[ \t]*;[ \t]*boundary=(?:"([0-9A-Za-z\'()+_,./:=? -]{1,70})"'
    rb"|([0-9A-Za-z'+_.-]{1,70}))[ \t]*", re.IGNORECASE)
_TEXT = r"""(?:"[^"\\%\x00-\x1f\x7f]*"|[!#$&'*+\-.^_`|~0-9A-Za-z]+)"""
_DISPOSITION = re.compile(f"form-data; name={_TEXT}(?:; filename={_TEXT})?")
_PART_TYPE = re.compile(r"(?!multipart/)[!#$&^_.+\-0-9A-Za-z]+/[!#$&^_.+\-0-9A-Za-z]+",
                        re.IGNORECASE)

Values = list[bytes | None]


class UnreadableBody(ValueError):
    """A body that cannot be read, or that may be read in different ways."""


def is_form(headers: Headers) -> bool:
    """:return: whether a request's body is an urlencoded form, and nothing else."""
    return media_type(headers) == FORM and b"content-encoding" not in headers


def field_values(headers: Headers, body: bytes, names: Sequence[str]) -> Values:
    """
    :param headers: of the request.
    :param names: of the fields, in the order in which their values are wanted; in JSON,
        C{a/b/0} is item 0 of member b of member a.
    :return: the kind of body, then for each name its values as one unambiguous text, None
        where it is absent.
    :raises UnreadableBody: it has not one meaning only.
    """
    if not body:
        return [None] * (1 + len(names))
    if b"content-encoding" in headers:
        raise UnreadableBody("a content coding")
    try:
        return _read(headers, body, names)
    except (MalformedParams, MultipartError, ValueError, RecursionError) as error:
        raise UnreadableBody(str(error)) from error


def _read(headers: Headers, body: bytes, names: Sequence[str]) -> Values:
    kind = media_type(headers)
    if kind is None:
        return [b"multipart", *_from_parts(_parts(headers, body), names)]
    if kind == FORM:
        return [b"form", *_from_params(Params.parse(body), names)]
    if kind == _JSON or kind.endswith(b"+json"):
        return [b"json", *_from_json(body, names)]
    raise UnreadableBody("neither a form nor JSON")


def _check_names(found: Iterable[str], counted: Sequence[str]) -> None:
    """:raises UnreadableBody: a name that may be taken for that of a field that counts."""
    known = {alike(name): name for name in counted}
    for name in found:
        if known.get(alike(name), name) != name or alike(name) == "charset":
            raise UnreadableBody("a name that looks like another")


def _from_params(params: Params, names: Sequence[str]) -> Values:
    _check_names((name for name, _ in params.pairs), names)
    return [_together([v.encode("utf-8", "surrogateescape") for v in params.get_all(name)])
            for name in names]


def _from_parts(parts: Sequence[tuple[str, bytes]], names: Sequence[str]) -> Values:
    _check_names((name for name, _ in parts), names)
    return [_together([octets for part, octets in parts if part == name]) for name in names]


def _together(values: Sequence[bytes]) -> bytes | None:
    return b"".join(b"%d:%b" % (len(v), v) for v in values) if values else None


def _parts(headers: Headers, body: bytes) -> list[tuple[str, bytes]]:
    """:return: name and content of each part, in order."""
    said = headers.get_all(b"content-type")
    found = _MULTIPART.fullmatch(said[0]) if len(said) == 1 else None
    if found is None or len(body) > _LONGEST_MULTIPART:
        raise UnreadableBody("no plain multipart form")
    boundary = found[1] or found[2]
    # Nothing before the first delimiter, and nothing after the last.
    if not body.startswith(b"--" + boundary) or not body.removesuffix(b"\r\n").endswith(
            b"\r\n--" + boundary + b"--") or body.count(b"\r\n--" + boundary + b"--") > 1:
        raise UnreadableBody("something beside the parts")
    with PushMultipartParser(boundary, len(body), max_header_count=2, strict=True,
                             max_segment_count=_MOST_PARTS) as parser:
        parts: list[tuple[str, list[bytes]]] = []
        for event in parser.parse(body):
            if isinstance(event, bytes | bytearray):
                parts[-1][1].append(bytes(event))
            elif event is not None:
                parts.append((_name_of(event.headerlist, event.name), []))
    return [(name, b"".join(pieces)) for name, pieces in parts]


def _name_of(headers: Sequence[tuple[str, str]], name: str) -> str:
    fields = dict(headers)
    if len(fields) != len(headers) or fields.keys() - {"Content-Disposition", "Content-Type"}:
        raise UnreadableBody("other fields of a part")
    if not _DISPOSITION.fullmatch(fields["Content-Disposition"]):
        raise UnreadableBody("an unusual disposition of a part")
    if not _PART_TYPE.fullmatch(fields.get("Content-Type", "text/plain")):
        raise UnreadableBody("an unusual type of a part")
    return name


def _from_json(body: bytes, names: Sequence[str]) -> Values:
    if len(body) > _LONGEST_JSON:
        raise UnreadableBody("too long to be looked into")
    document = json.loads(body.decode("utf-8"), parse_float=_Spelled, parse_int=_Spelled,
                          parse_constant=_no_constant, object_pairs_hook=_members)
    return [_spelled(document, name.split("/")) for name in names]


class _Spelled(str):
    """A number as it is spelled: to some origins more digits count than to others."""


def _no_constant(name: str) -> Any:
    raise UnreadableBody(f"{name} is no JSON")


def _members(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    # Of two, some take the first and others the last; some are not particular about case.
    if len({name.casefold() for name, _ in pairs}) != len(pairs):
        raise UnreadableBody("a name twice in an object")
    return dict(pairs)


def _spelled(value: Any, path: Sequence[str]) -> bytes | None:
    for step in path:
        if isinstance(value, dict):
            _check_case(value, step)
            if step not in value:
                return None
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return _unambiguous(value)


def _check_case(members: Mapping[str, Any], step: str) -> None:
    """:raises UnreadableBody: some origins would find what others would not."""
    if step not in members and step.casefold() in map(str.casefold, members):
        raise UnreadableBody("a name in another case")


def _unambiguous(value: Any) -> bytes:
    """:return: what is equal for equal values alone."""
    if isinstance(value, dict):
        members = (_unambiguous(k) + _unambiguous(value[k]) for k in sorted(value))
        return b"{%b}" % b"".join(members)
    if isinstance(value, list):
        return b"[%b]" % b"".join(map(_unambiguous, value))
    if isinstance(value, str):
        octets = value.encode("utf-8", "surrogatepass")
        return b"%b%d:%b" % (b"n" if isinstance(value, _Spelled) else b"s", len(octets), octets)
    return {None: b"z", True: b"t", False: b"f"}[value]
