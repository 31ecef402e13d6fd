"""Errors that may be the fault of one request, and so are none of others' business."""

from __future__ import annotations

import re
from collections.abc import Collection

from trickster.identity import ADDRESS_HEADERS
from trickster.messages import Headers

# They are about the target, which is the key.
_ABOUT_TARGET = frozenset((404, 410, 451))
# What beside the key an error may be about, of any request that browsers send.
COMPARED = frozenset((
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"authorization",
    b"cookie", b"origin", b"referer", b"user-agent"))

_LONGEST_USUAL = 512
_LONGEST_OTHER = 64
_MOST_OCTETS = 2048
_MOST_FIELDS = 50
_USUAL = COMPARED | frozenset(name.encode("ascii") for name in ADDRESS_HEADERS) | {
    b"host", b"connection", b"cache-control", b"pragma", b"dnt", b"upgrade-insecure-requests",
    b"priority", b"save-data", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform",
    b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user", b"sec-gpc",
    b"traceparent", b"tracestate", b"x-request-id", b"x-forwarded-host", b"x-forwarded-proto",
    b"x-forwarded-port", b"forwarded", b"via"}
# What says how a request is to be carried out: a wrong one is an error by itself.
_ACTING = frozenset((
    b"range", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since",
    b"if-range", b"expect", b"te", b"upgrade", b"trailer", b"transfer-encoding", b"content-type",
    b"content-encoding", b"content-length", b"content-range", b"max-forwards"))
_USUAL_VALUE = re.compile(rb"[\x20-\x7e]*")
_OTHER_VALUE = re.compile(rb"[0-9A-Za-z._~:-]*")


def is_about_request(status: int) -> bool:
    """
    :return: whether an error is likely to be about more of a request than its target.
    """
    return 400 <= status < 500 and status not in _ABOUT_TARGET


def is_unremarkable(status: int, request: Headers, compared: Collection[bytes]) -> bool:
    """
    :param status: of an error.
    :param request: the fields of the request.
    :param compared: names of those that have to be equal for the answer to be used again.
    :return: whether nothing in any other field is large or odd enough to have caused it.
    """
    octets = count = 0
    for name, value in request.pairs:
        lower = name.lower()
        if lower in compared:
            continue
        if lower in _ACTING and is_about_request(status):
            return False
        if not _is_plain(lower, value):
            return False
        octets += len(name) + len(value)
        count += 1
    return octets <= _MOST_OCTETS and count <= _MOST_FIELDS


def _is_plain(name: bytes, value: bytes) -> bool:
    if name in _USUAL or name in _ACTING:
        return len(value) <= _LONGEST_USUAL and _USUAL_VALUE.fullmatch(value) is not None
    return (max(len(name), len(value)) <= _LONGEST_OTHER
            and _OTHER_VALUE.fullmatch(value) is not None)
