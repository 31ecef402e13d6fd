"""Answers to clients out of stored responses: preconditions, ranges, HEAD, age."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from trickster.bodies import Pieces
from trickster.collapsing.readers import BodyReader
from trickster.http.byte_ranges import Span, content_range, parse_range, satisfiable
from trickster.http.conditions import (
    Verdict,
    evaluate,
    has_conditions,
    not_modified_headers,
    range_applies,
)
from trickster.http.partial_content import multipart
from trickster.interfaces import IBody
from trickster.messages import Headers, Octets, Outcome, Request, Response
from trickster.objects.stored_response import StoredResponse

_MOST_RANGES = 64


@frozen
class RangeRules:
    """
    How requests for byte ranges are treated.

    :ivar boundary: makes the text between parts; it must be unpredictable, lest a body
        contain it on purpose.
    :ivar multipart: whether several ranges are answered in parts, rather than with
        everything.
    """

    boundary: Callable[[], bytes]
    multipart: bool = True

    @property
    def limit(self) -> int:
        """How many ranges one request may have; a request for more gets everything."""
        return _MOST_RANGES if self.multipart else 1


@frozen
class Reply:
    """
    Everything that decides about one answer.

    :ivar stored: matches the request, and has, or will have, every octet it asks for.
    :ivar now: in seconds of the clock that ages are counted by.
    :ivar outcome: how it came about; its C{age} and C{ttl} are filled in.
    :ivar is_reused: whether it was not made for this very request, and so has an C{Age}.
    """

    stored: StoredResponse
    request: Request
    now: float
    outcome: Outcome
    rules: RangeRules
    is_reused: bool = True


def answer(reply: Reply) -> Response:
    """:return: the answer from a stored response whose octets are here."""
    stored = reply.stored
    verdict = _verdict(reply)
    if verdict is not Verdict.PASS:
        return _refused(reply, verdict)
    if reply.request.method == b"HEAD":
        return _bodyless(_response(reply, Octets()), stored.length)
    spans = wanted_spans(stored, reply.request, reply.now, reply.rules)
    if spans is None or stored.length is None:
        return _response(reply, stored.body())
    response = _response(reply, Octets())
    if not spans:
        return _unsatisfiable(response, stored.length)
    return _partial(stored, spans, response, reply.rules)


def live_answer(body: BodyReader, reply: Reply) -> Response:
    """
    :param body: one that is still coming.
    :return: the answer to one of those who follow it.
    """
    stored = evolve(reply.stored, length=body.whole_length)
    verdict = _verdict(reply)
    if verdict is not Verdict.PASS:
        body.pass_up()
        return _refused(reply, verdict)
    if reply.request.method == b"HEAD":
        body.pass_up()
        return _bodyless(_response(reply, Octets()), stored.length)
    response = _response(reply, body)
    spans = wanted_spans(stored, reply.request, reply.now, reply.rules)
    if spans is None or len(spans) > 1 or stored.length is None:
        return response
    if not spans:
        body.pass_up()
        return _unsatisfiable(response, stored.length)
    body.narrow(spans[0].start, spans[0].stop)
    return evolve(
        response, status=206, phrase=b"", headers=response.headers.with_set(
            b"Content-Range", content_range(spans[0], stored.length)))


def _response(reply: Reply, body: IBody) -> Response:
    stored, was = reply.stored, reply.outcome
    age = stored.age(reply.now)
    headers = stored.headers
    if reply.is_reused:
        headers = Headers((*headers.pairs, (b"Age", b"%d" % age)))
    # Not evolve(): it costs more than all the rest of a hit.
    outcome = Outcome(
        was.engine, was.status, was.reason, was.detail, stored=was.stored,
        ttl=stored.policy.lifetime - age, age=age if reply.is_reused else None,
        origin_status=was.origin_status, missed=was.missed, cause=was.cause)
    return Response(stored.status, headers, body, outcome, stored.phrase)


def _refused(reply: Reply, verdict: Verdict) -> Response:
    response = _response(reply, Octets())
    if verdict is Verdict.NOT_MODIFIED:
        return evolve(response, status=304, phrase=b"",
                      headers=not_modified_headers(response.headers))
    return evolve(response, status=412, phrase=b"", headers=_without_content(response.headers))


def _verdict(reply: Reply) -> Verdict:
    # Preconditions only apply to what would otherwise succeed (RFC 9110 section 13.2.1).
    # A form sent with POST is looked up too, but knows no 304.
    request, stored = reply.request, reply.stored
    if (stored.status != 200 or request.method == b"POST"
            or not has_conditions(request.headers)):
        return Verdict.PASS
    return evaluate(request.headers, True, stored.headers, reply.now)


def _bodyless(response: Response, length: int | None) -> Response:
    if length is None:
        return response
    return evolve(response, headers=response.headers.with_added(
        (b"Content-Length", b"%d" % length)))


def wanted_spans(stored: StoredResponse, request: Request, now: float,
                 rules: RangeRules) -> list[Span] | None:
    """
    :return: which octets a request wants of a response of known length; None for all of
        them, and none where there are no such octets.
    """
    if b"range" not in request.headers:
        return None
    if request.method != b"GET" or stored.status != 200 or stored.length is None:
        return None
    wanted = parse_range(request.headers, rules.limit)
    if not wanted or not range_applies(request.headers, stored.headers, now):
        return None
    if not stored.length:
        # The last octets of nothing exist (RFC 9110 section 14.1.2), but no Content-Range can
        # say so; and some clients ask for ranges of anything, to bound what they get.
        return None
    return satisfiable(wanted, stored.length)


def needs_all(head: StoredResponse, request: Request, rules: RangeRules) -> bool:
    """
    :param head: of an answer that is on its way.
    :return: whether a request can only be answered when all of it is here: one for several
        ranges, or for any while the length is not known.
    """
    if b"range" not in request.headers or head.status != 200:
        return False
    wanted = parse_range(request.headers, rules.limit)
    return len(wanted) > 1 or (bool(wanted) and head.length is None)


def _unsatisfiable(response: Response, length: int) -> Response:
    """:return: the 416 that says how much there is (RFC 9110 section 15.5.17)."""
    headers = _without_content(response.headers).with_added(
        (b"Content-Range", b"bytes */%d" % length))
    return evolve(response, status=416, headers=headers, body=Octets(), phrase=b"")


def _partial(stored: StoredResponse, spans: list[Span], response: Response,
             rules: RangeRules) -> Response:
    response = evolve(response, status=206, phrase=b"")
    content = stored.content
    if len(spans) == 1:
        part = content.part_with(spans[0])
        buffers = list(part.cut(spans[0])) if part is not None else []
        return evolve(response, body=Pieces.of(buffers), headers=response.headers.with_set(
            b"Content-Range", content_range(spans[0], content.length)))
    boundary = rules.boundary()
    kind = b"multipart/byteranges; boundary=" + boundary
    return evolve(response, body=Pieces.of(list(multipart(content, spans, boundary))),
                  headers=response.headers.with_set(b"Content-Type", kind))


def _without_content(headers: Headers) -> Headers:
    gone = {name.lower() for name, _ in headers if name.lower().startswith(b"content-")}
    return headers.without(*gone)
