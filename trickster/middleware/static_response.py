"""Static responses: what an origin type or the configuration answers by itself."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from trickster.errors import Reason
from trickster.interfaces import IResponder
from trickster.messages import Octets, Outcome, Request, Response
from trickster.routes import LocalAnswer


@implementer(IResponder)
@frozen
class StaticResponder:
    """Answers every request with the same response, without an origin."""

    answer: LocalAnswer

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        request.body.close()
        answer = self.answer
        return Response(answer.status, answer.headers, Octets(answer.body),
                        Outcome(reason=Reason.BLOCKED if answer.status >= 400 else None))
