"""Named values in a request body: urlencoded, multipart, or deep in a JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trickster.messages import MalformedParams, Params

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)

_FORM = b"application/x-www-form-urlencoded"
# Nobody configures paths into documents nested deeper than this.
_MOST_PARTS = 1000


def is_form(content_type: bytes) -> bool:
    """:return: whether a body of this type is an urlencoded form."""
    return _kind(content_type) == _FORM


def _kind(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def field_values(content_type: bytes, body: bytes, names: Sequence[str]
                 ) -> list[bytes | None] | None:
    """
    :param names: of the fields, in the order in which their values are wanted; in JSON,
        C{a/b/0} is item 0 of member b of member a.
    :return: for each name its values as one unambiguous text, None where it is absent; or
        None altogether where the body cannot be read.
    """
    kind = _kind(content_type)
    try:
        if kind == _FORM:
            return _from_params(Params.parse(body), names)
        if kind == b"multipart/form-data":
            return _from_parts(_multipart(content_type, body), names)
        if kind == b"application/json" or kind.endswith(b"+json"):
            return _from_json(json.loads(body), names)
    except (MalformedParams, ValueError, RecursionError):
        return None
    return None


def _from_params(params: Params, names: Sequence[str]) -> list[bytes | None]:
    return [_together([v.encode("utf-8", "surrogateescape") for v in params.get_all(name)])
            for name in names]


def _from_parts(parts: Mapping[bytes, list[bytes]], names: Sequence[str]
                ) -> list[bytes | None]:
    return [_together(parts.get(name.encode("utf-8"), [])) for name in names]


def _together(values: Sequence[bytes]) -> bytes | None:
    return b"".join(b"%d:%b" % (len(v), v) for v in values) if values else None


def _multipart(content_type: bytes, body: bytes) -> dict[bytes, list[bytes]]:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("no boundary")
    delimiter = b"\r\n--" + (found[1] or found[2])
    pieces = (b"\r\n" + body).split(delimiter, _MOST_PARTS)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("no closing delimiter")
    fields: dict[bytes, list[bytes]] = {}
    for piece in pieces[1:-1]:
        head, gap, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or name is None:
            raise ValueError("a part without a name")
        fields.setdefault(name[1] if name[1] is not None else name[2], []).append(content)
    return fields


def _from_json(document: Any, names: Sequence[str]) -> list[bytes | None]:
    return [_spelled(document, name.split("/")) for name in names]


def _spelled(value: Any, path: Sequence[str]) -> bytes | None:
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
