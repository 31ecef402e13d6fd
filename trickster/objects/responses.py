"""Answers to clients out of stored responses: preconditions, ranges, HEAD, age."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from attrs import define, evolve, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.bodies import Pieces
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.fills import Streaming
from trickster.collapsing.readers import BodyReader
from trickster.http.byte_ranges import Span, content_range
from trickster.http.conditions import (
    Verdict,
    evaluate,
    has_conditions,
    not_modified_headers,
)
from trickster.http.partial_content import multipart
from trickster.interfaces import IBody
from trickster.messages import Headers, Octets, Outcome, Request, Response
from trickster.objects.partial_responses import RangeRules, wanted_spans
from trickster.objects.stored_response import StoredResponse


def unpredictable_boundary() -> bytes:
    """:return: the text between the parts of one answer; never the same twice."""
    return token_hex(16).encode("ascii")


@frozen
class Reply:
    """
    Everything that decides about one answer.

    :ivar stored: matches the request, and has, or will have, every octet it asks for.
    :ivar now: in seconds of the clock that ages are counted by.
    :ivar outcome: how it came about; its C{age} and C{ttl} are filled in.
    :ivar is_reused: whether it was not made for this very request, and so has an C{Age}.
    :ivar boundary: makes the text between parts; it must be unpredictable, lest a body
        contain it on purpose.
    """

    stored: StoredResponse
    request: Request
    now: float
    outcome: Outcome
    rules: RangeRules
    is_reused: bool = True
    boundary: Callable[[], bytes] = unpredictable_boundary


@define(eq=False)
class Responses:
    """
    Answers lookups, and counts what the answers hold.

    :ivar _boundary: as in L{Reply}.
    """

    _clock: IReactorTime
    _in_flight: ByteBudget
    _rules: RangeRules
    _boundary: Callable[[], bytes] = unpredictable_boundary

    def reusing(self, stored: StoredResponse, request: Request, outcome: Outcome,
                is_reused: bool = True) -> Response:
        """
        :param outcome: as in L{Reply}, like C{is_reused}.
        :return: an answer whose octets are here; they count as in flight while its body exists.
        :raises trickster.bodies.BodyTooLarge: there is no room for it in flight.
        """
        response = response_of(self._reply(stored, request, outcome, is_reused))
        self._in_flight.count(response.body, stored, stored.held)
        return response

    def streaming(self, streaming: Streaming[StoredResponse], request: Request,
                  outcome: Outcome, is_reused: bool) -> Response:
        """:return: an answer whose body is still coming."""
        reply = self._reply(streaming.stored, request, outcome, is_reused)
        return streaming_response(streaming.body, reply)

    def _reply(self, stored: StoredResponse, request: Request, outcome: Outcome,
               is_reused: bool) -> Reply:
        return Reply(stored, request, self._clock.seconds(), outcome, self._rules, is_reused,
                     self._boundary)


def response_of(reply: Reply) -> Response:
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
    return _partial(reply, spans, response)


def streaming_response(body: BodyReader, reply: Reply) -> Response:
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
    return response.with_headers(response.headers.with_added(
        (b"Content-Length", b"%d" % length)))


def _unsatisfiable(response: Response, length: int) -> Response:
    """:return: the 416 that says how much there is (RFC 9110 section 15.5.17)."""
    headers = _without_content(response.headers).with_added(
        (b"Content-Range", b"bytes */%d" % length))
    return evolve(response, status=416, headers=headers, body=Octets(), phrase=b"")


def _partial(reply: Reply, spans: list[Span], response: Response) -> Response:
    response = evolve(response, status=206, phrase=b"")
    content = reply.stored.content
    if len(spans) == 1:
        part = content.part_with(spans[0])
        buffers = list(part.cut(spans[0])) if part is not None else []
        return evolve(response, body=Pieces.of(buffers), headers=response.headers.with_set(
            b"Content-Range", content_range(spans[0], content.length)))
    boundary = reply.boundary()
    kind = b"multipart/byteranges; boundary=" + boundary
    return evolve(response, body=Pieces.of(list(multipart(content, spans, boundary))),
                  headers=response.headers.with_set(b"Content-Type", kind))


def _without_content(headers: Headers) -> Headers:
    gone = {name.lower() for name, _ in headers if name.lower().startswith(b"content-")}
    return headers.without(*gone)
