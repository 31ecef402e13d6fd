"""Progressive forwarding without a cache: equal requests at the same time share one answer."""

from __future__ import annotations

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.collapsing.broadcast import BroadcastBody, Buffering
from trickster.collapsing.fills import Fill, FillResult, FillTable, Streaming, Unshared
from trickster.errors import Reason
from trickster.http.cache_control import request_directives
from trickster.http.freshness import FreshnessRules, names_everything, policy_of, vary_names
from trickster.interfaces import IResponder
from trickster.keys.cache_key import digest
from trickster.keys.identity import Identity, Overrides
from trickster.keys.selecting import Selecting, matches, selecting_values
from trickster.messages import Engine, Headers, Outcome, Request, Response, Status
from trickster.net.callbacks import ignore

# Fields that make an answer another one, whether the origin says so in Vary or not.
_TELLING = (b"authorization", b"cookie", b"range", b"if-range", b"if-match", b"if-none-match",
            b"if-modified-since", b"if-unmodified-since", b"accept", b"accept-encoding",
            b"accept-language", b"origin", b"x-requested-with")
_NEVER_SHARED = frozenset((b"upgrade", b"expect", b"content-length", b"transfer-encoding"))
_UNSHARED_DIRECTIVES = frozenset((b"no-cache", b"no-store"))
_NO_RULES = FreshnessRules()


@frozen
class _Head:
    """
    What several clients get of one response before its body.

    :ivar selecting: the request fields that must be equal for it to match.
    """

    status: int
    headers: Headers
    phrase: bytes
    selecting: Selecting


@implementer(IResponder)
@define(eq=False)
class ProgressiveProxy:
    """
    Lets clients follow an answer that is on its way to another one.  Nothing is stored.

    :ivar identity: request fields that make an answer another one.
    :ivar overrides: requests that share nothing.
    """

    _inner: IResponder
    _clock: IReactorTime
    _buffering: Buffering
    identity: Identity
    overrides: Overrides
    _table: FillTable[_Head] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._table = FillTable.of(self._clock)

    async def respond(self, request: Request) -> Response:
        """
        :return: an answer of the origin, perhaps one that others follow too.
        :raises trickster.errors.RequestError: the origin gave none.
        """
        slot = self._slot(request)
        if slot is None or self._table.hit_for_pass.reason(slot) is not None:
            return await self._inner.respond(request)
        fill = self._table.find(slot)
        if fill is not None:
            return await self._response_of(request, await fill.wait(), Outcome(
                Engine.PROXY, Status.PROXY_HIT, Reason.COLLAPSED))
        fill = Fill(is_progressive=True)
        waiter = fill.wait()
        self._table.begin(slot, fill, self._fetch(fill, slot, request))
        return await self._response_of(request, await waiter, None)

    def _slot(self, request: Request) -> str | None:
        """:return: what is equal for requests that may share; None for one that may not."""
        headers = request.headers
        if (request.method != b"GET" or headers.has_any(_NEVER_SHARED)
                or self.overrides.are_in(headers)):
            return None
        asked = request_directives(headers)
        if not _UNSHARED_DIRECTIVES.isdisjoint(asked.values):
            return None
        return digest((request.authority, request.target, self.identity.of_request(request),
                       *map(headers.joined, _TELLING)))

    async def _response_of(self, request: Request, result: FillResult[_Head],
                           outcome: Outcome | None) -> Response:
        if isinstance(result, Unshared) and result.response is not None:
            if outcome is None:
                return result.response
            result.response.body.close()
        if isinstance(result, Streaming):
            head = result.stored
            if matches(head.selecting, request.headers):
                return Response(head.status, head.headers, result.body,
                                outcome or result.outcome, head.phrase)
            result.body.close()
        return await self._inner.respond(request)

    async def _fetch(self, fill: Fill[_Head], slot: str, request: Request) -> None:
        response = await self._inner.respond(request)
        try:
            await self._share(fill, slot, request, response)
        except BaseException:
            response.body.close()
            raise

    async def _share(self, fill: Fill[_Head], slot: str, request: Request, response: Response
                     ) -> None:
        if not _may_be_shared(response):
            self._table.hit_for_pass.mark(slot, Reason.PROXY_PATH)
            fill.release(response)
            return
        selecting = selecting_values(vary_names(response.headers), request.headers)
        head = _Head(response.status, response.headers, response.phrase, selecting)
        body = BroadcastBody(response.body, self._buffering, overflowed=ignore,
                             left=fill.left, is_end_awaited=lambda: False)
        outcome = evolve(response.outcome, origin_status=response.status)
        fill.stream(head, body, outcome, True)
        await body.pump()

    def stop(self) -> None:
        """Give up every exchange, at the end of the program."""
        self._table.cancel_all()


def _may_be_shared(response: Response) -> bool:
    headers = response.headers
    policy = policy_of(response.status, headers, 0.0, _NO_RULES)
    is_personal = policy.private or policy.no_store or policy.no_cache or policy.sets_cookie
    # An error may be the fault of the fields of one request.
    is_shared = 200 <= response.status < 400 or response.status in (404, 410)
    return (is_shared and not is_personal and not names_everything(headers)
            and not _is_endless(headers))


def _is_endless(headers: Headers) -> bool:
    # A stream of events never ends, and who comes late must not get those of the past.
    kind = headers.get(b"content-type") or b""
    return kind.lower().startswith(b"text/event-stream")
