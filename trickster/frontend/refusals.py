"""What a connection answers where no responder does."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import frozen
from twisted.logger import Logger
from zope.interface import Interface, implementer

from trickster.errors import RequestError
from trickster.interfaces import IResponder
from trickster.messages import Request, Response
from trickster.observability.refusals import SpelledRefusal, refusal


class IRefuser(Interface):
    """A responder that can also tell a client why its request is not answered."""

    def refused(request: Request, error: RequestError) -> Awaitable[Response]:
        """
        Refuse a request as what would have answered it does; its body is not read.

        :param error: why.
        """


@implementer(IResponder)
@frozen
class Refused:
    """Has a request refused."""

    refuser: IRefuser
    error: RequestError

    def respond(self, request: Request) -> Awaitable[Response]:
        """See L{IResponder.respond}."""
        return self.refuser.refused(request, self.error)


def refusal_of(error: BaseException, log: Logger) -> Response:
    """
    :param error: what a responder raised.
    :param log: gets the traceback of what nobody foresaw.
    :return: an answer, which tells nothing of our insides.
    """
    if isinstance(error, SpelledRefusal):
        return error.response
    if isinstance(error, RequestError):
        return refusal(error)
    log.failure("A request could not be answered")
    return refusal(RequestError())
