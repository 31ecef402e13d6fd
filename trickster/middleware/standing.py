"""Responders for what needs no origin, and for what is passed on for a known reason."""

from __future__ import annotations

from attrs import evolve, frozen
from zope.interface import implementer

from trickster.errors import Reason
from trickster.interfaces import IResponder
from trickster.messages import Octets, Outcome, Request, Response
from trickster.routes import LocalAnswer


@implementer(IResponder)
@frozen
class LocalResponder:
    """Answers every request with the same answer of our own."""

    answer: LocalAnswer

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        request.body.close()
        answer = self.answer
        return Response(answer.status, answer.headers, Octets(answer.body),
                        Outcome(reason=Reason.BLOCKED if answer.status >= 400 else None))


@implementer(IResponder)
@frozen
class Reasoned:
    """Passes requests on, and says why nothing was cached."""

    inner: IResponder
    reason: Reason

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        response = await self.inner.respond(request)
        if response.outcome.reason is not Reason.PROXY_PATH:
            return response
        return evolve(response, outcome=evolve(response.outcome, reason=self.reason))
