"""Requests that are passed, and the reason why nothing of them is cached."""

from __future__ import annotations

from attrs import evolve, frozen
from zope.interface import implementer

from trickster.errors import Reason
from trickster.interfaces import IResponder
from trickster.messages import Request, Response


@implementer(IResponder)
@frozen
class WithReason:
    """
    Passes requests.

    :ivar reason: why, for outcomes that name no other reason than the path.
    """

    inner: IResponder
    reason: Reason

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: the inner answer, with this reason in the place of the path's.
        """
        response = await self.inner.respond(request)
        if response.outcome.reason is not Reason.PROXY_PATH:
            return response
        return response.with_outcome(evolve(response.outcome, reason=self.reason))
