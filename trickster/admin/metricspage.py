"""What Prometheus scrapes."""

from __future__ import annotations

from typing import Protocol

from attrs import define
from zope.interface import implementer

from trickster.admin.endpoints import NO_CACHE
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.observability.exposition import Page


class Pages(Protocol):
    """Makes the text of metrics."""

    async def page(self, accept: str) -> Page:
        """The text in a form that a scraper takes, given what it accepts."""


@implementer(IResponder)
@define
class MetricsPage:
    """Answers with the text of all metrics."""

    exposition: Pages

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: its C{Accept} may ask for OpenMetrics.
        :return: a 200 with the text, which may be a second old.
        """
        accept = (request.headers.joined(b"accept") or b"").decode("latin-1")
        page = await self.exposition.page(accept)
        fields = ((b"Content-Type", page.content_type.encode("latin-1")), NO_CACHE)
        return Response(200, Headers(fields), Octets(page.octets))
