"""What the response of an origin is to a client, as pure functions."""

from __future__ import annotations

from functools import lru_cache

from attrs import evolve

from trickster.errors import Reason, UpstreamMalformed
from trickster.http.h1.framing import Ending
from trickster.http.h1.leniency import DOUBTFUL
from trickster.http.h1.responses import ResponseHead
from trickster.http.hop_by_hop import connection_options, response_headers
from trickster.interfaces import IBody
from trickster.messages import Engine, Headers, Outcome, Response, passed_status
from trickster.upstream.h1.answers import AnswerReader

# Server-sent events, pushed pictures, lines and records of JSON, remote calls that stream.
_STREAM_TYPES = frozenset((
    b"text/event-stream", b"multipart/x-mixed-replace", b"application/x-ndjson",
    b"application/ndjson", b"application/jsonl", b"application/x-json-stream",
    b"application/stream+json", b"application/json-seq", b"application/grpc",
    b"application/grpc-web", b"application/grpc-web-text"))

# Members of an enum are slow to look up, and every request asks.
_NO_BODY = Ending.NO_BODY
_UPGRADED = Ending.UPGRADED


def is_event_stream(headers: Headers) -> bool:
    """:return: whether a response is of a type whose next part comes when there is news."""
    media_type = (headers.get(b"content-type") or b"").partition(b";")[0]
    return media_type.strip().lower() in _STREAM_TYPES


def check_upgrade(head: ResponseHead, offered: tuple[bytes, ...]) -> None:
    """
    :param offered: protocols that the client wants to change to, in lower case.
    :raises UpstreamMalformed: a 101 response changes to something else (RFC 9110 section 7.8).
    """
    chosen = head.headers.get_all(b"upgrade")
    if len(chosen) != 1 or chosen[0].lower() not in offered:
        raise UpstreamMalformed("an upgrade to a protocol that was not asked for")
    if b"upgrade" not in connection_options(head.headers):
        raise UpstreamMalformed("an upgrade that Connection does not name")


def response_of(reader: AnswerReader, head: ResponseHead, body: IBody) -> Response:
    """
    :param reader: which has read C{head}.  Where there is no body by nature,
        C{Content-Length} stays.
    :return: what the client may see.
    """
    ending = reader.ending
    has_length_of_its_own = ending is not _NO_BODY or head.status == 204
    headers = response_headers(head.headers, has_length_of_its_own)
    if ending is _UPGRADED:
        upgrade = head.headers.get(b"upgrade") or b""
        headers = headers.with_added((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    response = Response(head.status, headers, body, _outcome(head.status), head.phrase)
    if DOUBTFUL.isdisjoint(reader.leniencies):
        return response
    return evolve(response, is_doubtful=True)


@lru_cache(maxsize=600)
def _outcome(status: int) -> Outcome:
    reason = Reason.ORIGIN_STATUS if status >= 400 else Reason.PROXY_PATH
    return Outcome(Engine.PROXY, passed_status(status), reason, origin_status=status)
