"""Requests that change what an origin has make stored responses invalid (RFC 9111 section 4.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field
from zope.interface import implementer

from trickster.http.invalidation import NOWHERE_ELSE, Place, invalidated
from trickster.interfaces import IResponder
from trickster.messages import Request, Response

# Has a cache forget what it has for a target and an authority.
Forget = Callable[[bytes, bytes], Awaitable[None]]


@define(eq=False)
class Invalidation:
    """
    The caches of a backend, all of which may have what a request to any of its paths makes
    invalid.

    :ivar place: where the origin is, in its own words.
    :ivar has_principals: whether some requests have had one: then there may be answers for them.
    :ivar elsewhere: has the caches of other processes forget the same; None where there are none.
    """

    place: Place = NOWHERE_ELSE
    has_principals: bool = field(default=False, init=False)
    elsewhere: Forget | None = field(default=None, init=False)
    _forgets: list[Forget] = field(factory=list, init=False)

    def __bool__(self) -> bool:
        """:return: whether there are caches at all."""
        return bool(self._forgets)

    def add(self, forget: Forget) -> None:
        """
        Have one more cache forget what becomes invalid.

        :param forget: called with a target, in origin form, and the authority that the client
            asked for; awaited before the next cache's, and before the client gets its answer.
        """
        self._forgets.append(forget)

    async def after(self, request: Request, response: Response) -> None:
        """
        Have every cache forget what a request has made invalid, if it has.

        :param response: the origin's.
        """
        self.has_principals = self.has_principals or request.identity is not None
        for target in invalidated(request, response, self.place):
            await self.forget_here(target, request.authority)
            if self.elsewhere is not None:
                await self.elsewhere(target, request.authority)

    async def forget_here(self, target: bytes, authority: bytes) -> None:
        """
        Have every cache of this process forget something.

        :param target: in origin form, in the words of clients.
        :param authority: the host that the client asked for.
        """
        for forget in self._forgets:
            await forget(target, authority)


@implementer(IResponder)
@define(eq=False)
class InvalidatingProxy:
    """
    Passes requests, and has caches forget what they make invalid.

    It is for the routes of a backend that are not cached, beside those that are.
    """

    _inner: IResponder
    _invalidation: Invalidation

    async def respond(self, request: Request) -> Response:
        """:return: the origin's answer."""
        response = await self._inner.respond(request)
        await self._invalidation.after(request, response)
        return response
