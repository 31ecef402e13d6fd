"""Whether this process is alive."""

from __future__ import annotations

from attrs import define
from zope.interface import implementer

from trickster.admin.endpoints import own_text
from trickster.interfaces import IResponder
from trickster.messages import Request, Response


@implementer(IResponder)
@define
class Ping:
    """Answers C{pong}."""

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200 for as long as the process answers at all, however its backends are.
        """
        return own_text(200, "pong")
