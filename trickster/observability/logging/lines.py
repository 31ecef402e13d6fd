"""Log lines: how fields are spelled, so that nothing a client sends can forge a line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from zope.interface import Interface

Fields = list[tuple[str, object]]

# Made once: json.dumps makes an encoder at every call that is not quite the default one.
_encoded = json.JSONEncoder(separators=(",", ":")).encode

_SHORT = 256

_ODD_IN_KEY = re.compile(r"[^A-Za-z0-9_.-]")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/*+@%,;?&<>()\[\]{}|~!#$^-]+")


class ILineSink(Interface):
    """Takes lines of text."""

    def write(line: str) -> None:
        """
        :param line: without its end, and without line breaks in it.  It must not take
            long: a sink that cannot keep up drops lines and says so.
        """


def logfmt(fields: Sequence[tuple[str, object]]) -> str:
    """:return: C{name=value name="a value"}; odd characters are escaped as in JSON."""
    return " ".join([f"{_key(name)}={_logfmt_value(value)}" for name, value in fields])


def json_text(fields: Sequence[tuple[str, object]]) -> str:
    """:return: one JSON object, in ASCII."""
    text = _encoded({name: _json_value(value) for name, value in fields})
    return text.replace("\x7f", "\\u007f")


SPELLINGS: dict[str, Callable[[Fields], str]] = {"logfmt": logfmt, "json": json_text}


def timestamp(now: float) -> str:
    """
    :param now: seconds since the epoch.
    :return: RFC 3339, UTC, with milliseconds.
    """
    whole = int(now // 1)
    return f"{_to_the_second(whole)}.{int((now - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    return _ODD_IN_KEY.sub("_", name) or "_"


def _logfmt_value(value: object) -> str:
    if type(value) is str:
        return _remembered(value) if len(value) <= _SHORT else _spelled(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return _logfmt_value(_as_text(value))


def _spelled(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


_remembered = lru_cache(maxsize=1024)(_spelled)


def _quoted(text: str) -> str:
    # JSON leaves DEL as it is, a terminal may not.
    return json.dumps(_encodable(text)).replace("\x7f", "\\u007f")


def _encodable(text: str) -> str:
    # Lone surrogates, which stand for octets that are no UTF-8, are no valid JSON.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _json_value(value: object) -> object:
    if type(value) is str:
        return _encodable(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    return _as_text(value)


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
