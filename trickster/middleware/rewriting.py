"""What a path's options change in requests to the origin, and in its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import Attribute, evolve, field, frozen
from zope.interface import implementer

from trickster.http.fields import MADE_BY_PROXY
from trickster.http.grammar import is_token
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
from trickster.messages import Headers, Params, Request, Response
from trickster.routes import StaticResponse

_UNSAFE = re.compile(rb"[\r\n\0]")
# RFC 9110 section 5.5: no other controls than tabs are in a value.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@frozen
class Change:
    """
    One entry of a map of changes.

    :ivar name: of the field or parameter, without its sign.
    :ivar sign: C{"+"} adds a value, C{"-"} removes all, C{""} makes this the only one.
    """

    name: str
    value: str
    sign: str = ""


def changes(configured: Mapping[str, str]) -> tuple[Change, ...]:
    """
    :param configured: values by name; a name may begin with C{+} or C{-}.
    :return: the changes, in the order in which they are made.
    """
    return tuple(_change(name, value) for name, value in configured.items())


def _change(name: str, value: str) -> Change:
    if name[:1] in ("+", "-"):
        return Change(name[1:], value, name[0])
    return Change(name, value)


def names_of(todo: tuple[Change, ...]) -> frozenset[bytes]:
    """:return: the fields that changes are about, in lower case."""
    return frozenset(change.name.lower().encode("latin-1") for change in todo)


def changed_headers(headers: Headers, todo: tuple[Change, ...]) -> Headers:
    """
    :return: the fields with all changes made, in order; changes that would break the
        message are left out.
    """
    for change in todo:
        name, value = change.name.encode("latin-1"), change.value.encode("utf-8")
        if not is_token(name) or _UNSAFE.search(value) or name.lower() in MADE_BY_PROXY:
            continue
        if change.sign == "+":
            headers = headers.with_added((name, value))
        elif change.sign == "-":
            headers = headers.without(name.lower())
        else:
            headers = headers.with_set(name, value)
    return headers


def changed_params(params: Params, todo: tuple[Change, ...]) -> Params:
    """:return: the parameters with all changes made, in order."""
    for change in todo:
        if change.sign == "+":
            params = Params((*params.pairs, (change.name, change.value)))
        elif change.sign == "-":
            params = params.without(change.name)
        else:
            params = params.replaced(**{change.name: change.value})
    return params


def changed_query(query: bytes, todo: tuple[Change, ...]) -> bytes:
    """
    Change a query string, and leave everything in it that is not named as it is spelled.

    :return: the new query.
    """
    touched = {change.name for change in todo if change.sign != "+"}
    kept = [piece for piece in query.split(b"&") if piece and _name(piece) not in touched]
    added = changed_params(Params(), todo).encode()
    return b"&".join([*kept, added] if added else kept)


def _name(piece: bytes) -> str | None:
    try:
        [(name, _)] = Params.parse(piece).pairs
    except ValueError:
        return None  # broken escapes are the origin's to refuse
    return name


@frozen
class Rewriting:
    """
    The changes of one path.

    :ivar request_headers: for the origin.
    :ivar request_params: for the origin; in the query.
    :ivar response_headers: for the cache, which they may allow or forbid to store, and the
        client.
    """

    request_headers: tuple[Change, ...] = ()
    request_params: tuple[Change, ...] = ()
    response_headers: tuple[Change, ...] = ()
    _names: frozenset[bytes] = field(init=False, eq=False, repr=False)

    @_names.default
    def _names_of_fields(self) -> frozenset[bytes]:
        return names_of(self.request_headers)

    def request(self, request: Request) -> Request:
        """:return: the request as the origin is to see it."""
        headers = changed_headers(request.headers, self.request_headers)
        target = request.target
        if self.request_params:
            query = changed_query(request.query, self.request_params)
            target = request.path + b"?" + query if query else request.path
        return evolve(request, headers=headers, target=target,
                      configured=request.configured | self._names)

    def response(self, response: Response) -> Response:
        """:return: the response as caches and clients are to see it."""
        return response.with_headers(changed_headers(
            response.headers, self.response_headers))


@implementer(IResponder)
@frozen
class RewritingResponder:
    """
    Changes what goes to the origin, and what comes back.

    It belongs between the caches and the origin: the key is that of the client's request,
    and the fields of the answer decide about caching as they are after the change.
    """

    inner: IResponder
    rewriting: Rewriting

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: what the origin answers to the changed request, itself changed then.
        """
        response = await self.inner.respond(self.rewriting.request(request))
        if not self.rewriting.response_headers:
            return response
        return self.rewriting.response(response)


