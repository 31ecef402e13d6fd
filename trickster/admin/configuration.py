"""The running configuration, for people."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from zope.interface import implementer

from trickster.admin.endpoints import own_text
from trickster.interfaces import IResponder
from trickster.messages import Request, Response


@implementer(IResponder)
@define
class ConfigurationText:
    """
    Shows the configuration.

    :ivar read: makes its text, as YAML, with all secrets masked.
    """

    read: Callable[[], str]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200 with the text, which is made for each request.
        """
        return own_text(200, self.read())
