"""What a worker answers to other workers."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field, frozen
from zope.interface import implementer

from trickster.bodies import BodyTooLarge, read_all
from trickster.errors import RequestError
from trickster.interfaces import IBody, IResponder
from trickster.messages import Octets, Request, Response, octets_of, text_response
from trickster.peers.envelope import (
    Forgotten,
    Reply,
    decoded_order,
    encoded_reply,
    refusal_of,
    reply_of,
)
from trickster.peers.homes import Homes

# Octets of an order: a request with its body, of which listeners have limits of their own.
_LARGEST = 1 << 30
_SMALL = 64 << 10


@implementer(IResponder)
@frozen
class HomeResponder:
    """Answers the orders of other workers."""

    homes: Homes

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: its body is an order.
        :return: a 200 with the reply, and after it the body of the answer, where there is one; a
            404 where there is no such cache here, or one that does not know of all purges; a 400 where it is no order.
        """
        try:
            order = decoded_order(await read_all(request.body, _LARGEST))
            asked = None if order.asked is None else order.asked.request()
        except (BodyTooLarge, ValueError):
            return text_response(400, "no order\n")
        if order.asked is not None and asked is not None:
            if not await self.homes.caught_up(order.asked.cache, order.asked.mark):
                return text_response(404, "not as new as the one who asks\n")
            return await self._answered(order.asked.cache, evolve(asked, interim=request.interim))
        if order.forgotten is not None:
            await self._forget(order.forgotten)
        return Response(200, body=Octets(encoded_reply(Reply())))

    async def _answered(self, cache: str, request: Request) -> Response:
        answer = self.homes.answering(cache)
        if answer is None:
            return text_response(404, "no such cache\n")
        try:
            response = await answer(request)
        except RequestError as error:
            return Response(200, body=Octets(encoded_reply(refusal_of(error))))
        head, octets = encoded_reply(reply_of(response)), octets_of(response.body)
        if octets is not None and len(octets) <= _SMALL:
            return Response(200, body=Octets(head + octets))
        return Response(200, body=_After(head, response.body))

    async def _forget(self, forgotten: Forgotten) -> None:
        forget = self.homes.forgetting(forgotten.backend)
        if forget is not None:
            await forget(forgotten.target, forgotten.authority)


@implementer(IBody)
@define(eq=False)
class _After:
    """A body, with something before it."""

    _first: bytes
    _inner: IBody
    length: int | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        inner = self._inner.length
        self.length = None if inner is None else inner + len(self._first)

    async def read(self) -> Any:
        """See L{IBody.read}."""
        first, self._first = self._first, b""
        return first or await self._inner.read()

    def close(self) -> None:
        """See L{IBody.close}."""
        self._inner.close()
