"""Requests translated into an origin's dialect, and its responses back into the client's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import evolve, frozen
from zope.interface import implementer

from trickster.bodies import BodyTooLarge, read_all
from trickster.errors import Reason, RequestTooLarge, UpstreamBroke
from trickster.http.fields import OF_OCTETS, OF_PARTS, VALIDATORS
from trickster.interfaces import IBody, IResponder
from trickster.messages import (
    LONGEST_PARAMS,
    MalformedParams,
    Octets,
    Params,
    Request,
    Response,
    octets_of,
    parsed_query,
)
from trickster.routes import Translate, Translation

_METHODS = (b"GET", b"HEAD", b"POST")
_FORM = b"application/x-www-form-urlencoded"
# What only makes sense for answers that come as the origin has them, and whole.
_UNTRANSLATABLE = (b"accept-encoding", *OF_PARTS)
_OF_ORIGINAL = (*OF_OCTETS, *VALIDATORS)
_LONG = 128 << 10  # octets that would hold the reactor for too long


Change = Callable[[bytes], Awaitable[bytes]]


@implementer(IResponder)
@frozen
class TranslatingResponder:
    """
    Translates requests on their way to the origin, and the responses on theirs back.

    It belongs between the caches and the origin: keys are made of the client's words, and what
    is stored is in them.

    :ivar inner: where the origin is.
    :ivar translate: of the route.
    :ivar collect: reads a body to its end, within a bound, and makes another of what is made of
        its octets; raises a L{trickster.errors.RequestError} above the bound.
    :ivar offload: calls a function with arguments in a thread.
    """

    inner: IResponder
    translate: Translate
    collect: Callable[[IBody, Change], Awaitable[IBody]]
    offload: Callable[..., Awaitable[Any]]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: a form in it is read whole; one of another method than GET, HEAD and
            POST goes on as it is.
        :return: a 200 in the client's words, whole, and without the fields that told of the
            origin's octets; any other answer is the origin's own.
        :raises RequestError: the route's translation refuses request or answer.
        :raises RequestTooLarge: there are more parameters than can be read, or some that cannot
            be, and the origin does not refuse them itself.
        :raises UpstreamBroke: the answer has a content coding, though none was asked for.
        """
        if request.method not in _METHODS:
            return await self.inner.respond(request)
        request = await _with_form(request)
        try:
            params = _params(request)
        except MalformedParams:
            # Which may be about anything; origins refuse most of it.
            return _refusing(await self.inner.respond(request))
        translation = await self._translated(request, params)
        response = await self.inner.respond(_asked(request, params, translation))
        if translation.answer is None or response.status != 200:
            return response
        if request.method == b"HEAD":
            return _changed(response, response.body)
        return await self._answered(response, translation.answer)

    async def _translated(self, request: Request, params: Params) -> Translation:
        if len(request.target) + (request.body.length or 0) <= _LONG // 16:
            return self.translate(request, params)
        translation: Translation = await self.offload(self.translate, request, params)
        return translation

    async def _answered(self, response: Response, answer: Callable[[bytes], bytes]) -> Response:
        coding = (response.headers.joined(b"content-encoding") or b"identity").strip().lower()
        if coding != b"identity":
            response.body.close()
            raise UpstreamBroke("the origin's answer has a content coding that was not asked for",
                                Reason.UNDECODABLE)

        async def changed(octets: bytes) -> bytes:
            return await self.offload(answer, octets) if len(octets) > _LONG else answer(octets)

        return _changed(response, await self.collect(response.body, changed))


def _changed(response: Response, body: IBody) -> Response:
    return evolve(response, body=body, headers=response.headers.without(*_OF_ORIGINAL))


def _refusing(response: Response) -> Response:
    """:return: an origin's refusal of what could not be read here."""
    if response.status >= 400:
        return response
    response.body.close()
    raise RequestTooLarge("the parameters cannot be read")


async def _with_form(request: Request) -> Request:
    if request.method != b"POST" or octets_of(request.body) is not None or not _is_form(request):
        return request
    try:
        octets = await read_all(request.body, LONGEST_PARAMS)
    except BodyTooLarge as error:
        raise RequestTooLarge(str(error)) from error
    return request.with_body(Octets(bytes(octets)))


def _is_form(request: Request) -> bool:
    kind = (request.headers.get(b"content-type") or b"").partition(b";")[0].strip().lower()
    return kind == _FORM and b"content-encoding" not in request.headers


def _form(request: Request) -> bytes:
    """:return: the urlencoded body; nothing where origins read none."""
    return (octets_of(request.body) or b"") if (
        request.method == b"POST" and _is_form(request)) else b""


def _params(request: Request) -> Params:
    return Params(Params.parse(_form(request)).pairs + parsed_query(request.query).pairs)


def _asked(request: Request, params: Params, translation: Translation) -> Request:
    headers = request.headers
    if translation.answer is not None:
        headers = headers.without(*_UNTRANSLATABLE)
    if translation.accept is not None:
        headers = headers.with_set(b"Accept", translation.accept)
    if translation.params == params and translation.path == request.path:
        return request.with_headers(headers)
    encoded = translation.params.encode()
    if _form(request):
        return evolve(request, target=translation.path, headers=headers,
                      body=Octets(encoded))
    target = translation.path + b"?" + encoded if encoded else translation.path
    return evolve(request, target=target, headers=headers)

