"""Requests and answers as workers send them to one another: with all that is known of them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from attrs import evolve, frozen

from trickster import errors
from trickster.errors import Reason, RequestError
from trickster.messages import (
    Headers,
    Octets,
    Outcome,
    Pair,
    Peer,
    Principal,
    Request,
    Response,
    octets_of,
)

# Octets that say how long the head of an answer is.
LENGTH = 4
# What msgpack has of integers.
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
# What a process raises, another one can raise as well: all but what has fields of its own.
_ERRORS: Mapping[str, type[RequestError]] = {
    each.__name__: each for each in (
        errors.RequestError, errors.BadRequest, errors.NotFound, errors.NotCached,
        errors.RequestTooLarge, errors.Overloaded, errors.UpstreamError,
        errors.UpstreamUnreachable, errors.UpstreamBroke, errors.UpstreamMalformed,
        errors.UpstreamTimeout)}


@frozen
class Who:
    """
    A principal: another one is never taken for it, also where its texts have odd octets.

    :ivar name: in UTF-8, with surrogates as if they were characters; as in C{claims}.
    """

    name: bytes
    claims: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, principal: Principal) -> Who:
        """:return: a principal, to be sent."""
        return cls(_octets(principal.name), tuple(
            (_octets(name), _octets(value)) for name, value in principal.claims))

    def principal(self) -> Principal:
        """
        :return: the principal that was sent.
        :raises UnicodeDecodeError: there is none.
        """
        return Principal(_text(self.name), tuple(
            (_text(name), _text(value)) for name, value in self.claims))


@frozen
class Asked:
    """
    A request for one of the caches of another process.

    :ivar cache: which.
    :ivar mark: the number of the newest purge of which the process knows that asks.
    """

    cache: str
    method: bytes
    target: bytes
    headers: tuple[Pair, ...]
    body: bytes
    authority: bytes
    peer: Peer
    version: bytes
    configured: tuple[bytes, ...]
    identity: Who | None
    mark: int = 0

    @classmethod
    def of(cls, cache: str, request: Request, mark: int = 0) -> Asked:
        """
        :param request: whose body is here whole.
        :raises ValueError: it is not.
        """
        body, identity = octets_of(request.body), request.identity
        if body is None:
            raise ValueError("the body of a request is not whole")
        return cls(cache, request.method, request.target, request.headers.pairs, body,
                   request.authority, request.peer, request.version, tuple(request.configured),
                   None if identity is None else Who.of(identity), mark)

    def request(self) -> Request:
        """
        :return: the request, as it was.
        :raises ValueError: it cannot have been one.
        """
        identity = None if self.identity is None else self.identity.principal()
        return Request(self.method, self.target, Headers(self.headers), Octets(self.body),
                       self.authority, self.peer, self.version,
                       configured=frozenset(self.configured), identity=identity)


@frozen
class Forgotten:
    """
    What a request has made invalid (RFC 9111 section 4.4).

    :ivar backend: whose caches have it.
    :ivar target: in origin form, in the words of clients.
    :ivar authority: the host that the client asked for.
    """

    backend: str
    target: bytes
    authority: bytes


@frozen
class AnswerHead:
    """An answer without its body."""

    status: int
    headers: tuple[Pair, ...]
    phrase: bytes
    is_doubtful: bool
    outcome: Outcome

    def response(self) -> Response:
        """:return: the answer, without a body."""
        return Response(self.status, Headers(self.headers), outcome=self.outcome,
                        phrase=self.phrase, is_doubtful=self.is_doubtful)


@frozen
class Raised:
    """
    Why there is no answer.

    :ivar kind: the name of the class of the error.
    """

    kind: str
    detail: str
    reason: Reason
    status: int
    retry_after: float | None
    fields: tuple[Pair, ...]

    @classmethod
    def of(cls, error: RequestError) -> Raised:
        """:return: an error, to be sent; one of an unknown class as the nearest known one."""
        kind = next(name for base in type(error).__mro__ if (name := base.__name__) in _ERRORS)
        return cls(kind, error.detail, error.reason, error.status, error.retry_after,
                   tuple(error.fields))

    def error(self) -> RequestError:
        """:return: the error, to be raised here."""
        made = _ERRORS.get(self.kind, RequestError)(
            self.detail, self.reason, self.status, retry_after=self.retry_after)
        made.fields = self.fields
        return made


@frozen
class Order:
    """What one worker asks of another: one of the two, or neither, to see that it answers."""

    asked: Asked | None = None
    forgotten: Forgotten | None = None


@frozen
class Reply:
    """What it answers: one of the two; neither where there is nothing to say."""

    head: AnswerHead | None = None
    raised: Raised | None = None


_orders = msgspec.msgpack.Decoder(Order)
_replies = msgspec.msgpack.Decoder(Reply)


def encoded_order(order: Order) -> bytes:
    """
    :return: an order as octets.
    :raises ValueError: it cannot be sent.
    """
    return msgspec.msgpack.encode(order)


def decoded_order(octets: bytes | bytearray) -> Order:
    """
    :raises ValueError: it is none.
    """
    return _orders.decode(octets)


def encoded_reply(reply: Reply) -> bytes:
    """:return: a reply as octets, its length before it."""
    try:
        octets = msgspec.msgpack.encode(reply)
    except (OverflowError, UnicodeEncodeError):
        octets = msgspec.msgpack.encode(_sendable(reply))
    return len(octets).to_bytes(LENGTH, "big") + octets


def decoded_reply(octets: bytes | bytearray) -> Reply:
    """
    :param octets: without the length.
    :raises ValueError: it is none.
    """
    return _replies.decode(octets)


def reply_of(response: Response) -> Reply:
    """:return: the reply that an answer is, without its body."""
    return Reply(AnswerHead(response.status, response.headers.pairs, response.phrase,
                            response.is_doubtful, response.outcome))


def refusal_of(error: RequestError) -> Reply:
    """:return: the reply that an error is."""
    return Reply(raised=Raised.of(error))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")


def _sendable(reply: Reply) -> Reply:
    """:return: the same, without what is for logs only and cannot be sent."""
    head, raised = reply.head, reply.raised
    if head is not None:
        head = evolve(head, outcome=_sendable_outcome(head.outcome))
    if raised is not None:
        raised = evolve(raised, detail=_sendable_text(raised.detail))
    return Reply(head, raised)


def _sendable_outcome(outcome: Outcome) -> Outcome:
    aligned = outcome.aligned
    return evolve(
        outcome, detail=_sendable_text(outcome.detail), fetched=_bounded(outcome.fetched),
        failed=_bounded(outcome.failed),
        aligned=None if aligned is None else (_within(aligned[0]), _within(aligned[1])))


def _sendable_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _bounded(spans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((min(max(start, _LEAST), _MOST), min(max(end, _LEAST), _MOST))
                 for start, end in spans)


def _within(instant: int | None) -> int | None:
    return None if instant is None else min(max(instant, _LEAST), _MOST)
