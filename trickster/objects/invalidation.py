"""Requests that change what an origin has make stored responses invalid."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define
from zope.interface import implementer

from trickster.interfaces import IResponder
from trickster.messages import Request, Response
from trickster.objects.cache import ObjectCache


@implementer(IResponder)
@define(eq=False)
class InvalidatingProxy:
    """
    Passes requests on, and has caches forget what they make invalid.

    It is for the routes of a backend that are not cached, beside those that are.
    """

    _inner: IResponder
    _caches: Sequence[ObjectCache]

    async def respond(self, request: Request) -> Response:
        """:return: the origin's answer."""
        response = await self._inner.respond(request)
        for cache in self._caches:
            await cache.invalidate(request, response)
        return response
