"""The paths that servers may take one path for (RFC 3986 section 6)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from attrs import frozen

# What some server does something with: escapes, repeated slashes, backslashes, parameters of
# segments, dot segments, an end of a string.
_SUSPECT = re.compile(rb"[%\\;\0]|//|/\.")
_SLASHES = re.compile(rb"//+")
_ENCODED_SLASH = re.compile(rb"%2[fF]")
_PARAMETERS = re.compile(rb";[^/]*")
_MOST = 48
# Octets of all of them together: each costs some microseconds a kilobyte.
_MOST_OCTETS = 32 * 1024


@frozen
class Readings:
    """
    :ivar paths: all that a path may be taken for.  The first is the one to go by: escapes
        resolved, but for slashes.
    :ivar is_odd: whether it has dot segments, or an octet at which some servers stop reading:
        then it is nothing to make a cache key of, wherever it leads.
    :ivar climbs: whether some reading of it leads out of the root.
    """

    paths: tuple[bytes, ...]
    is_odd: bool = False
    climbs: bool = False


def readings(path: bytes) -> Readings | None:
    """
    Work out what an origin may make of a path: decode it once or several times, merge or keep
    repeated slashes, resolve dot segments, take backslashes for slashes, leave out
    parameters, stop at a NUL; in any order.

    :param path: as on the wire.
    :return: None where there are more of them than a client could mean.
    """
    if _SUSPECT.search(path) is None:
        return Readings((path,))
    whole = unquote_to_bytes(path)
    pieces = _ENCODED_SLASH.split(path)
    kept = whole if len(pieces) == 1 else b"%2F".join(map(unquote_to_bytes, pieces))
    found = {kept: None, whole: None}
    todo = list(found)
    octets = 0
    is_odd = climbs = False
    while todo:
        one = todo.pop()
        octets += len(one)
        if len(found) > _MOST or octets > _MOST_OCTETS:
            return None
        resolved, is_above = _resolved(one)
        climbs = climbs or is_above
        is_odd = is_odd or resolved != one or b"\0" in one
        for other in (resolved, *_variants(one)):
            if other not in found:
                found[other] = None
                todo.append(other)
    return Readings(tuple(found), is_odd, climbs)


def _variants(path: bytes) -> tuple[bytes, ...]:
    return (
        unquote_to_bytes(path), _SLASHES.sub(b"/", path), path.replace(b"\\", b"/"),
        _PARAMETERS.sub(b"", path), path.partition(b"\0")[0] or b"/")


def _resolved(path: bytes) -> tuple[bytes, bool]:
    """:return: a path without dot segments (RFC 3986 5.2.4), and whether it led out of the root."""
    if b"/." not in path:
        return path, False
    kept: list[bytes] = []
    is_above = False
    *segments, last = path.split(b"/")[1:]
    for segment in (*segments, last):
        if segment == b"..":
            is_above = is_above or not kept
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if last in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept), is_above
