"""Content codings for answers that have none, by what clients accept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.bodies import Pieces
from trickster.config.document.settings import setting
from trickster.http.fields import OF_OCTETS
from trickster.http.grammar import tokens
from trickster.http.negotiation import chosen
from trickster.interfaces import IBody, IMiddlewareType, IResponder, IRuntime
from trickster.messages import Headers, Octets, Request, Response, Status
from trickster.middleware.codedbody import PIECE, CodedBody, Resumed, next_turn
from trickster.middleware.codedmemo import CodedMemo
from trickster.middleware.coders import Coding, codings
from trickster.remembering import remembered

# Below, what coding saves is hardly a packet.
SMALLEST = 512

_EVENTS = b"text/event-stream"
_PARTIAL = 206  # a part of what could have been coded whole
_CODED = frozenset((200, 201, 202, 203, _PARTIAL, 207))
_UNMODIFIED = 304
_UNSATISFIABLE = 416
_LENGTH = re.compile(rb"\d{1,18}")
_TAG = re.compile(rb'(?:W/)?"[^"]*"')
# Answers that may be given again just so.
_REPEATED = frozenset((Status.HIT, Status.NEGATIVE_HIT, Status.REVALIDATED, Status.PROXY_HIT))


@remembered(1 << 20)
def varied(headers: Headers) -> Headers:
    """:return: the fields of an answer that depends on C{Accept-Encoding}."""
    stated = headers.joined(b"vary")
    if stated is None:
        return headers.with_added((b"Vary", b"Accept-Encoding"))
    if not {b"*", b"accept-encoding"}.isdisjoint(tokens(headers, b"vary")):
        return headers
    return headers.with_set(b"Vary", stated + b", Accept-Encoding")


def coded_headers(headers: Headers, coding: bytes) -> Headers:
    """:return: the fields of an answer after a coding has been applied to its body."""
    kept = headers.without(*OF_OCTETS)
    tag = kept.get(b"etag")
    if tag is not None and tag.startswith(b'"'):
        # The octets are others for each coding, and perhaps each time (RFC 9110 8.8.1).
        kept = kept.with_set(b"ETag", b"W/" + tag)
    return kept.with_added((b"Content-Encoding", coding))


def unmodified_headers(request: Headers, headers: Headers) -> Headers:
    """
    :param headers: of a 304.
    :return: the same, speaking of what the client has: one that asks about a weak entity tag
        that is strong inside has a coded answer, which a strong one would not confirm
        (RFC 9111 section 4.3.4).
    """
    tag = headers.get(b"etag")
    asked = _TAG.findall(request.joined(b"if-none-match") or b"")
    if tag is not None and tag not in asked and b"W/" + tag in asked:
        return varied(headers.with_set(b"ETag", b"W/" + tag))
    # It replaces the field that came with what the client has.
    return varied(headers) if b"vary" in headers else headers


@frozen
class Compression:
    """
    What all routes share.

    :ivar codings: to be offered, the one to be preferred first.
    :ivar memo: coded forms of bodies that are asked for again and again.
    """

    codings: tuple[Coding, ...] = field(factory=codings)
    memo: CodedMemo = field(factory=CodedMemo)
    _by_name: dict[bytes, Coding] = field(init=False)
    _names: tuple[bytes, ...] = field(init=False)

    @_by_name.default
    def _table(self) -> dict[bytes, Coding]:
        return {coding.name: coding for coding in self.codings}

    @_names.default
    def _order(self) -> tuple[bytes, ...]:
        return tuple(coding.name for coding in self.codings)

    def coding_for(self, request: Request) -> Coding | None:
        """:return: the coding that an answer is to get, or None for none."""
        headers = request.headers
        if b"accept-encoding" not in headers or _forbids_transforming(headers):
            return None
        name = chosen(headers.joined(b"accept-encoding"), self._names)
        return None if name is None else self._by_name[name]


def compressible(types: Iterable[str]) -> frozenset[bytes]:
    """
    :param types: media types as configured.
    :return: the same in lower case.  Events (C{text/event-stream}) stay as they are: their
        readers want each at once.
    """
    return frozenset(kind.strip().lower().encode("utf-8") for kind in types) - {_EVENTS}


@implementer(IResponder)
@frozen(eq=False)
class Compressing:
    """
    Puts a content coding on the answers of an inner responder, where that is worth it.

    :ivar types: media types that are, in lower case; those of the backend that has answered
        where None.
    """

    inner: IResponder
    types: frozenset[bytes] | None
    shared: Compression
    clock: IReactorTime

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: the inner answer: coded; or as it is, but saying in C{Vary} that other clients
            get it coded; a 304 speaks of the answer that the client has.  Large bodies are
            coded as they are read, small ones here.
        """
        response = await self.inner.respond(request)
        if not self._could_be_coded(request, response):
            return response
        if response.status == _UNMODIFIED:
            return _with(response, unmodified_headers(request.headers, response.headers))
        coding = self.shared.coding_for(request)
        response = _with(response, varied(response.headers))
        if coding is None or response.status == _PARTIAL:
            return response
        try:
            return await self._coded(request, response, coding)
        except BaseException:
            response.body.close()
            raise

    def _could_be_coded(self, request: Request, response: Response) -> bool:
        """:return: whether some client would get a coded answer to this request."""
        status, headers = response.status, response.headers
        if status != _UNMODIFIED:
            if status not in _CODED and not _may_be_coded(status):
                return False
            body = response.body
            length = (len(body.octets) if type(body) is Octets and request.method != b"HEAD"
                      else _known_length(request, response))
            if length is not None and length < SMALLEST and status != _PARTIAL:
                return False
        types, span = self.types, request.span
        if types is None and span is not None:
            types = span.place.compressible
        if not types:
            return False
        if status == _UNMODIFIED:
            return not _forbids_transforming(headers)
        kind = headers.get(b"content-type")
        return (kind is not None and kind.partition(b";")[0].strip().lower() in types
                and b"content-encoding" not in headers and not _forbids_transforming(headers))

    async def _coded(self, request: Request, response: Response, coding: Coding) -> Response:
        is_repeated = response.outcome.status in _REPEATED
        body = response.body
        if type(body) is Pieces:
            body = await _gathered(body, self.shared.memo.largest if is_repeated else PIECE)
        is_here, is_head = type(body) is Octets, request.method == b"HEAD"
        if is_here and body.length < SMALLEST and not (is_head and not body.length):
            return _with(response, response.headers, body)
        if is_head:
            body.close()
            body = Octets()  # the length of one that is not coded would be stated
        elif type(body) is Octets:
            body = self._coded_octets(body, coding, is_repeated)
        else:
            body = self._coded_body(body, coding)
        return _with(response, coded_headers(response.headers, coding.name), body)

    def _coded_octets(self, body: Octets, coding: Coding, is_repeated: bool) -> IBody:
        octets, memo = body.octets, self.shared.memo
        if not is_repeated or type(octets) is not bytes or len(octets) > memo.largest:
            return self._coded_here(body, coding)
        coded = memo.find(coding.name, octets)
        if coded is not None:
            return Octets(coded)
        return self._coded_here(body, coding, partial(memo.keep, coding.name, octets))

    def _coded_here(self, body: Octets, coding: Coding,
                    keep: Callable[[bytes], None] | None = None) -> IBody:
        if len(body.octets) > PIECE:
            # The very body: its octets count for as long as it exists.
            return self._coded_body(body, coding, keep)
        coded = coding.whole(body.octets)
        if keep is not None:
            keep(coded)
        return Octets(coded)

    def _coded_body(self, body: IBody, coding: Coding,
                    keep: Callable[[bytes], None] | None = None) -> IBody:
        return CodedBody(body, coding.encoder(), partial(next_turn, self.clock), keep)


