"""What the management API answers, in tables for people: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from trickster.units import format_duration

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NONE = "-"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def caches_table(told: Any) -> str:
    """
    :param told: what is answered for the list of caches.
    :return: a line for each.
    """
    rows = [("NAME", "PROVIDER", "UP", "OBJECTS", "SIZE", "BACKENDS")]
    rows += [(_text(one.get("name")), _text(one.get("provider")), _yes(one.get("up")),
              _text(one.get("objects")), _size(one.get("bytes")),
              _text(",".join(map(str, one.get("backends") or ())) or None))
             for one in told["caches"]]
    return _table(rows)


def entries_table(told: Any) -> str:
    """
    :param told: what is answered for the entries of a cache.
    :return: a line for each, and how to go on.
    """
    rows = [("BACKEND", "SIZE", "AGE", "TTL", "HITS", "KEY", "URL", "HELD")]
    rows += [(_text(one.get("backend")), _size(one.get("size")), _seconds(one.get("age")),
              _seconds(one.get("ttl")), _text(one.get("hits")), _text(one.get("key")),
              _url(one), _extents(one.get("extents"))) for one in told["entries"]]
    more = told.get("more")
    return _table(rows) + (f"There is more: --after {_text(more)}\n" if more else "")


def purged_table(told: Any) -> str:
    """
    :param told: what is answered for a purge.
    :return: a line for each cache.
    """
    rows = [("CACHE", "PURGE", "WHAT")]
    rows += [(_text(one.get("name")), _text(one.get("number")), _rules(one.get("rules") or ()))
             for one in told["caches"]]
    return _table(rows)


def _rules(rules: Sequence[Any]) -> str:
    return "; ".join(_text(" ".join(str(rule[member]) for member in ("backend", "kind", "name")
                                    if member in rule)) for rule in rules)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
             for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _text(value: Any) -> str:
    # What origins and clients have named is not to move the cursor.
    return _NONE if value is None else _UNSEEN.sub("?", str(value))


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _number(show: Callable[[float], str]) -> Callable[[Any], str]:
    def shown(value: Any) -> str:
        return show(value) if isinstance(value, int | float) else _NONE

    return shown


def _octets(value: float) -> str:
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} {_UNITS[-1]}"


_size = _number(_octets)
_seconds = _number(lambda value: format_duration(round(value)))


def _url(entry: Any) -> str:
    query = entry.get("query")
    url = _text(entry.get("url"))
    return url if query is None or "?" in url else f"{url} {_text(query)}"


def _extents(extents: Any) -> str:
    if not extents:
        return _NONE
    return ",".join(f"{_instant(start)}/{_instant(end)}" for start, end in extents)


def _instant(milliseconds: int) -> str:
    try:
        found = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")
