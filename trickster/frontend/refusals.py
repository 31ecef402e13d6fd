"""What a connection answers where no responder does."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import frozen
from twisted.logger import Logger
from zope.interface import implementer

from trickster.errors import Overloaded, RequestError
from trickster.http.h1.encoding import BodyFraming, response_head
from trickster.http.h1.requests import RequestHead
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Request, Response, octets_of
from trickster.net.first_step import first_step
from trickster.observability.refusals import SpelledRefusal, refusal


@implementer(IResponder)
@frozen
class Refused:
    """Has a request refused."""

    refuser: IRefuser
    error: RequestError

    def respond(self, request: Request) -> Awaitable[Response]:
        """See L{IResponder.respond}."""
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