@implementer(IResponder)
@frozen
class AnswerHeaders:
    """
    Changes the fields of answers that are not the origin's own, but made of its data: to those
    that are and have the changes already, it adds nothing twice.
    """

    inner: IResponder
    todo: tuple[Change, ...]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: the inner answer with all changes made, but no value added that it has already.
        """
        response = await self.inner.respond(request)
        headers = response.headers
        missing = tuple(change for change in self.todo if not _is_there(change, headers))
        return response.with_headers(changed_headers(headers, missing))


def _is_there(change: Change, headers: Headers) -> bool:
    name = change.name.lower().encode("latin-1")
    return change.sign == "+" and change.value.encode("utf-8") in headers.get_all(name)


def static_response(code: int | None, body: str | None, headers: Mapping[str, str]) -> StaticResponse:
    """
    :param code: C{response_code}; 200 if there is none.
    :param body: C{response_body}.
    :param headers: C{response_headers}.
    :return: the answer of a path with the handler C{localresponse}.
    """
    octets = (body or "").encode("utf-8")
    kind = Headers(((b"Content-Type", b"text/plain; charset=utf-8"),)) if octets else Headers()
    return StaticResponse(code or 200, octets, changed_headers(kind, changes(headers)))


def rewritten(inner: IResponder, rewriting: Rewriting) -> IResponder:
    """:return: the responder with all of that changed; itself where that is nothing."""
    return inner if rewriting == Rewriting() else RewritingResponder(inner, rewriting)


def are_headers(instance: object, attribute: Attribute[Any], configured: Mapping[str, str]
                ) -> None:
    """
    Validate an option: changes to header fields.

    :raises ValueError: with what is wrong.
    """
    for change in changes(configured):
        name = change.name.encode("utf-8")
        if not is_token(name):
            raise ValueError(f"{change.name!r} is not a header name")
        if name.lower() in MADE_BY_PROXY:
            raise ValueError(f"{change.name} concerns one connection only, and is made by "
                             "Trickster itself; expected another header")
        if _CONTROLS.search(change.value):
            raise ValueError(f"the value of {change.name} cannot have control characters")


@frozen
class RewritingOptions:
    """
    What is changed in requests, and in the answers to them.

    A name that begins with C{+} adds a value, one with C{-} removes all of that name.
    """

    request_headers: dict[str, str] = field(
        factory=dict, validator=are_headers, metadata={
            "doc": "Headers to set in requests, before any cache; +name adds, -name removes.",
            "secret": True, "variables": True})
    request_params: dict[str, str] = field(factory=dict, metadata={
        "doc": "Query parameters to set in requests; +name adds, -name removes.",
        "variables": True})
    response_headers: dict[str, str] = field(
        factory=dict, validator=are_headers, metadata={
            "doc": "Headers to set in answers, stored ones too; +name adds, -name removes.",
            "variables": True})


@implementer(IMiddlewareType)
@frozen
class RewritingType:
    """Changes to requests and answers as a kind of middleware."""

    name: str = "rewriting"
    options: type = RewritingOptions

    def wrap(self, inner: IResponder, options: RewritingOptions, runtime: IRuntime) -> IResponder:
        """
        See L{IMiddlewareType.wrap}.

        :return: C{inner} itself where nothing is to be changed.
        """
        return rewritten(inner, Rewriting(
            changes(options.request_headers), changes(options.request_params),
            changes(options.response_headers)))


rewriting = RewritingType()
