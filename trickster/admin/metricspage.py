"""What Prometheus scrapes."""

from __future__ import annotations

from attrs import define
from zope.interface import implementer

from trickster.admin.endpoints import NO_CACHE
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.observability.exposition import Exposition


@implementer(IResponder)
@define
class MetricsPage:
    """Answers with the text of all metrics."""

    exposition: Exposition

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
