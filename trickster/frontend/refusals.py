"""What a connection answers where no responder does."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from attrs import define, field, frozen
from twisted.logger import Logger
from zope.interface import implementer

from trickster.errors import BadRequest, Overloaded, RequestError
from trickster.frontend.link import ClientLink
from trickster.http.h1.encoding import BodyFraming, response_head
from trickster.http.h1.faults import Malformed
from trickster.http.h1.requests import RequestHead
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Request, Response, octets_of
from trickster.net.first_step import first_step
from trickster.observability.refusals import SpelledRefusal, refusal

# Different refusals that are remembered for a second, of paths and hosts of so many octets.
_MOST_REFUSALS = 1024
_LONGEST_REMEMBERED = 512


@implementer(IResponder)
@frozen
class Refused:
    """Has a request refused."""

    refuser: IRefuser
    error: RequestError

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: as L{IRefuser.refused}, for C{error}.
        """
        return self.refuser.refused(request, self.error)


def too_much() -> Overloaded:
    """:return: why requests are refused in a process that has too much to do."""
    return Overloaded("there is too much to do", retry_after=1)


def refused_octets(refuser: IRefuser, head: RequestHead, date: bytes) -> bytes:
    """
    :param head: of a request that is refused as there is too much to do; it has no body, or
        one that has been read.
    :param date: as an HTTP date.
    :return: the whole answer.
    """
    request = Request(head.method, head.target, head.headers, authority=head.authority,
                      version=head.version)
    try:
        first_step(refuser.refused(request, too_much()))
    except StopIteration as done:
        response: Response = done.value
    else:
        raise AssertionError("a refusal does not wait")
    framed = response_head(head.method, head.version, response, date, not head.persistent)
    body = octets_of(response.body) or b""
    return framed.octets + (body if framed.framing is BodyFraming.LENGTH else b"")


def refuse_malformed(link: ClientLink, malformed: Malformed, date: bytes) -> None:
    """
    Say what is wrong with what is no request, and close.

    :param date: as an HTTP date.
    """
    answer = refusal(BadRequest(malformed.detail, status=malformed.status))
    head = response_head(b"GET", b"HTTP/1.1", answer, date, closing=True)
    link.output.send(head.octets + (octets_of(answer.body) or b""))
    link.close(lingering=True)


@define(eq=False)
class PreparedRefusals:
    """
    Answers to requests that are refused as there is too much to do.

    Those to equal paths are made once a second, lest refusing be as much work as answering.
    """

    _made_at: bytes = field(default=b"", init=False)
    _made: dict[object, bytes] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._made)

    def octets(self, head: RequestHead, responder: Any, date: bytes) -> bytes | None:
        """
        :param head: of a request that has no body, or one that has been read.
        :param responder: what would answer the request.
        :param date: the present, as an HTTP date.
        :return: the answer, as it is sent; None where the request is to be answered all the
            same, as it is for one of the listener's own endpoints.
        """
        if not IRefuser.providedBy(responder):
            return None
        key = (head.method, head.authority, head.target.partition(b"?")[0], head.version,
               head.persistent)
        if date != self._made_at or len(self._made) >= _MOST_REFUSALS:
            self._made_at, self._made = date, {}
        octets = self._made.get(key)
        if octets is None:
            octets = refused_octets(responder, head, date)
            if len(head.target) + len(head.authority) <= _LONGEST_REMEMBERED:
                self._made[key] = octets
        return octets


def refusal_of(error: BaseException, log: Logger) -> Response:
    """
    :param error: what a responder raised.
    :param log: gets the traceback of an unexpected error.
    :return: an answer, which tells nothing of our insides.
    """
    if isinstance(error, SpelledRefusal):
        return error.response
    if isinstance(error, RequestError):
        return refusal(error)
    log.failure("A request could not be answered")
    return refusal(RequestError())