def _may_be_coded(status: int) -> bool:
    return status in _CODED or status >= 400 and status != _UNSATISFIABLE


async def _gathered(body: Pieces, limit: int) -> IBody:
    """
    :param body: one whose octets are there for the asking.
    :return: the same body, whole if it has no more octets than that.
    """
    if body.length is not None and body.length > limit:
        return body
    taken: list[bytes] = []
    size = 0
    while size <= limit:
        piece = await body.read()
        if not piece:
            return Octets(b"".join(taken))
        taken.append(piece)
        size += len(piece)
    return Resumed(taken, body, body.length)


def _with(response: Response, headers: Headers, body: IBody | None = None) -> Response:
    return Response(response.status, headers, response.body if body is None else body,
                    response.outcome, response.phrase)


def _known_length(request: Request, response: Response) -> int | None:
    """:return: octets of the body that a GET would get, where that is known."""
    length: int | None = response.body.length
    if request.method != b"HEAD" or length:
        return length
    stated = response.headers.get(b"content-length")
    return int(stated) if stated is not None and _LENGTH.fullmatch(stated) else None


def _forbids_transforming(headers: Headers) -> bool:
    # RFC 9111 sections 5.2.1.6 and 5.2.2.6.
    return b"no-transform" in (headers.joined(b"cache-control") or b"").lower()


@frozen
class CompressionOptions:
    """Which answers get a content coding, where clients accept one."""

    types: tuple[str, ...] | None = setting(
        None, "Media types that are worth compressing; those of compressible_types of the "
        "backend that answers where not given.")


@implementer(IMiddlewareType)
@frozen
class CompressionType:
    """Content codings as a kind of middleware."""

    name: str = "compression"
    options: type = CompressionOptions

    def wrap(self, inner: IResponder, options: CompressionOptions, runtime: IRuntime
             ) -> IResponder:
        """
        See L{IMiddlewareType.wrap}.

        :param options: its C{types} hold for all backends inside, in the place of their own.
        :param runtime: all places share its one memo of coded bodies.
        """
        shared: Compression = runtime.shared(self.name, Compression)
        types = None if options.types is None else compressible(options.types)
        return Compressing(inner, types, shared, runtime.clock)


compression = CompressionType()
