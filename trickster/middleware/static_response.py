"""Static responses: what an origin type or the configuration answers by itself."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen
from zope.interface import implementer

from trickster.errors import Reason
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
from trickster.messages import Octets, Outcome, Request, Response
from trickster.middleware.rewriting import are_headers, static_response
from trickster.routes import StaticResponse


@implementer(IResponder)
@frozen
class StaticResponder:
    """Answers every request with the same response, without an origin."""

    answer: StaticResponse

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: its body is closed, unread.
        :return: the answer; one of 400 and above says that the request was blocked.
        """
        request.body.close()
        answer = self.answer
        return Response(answer.status, answer.headers, Octets(answer.body),
                        Outcome(reason=Reason.BLOCKED if answer.status >= 400 else None))


def _is_status(instance: object, attribute: Attribute[Any], value: int) -> None:
    if not 200 <= value <= 599:
        raise ValueError("a final answer has a status from 200 to 599")


@frozen
class StaticOptions:
    """The answer to every request."""

    status: int = field(default=200, validator=_is_status, metadata={
        "doc": "Status code, 200 to 599."})
    body: str = field(default="", metadata={"doc": "Body, in UTF-8."})
    headers: dict[str, str] = field(factory=dict, validator=are_headers, metadata={
        "doc": "Headers; Content-Type is text/plain where not given and there is a body.",
        "variables": True})


@implementer(IMiddlewareType)
@frozen
class StaticType:
    """Static responses as a kind of middleware: what is inside gets no request."""

    name: str = "static"
    options: type = StaticOptions

    def wrap(self, inner: IResponder, options: StaticOptions, runtime: IRuntime) -> IResponder:
        """
        See L{IMiddlewareType.wrap}.

        :param inner: is never asked.
        :param options: the answer to every request.
        """
        return StaticResponder(static_response(options.status, options.body, options.headers))


static = StaticType()
